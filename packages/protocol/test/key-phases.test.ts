import { describe, expect, test } from 'vitest';
import {
  IncomingKeys,
  KEPT_MIN_MS,
  OutgoingKeys,
  UNACKED_PACKETS_MAX,
} from '../src/transport/key-phases.ts';
import { RttEstimator } from '../src/transport/rtt.ts';
import { type Sealer, TAG_BYTES } from '../src/wire/crypto.ts';
import { HEADER_BYTES, writeHeader } from '../src/wire/packet.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { RecordedKeys } from './recorded-keys.ts';

describe('outgoing keys', () => {
  test.each([1, 64, 2 ** 24, 2 ** 32])('turn after exactly %d packets of an acked key', (after) => {
    const chain = new RecordedKeys(1);
    const keys = new OutgoingKeys(chain, after);
    const first = keys.sealer;
    for (const next of [0, Math.min(1, after - 1), after - 1]) keys.turn(next, next - 1);
    expect([keys.generation, chain.made]).toEqual([0, 1]);
    keys.turn(after, 0);
    expect([keys.generation, chain.made]).toEqual([1, 2]);
    expect(keys.sealer).not.toBe(first);
    // The next turn is counted from here.
    keys.turn(2 * after - 1, 2 * after - 2);
    if (after > 1) expect(keys.generation).toBe(1);
    keys.turn(2 * after, after);
    expect(keys.generation).toBe(2);
  });

  test('do not turn before a packet of the present key was acked', () => {
    const keys = new OutgoingKeys(new RecordedKeys(1), 4);
    keys.turn(100, -1);
    expect(keys.generation).toBe(0);
    keys.turn(100, 0);
    expect(keys.generation).toBe(1);
    // 99 was the last of the key before.
    keys.turn(200, 99);
    expect(keys.generation).toBe(1);
    keys.turn(200, 100);
    expect(keys.generation).toBe(2);
  });

  test('are worn out when so many packets more have brought no ack, and not before', () => {
    const keys = new OutgoingKeys(new RecordedKeys(1), 10);
    expect(keys.worn(10 + UNACKED_PACKETS_MAX - 1, -1)).toBe(false);
    expect(keys.worn(10 + UNACKED_PACKETS_MAX, -1)).toBe(true);
    expect(keys.worn(10 + UNACKED_PACKETS_MAX, 0)).toBe(false);
    keys.turn(10, 0);
    expect(keys.worn(20 + UNACKED_PACKETS_MAX - 1, 9)).toBe(false);
    expect(keys.worn(20 + UNACKED_PACKETS_MAX, 9)).toBe(true);
  });
});

/** A receiver, and a sender that can seal under any generation. */
class Fixture {
  readonly chain = new RecordedKeys(1);
  readonly rtt = new RttEstimator();
  readonly keys = new IncomingKeys(this.chain, this.rtt);
  readonly #sealers: Sealer[] = [];
  readonly #sender = new RecordedKeys(1);

