// Connect tokens at a host: each lets in one connection, whatever a shared store says, and when.

import { PacketKind, readRefusal, Verdict } from '@tickwire/protocol';
import { describe, expect, test, vi } from 'vitest';
import { TokenLedger } from '../src/token-ledger.ts';
import { Attempt, Scene, TOKEN_KEY, tokenOf, WALL_MS } from './handshake-scene.ts';

const plenty = { perSecond: 1e9, burst: 1e9 };
const unlimited = { connectionsPerAddress: plenty, connections: plenty };

/** A scene with tokens and a store that answers when the test says so. */
function storeScene() {
  const asked: { id: Uint8Array; answer(fresh: boolean | undefined): void }[] = [];
  const consume = (id: Uint8Array, answer: (fresh: boolean | undefined) => void) => {
    asked.push({ id, answer });
  };
  const access = { way: 'token', key: TOKEN_KEY, consume } as const;
  const scene = new Scene({ access, wallClock: () => WALL_MS + 5000 });
  const credential = tokenOf(1, scene.host.identity.publicKey);
  const begin = (number: number) => {
    const attempt = new Attempt(number, { credential });
    expect(scene.receive(scene.proof(attempt))).toBe(Verdict.accepted);
    return attempt;
  };
  /** Of what is sent: why, or 'accepted'. */
  const reasons = () =>
    scene.drain().map(({ bytes }) => {
      if (bytes[0] === PacketKind.accept) return 'accepted';
      return readRefusal(bytes, 0, bytes.length)?.reason;
    });
  return { scene, asked, begin, reasons };
}

