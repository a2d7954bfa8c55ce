import { SimulatedAddressBook, simulatedCrypto, World } from '@tickwire/netsim';
import {
  CHALLENGE_BYTES,
  COOKIE_BYTES,
  type Destination,
  type HelloFields,
  type Machine,
  NONCE_BYTES,
  PADDED_BYTES,
  PacketKind,
  readAccept,
  readRefusal,
  ReliableOrderedChannel,
  Verdict,
  writeHeader,
  writeProof,
  writeRequest,
} from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Dialer } from '../../client-node/src/dialer.ts';
import { ConnectionHost, type HostOptions } from '../src/host.ts';

const GAME = { idHash: 0x1234, digest: 0x5678 };

/** A host whose callers accept everybody at once, and what it told them. */
class Fixture {
  readonly events: string[] = [];
  readonly host: ConnectionHost;
  answer: 'accept' | 'refuse' | 'wait' = 'accept';
  nowMs = 10_000;

  constructor(options: Partial<HostOptions> = {}) {
    this.host = new ConnectionHost({
      game: GAME,
      crypto: simulatedCrypto(1),
      addresses: new SimulatedAddressBook(),
      sink: {
        requested: (slot) => {
          this.events.push(`requested ${slot}`);
          if (this.answer === 'accept') this.host.accept(slot);
          if (this.answer === 'refuse') this.host.refuse(slot, 'refused', 'not you');
        },
        channels: () => [],
        opened: (slot) => this.events.push(`opened ${slot}`),
        closed: (slot, reason, text, remote) =>
          this.events.push(`closed ${slot} ${reason} ${text} ${remote}`),
      },
      ...options,
    });
  }

  receive(bytes: Uint8Array, from = 1): Verdict {
    return this.host.receive(this.nowMs, bytes, 0, bytes.length, from);
  }

  replies(): { bytes: Uint8Array; to: number }[] {
    const out = new Uint8Array(1200);
    const to: Destination = { address: 0 };
    const found: { bytes: Uint8Array; to: number }[] = [];
    for (let n = this.host.poll(this.nowMs, out, 0, to); n > 0; ) {
      found.push({ bytes: out.slice(0, n), to: to.address });
      n = this.host.poll(this.nowMs, out, 0, to);
    }
    return found;
  }

  /** Asks for a cookie. */
  cookie(fields: HelloFields, from = 1): Uint8Array {
    expect(this.receive(request(fields), from)).toBe(Verdict.accepted);
    const [reply] = this.replies();
    expect(reply!.to).toBe(from);
    expect(reply!.bytes.length).toBe(CHALLENGE_BYTES);
    return reply!.bytes.slice(1 + NONCE_BYTES);
  }
}

function hello(client: number, game = GAME): HelloFields {
  const nonce = new Uint8Array(16).fill(client);
  const clientKey = new Uint8Array(32).fill(client + 1);
  return { game, nonce, clientId: client + 1, clientKey };
}

function request(fields: HelloFields): Uint8Array {
  const bytes = new Uint8Array(PADDED_BYTES);
  writeRequest(bytes, 0, fields);
  return bytes;
}

function proof(fields: HelloFields, cookie: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PADDED_BYTES);
  writeProof(bytes, 0, fields, cookie);
  return bytes;
}