  packet(generation: number, sequence: number): Uint8Array {
    while (this.#sealers.length <= generation) this.#sealers.push(this.#sender.next());
    const bytes = new Uint8Array(HEADER_BYTES + 5 + TAG_BYTES);
    writeHeader(bytes, 0, 7, sequence, generation);
    this.#sealers[generation]!.seal(bytes, 0, HEADER_BYTES, HEADER_BYTES + 5, sequence);
    return bytes;
  }

  open(sequence: number, bytes: Uint8Array, nowMs = 0): Verdict {
    return this.keys.open(nowMs, bytes, 0, bytes.length, sequence);
  }

  /** Opens a genuine packet, and keeps it if it opens. */
  take(generation: number, sequence: number, nowMs = 0): Verdict {
    const verdict = this.open(sequence, this.packet(generation, sequence), nowMs);
    if (verdict === Verdict.accepted) this.keys.keep(nowMs, sequence);
    return verdict;
  }
}

describe('incoming keys', () => {
  test('follow the sender from generation to generation, with a key in advance', () => {
    const f = new Fixture();
    for (let sequence = 0; sequence < 100; sequence++) {
      const generation = Math.floor(sequence / 7);
      expect(f.take(generation, sequence, sequence * 16)).toBe(Verdict.accepted);
      expect(f.keys.generation).toBe(generation);
      expect(f.chain.made).toBe(generation + 2);
    }
    expect(f.chain.tried).toBe(100);
  });

  test('know when a packet is received inside of the receive of another, and turn once', () => {
    const f = new Fixture();
    f.take(0, 0);
    for (const inner of [5, 6]) {
      const g = new Fixture();
      g.take(0, 0);
      expect(g.open(5, g.packet(1, 5))).toBe(Verdict.accepted);
      expect(g.take(1, inner)).toBe(Verdict.accepted);
      expect(() => g.keys.keep(0, 5)).toThrow('inside of its own receive');
      expect(g.keys.generation).toBe(1);
    }
    // A packet that is opened and then not well formed is not kept; the next one is none the worse.
    expect(f.open(5, f.packet(1, 5))).toBe(Verdict.accepted);
    expect(f.take(0, 1)).toBe(Verdict.accepted);
    expect(f.keys.generation).toBe(0);
  });

  test('open what was overtaken across the turn while the key before is kept', () => {
    const f = new Fixture();
    f.rtt.sample(80, Float64Array.of(0), 0, { delayMs: 0 });
    for (let sequence = 0; sequence < 8; sequence++) f.take(0, sequence);
    expect(f.take(1, 12, 1000)).toBe(Verdict.accepted);
    // Of the same generation as the first that came, and sent before it.
    expect(f.take(1, 10, 1000)).toBe(Verdict.accepted);
    expect(f.take(0, 8, 1001)).toBe(Verdict.accepted);
    expect(f.take(0, 9, 1000 + KEPT_MIN_MS - 0.01)).toBe(Verdict.accepted);
    expect(f.keys.generation).toBe(1);
    const { tried } = f.chain;
    expect(f.take(0, 7, 1000 + KEPT_MIN_MS)).toBe(Verdict.stale);
    expect(f.chain.tried).toBe(tried);
    expect(f.take(1, 11, 2000)).toBe(Verdict.accepted);
    expect(f.chain.failed).toBe(0);
  });

  test('the key before is kept for three round trips when those are longer', () => {
    const f = new Fixture();
    f.rtt.sample(400, Float64Array.of(0), 0, { delayMs: 0 });
    f.take(0, 0);
    f.take(1, 5, 1000);
    expect(f.take(0, 1, 2199.9)).toBe(Verdict.accepted);
    expect(f.take(0, 2, 2200)).toBe(Verdict.stale);
  });

  test('the key before is forgotten in time without a packet as well', () => {
    const f = new Fixture();
    f.take(0, 0);
    f.take(1, 5, 1000);
    f.keys.advance(9000);
    // Even for a clock that goes back.
    expect(f.take(0, 1, 1001)).toBe(Verdict.stale);
  });

  test('what is older than the key before has its bit and is not tried', () => {
    const f = new Fixture();
    f.take(0, 0);
    f.take(1, 10, 1);
    f.take(2, 20, 2);
    const { tried } = f.chain;
    expect(f.take(0, 9, 3)).toBe(Verdict.stale);
    expect(f.chain.tried).toBe(tried);
    expect(f.take(1, 19, 3)).toBe(Verdict.accepted);
    expect(f.take(2, 21, 3)).toBe(Verdict.accepted);
  });

  test('a forged packet of the other phase costs one opening, changes nothing and makes no key', () => {
    const f = new Fixture();
    for (let sequence = 0; sequence < 10; sequence++) f.take(0, sequence);
    for (let i = 0; i < 50; i++) {
      const forged = f.packet(0, 10 + i);
      forged[0]! ^= 0x10;
      expect(f.open(10 + i, forged)).toBe(Verdict.forged);
    }
    expect([f.keys.generation, f.chain.made, f.chain.failed]).toEqual([0, 2, 50]);
    expect(f.take(0, 10)).toBe(Verdict.accepted);
    expect(f.take(1, 11)).toBe(Verdict.accepted);
    // Also right after a turn, towards the key before and the next.
    for (const sequence of [9, 12]) {
      const forged = f.packet(1, sequence);
      forged[0]! ^= 0x10;
      expect(f.open(sequence, forged)).toBe(Verdict.forged);
    }
    expect([f.keys.generation, f.chain.made]).toEqual([1, 3]);
  });

  test('the other phase in the midst of a generation is not even tried', () => {
    const f = new Fixture();
    f.take(0, 0);
    f.take(0, 9);
    const { tried } = f.chain;
    expect(f.take(1, 5)).toBe(Verdict.forged);
    expect(f.take(1, 9)).toBe(Verdict.forged);
    expect(f.chain.tried).toBe(tried);
    expect(f.take(1, 10)).toBe(Verdict.accepted);
  });

  test('an opened packet that is not kept turns nothing', () => {
    const f = new Fixture();
    f.take(0, 0);
    expect(f.open(1, f.packet(1, 1))).toBe(Verdict.accepted);
    expect([f.keys.generation, f.chain.made]).toEqual([0, 2]);
    expect(f.take(0, 2)).toBe(Verdict.accepted);
    expect(f.take(1, 3)).toBe(Verdict.accepted);
    expect(f.keys.generation).toBe(1);
  });

  test('a generation is never skipped', () => {
    const f = new Fixture();
    f.take(0, 0);
    expect(f.take(2, 20)).toBe(Verdict.forged);
    expect(f.take(3, 30)).toBe(Verdict.forged);
    expect(f.keys.generation).toBe(0);
  });
});
