import { SimulatedAddressBook, simulatedCrypto } from '@tickwire/netsim';
import {
  CHALLENGE_BYTES,
  COOKIE_BYTES,
  type Destination,
  type HelloFields,
  NONCE_BYTES,
  PADDED_BYTES,
  PacketKind,
  readAccept,
  readRefusal,
  Verdict,
  writeHeader,
  writeProof,
  writeRequest,
} from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConnectionHost, type HostOptions } from '../src/host.ts';

const GAME = { idHash: 0x1234, digest: 0x5678 };

/** A host whose callers accept everybody at once, and what it told them. */
class Fixture {
  readonly events: string[] = [];
  readonly freed: number[] = [];
  readonly host: ConnectionHost;
  answer: 'accept' | 'refuse' | 'wait' = 'accept';
  nowMs = 10_000;
  /** Of the last request. */
  ticket = 0;

  constructor(options: Partial<HostOptions> = {}) {
    this.host = new ConnectionHost({
      game: GAME,
      crypto: simulatedCrypto(1),
      addresses: new SimulatedAddressBook(),
      sink: {
        requested: (slot, ticket) => {
          this.events.push(`requested ${slot}`);
          this.ticket = ticket;
          if (this.answer === 'accept') this.host.accept(slot, ticket);
          if (this.answer === 'refuse') this.host.refuse(slot, ticket, 'refused', 'not you');
        },
        channels: () => [],
        opened: (slot) => this.events.push(`opened ${slot}`),
        closed: (slot, reason, text, remote) =>
          this.events.push(`closed ${slot} ${reason} ${text} ${remote}`),
        freed: (slot) => this.freed.push(slot),
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
    expect(readAccept(first[0]!.bytes, 0, first[0]!.bytes.length)!.serverId).toBeGreaterThan(
      0xffff,
    );
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
    f.host.accept(0, f.ticket);
    f.host.accept(0, f.ticket);
    f.host.refuse(0, f.ticket, 'refused', '');
    expect(f.replies().length).toBe(1);
    f.host.accept(5, f.ticket);
  });

  test('a decision that comes too late is not taken for the next in the slot', () => {
    const f = new Fixture();
    f.answer = 'wait';
    f.receive(proof(hello(1), f.cookie(hello(1))));
    const late = f.ticket;
    f.nowMs += 5000;
    f.host.advance(f.nowMs);
    f.receive(proof(hello(2), f.cookie(hello(2))));
    f.host.accept(0, late);
    f.host.refuse(0, late, 'refused', '');
    expect(f.host.connection(0)).toBeUndefined();
    expect(f.replies()).toEqual([]);
    f.host.accept(0, f.ticket);
    expect(f.replies().length).toBe(1);
  });

  test('refused: told why, and the slot is free', () => {
    const f = new Fixture();
    f.answer = 'refuse';
    const fields = hello(1);
    f.receive(proof(fields, f.cookie(fields)));
    const { bytes } = f.replies()[0]!;
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
    const { bytes } = f.replies()[0]!;
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
      expect([f.host.used, f.freed]).toEqual([1, []]);
      f.host.advance(f.nowMs + 5000);
      expect([f.host.used, f.freed]).toEqual([0, [0]]);
      f.host.accept(0, f.ticket);
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