describe('a shared store of used tokens', () => {
  test('is asked once, by the id of the token, and a yes lets in', () => {
    const { scene, asked, begin } = storeScene();
    const attempt = begin(1);
    expect(asked.map(({ id }) => [...id])).toEqual([new Array(16).fill(1)]);
    expect([scene.events, scene.drain()]).toEqual([[], []]);
    expect(scene.host.statistics.halfOpen).toBe(1);
    asked[0]!.answer(true);
    expect(scene.events).toEqual(['requested 0']);
    expect(attempt.keys(scene.drain()[0]!.bytes)).toBeDefined();
    expect(asked.length).toBe(1);
  });

  test('that says no: token-used, now and when tried again, without asking again', () => {
    const { scene, asked, begin, reasons } = storeScene();
    begin(1);
    asked[0]!.answer(false);
    expect(reasons()).toEqual(['token-used']);
    expect([scene.host.used, scene.addresses.size, scene.events]).toEqual([0, 0, []]);
    begin(2);
    expect(reasons()).toEqual(['token-used']);
    expect(asked.length).toBe(1);
    asked[0]!.answer(true);
    begin(3);
    expect(reasons()).toEqual(['token-used']);
  });

  test('that cannot be asked: told of an error, and asked again when tried again', () => {
    const { scene, asked, begin, reasons } = storeScene();
    begin(1);
    asked[0]!.answer(undefined);
    expect(reasons()).toEqual(['error']);
    expect([scene.host.used, scene.addresses.size]).toEqual([0, 0]);
    begin(2);
    expect(asked.length).toBe(2);
    asked[1]!.answer(true);
    expect(scene.events).toEqual(['requested 0']);
  });

  test('that never answers holds the slot for 5 s', () => {
    const { scene, begin } = storeScene();
    begin(1);
    scene.advance(4999);
    expect(scene.host.used).toBe(1);
    scene.advance(1);
    expect([scene.host.used, scene.addresses.size, scene.freed]).toEqual([0, 0, [0]]);
    expect(scene.drain()).toEqual([]);
  });

  test('that answers after the slot was given up lets in who comes next, not who has the slot', () => {
    const { scene, asked, begin, reasons } = storeScene();
    begin(1);
    scene.advance(5000);
    // Somebody else has the slot by now, and waits for an answer too.
    const other = tokenOf(2, scene.host.identity.publicKey);
    scene.receive(scene.proof(new Attempt(2, { credential: other }), 2), 2);
    expect(asked.length).toBe(2);
    asked[0]!.answer(true);
    expect([scene.events, scene.drain()]).toEqual([[], []]);
    begin(3);
    expect(asked.length).toBe(2);
    expect(scene.events).toEqual(['requested 1']);
    asked[1]!.answer(false);
    expect(reasons()).toEqual(['accepted', 'token-used']);
  });

  test('whose late no is remembered', () => {
    const { scene, asked, begin, reasons } = storeScene();
    begin(1);
    scene.advance(5000);
    asked[0]!.answer(false);
    expect(scene.drain()).toEqual([]);
    begin(2);
    expect(reasons()).toEqual(['token-used']);
    expect(asked.length).toBe(1);
  });

  test('that answers twice is heard once', () => {
    for (const [first, second] of [
      [true, false],
      [true, undefined],
      [false, true],
    ] as const) {
      const { scene, asked, begin, reasons } = storeScene();
      begin(1);
      asked[0]!.answer(first);
      const [after, events] = [reasons(), [...scene.events]];
      asked[0]!.answer(second);
      expect(reasons()).toEqual([]);
      expect(scene.events).toEqual(events);
      expect(after).toEqual([first ? 'accepted' : 'token-used']);
      expect(scene.host.used).toBe(first ? 1 : 0);
    }
  });

  test('that answers within the call', () => {
    const consume = (_id: Uint8Array, done: (fresh: boolean) => void) => done(true);
    const access = { way: 'token', key: TOKEN_KEY, consume } as const;
    const scene = new Scene({ access, wallClock: () => WALL_MS + 5000 });
    const credential = tokenOf(1, scene.host.identity.publicKey);
    scene.join(new Attempt(1, { credential }));
    expect(scene.events).toEqual(['requested 0', 'opened 0 0']);
    expect(scene.refusal(new Attempt(2, { credential })).reason).toBe('token-used');
  });

  test('a proof that a later attempt has overtaken takes nothing back', () => {
    const { scene, asked, begin, reasons } = storeScene();
    const credential = tokenOf(1, scene.host.identity.publicKey);
    const early = scene.proof(new Attempt(1, { credential }));
    expect(scene.receive(early.slice())).toBe(Verdict.accepted);
    scene.advance(4200);
    begin(2);
    asked[0]!.answer(true);
    expect(reasons()).toEqual(['accepted']);
    expect(scene.receive(early.slice())).toBe(Verdict.duplicate);
    expect([scene.host.used, scene.events]).toEqual([1, ['requested 1']]);
  });

  test('a client that starts over takes the place of its earlier attempt, and waits for the same answer', () => {
    const { scene, asked, begin } = storeScene();
    const first = begin(1);
    const second = begin(2);
    expect(asked.length).toBe(1);
    expect([scene.host.used, scene.addresses.holds]).toEqual([1, 1]);
    asked[0]!.answer(true);
    const accepts = scene.drain();
    expect(accepts.length).toBe(1);
    expect(first.keys(accepts[0]!.bytes)).toBeUndefined();
    expect(second.keys(accepts[0]!.bytes)).toBeDefined();
  });
});

