// What a host does with slots, connections and time. Who comes in is for responder.test.ts.

import { simulatedCrypto } from '@tickwire/netsim';
import {
  DATA_PACKET_BYTES_MIN,
  HEADER_BYTES,
  KEY_BYTES,
  keyPairOf,
  PADDED_BYTES,
  PacketKind,
  readAccept,
  TAG_BYTES,
  Verdict,
  Way,
  writeHeader,
} from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Attempt, Scene, TOKEN_KEY, tokenOf, WALL_MS } from './handshake-scene.ts';

const plenty = { perSecond: 1e9, burst: 1e9 };
const unlimited = { connectionsPerAddress: plenty, connections: plenty };

describe('a host', () => {
  test('has the identity that it is given, or one of its own', () => {
    const identity = keyPairOf(simulatedCrypto(2), new Uint8Array(KEY_BYTES).fill(7));
    expect(new Scene({ identity }).host.identity).toBe(identity);
    const [one, two] = [1, 2].map((seed) => new Scene({ crypto: simulatedCrypto(seed) }).host);
    expect(one!.identity.publicKey).not.toEqual(two!.identity.publicKey);
  });

  test('checks its options at once', () => {
    const wrong = [
      { timeoutMs: 0 },
      { rotateAfterPackets: 0 },
      { limits: { halfOpen: 0 } },
      { limits: { packets: { perSecond: -1 } } },
    ];
    for (const options of wrong) {
      expect(() => new Scene(options), JSON.stringify(options)).toThrow(
        expect.objectContaining({ code: 'option-invalid' }),
      );
    }
  });

  test('counts what it has seen and done', () => {
    const scene = new Scene();
    scene.join(new Attempt(1), 1);
    expect(scene.host.statistics).toEqual({
      crypto: 'simulated',
      halfOpen: 0,
      unprovenBytesIn: 1200,
      unprovenBytesOut: 70,
      repliesDropped: 0,
      tokensRemembered: 0,
      tokensFull: 0,
      pathChallenges: 0,
      pathChanges: 0,
      requestsLimited: 0,
      refusalsLimited: 0,
      addressesLimited: 0,
      addressesCrowded: 0,
      connectionsLimited: 0,
      halfOpenLimited: 0,
      packetsLimited: 0,
    });
    expect(scene.host.verdicts(Verdict.accepted)).toBe(3);
  });
});

describe('a decision', () => {
  test('may come late, once: no answer until then', () => {
    const scene = new Scene();
    scene.answer = 'wait';
    const attempt = new Attempt(1);
    const proof = scene.proof(attempt);
    scene.receive(proof);
    expect(scene.receive(proof)).toBe(Verdict.duplicate);
    expect(scene.drain()).toEqual([]);
    expect([scene.host.statistics.halfOpen, scene.host.connection(0)]).toEqual([1, undefined]);
    scene.host.accept(0, scene.ticket);
    scene.host.accept(0, scene.ticket);
    scene.host.refuse(0, scene.ticket, 'refused', '');
    const sent = scene.drain();
    expect(sent.length).toBe(1);
    expect(attempt.keys(sent[0]!.bytes)).toBeDefined();
    scene.host.accept(5, scene.ticket);
    scene.host.refuse(5, scene.ticket, 'refused', '');
    expect(scene.drain()).toEqual([]);
  });

  test('that comes too late is not taken for the next in the slot', () => {
    const scene = new Scene();
    scene.answer = 'wait';
    scene.receive(scene.proof(new Attempt(1)));
    const late = scene.ticket;
    scene.advance(5000);
    scene.receive(scene.proof(new Attempt(2)));
    scene.host.accept(0, late);
    scene.host.refuse(0, late, 'refused', '');
    expect(scene.host.connection(0)).toBeUndefined();
    expect(scene.drain()).toEqual([]);
    scene.host.accept(0, scene.ticket);
    expect(scene.drain().length).toBe(1);
  });

  test('about nobody changes nothing', () => {
    const scene = new Scene();
    scene.host.accept(0, 0);
    scene.host.refuse(0, 0, 'refused', '');
    scene.host.close(0, 'kicked', '');
    expect([scene.host.address(0), scene.host.user(0), scene.host.resumeKeys(0)]).toEqual([
      0,
      undefined,
      undefined,
    ]);
    expect(scene.drain()).toEqual([]);
  });
});