describe('a request', () => {
  test('gets a challenge that is shorter, and leaves nothing behind', () => {
    const f = new Fixture();
    for (let from = 1; from < 200; from++) f.cookie(hello(from & 0xff), from);
    expect(f.host.used).toBe(0);
    expect(f.events).toEqual([]);
    expect(f.host.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('of another game, schema or version is refused, statelessly and shorter', () => {
    const f = new Fixture();
    const other = request(hello(1, { ...GAME, idHash: 1 }));
    const schema = request(hello(2, { ...GAME, digest: 1 }));
    const version = request(hello(3));
    version[5] = 2;
    version[6] = 9;
    for (const bytes of [other, schema, version]) {
      expect(f.receive(bytes)).toBe(Verdict.unexpected);
    }
    const replies = f.replies().map(({ bytes }) => bytes);
    expect(replies.map((bytes) => readRefusal(bytes, 0, bytes.length)?.reason)).toEqual([
      'game',
      'game',
      'version',
    ]);
    expect([...replies[0]!.subarray(1, 17)]).toEqual(new Array(16).fill(1));
    for (const bytes of replies) expect(bytes.length).toBeLessThan(PADDED_BYTES / 10);
    expect(f.host.used).toBe(0);
  });

  test('a range of versions that holds ours is fine', () => {
    const f = new Fixture();
    const bytes = request(hello(1));
    bytes[5] = 0;
    bytes[6] = 200;
    expect(f.receive(bytes)).toBe(Verdict.accepted);
  });

  test('refusals are limited in all, a second at a time', () => {
    const f = new Fixture();
    const bytes = request(hello(1, { ...GAME, idHash: 1 }));
    let sent = 0;
    let limited = 0;
    for (let i = 0; i < 500; i++) {
      if (f.receive(bytes, i) === Verdict.limited) limited++;
      sent += f.replies().length;
    }
    expect([sent, limited]).toEqual([100, 400]);
    f.nowMs += 1000;
    expect(f.receive(bytes)).toBe(Verdict.unexpected);
    expect(f.replies().length).toBe(1);
  });

  test('more than 64 answers do not wait', () => {
    const f = new Fixture();
    const verdicts = Array.from({ length: 100 }, (_, i) => f.receive(request(hello(i)), i));
    expect(verdicts.filter((verdict) => verdict === Verdict.accepted).length).toBe(64);
    expect(verdicts.at(-1)).toBe(Verdict.limited);
    expect(f.host.repliesDropped).toBe(36);
    expect(f.host.wakeAt()).toBe(f.nowMs);
    expect(f.replies().length).toBe(64);
    expect(f.host.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a proof', () => {
  test('takes a slot and gets an accept, and the same proof the same accept and slot', () => {
    const f = new Fixture();
    const fields = hello(1);
    const bytes = proof(fields, f.cookie(fields));
    expect(f.receive(bytes)).toBe(Verdict.accepted);
    const first = f.replies();
    expect(first.length).toBe(1);
    expect(readAccept(first[0]!.bytes, 0, first[0]!.bytes.length)!.serverId).toBeGreaterThan(0xffff);
    expect(f.receive(bytes)).toBe(Verdict.duplicate);
    expect(f.replies()).toEqual(first);
    expect(f.host.used).toBe(1);
    expect(f.events).toEqual(['requested 0']);
  });

  test('with a wrong, foreign, old or no cookie is silence', () => {
    const f = new Fixture();
    const fields = hello(1);
    const cookie = f.cookie(fields);
    expect(f.receive(proof(fields, new Uint8Array(COOKIE_BYTES)))).toBe(Verdict.forged);
    expect(f.receive(proof(fields, cookie), 2)).toBe(Verdict.forged);
    expect(f.receive(proof({ ...fields, nonce: new Uint8Array(16) }, cookie))).toBe(Verdict.forged);
    f.nowMs += 9000;
    expect(f.receive(proof(fields, cookie))).toBe(Verdict.forged);
    const other = hello(1, { ...GAME, digest: 1 });
    expect(f.receive(proof(other, f.cookie(fields)))).toBe(Verdict.unexpected);
    expect(f.replies()).toEqual([]);
    expect(f.host.used).toBe(0);
    expect(f.events).toEqual([]);
  });

  test('undecided: no answer, then the answer; the caller may decide late, once', () => {
    const f = new Fixture();
    f.answer = 'wait';
    const fields = hello(1);
    const bytes = proof(fields, f.cookie(fields));
    f.receive(bytes);
    expect(f.receive(bytes)).toBe(Verdict.duplicate);
    expect(f.replies()).toEqual([]);
    f.host.accept(0);
    f.host.accept(0);
    f.host.refuse(0, 'refused', '');
    expect(f.replies().length).toBe(1);
    f.host.accept(5);
  });

  test('refused: told why, and the slot is free', () => {
    const f = new Fixture();
    f.answer = 'refuse';
    const fields = hello(1);
    f.receive(proof(fields, f.cookie(fields)));
    const [{ bytes }] = f.replies() as [{ bytes: Uint8Array }];
    expect(readRefusal(bytes, 0, bytes.length)).toEqual({ reason: 'refused', text: 'not you' });
    expect(f.host.used).toBe(0);
  });

  test('full is said, up to the limit; a known one still gets its accept', () => {
    const f = new Fixture({ maxConnections: 2 });
    const known = [1, 2].map((client) => {
      const bytes = proof(hello(client), f.cookie(hello(client), client));
      expect(f.receive(bytes, client)).toBe(Verdict.accepted);
      expect(f.replies().length).toBe(1);
      return bytes;
    });
    const third = proof(hello(3), f.cookie(hello(3), 3));
    expect(f.receive(third, 3)).toBe(Verdict.limited);
    const [{ bytes }] = f.replies() as [{ bytes: Uint8Array }];
    expect(readRefusal(bytes, 0, bytes.length)?.reason).toBe('full');
    expect(f.receive(known[0]!, 1)).toBe(Verdict.duplicate);
    expect(f.replies().length).toBe(1);
    expect(f.host.used).toBe(2);
  });

  test('half-open slots are forgotten, undecided ones as well', () => {
    for (const answer of ['accept', 'wait'] as const) {
      const f = new Fixture();
      f.answer = answer;
      f.receive(proof(hello(1), f.cookie(hello(1))));
      f.host.advance(f.nowMs + 4999);
      expect(f.host.used).toBe(1);
      f.host.advance(f.nowMs + 5000);
      expect(f.host.used).toBe(0);
      f.host.accept(0);
      expect(f.host.connection(0)).toBeUndefined();
      expect(f.events).toEqual(['requested 0']);
    }
  });
});

describe('hostile datagrams', () => {
  test('never throw and leave nothing behind', () => {
    const f = new Fixture();
    const kinds = fc.nat(8);
    const body = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(kinds, body, fc.boolean(), (kind, bytes, padded) => {
        const datagram = new Uint8Array(padded ? PADDED_BYTES : bytes.length + 1);
        datagram[0] = kind;
        datagram.set(bytes, 1);
        expect(f.receive(datagram)).not.toBe(Verdict.accepted);
        expect(f.replies()).toEqual([]);
      }),
    );
    expect(f.receive(new Uint8Array(0))).toBe(Verdict.malformed);
    expect(f.host.used).toBe(0);
    expect(f.events).toEqual([]);
  });

  test('data for a connection that is not there', () => {
    const f = new Fixture();
    const bytes = new Uint8Array(60);
    writeHeader(bytes, 0, 0x10000, 0);
    expect(f.receive(bytes)).toBe(Verdict.unknown);
    expect(f.receive(bytes.subarray(0, 20))).toBe(Verdict.malformed);
    expect(bytes[0]).toBe(PacketKind.data);
  });

  test('a slot closed before its client was heard opens nothing', () => {
    const f = new Fixture();
    f.receive(proof(hello(1), f.cookie(hello(1))));
    f.host.close(0, 'shutdown', '');
    for (let i = 0; i < 400 && f.host.used > 0; i++) {
      f.nowMs += 20;
      f.host.advance(f.nowMs);
      f.replies();
    }
    expect(f.host.used).toBe(0);
    expect(f.events).toEqual(['requested 0']);
  });
});

/** Lets a host or dialer flush at every tick, as the layers above them do. */
class Ticking<T extends Machine & { flush(nowMs: number): void }> implements Machine {
  readonly inner: T;
  readonly #tickMs: number;
  #nextMs = 0;

  constructor(inner: T, tickMs: number) {
    this.inner = inner;
    this.#tickMs = tickMs;
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): number {
    return this.inner.receive(nowMs, bytes, start, end, from);
  }

  advance(nowMs: number): void {
    this.inner.advance(nowMs);
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + this.#tickMs;
    this.inner.flush(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    return this.inner.poll(nowMs, out, start, to);
  }

  wakeAt(): number {
    return this.#nextMs;
  }
}

/** A host and clients over links, each side with one reliable channel that echoes nothing. */
function crowd(clients: number, seed: number, options: Partial<HostOptions> = {}) {
  const world = new World({
    seed,
    link: { latencyMs: 50, jitterMs: 20, loss: 0.2, duplicate: 0.05, reorder: 0.05 },
  });
  const serverGot: string[] = [];
  const clientGot: number[] = new Array(clients).fill(0);
  const opened = new Map<number, number>();
  const closed: string[] = [];
  const bySlot = new Map<number, ReliableOrderedChannel>();
  const host: ConnectionHost = new ConnectionHost({
    game: GAME,
    crypto: simulatedCrypto(seed),
    addresses: new SimulatedAddressBook(),
    sink: {
      requested: (slot) => host.accept(slot),
      channels: (slot) => {
        const channel = new ReliableOrderedChannel((bytes, start) =>
          serverGot.push(`${slot}:${bytes[start]}`),
        );
        bySlot.set(slot, channel);
        return [[0, channel]];
      },
      opened: (slot) => {
        opened.set(slot, (opened.get(slot) ?? 0) + 1);
        bySlot.get(slot)!.send(Uint8Array.of(1), 0, 1);
      },
      closed: (slot, reason) => closed.push(`${slot} ${reason}`),
    },
    ...options,
  });
  world.addNode(new Ticking(host, 16));
  const ends: string[] = [];
  const dialers = clientGot.map((_, n) => {
    const channel = new ReliableOrderedChannel(() => clientGot[n]!++);
    channel.send(Uint8Array.of(n), 0, 1);
    const dialer = new Dialer({
      game: GAME,
      crypto: simulatedCrypto(seed * 1000 + n),
      server: 1,
      nowMs: 0,
      sink: {
        channels: () => [[0, channel]],
        opened() {},
        closed: (reason, text, remote) => ends.push(`${n} ${reason} ${text} ${remote}`),
      },
    });
    world.addNode(new Ticking(dialer, 16));
    return dialer;
  });
  return { world, host, dialers, serverGot, clientGot, opened, closed, ends };
}

describe('a host with clients on bad links', () => {
  test('64 clients join through 20 % loss, once each', () => {
    const scene = crowd(64, 7);
    scene.world.run(5000);
    expect(scene.host.used).toBe(64);
    expect(scene.opened.size).toBe(64);
    expect([...scene.opened.values()].every((times) => times === 1)).toBe(true);
    expect(new Set(scene.serverGot).size).toBe(64);
    expect(scene.serverGot.length).toBe(64);
    expect(scene.clientGot).toEqual(new Array(64).fill(1));
    expect(scene.ends).toEqual([]);
    expect(scene.host.verdicts(Verdict.forged)).toBe(0);
  });

  test('the server closes some, others leave, and every slot is free again', () => {
    const scene = crowd(16, 3);
    scene.world.run(4000);
    expect(scene.host.used).toBe(16);
    scene.world.at(4000, () => {
      for (let slot = 0; slot < 8; slot++) scene.host.close(slot, 'kicked', 'out');
    });
    scene.world.run(4001);
    const kicked = scene.closed.length;
    expect(kicked).toBe(8);
    scene.world.at(4100, () => {
      for (const dialer of scene.dialers) dialer.close(4100, 'closed', 'bye');
    });
    scene.world.run(15_000);
    expect(scene.closed.length).toBe(16);
    expect(scene.ends.length).toBe(16);
    expect(scene.host.used).toBe(0);
    expect(scene.dialers.every((dialer) => dialer.over)).toBe(true);
  });

  test('a client that vanishes is timed out and its slot used again, without the old id', () => {
    const scene = crowd(2, 5, { timeoutMs: 3000, maxConnections: 2 });
    let old = new Uint8Array(0);
    scene.world.tap = {
      sending: (_nowMs, { bytes, start, end, from }) => {
        if (from === 2 && bytes[start] === PacketKind.data) old = bytes.slice(start, end);
      },
    };
    scene.world.run(3000);
    expect(scene.host.used).toBe(2);
    scene.world.linkUp(2).configure({ loss: 1 });
    scene.world.run(7000);
    expect(scene.closed).toEqual([expect.stringContaining('timeout')]);
    expect(scene.host.used).toBe(1);
    const late = new Dialer({
      game: GAME,
      crypto: simulatedCrypto(99),
      server: 1,
      nowMs: 7000,
      sink: { channels: () => [], opened() {}, closed() {} },
    });
    scene.world.addNode(new Ticking(late, 16));
    scene.world.run(10_000);
    expect(scene.host.used).toBe(2);
    expect(old.length).toBeGreaterThan(20);
    const now = scene.world.nowMs;
    expect(scene.host.receive(now, old, 0, old.length, 2)).toBe(Verdict.unknown);
  });

  test('data from another address changes nothing', () => {
    const scene = crowd(1, 6);
    let last = new Uint8Array(0);
    scene.world.tap = {
      sending: (_nowMs, datagram) => {
        if (datagram.from !== 2 || datagram.bytes[datagram.start] !== PacketKind.data) return;
        last = datagram.bytes.slice(datagram.start, datagram.end);
        if (scene.world.nowMs > 2000) datagram.dropped = true;
      },
    };
    scene.world.run(6000);
    expect(scene.host.used).toBe(1);
    const { newest } = scene.host.connection(0)!.received;
    const now = scene.world.nowMs;
    expect(scene.host.receive(now, last, 0, last.length, 77)).toBe(Verdict.unexpected);
    expect(scene.host.connection(0)!.received.newest).toBe(newest);
    expect(scene.host.receive(now, last, 0, last.length, 2)).toBe(Verdict.accepted);
  });
});
