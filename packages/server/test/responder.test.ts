// The server's end of the handshake, spoken to by hand: what is answered, what is silence, what a proof can take.

import { simulatedCrypto } from '@tickwire/netsim';
import {
  ACCEPT_BYTES,
  COOKIE_BYTES,
  createKeyPair,
  KEY_BYTES,
  readAccept,
  readChallenge,
  readRefusal,
  Verdict,
  Way,
} from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { Attempt, GAME, Scene, TOKEN_KEY, tokenOf, WALL_MS } from './handshake-scene.ts';

const plenty = { perSecond: 1e9, burst: 1e9 };
const unlimited = { connectionsPerAddress: plenty, connections: plenty, halfOpen: 65_535 };

/** Leaves no room for any answer: strangers cannot do that alone. All are at address 9; how many addresses are held. */
function fillRing(scene: Scene): number {
  const { answer } = scene;
  scene.answer = 'refuse';
  const proofs = Array.from({ length: 16 }, (_, n) => scene.proof(new Attempt(200 + n), 9));
  for (const proof of proofs) scene.receive(proof, 9);
  for (let i = 0; i < 48; i++) scene.receive(new Attempt(100 + i).request, 9);
  scene.answer = answer;
  scene.events.length = 0;
  return scene.addresses.size;
}