describe('a token', () => {
  const clock = { nowMs: WALL_MS };
  const create = (options = {}) => {
    clock.nowMs = WALL_MS;
    const access = { way: 'token', key: TOKEN_KEY } as const;
    const scene = new Scene({
      access,
      wallClock: () => clock.nowMs,
      limits: unlimited,
      ...options,
    });
    return { scene, key: scene.host.identity.publicKey };
  };

  test('lets in one connection, and brings user and timeout', () => {
    const { scene, key } = create();
    const credential = tokenOf(1, key, { timeoutMs: 1500 });
    scene.join(new Attempt(1, { credential }));
    expect(scene.host.user(0)).toEqual({ id: 'user-1', data: Uint8Array.of(1) });
    const refused = scene.refusal(new Attempt(2, { credential }), 2);
    expect([refused.verdict, refused.reason]).toEqual([Verdict.accepted, 'token-used']);
    expect([scene.host.used, scene.addresses.size]).toEqual([1, 1]);
    scene.advance(1499);
    expect(scene.events.length).toBe(2);
    scene.advance(1);
    expect(scene.events.at(-1)).toBe('closed 0 timeout  false');
    expect(scene.refusal(new Attempt(3, { credential })).reason).toBe('token-used');
  });

  test('may be tried again until it has let somebody in', () => {
    const { scene, key } = create();
    const credential = tokenOf(1, key);
    for (let number = 1; number < 5; number++) {
      expect(scene.accept(new Attempt(number, { credential }))).toBeDefined();
      expect([scene.host.used, scene.addresses.holds]).toEqual([1, 1]);
    }
    scene.advance(5000);
    expect(scene.host.used).toBe(0);
    scene.answer = 'refuse';
    expect(scene.refusal(new Attempt(6, { credential })).reason).toBe('refused');
    scene.answer = 'accept';
    scene.join(new Attempt(7, { credential }));
  });

  test('of an attempt that another one has replaced opens nothing', () => {
    const { scene, key } = create();
    const credential = tokenOf(1, key);
    const first = new Attempt(1, { credential });
    const accept = scene.accept(first)!;
    const connection = first.connect(scene.nowMs, accept, () => {});
    expect(scene.accept(new Attempt(2, { credential }))).toBeDefined();
    const late = scene.says({ attempt: first, connection, slot: 0, ends: [] });
    expect(scene.receive(late)).toBe(Verdict.unknown);
    expect(scene.events).toEqual(['requested 0', 'requested 1']);
  });

  test('that is one too many is refused with a text of its own, and counted', () => {
    const { scene, key } = create({ limits: { ...unlimited, tokens: 2 } });
    for (const number of [1, 2]) {
      scene.join(new Attempt(number, { credential: tokenOf(number, key) }), number);
    }
    const refused = scene.refusal(new Attempt(3, { credential: tokenOf(3, key) }), 3);
    expect([refused.reason, refused.text]).toEqual(['full', 'too many tokens are in use']);
    expect(scene.host.statistics).toMatchObject({ tokensRemembered: 2, tokensFull: 1 });
    // One that is used is known as such all the same.
    const used = scene.refusal(new Attempt(4, { credential: tokenOf(1, key) }), 4);
    expect(used.reason).toBe('token-used');
    clock.nowMs += 62_000;
    const later = { issuedAtMs: clock.nowMs, expiresAtMs: clock.nowMs + 60_000 };
    scene.join(new Attempt(5, { credential: tokenOf(5, key, later) }), 5);
    expect(scene.host.statistics).toMatchObject({ tokensRemembered: 1, tokensFull: 1 });
  });

  test('is judged by the wall clock, which does not go back', () => {
    const { scene, key } = create();
    const credential = tokenOf(1, key);
    clock.nowMs = WALL_MS + 61_000;
    expect(scene.refusal(new Attempt(1, { credential })).reason).toBe('token-expired');
    clock.nowMs = WALL_MS + 2000;
    expect(scene.refusal(new Attempt(2, { credential })).reason).toBe('token-expired');
  });

  test('is forgotten with its slot, however that ends, unless it was used', () => {
    const claims = vi.spyOn(TokenLedger.prototype, 'claim');
    const { scene, key } = create();
    const credential = (number: number, timeoutMs: number) => tokenOf(number, key, { timeoutMs });
    // Its connection times out before its slot is given up as half-open.
    scene.accept(new Attempt(1, { credential: credential(1, 50) }));
    const ledger = claims.mock.contexts[0] as TokenLedger;
    claims.mockRestore();
    expect(ledger.size).toBe(1);
    scene.advance(50);
    expect([scene.freed, ledger.size]).toEqual([[0], 0]);
    // It is given up as half-open.
    scene.accept(new Attempt(2, { credential: credential(2, 0) }));
    scene.advance(5000);
    expect([scene.freed.length, ledger.size]).toEqual([2, 0]);
    // It is closed before its client was heard.
    scene.accept(new Attempt(3, { credential: credential(3, 0) }));
    scene.host.close(0, 'shutdown', '');
    for (let i = 0; i < 100 && scene.host.used > 0; i++) scene.advance(100).drain();
    expect([scene.freed.length, ledger.size]).toEqual([3, 0]);
    scene.answer = 'refuse';
    scene.refusal(new Attempt(4, { credential: credential(4, 0) }));
    expect([scene.freed.length, ledger.size]).toEqual([4, 0]);
    scene.answer = 'accept';
    scene.join(new Attempt(5, { credential: credential(5, 50) }));
    scene.advance(50);
    expect([scene.freed.length, ledger.size]).toEqual([5, 1]);
  });
});