describe('a half-open slot', () => {
  test('is forgotten after 5 s, undecided ones as well', () => {
    for (const answer of ['accept', 'wait'] as const) {
      const scene = new Scene();
      scene.answer = answer;
      scene.receive(scene.proof(new Attempt(1)));
      scene.drain();
      scene.advance(4999);
      expect([scene.host.used, scene.addresses.holds, scene.freed]).toEqual([1, 1, []]);
      scene.advance(1);
      expect([scene.host.used, scene.addresses.holds, scene.freed]).toEqual([0, 0, [0]]);
      scene.host.accept(0, scene.ticket);
      expect(scene.host.connection(0)).toBeUndefined();
      expect(scene.events).toEqual(['requested 0']);
    }
  });

  test('has its 5 s from the decision on', () => {
    const scene = new Scene();
    scene.answer = 'wait';
    scene.receive(scene.proof(new Attempt(1)));
    scene.advance(4000);
    scene.host.accept(0, scene.ticket);
    scene.advance(4999);
    expect(scene.host.used).toBe(1);
    scene.advance(1);
    expect(scene.host.used).toBe(0);
  });

  test('sends nothing but its accept until its client was heard', () => {
    const scene = new Scene();
    scene.accept(new Attempt(1));
    for (let i = 0; i < 40; i++) {
      scene.advance(100);
      scene.host.flush(scene.nowMs);
      expect(scene.drain()).toEqual([]);
    }
  });

  test('so many and no more; the next one waits, and gets in when one is over', () => {
    const scene = new Scene({ limits: { ...unlimited, halfOpen: 3 } });
    for (let number = 0; number < 3; number++) scene.accept(new Attempt(number), number + 1);
    const attempt = new Attempt(9);
    const proof = scene.proof(attempt, 9);
    expect(scene.receive(proof, 9)).toBe(Verdict.limited);
    expect(scene.drain()).toEqual([]);
    expect(scene.host.statistics).toMatchObject({ halfOpen: 3, halfOpenLimited: 1 });
    scene.advance(5000);
    expect(scene.receive(proof, 9)).toBe(Verdict.accepted);
    expect(attempt.keys(scene.drain()[0]!.bytes)).toBeDefined();
  });

  test('closed before its client was heard opens nothing', () => {
    const scene = new Scene();
    scene.accept(new Attempt(1));
    scene.host.close(0, 'shutdown', '');
    for (let i = 0; i < 400 && scene.host.used > 0; i++) scene.advance(20).drain();
    expect([scene.host.used, scene.addresses.size, scene.freed]).toEqual([0, 0, [0]]);
    expect(scene.events).toEqual(['requested 0']);
  });
});

describe('limits of connections', () => {
  test('from one address: the next waits in silence, and another address does not', () => {
    const connectionsPerAddress = { perSecond: 1, burst: 2 };
    const scene = new Scene({ limits: { connectionsPerAddress } });
    for (const number of [1, 2]) scene.join(new Attempt(number), 1);
    const proof = scene.proof(new Attempt(3), 1);
    expect(scene.receive(proof, 1)).toBe(Verdict.limited);
    expect(scene.drain()).toEqual([]);
    expect(scene.host.statistics.addressesLimited).toBe(1);
    scene.join(new Attempt(4), 2);
    scene.advance(1000);
    expect(scene.receive(proof, 1)).toBe(Verdict.accepted);
  });

  test('in total', () => {
    const scene = new Scene({ limits: { connections: { perSecond: 1, burst: 3 } } });
    for (const number of [1, 2, 3]) scene.join(new Attempt(number), number);
    const proof = scene.proof(new Attempt(4), 4);
    expect(scene.receive(proof, 4)).toBe(Verdict.limited);
    expect(scene.host.statistics.connectionsLimited).toBe(1);
    scene.advance(1000);
    expect(scene.receive(proof, 4)).toBe(Verdict.accepted);
  });

  test('64 clients behind one address join within 10 s with the usual limits', () => {
    const scene = new Scene();
    const waiting = Array.from({ length: 64 }, (_, number) => new Attempt(number));
    let ms = 0;
    for (; waiting.length > 0 && ms < 10_000; ms += 200) {
      for (const attempt of [...waiting]) {
        const proof = scene.proof(attempt);
        if (scene.receive(proof) !== Verdict.accepted) continue;
        const accept = scene.drain()[0]!.bytes;
        const connection = attempt.connect(scene.nowMs, accept, () => {});
        scene.receive(scene.says({ attempt, connection, slot: 0, ends: [] }));
        waiting.splice(waiting.indexOf(attempt), 1);
      }
      scene.advance(200);
    }
    expect([waiting.length, scene.events.length]).toEqual([0, 128]);
    expect(ms).toBeLessThanOrEqual(2400);
  });
});

