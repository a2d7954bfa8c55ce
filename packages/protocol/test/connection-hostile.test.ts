// Whatever a stranger sends changes nothing but a counter: compared with a twin that never got it.

import { simulatedCrypto } from '@tickwire/netsim';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyChain } from '../src/session/keys.ts';
import { Connection } from '../src/transport/connection.ts';
import { ReliableOrderedChannel } from '../src/transport/reliable-ordered.ts';
import { resolveChannel } from '../src/wire/channel-options.ts';
import { KEY_BYTES } from '../src/wire/crypto.ts';
import { Verdict } from '../src/wire/verdict.ts';

const limits = resolveChannel({ kind: 'reliable-ordered' });
const crypto = simulatedCrypto(1);
const keys = [new Uint8Array(KEY_BYTES).fill(1), new Uint8Array(KEY_BYTES).fill(2)];

class Side {
  readonly received: number[][] = [];
  readonly channel = new ReliableOrderedChannel(limits, (bytes, start, end) =>
    this.received.push([...bytes.subarray(start, end)]),
  );
  readonly connection: Connection;

  constructor(index: number) {
    this.connection = new Connection({
      remoteId: 7,
      outgoing: new KeyChain(crypto, keys[index]!),
      incoming: new KeyChain(crypto, keys[1 - index]!),
      channels: [{ id: 0, channel: this.channel }],
      nowMs: 0,
      sink: { closed: () => this.received.push([-1]), ended() {} },
    });
  }

  write(nowMs: number): Uint8Array[] {
    const out = new Uint8Array(1200);
    const packets: Uint8Array[] = [];
    this.connection.flush(nowMs);
    for (
      let n = this.connection.poll(nowMs, out, 0);
      n > 0;
      n = this.connection.poll(nowMs, out, 0)
    ) {
      packets.push(out.slice(0, n));
    }
    return packets;
  }

  receive(nowMs: number, bytes: Uint8Array): Verdict {
    return this.connection.receive(nowMs, bytes.slice(), 0, bytes.length);
  }

  /** Everything that can be seen from outside, the next packets included. */
  state(nowMs: number): unknown {
    const { statistics, rtt, received, nextSequence } = this.connection;
    const fields = { ...statistics, ...this.channel.statistics, samples: rtt.samples };
    const { newest, newestKept, reach, lossShare } = received;
    const got = this.received.map((m) => [...m]);
    const wakeMs = this.connection.wakeAt();
    const packets = this.write(nowMs).map((packet) => [...packet]);
    return { ...fields, newest, newestKept, reach, lossShare, nextSequence, got, wakeMs, packets };
  }
}

/** A side after some good traffic, and the packets that made it so. */
function scene(): { side: Side; seen: Uint8Array[]; next: Uint8Array } {
  const peer = new Side(0);
  const side = new Side(1);
  const seen: Uint8Array[] = [];
  for (let tick = 0; tick < 6; tick++) {
    peer.channel.send(Uint8Array.of(tick, 1), 0, 2);
    side.channel.send(Uint8Array.of(tick, 2), 0, 2);
    for (const packet of peer.write(tick * 16)) {
      seen.push(packet);
      side.receive(tick * 16 + 5, packet);
    }
    for (const packet of side.write(tick * 16 + 8)) peer.receive(tick * 16 + 12, packet);
  }
  peer.channel.send(Uint8Array.of(99), 0, 1);
  return { side, seen, next: peer.write(100)[0]! };
}

const NOW_MS = 110;

function expectUntouched(
  attack: (side: Side, seen: Uint8Array[], next: Uint8Array) => Verdict,
): void {
  const victim = scene();
  const twin = scene();
  const verdict = attack(victim.side, victim.seen, victim.next);
  expect(verdict).not.toBe(Verdict.accepted);
  expect(victim.side.connection.verdicts(verdict)).toBe(1);
  expect(victim.side.state(NOW_MS)).toEqual(twin.side.state(NOW_MS));
  // And the genuine packet is still good.
  expect(victim.side.receive(NOW_MS, victim.next)).toBe(Verdict.accepted);
}

describe('hostile datagrams', () => {
  test('replayed', () => {
    for (let n = 0; n < scene().seen.length; n++) {
      expectUntouched((side, seen) => {
        const verdict = side.receive(NOW_MS, seen[n]!);
        expect(verdict).toBe(Verdict.duplicate);
        return verdict;
      });
    }
  });

  test('truncated, and longer than they were', () => {
    const { length } = scene().next;
    for (let size = 0; size < length; size++) {
      expectUntouched((side, _seen, next) => side.receive(NOW_MS, next.subarray(0, size)));
    }
    for (const more of [1, 16, 1200]) {
      expectUntouched((side, _seen, next) => {
        const longer = new Uint8Array(length + more);
        longer.set(next);
        return side.receive(NOW_MS, longer);
      });
    }
  });

  test('with any one bit flipped', () => {
    const bits = scene().next.length * 8;
    // The connection id is the business of whoever routes by it, but it is authenticated all the same.
    for (let bit = 0; bit < bits; bit++) {
      expectUntouched((side, _seen, next) => {
        const flipped = next.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        return side.receive(NOW_MS, flipped);
      });
    }
  });

  test('random', () => {
    const bytes = fc.uint8Array({ minLength: 0, maxLength: 1300 });
    fc.assert(
      fc.property(bytes, fc.boolean(), (random, asData) => {
        expectUntouched((side) => {
          const datagram = random.slice();
          if (asData && datagram.length > 7) datagram.set([6, 7, 0, 0, 0, 6, 0]);
          return side.receive(NOW_MS, datagram);
        });
      }),
      { numRuns: 60 },
    );
  });

  test("one's own, reflected", () => {
    expectUntouched((side) => {
      const twin = scene().side;
      twin.channel.send(Uint8Array.of(1), 0, 1);
      return side.receive(NOW_MS, twin.write(NOW_MS)[0]!);
    });
  });
});