describe('a request', () => {
  test('gets a challenge that is shorter, and leaves nothing behind', () => {
    const scene = new Scene();
    for (let from = 1; from < 200; from++) scene.challenge(new Attempt(from), from);
    expect([scene.host.used, scene.addresses.size, scene.events.length]).toEqual([0, 0, 0]);
    expect(scene.host.wakeAt()).toBe(Number.POSITIVE_INFINITY);
    const { unprovenBytesIn, unprovenBytesOut } = scene.host.statistics;
    expect([unprovenBytesIn, unprovenBytesOut]).toEqual([199 * 1200, 199 * 70]);
  });

  test('the challenge shows identity and version, and a cookie that differs by nonce and address', () => {
    const scene = new Scene();
    const seen = new Set<string>();
    for (const [number, from] of [
      [1, 1],
      [1, 2],
      [2, 1],
    ] as const) {
      const bytes = scene.challenge(new Attempt(number), from);
      const challenge = readChallenge(bytes, 0, bytes.length)!;
      expect(challenge.version).toBe(2);
      expect(challenge.serverKey).toEqual(scene.host.identity.publicKey);
      seen.add(`${challenge.cookie}`);
    }
    expect(seen.size).toBe(3);
  });

  test('of another game, schema or version is refused, statelessly and shorter', () => {
    const scene = new Scene();
    const other = new Attempt(1, { game: { ...GAME, idHash: 1 } }).request;
    const schema = new Attempt(2, { game: { ...GAME, digest: 1 } }).request;
    const old = new Attempt(3).request;
    old[5] = old[6] = 1;
    const newer = new Attempt(4).request;
    newer[5] = 3;
    newer[6] = 9;
    for (const bytes of [other, schema, old, newer]) {
      expect(scene.receive(bytes)).toBe(Verdict.unexpected);
    }
    const replies = scene.drain().map(({ bytes }) => bytes);
    const reasons = replies.map((bytes) => readRefusal(bytes, 0, bytes.length)!.reason);
    expect(reasons).toEqual(['game', 'game', 'version', 'version']);
    expect([...replies[0]!.subarray(1, 17)]).toEqual([...new Attempt(1).nonce]);
    for (const bytes of replies) expect(bytes.length).toBe(18);
    expect([scene.host.used, scene.addresses.size]).toEqual([0, 0]);
  });

  test('may offer any range of versions that holds ours, and gets ours', () => {
    const scene = new Scene();
    for (const [lowest, highest] of [
      [0, 200],
      [2, 255],
      [0, 2],
    ] as const) {
      const attempt = new Attempt(1);
      attempt.request[5] = lowest;
      attempt.request[6] = highest;
      const challenge = scene.challenge(attempt);
      expect(readChallenge(challenge, 0, challenge.length)!.version).toBe(2);
    }
  });

  test('more than 48 answers to strangers do not wait', () => {
    const scene = new Scene();
    const verdicts = Array.from({ length: 100 }, (_, i) => scene.receive(new Attempt(i).request));
    expect(verdicts.slice(0, 48)).toEqual(new Array(48).fill(Verdict.accepted));
    expect(verdicts.slice(48)).toEqual(new Array(52).fill(Verdict.limited));
    expect(scene.host.statistics.repliesDropped).toBe(52);
    expect(scene.host.wakeAt()).toBe(scene.nowMs);
    expect(scene.drain().length).toBe(48);
    expect(scene.host.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('is dropped beyond the limit and counted; refusals of strangers have a limit of their own', () => {
    const requests = { perSecond: 10, burst: 8 };
    const scene = new Scene({ limits: { requests, refusals: { perSecond: 1, burst: 2 } } });
    const wrong = (number: number) => new Attempt(number, { game: { ...GAME, digest: 9 } }).request;
    // Half of the answers are for those who come first.
    for (let i = 0; i < 4; i++) expect(scene.receive(wrong(i))).toBe(Verdict.unexpected);
    expect(scene.drain().length).toBe(2);
    expect(scene.host.statistics.refusalsLimited).toBe(2);
    expect(scene.receive(wrong(5))).toBe(Verdict.limited);
    expect(scene.host.statistics.requestsLimited).toBe(1);
    expect(scene.receive(wrong(5))).toBe(Verdict.unexpected);
    expect(scene.host.statistics.refusalsLimited).toBe(3);
    scene.advance(1000);
    expect(scene.receive(wrong(6))).toBe(Verdict.unexpected);
    expect(scene.drain().length).toBe(1);
    // What is not answered costs nobody any bytes.
    const { unprovenBytesIn, unprovenBytesOut } = scene.host.statistics;
    expect([unprovenBytesIn, unprovenBytesOut]).toEqual([7 * 1200, 3 * 18]);
  });
});

describe('a proof', () => {
  test('takes a slot, and leads to the same keys at both ends', () => {
    const scene = new Scene();
    const attempt = new Attempt(1);
    const accept = scene.accept(attempt)!;
    expect(accept.length).toBe(ACCEPT_BYTES);
    expect(readAccept(accept, 0, accept.length)!.serverId).toBeGreaterThan(0xffff);
    expect(scene.events).toEqual(['requested 0']);
    expect(attempt.keys(accept)!.resume).toEqual(scene.host.resumeKeys(0));
    expect([scene.host.used, scene.host.statistics.halfOpen, scene.addresses.holds]).toEqual([
      1, 1, 1,
    ]);
  });

  test('that is repeated gets the same accept, byte for byte, and no second slot', () => {
    const scene = new Scene();
    const attempt = new Attempt(1);
    const proof = scene.proof(attempt);
    expect(scene.receive(proof)).toBe(Verdict.accepted);
    const first = scene.drain();
    expect(first.length).toBe(1);
    for (let i = 0; i < 20; i++) {
      scene.advance(200);
      expect(scene.receive(proof)).toBe(Verdict.duplicate);
      expect(scene.drain()).toEqual(first);
    }
    expect([scene.host.used, scene.addresses.holds]).toEqual([1, 1]);
    expect(scene.events).toEqual(['requested 0']);
  });

  test('that is repeated counts against no limit', () => {
    const connectionsPerAddress = { perSecond: 0.01, burst: 1 };
    const scene = new Scene({ limits: { connectionsPerAddress } });
    const proof = scene.proof(new Attempt(1));
    expect(scene.receive(proof)).toBe(Verdict.accepted);
    for (let i = 0; i < 10; i++) {
      scene.advance(50);
      expect(scene.receive(proof)).toBe(Verdict.duplicate);
    }
    expect(scene.drain().length).toBe(11);
    expect(scene.receive(scene.proof(new Attempt(2)))).toBe(Verdict.limited);
    expect(scene.host.statistics.addressesLimited).toBe(1);
  });

  test('that is repeated is answered again after 50 ms, however often it comes', () => {
    const scene = new Scene();
    const proof = scene.proof(new Attempt(1));
    const answers = (times: number) => {
      for (let i = 0; i < times; i++) scene.receive(proof);
      return scene.drain().length;
    };
    expect([answers(100), answers(100)]).toEqual([1, 0]);
    scene.advance(49);
    expect(answers(100)).toBe(0);
    scene.advance(1);
    expect([answers(100), answers(1)]).toEqual([1, 0]);
    expect(scene.host.statistics.repliesDropped).toBe(0);
  });

  test('whose accept still waits keeps its address until that has left', () => {
    const scene = new Scene();
    scene.receive(scene.proof(new Attempt(1)));
    scene.advance(5000);
    expect([scene.host.used, scene.addresses.size]).toEqual([0, 1]);
    expect(scene.drain().map(({ to }) => to)).toEqual([1]);
    expect(scene.addresses.size).toBe(0);
  });

  test('is answered while strangers wait for as many answers as they may', () => {
    const scene = new Scene();
    const proofs = Array.from({ length: 17 }, (_, n) => scene.proof(new Attempt(n), n + 1));
    for (let i = 0; i < 200; i++) scene.receive(new Attempt(100 + i).request, 99);
    for (const [n, proof] of proofs.entries()) scene.receive(proof, n + 1);
    const answered = scene.drain().filter(({ to }) => to !== 99);
    expect(answered.map(({ to }) => to)).toEqual(Array.from({ length: 16 }, (_, n) => n + 1));
  });

  test('of a connection that is live gets no answer any more', () => {
    const scene = new Scene();
    const attempt = new Attempt(1);
    const proof = scene.proof(attempt);
    scene.receive(proof);
    const [accept] = scene.drain();
    const connection = attempt.connect(scene.nowMs, accept!.bytes, () => {});
    scene.receive(scene.says({ attempt, connection, slot: 0, ends: [] }));
    expect(scene.receive(proof)).toBe(Verdict.duplicate);
    expect(scene.drain()).toEqual([]);
    expect(scene.host.used).toBe(1);
  });

  test('without a cookie of ours, for this address, nonce and time, is silence', () => {
    const scene = new Scene();
    const attempt = new Attempt(1);
    const proof = scene.proof(attempt);
    const { publicKey } = scene.host.identity;
    expect(scene.receive(proof, 2)).toBe(Verdict.forged);
    expect(scene.receive(attempt.proveWith(new Uint8Array(COOKIE_BYTES), publicKey))).toBe(
      Verdict.forged,
    );
    const stranger = new Attempt(2).proveWith(proof.slice(32, 52), publicKey);
    expect(scene.receive(stranger)).toBe(Verdict.forged);
    scene.advance(8192);
    expect(scene.receive(proof)).toBe(Verdict.forged);
    expect(scene.drain()).toEqual([]);
    expect([scene.host.used, scene.addresses.size, scene.events.length]).toEqual([0, 0, 0]);
    // No key was agreed on, so no limit was touched.
    expect(scene.host.statistics.addressesLimited).toBe(0);
  });

  test('with any byte wrong is never accepted and takes nothing; its padding is ignored', () => {
    for (const credential of [
      { way: Way.open },
      { way: Way.key, secret: new Uint8Array(KEY_BYTES).fill(9) },
    ] as const) {
      const key = new Uint8Array(KEY_BYTES).fill(9);
      const access = credential.way === Way.open ? undefined : ({ way: 'key', key } as const);
      const scene = new Scene({ limits: unlimited, access });
      const proof = scene.proof(new Attempt(1, { credential }));
      const end = 90 + (proof[88]! | (proof[89]! << 8)) + 16;
      const wanted = [Verdict.forged, Verdict.malformed, Verdict.unexpected] as number[];
      for (let at = 1; at < end; at++) {
        for (const bit of [1, 0x40, 0x80]) {
          const wrong = proof.slice();
          wrong[at]! ^= bit;
          expect(wanted, `byte ${at}`).toContain(scene.receive(wrong));
        }
      }
      expect(scene.drain()).toEqual([]);
      expect([scene.host.used, scene.addresses.size, scene.events.length]).toEqual([0, 0, 0]);
      proof.fill(0xee, end);
      expect(scene.receive(proof)).toBe(Verdict.accepted);
      expect(scene.drain().length).toBe(1);
    }
  });

  test('for another version, or with another range than its request, changes nothing', () => {
    const scene = new Scene({ limits: unlimited });
    const attempt = new Attempt(1);
    const { cookie, serverKey } = readChallenge(scene.challenge(attempt), 0, 70)!;
    for (const version of [0, 1, 3, 255]) {
      const proof = attempt.proveWith(cookie, serverKey, version);
      expect(scene.receive(proof)).toBe(Verdict.unexpected);
    }
    // Whoever sits in between lowers what the client offers, in the request, in the proof or in both.
    for (const [lowest, highest] of [
      [1, 2],
      [2, 3],
      [0, 255],
    ] as const) {
      const proof = attempt.proveWith(cookie, serverKey);
      proof[5] = lowest;
      proof[6] = highest;
      expect(scene.receive(proof)).toBe(Verdict.forged);
    }
    const other = new Attempt(2, { game: { ...GAME, digest: 8 } }).proveWith(cookie, serverKey);
    expect(scene.receive(other)).toBe(Verdict.unexpected);
    expect(scene.drain()).toEqual([]);
    expect(scene.host.used).toBe(0);
  });

  test('of a client that was shown another identity cannot be opened', () => {
    const scene = new Scene();
    const other = createKeyPair(simulatedCrypto(77)).publicKey;
    const attempt = new Attempt(1, { serverKey: other });
    expect(scene.receive(scene.proof(attempt))).toBe(Verdict.forged);
    expect(scene.drain()).toEqual([]);
    expect(scene.host.used).toBe(0);
  });

  test('with a key that everybody agrees on is forged', () => {
    const scene = new Scene();
    const low = { publicKey: new Uint8Array(KEY_BYTES), secretKey: new Uint8Array(KEY_BYTES) };
    expect(scene.receive(scene.proof(new Attempt(1, { pair: low })))).toBe(Verdict.forged);
    expect(scene.receive(scene.proof(new Attempt(2, { id: 0 })))).toBe(Verdict.malformed);
    expect(scene.host.used).toBe(0);
  });

  test('the same nonce and cookie with another key do not touch the slot of the first', () => {
    const scene = new Scene();
    const attempt = new Attempt(1);
    const challenge = scene.challenge(attempt);
    const proof = attempt.prove(challenge);
    scene.receive(proof);
    const [first] = scene.drain();
    // Who has seen both packets and can send from the same address.
    const thief = new Attempt(1, { pair: createKeyPair(simulatedCrypto(66)) });
    expect(scene.receive(thief.prove(challenge))).toBe(Verdict.accepted);
    const [stolen] = scene.drain();
    expect(stolen!.bytes).not.toEqual(first!.bytes);
    expect(attempt.keys(stolen!.bytes)).toBeUndefined();
    scene.advance(50);
    expect(scene.receive(proof)).toBe(Verdict.duplicate);
    expect(scene.drain()).toEqual([first]);
  });

  test('that is replayed after its slot was given up gets another one with other keys', () => {
    const scene = new Scene();
    const attempt = new Attempt(1);
    const proof = scene.proof(attempt);
    scene.receive(proof);
    const first = scene.drain()[0]!.bytes;
    const keys = attempt.keys(first)!;
    scene.advance(5000);
    expect([scene.host.used, scene.addresses.size]).toEqual([0, 0]);
    expect(scene.receive(proof, 2)).toBe(Verdict.forged);
    expect(scene.receive(proof)).toBe(Verdict.accepted);
    const second = scene.drain()[0]!.bytes;
    expect(second.slice(17, 53)).not.toEqual(first.slice(17, 53));
    expect(attempt.keys(second)!.clientToServer).not.toEqual(keys.clientToServer);
    scene.advance(5000);
    expect(scene.receive(proof)).toBe(Verdict.forged);
    expect([scene.host.used, scene.addresses.size]).toEqual([0, 0]);
  });

  test('an accept that finds no room goes out when the proof is repeated', () => {
    const scene = new Scene();
    const attempt = new Attempt(1);
    const proof = scene.proof(attempt);
    fillRing(scene);
    expect(scene.receive(proof)).toBe(Verdict.accepted);
    expect(scene.drain().every(({ to }) => to === 9)).toBe(true);
    expect(scene.receive(proof)).toBe(Verdict.duplicate);
    expect(attempt.keys(scene.drain()[0]!.bytes)).toBeDefined();
  });

  test('a refusal that finds no room lets go of the address all the same', () => {
    const scene = new Scene();
    scene.answer = 'refuse';
    const proof = scene.proof(new Attempt(1));
    const others = fillRing(scene);
    scene.receive(proof);
    expect([scene.host.used, scene.addresses.size]).toEqual([0, others]);
    expect(scene.drain().length).toBe(64);
    // With room the address is held until the refusal is on its way.
    expect(scene.receive(scene.proof(new Attempt(2)))).toBe(Verdict.accepted);
    expect([scene.host.used, scene.addresses.size]).toEqual([0, 1]);
    expect(scene.drain().length).toBe(1);
    expect(scene.addresses.size).toBe(0);
  });

  test('refused by the user: told why, and the slot is free', () => {
    const scene = new Scene();
    scene.answer = 'refuse';
    expect(scene.refusal(new Attempt(1))).toEqual({
      verdict: Verdict.accepted,
      reason: 'refused',
      text: 'not you',
    });
    expect([scene.host.used, scene.addresses.size, scene.freed]).toEqual([0, 0, [0]]);
  });
});

describe('a full server', () => {
  test('says so, and with which text; who is in stays in', () => {
    const scene = new Scene({ maxConnections: 2, fullText: 'try 203.0.113.9:7777' });
    const peers = [1, 2].map((number) => scene.join(new Attempt(number), number));
    expect(scene.refusal(new Attempt(3), 3)).toEqual({
      verdict: Verdict.limited,
      reason: 'full',
      text: 'try 203.0.113.9:7777',
    });
    expect([scene.host.used, scene.addresses.holds]).toEqual([2, 2]);
    for (const peer of peers) {
      expect(scene.receive(scene.says(peer), peer.slot + 1)).toBe(Verdict.accepted);
    }
  });

  test('says nothing to who has no cookie or no good credentials', () => {
    const key = new Uint8Array(KEY_BYTES).fill(9);
    const credential = { way: Way.key, secret: key };
    const scene = new Scene({ maxConnections: 1, access: { way: 'key', key } });
    scene.join(new Attempt(1, { credential }));
    const { publicKey } = scene.host.identity;
    const uncookied = new Attempt(2).proveWith(new Uint8Array(COOKIE_BYTES), publicKey);
    expect(scene.receive(uncookied)).toBe(Verdict.forged);
    expect(scene.drain()).toEqual([]);
    expect(scene.refusal(new Attempt(3)).reason).toBe('credentials');
    expect(scene.refusal(new Attempt(4, { credential })).reason).toBe('full');
  });

  test('keeps 16 places more for those who resume, and not one for others', () => {
    const secret = new Uint8Array(KEY_BYTES).fill(5);
    const sink = { resumable: () => ({ session: 3, secret }) };
    const credential = { way: Way.resume, secret, id: new Uint8Array(16) };
    const scene = new Scene({ maxConnections: 2, sink, limits: unlimited });
    for (const number of [1, 2]) scene.join(new Attempt(number));
    expect(scene.refusal(new Attempt(3)).reason).toBe('full');
    for (let i = 0; i < 16; i++) scene.join(new Attempt(10 + i, { credential }));
    expect(scene.host.used).toBe(18);
    expect(scene.refusal(new Attempt(30, { credential })).reason).toBe('full');
    expect(scene.refusal(new Attempt(31)).reason).toBe('full');
  });

  test('does not use up the token of who finds no place', () => {
    const access = { way: 'token', key: TOKEN_KEY } as const;
    const wallClock = () => WALL_MS;
    const scene = new Scene({ maxConnections: 1, access, wallClock });
    const { publicKey } = scene.host.identity;
    const [one, two] = [1, 2].map((number) => tokenOf(number, publicKey));
    const peer = scene.join(new Attempt(1, { credential: one! }), 1);
    expect(scene.refusal(new Attempt(2, { credential: two! })).reason).toBe('full');
    scene.host.close(peer.slot, 'kicked', '');
    for (let i = 0; i < 200 && scene.host.used > 0; i++) scene.advance(100).drain();
    scene.join(new Attempt(3, { credential: two! }));
    expect(scene.host.user(0)?.id).toBe('user-2');
  });
});

describe('refusals of proofs', () => {
  test('are limited, apart from those of strangers', () => {
    const refusals = { perSecond: 1, burst: 3 };
    const key = new Uint8Array(KEY_BYTES).fill(9);
    const scene = new Scene({ limits: { ...unlimited, refusals }, access: { way: 'key', key } });
    for (let i = 0; i < 50; i++) {
      scene.receive(new Attempt(i, { game: { ...GAME, digest: 1 } }).request);
    }
    expect(scene.drain().length).toBe(3);
    for (let i = 0; i < 3; i++) {
      expect(scene.refusal(new Attempt(100 + i)).reason).toBe('credentials');
    }
    expect(scene.receive(scene.proof(new Attempt(110)))).toBe(Verdict.unexpected);
    expect(scene.drain()).toEqual([]);
    expect(scene.host.statistics.refusalsLimited).toBe(47 + 1);
    scene.advance(1000);
    expect(scene.refusal(new Attempt(111)).reason).toBe('credentials');
    expect([scene.host.used, scene.addresses.size]).toEqual([0, 0]);
  });
});