describe('packets of a connection', () => {
  test('open it with the first one, wherever the next ones come from', () => {
    const scene = new Scene();
    const peer = scene.join(new Attempt(1));
    expect(scene.events).toEqual(['requested 0', 'opened 0 0']);
    expect(scene.host.statistics.halfOpen).toBe(0);
    scene.advance(6000);
    expect(scene.receive(scene.says(peer))).toBe(Verdict.accepted);
    expect(scene.events.length).toBe(2);
  });

  test('beyond the limit are dropped unread, of that connection only', () => {
    const scene = new Scene({ limits: { packets: { perSecond: 100, burst: 5 } } });
    const [one, two] = [1, 2].map((number) => scene.join(new Attempt(number), number));
    for (let i = 0; i < 4; i++) expect(scene.receive(scene.says(one!), 1)).toBe(Verdict.accepted);
    const packet = scene.says(one!);
    expect(scene.receive(packet, 1)).toBe(Verdict.limited);
    expect(scene.host.statistics.packetsLimited).toBe(1);
    expect(scene.receive(scene.says(two!), 2)).toBe(Verdict.accepted);
    scene.advance(10);
    // It was not read, so it is new still.
    expect(scene.receive(packet, 1)).toBe(Verdict.accepted);
  });

  test('that are forged or replayed use up nobody’s limit', () => {
    const scene = new Scene({ limits: { packets: { perSecond: 1, burst: 5 } } });
    const peer = scene.join(new Attempt(1));
    const old = scene.says(peer);
    scene.receive(old);
    const forged = scene.says(peer);
    forged[12]! ^= 1;
    for (let i = 0; i < 1000; i++) {
      expect(scene.receive(forged, 9)).toBe(Verdict.forged);
      expect(scene.receive(old, 9)).toBe(Verdict.duplicate);
    }
    for (let i = 0; i < 3; i++) expect(scene.receive(scene.says(peer))).toBe(Verdict.accepted);
    expect(scene.receive(scene.says(peer))).toBe(Verdict.limited);
  });

  test('that are authentic and malformed count as well', () => {
    const scene = new Scene({ limits: { packets: { perSecond: 1, burst: 5 } } });
    const attempt = new Attempt(1);
    const accept = scene.accept(attempt)!;
    const { serverId } = readAccept(accept, 0, accept.length)!;
    const sealer = attempt.crypto.sealer(attempt.keys(accept)!.clientToServer);
    const malformed = (sequence: number) => {
      // No ack block has all flags.
      const bytes = new Uint8Array(HEADER_BYTES + 8 + TAG_BYTES).fill(0xff);
      writeHeader(bytes, 0, serverId, sequence);
      sealer.seal(bytes, 0, HEADER_BYTES, HEADER_BYTES + 8, sequence);
      return bytes;
    };
    for (let n = 0; n < 5; n++) expect(scene.receive(malformed(n))).toBe(Verdict.malformed);
    expect(scene.receive(malformed(5))).toBe(Verdict.limited);
    expect(scene.host.statistics.packetsLimited).toBe(1);
    scene.advance(1000);
    expect(scene.receive(malformed(5))).toBe(Verdict.malformed);
    // Too short to be opened.
    expect(scene.receive(malformed(6).subarray(0, HEADER_BYTES))).toBe(Verdict.malformed);
  });

  test('the next in a slot has a full limit', () => {
    const scene = new Scene({
      limits: { packets: { perSecond: 0.01, burst: 3 } },
      maxConnections: 1,
    });
    const peer = scene.join(new Attempt(1));
    while (scene.receive(scene.says(peer)) === Verdict.accepted);
    scene.host.close(peer.slot, 'kicked', '');
    for (let i = 0; i < 400 && scene.host.used > 0; i++) scene.advance(20).drain();
    const next = scene.join(new Attempt(2));
    expect(next.slot).toBe(peer.slot);
    for (let i = 0; i < 2; i++) expect(scene.receive(scene.says(next))).toBe(Verdict.accepted);
  });

  test('for nobody, or for who had the slot before, are unknown', () => {
    const scene = new Scene({ maxConnections: 1 });
    const bytes = new Uint8Array(60);
    writeHeader(bytes, 0, 0x10000, 0);
    expect(scene.receive(bytes)).toBe(Verdict.unknown);
    expect(scene.receive(bytes.subarray(0, DATA_PACKET_BYTES_MIN - 1))).toBe(Verdict.malformed);
    const peer = scene.join(new Attempt(1));
    const late = scene.says(peer);
    scene.host.close(0, 'kicked', '');
    for (let i = 0; i < 400 && scene.host.used > 0; i++) scene.advance(20).drain();
    expect(scene.receive(late)).toBe(Verdict.unknown);
    const next = scene.join(new Attempt(2));
    expect(next.slot).toBe(0);
    expect(scene.receive(late)).toBe(Verdict.unknown);
    // Not even with the id of the next one: the keys are others.
    late.set(scene.says(next).subarray(1, 5), 1);
    expect(scene.receive(late)).toBe(Verdict.forged);
    expect(scene.receive(scene.says(next))).toBe(Verdict.accepted);
  });

  test('for a slot that waits for its decision are unknown', () => {
    const scene = new Scene();
    scene.answer = 'wait';
    scene.receive(scene.proof(new Attempt(1)));
    const bytes = new Uint8Array(60);
    writeHeader(bytes, 0, scene.ticket, 0);
    expect(scene.receive(bytes)).toBe(Verdict.unknown);
  });
});

describe('a resume', () => {
  const secret = new Uint8Array(KEY_BYTES).fill(5);
  const id = new Uint8Array(16).fill(6);
  const credential = { way: Way.resume, secret, id };
  const resumable = (named: Uint8Array) =>
    `${named}` === `${id}` ? { session: 42, secret } : undefined;

  test('needs no decision, tells of its session, and brings keys for the next one', () => {
    const channels: number[] = [];
    const scene = new Scene({
      sink: {
        resumable,
        channels: (_slot, resumes) => {
          channels.push(resumes);
          return [];
        },
      },
    });
    scene.answer = 'refuse';
    const attempt = new Attempt(1, { credential });
    const accept = scene.accept(attempt)!;
    expect(channels).toEqual([42]);
    expect(scene.events).toEqual([]);
    const { resume } = attempt.keys(accept)!;
    expect(scene.host.resumeKeys(0)).toEqual(resume);
    expect(resume.id).not.toEqual(id);
    expect(resume.secret).not.toEqual(secret);
    const connection = attempt.connect(scene.nowMs, accept, () => {});
    scene.receive(scene.says({ attempt, connection, slot: 0, ends: [] }));
    expect(scene.events).toEqual(['opened 0 42']);
  });

  test('works at every server, whatever it asks of others', () => {
    const key = new Uint8Array(KEY_BYTES).fill(9);
    for (const access of [
      { way: 'open' },
      { way: 'key', key },
      { way: 'token', key: TOKEN_KEY },
    ] as const) {
      const scene = new Scene({ access, wallClock: () => WALL_MS, sink: { resumable } });
      scene.join(new Attempt(1, { credential }));
      expect(scene.events).toEqual(['opened 0 42']);
      expect(scene.host.user(0)).toBeUndefined();
    }
  });

  test('with a wrong secret or an unknown id takes no slot, and is told the same', () => {
    const scene = new Scene({ sink: { resumable } });
    const wrong = [
      { ...credential, secret: new Uint8Array(KEY_BYTES) },
      { ...credential, id: new Uint8Array(16) },
    ];
    for (const [number, one] of wrong.entries()) {
      const refusal = scene.refusal(new Attempt(number, { credential: one }));
      expect(refusal).toEqual({
        verdict: Verdict.unexpected,
        reason: 'resume-invalid',
        text: 'too late, used before, or left: connect anew',
      });
    }
    expect([scene.host.used, scene.addresses.size]).toEqual([0, 0]);
  });

  test('is not to be had where nothing can be resumed', () => {
    expect(new Scene().refusal(new Attempt(1, { credential })).reason).toBe('resume-invalid');
  });

  test('repeats its accept, and gives its slot up, as others do', () => {
    const scene = new Scene({ sink: { resumable } });
    const proof = scene.proof(new Attempt(1, { credential }));
    scene.receive(proof);
    const first = scene.drain();
    scene.advance(50);
    expect(scene.receive(proof)).toBe(Verdict.duplicate);
    expect(scene.drain()).toEqual(first);
    scene.advance(4950);
    expect([scene.host.used, scene.addresses.size, scene.events.length]).toEqual([0, 0, 0]);
  });
});

describe('the user of a slot', () => {
  test('is known while it is decided about, and gone with the slot', () => {
    const access = { way: 'token', key: TOKEN_KEY } as const;
    const users: (string | undefined)[] = [];
    const scene: Scene = new Scene({
      access,
      wallClock: () => WALL_MS,
      sink: {
        requested: (slot, ticket) => {
          users.push(scene.host.user(slot)?.id);
          scene.host.accept(slot, ticket);
        },
      },
    });
    scene.accept(new Attempt(1, { credential: tokenOf(3, scene.host.identity.publicKey) }));
    expect([users, scene.host.user(0)?.id]).toEqual([['user-3'], 'user-3']);
    scene.advance(5000);
    expect([scene.host.user(0), scene.host.resumeKeys(0)]).toEqual([undefined, undefined]);
  });
});

describe('hostile datagrams', () => {
  test('never throw and leave nothing behind', () => {
    const scene = new Scene();
    const kinds = fc.nat(30);
    const body = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(kinds, body, fc.boolean(), fc.boolean(), (kind, bytes, padded, ours) => {
        const datagram = new Uint8Array(padded ? PADDED_BYTES : bytes.length + 5);
        datagram.set(bytes, 5);
        if (ours) datagram.set([0x54, 0x4b, 0x57, 0x52], 1);
        datagram[0] = kind;
        const isRequest = kind === PacketKind.request && padded && ours;
        if (!isRequest) expect(scene.receive(datagram)).not.toBe(Verdict.accepted);
        else scene.receive(datagram);
        expect(scene.drain().length).toBeLessThanOrEqual(isRequest ? 1 : 0);
      }),
      { numRuns: 300 },
    );
    expect(scene.receive(new Uint8Array(0))).toBe(Verdict.malformed);
    expect([scene.host.used, scene.addresses.size, scene.events.length]).toEqual([0, 0, 0]);
  });

  test('valid ones in any order, changed or not, from anywhere, neither throw nor leak', () => {
    const step = fc.record({
      which: fc.nat(40),
      from: fc.integer({ min: 1, max: 3 }),
      ms: fc.nat(2500),
      at: fc.nat(1199),
      bits: fc.oneof(
        { weight: 3, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.nat(255) },
      ),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const scene = new Scene({ maxConnections: 4 });
        const attempts = Array.from({ length: 4 }, (_, number) => new Attempt(number));
        const datagrams: Uint8Array[] = attempts.map(({ request }) => request);
        for (const { which, from, ms, at, bits } of steps) {
          const bytes = datagrams[which % datagrams.length]!.slice();
          if (bits !== 0) bytes[at % bytes.length]! ^= bits;
          scene.receive(bytes, from);
          for (const { bytes: reply } of scene.advance(ms).drain()) {
            const owner = attempts.find(({ nonce }) => `${nonce}` === `${reply.slice(1, 17)}`);
            if (owner === undefined) continue;
            if (reply[0] === PacketKind.challenge) datagrams.push(owner.prove(reply));
            if (reply[0] !== PacketKind.accept || owner.keys(reply) === undefined) continue;
            const connection = owner.connect(scene.nowMs, reply, () => {});
            datagrams.push(scene.says({ attempt: owner, connection, slot: 0, ends: [] }));
          }
          expect(scene.addresses.holds).toBeGreaterThanOrEqual(scene.host.used);
        }
        for (let slot = 0; slot < 4; slot++) scene.host.close(slot, 'kicked', '');
        for (let i = 0; i < 100 && scene.host.used > 0; i++) scene.advance(200).drain();
        scene.drain();
        expect([scene.host.used, scene.addresses.holds]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
