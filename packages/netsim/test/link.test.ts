import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InFlight } from '../src/in-flight.ts';
import { type Delivery, Fate, HEADER_BYTES, Link } from '../src/link.ts';
import type { LinkOptions } from '../src/link-options.ts';

const bytes = new Uint8Array(1200);

/** Sends `count` numbered datagrams, `gapMs` apart, and returns what came out when. */
function pass(options: LinkOptions, seed: number, count: number, gapMs: number, sizeBytes = 100) {
  const link = new Link(options, seed, new InFlight({ datagrams: 4096 }));
  const out: { index: number; atMs: number; delayMs: number }[] = [];
  const fates: Fate[] = [];
  const delivery: Delivery = { bytes, start: 0, end: 0, from: 0, to: 0 };
  const drain = (untilMs: number) => {
    for (let wakeMs = link.wakeAt(); wakeMs <= untilMs; wakeMs = link.wakeAt()) {
      link.poll(wakeMs, delivery);
      const view = new DataView(delivery.bytes.buffer);
      const index = view.getUint32(delivery.start);
      out.push({ index, atMs: wakeMs, delayMs: wakeMs - index * gapMs });
    }
  };
  for (let i = 0; i < count; i++) {
    drain(i * gapMs);
    new DataView(bytes.buffer).setUint32(0, i);
    fates.push(link.send(i * gapMs, bytes, 0, sizeBytes, 1, 2));
  }
  drain(Number.MAX_VALUE);
  return { link, out, fates };
}

describe('Link', () => {
  it('delivers everything at once and in order when nothing is asked for', () => {
    const { out, link } = pass({}, 1, 100, 1);
    expect(out.map((d) => d.index)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(out.every((d) => d.delayMs === 0)).toBe(true);
    expect(link.counters).toMatchObject({ sent: 100, delivered: 100, reordered: 0, lost: 0 });
  });

  it('hands over the bytes, the sender and the receiver', () => {
    const link = new Link({ latencyMs: 5 }, 1);
    const delivery: Delivery = { bytes, start: 0, end: 0, from: 0, to: 0 };
    link.send(10, new Uint8Array([9, 1, 2, 3, 9]), 1, 4, 7, 8);
    expect(link.wakeAt()).toBe(15);
    expect(link.poll(14.9, delivery)).toBe(false);
    expect(link.poll(15, delivery)).toBe(true);
    expect([...delivery.bytes.subarray(delivery.start, delivery.end)]).toEqual([1, 2, 3]);
    expect([delivery.from, delivery.to]).toEqual([7, 8]);
    expect(link.poll(99, delivery)).toBe(false);
    expect(link.counters).toMatchObject({ sentBytes: 3, deliveredBytes: 3 });
  });

  it('spreads the delay evenly, plus or minus the jitter', () => {
    const { out } = pass({ latencyMs: 50, jitterMs: 10 }, 2, 20_000, 25);
    const mean = out.reduce((sum, d) => sum + d.delayMs, 0) / out.length;
    expect(Math.abs(mean - 50)).toBeLessThan(0.2);
    expect(Math.min(...out.map((d) => d.delayMs))).toBeGreaterThanOrEqual(40);
    expect(Math.max(...out.map((d) => d.delayMs))).toBeLessThanOrEqual(60);
    const low = out.filter((d) => d.delayMs < 45).length / out.length;
    expect(Math.abs(low - 0.25)).toBeLessThan(0.02);
  });

  it('reorders by jitter only when the jitter is larger than the gap', () => {
    expect(pass({ latencyMs: 50, jitterMs: 8 }, 3, 5000, 16.7).link.counters.reordered).toBe(0);
    expect(
      pass({ latencyMs: 50, jitterMs: 20 }, 3, 5000, 16.7).link.counters.reordered,
    ).toBeGreaterThan(100);
  });

  it('never delivers before it was sent', () => {
    const { out } = pass({ latencyMs: 1, jitterMs: 10 }, 4, 1000, 30);
    expect(Math.min(...out.map((d) => d.delayMs))).toBe(0);
  });

  it('loses, duplicates and reorders the fractions asked for', () => {
    const { counters } = pass({ loss: 0.05 }, 5, 40_000, 1).link;
    expect(Math.abs(counters.lost / 40_000 - 0.05)).toBeLessThan(0.005);
    expect(counters.delivered).toBe(40_000 - counters.lost);
    const twice = pass({ duplicate: 0.1 }, 5, 20_000, 1).link.counters;
    expect(Math.abs(twice.duplicated / 20_000 - 0.1)).toBeLessThan(0.01);
    expect(twice.delivered).toBe(20_000 + twice.duplicated);
    const late = pass({ reorder: 0.1 }, 5, 20_000, 16).link.counters;
    expect(Math.abs(late.reordered / 20_000 - 0.1)).toBeLessThan(0.02);
    expect(pass({ loss: 1 }, 5, 100, 1).out).toEqual([]);
  });

  it('loses in bursts of the mean length asked for', () => {
    const { fates } = pass({ burstLoss: { enter: 0.01, leave: 0.25 } }, 6, 100_000, 1);
    const runs: number[] = [];
    let run = 0;
    for (const fate of fates) {
      if (fate === Fate.lost) run++;
      else if (run > 0) {
        runs.push(run);
        run = 0;
      }
    }
    const mean = runs.reduce((sum, length) => sum + length, 0) / runs.length;
    expect(Math.abs(mean - 4)).toBeLessThan(0.4);
    const lost = fates.filter((fate) => fate === Fate.lost).length / fates.length;
    expect(Math.abs(lost - 0.01 / 0.26)).toBeLessThan(0.005);
  });

  it('loses part of a burst when told so', () => {
    const { link } = pass({ burstLoss: { enter: 1, leave: 0.000001, loss: 0.5 } }, 7, 10_000, 1);
    expect(Math.abs(link.counters.lost / 10_000 - 0.5)).toBeLessThan(0.02);
  });

  it('keeps the delays of the others when some are lost', () => {
    const plain = pass({ latencyMs: 50, jitterMs: 5 }, 8, 200, 20).out;
    const lossy = pass({ latencyMs: 50, jitterMs: 5, loss: 0.3 }, 8, 200, 20).out;
    expect(lossy.length).toBeLessThan(180);
    for (const d of lossy) expect(d).toEqual(plain[d.index]);
  });

  it('spaces datagrams by the rate, headers included', () => {
    // 100 + 28 bytes are 1024 bits: 10.24 ms at 100 kbit/s.
    const { out } = pass({ rateKbps: 100, latencyMs: 30 }, 9, 10, 0);
    for (const [i, d] of out.entries()) expect(d.atMs).toBeCloseTo(30 + (i + 1) * 10.24, 6);
  });

  it('fills its queue to the bound and drops one past it', () => {
    const wire = 100 + HEADER_BYTES;
    const { fates, link } = pass({ rateKbps: 64, queueBytes: 3 * wire }, 10, 4, 0);
    expect(fates).toEqual([Fate.carried, Fate.carried, Fate.carried, Fate.queueDropped]);
    expect(link.counters.queueDropped).toBe(1);
    expect(link.queueMs(0)).toBeCloseTo((3 * wire * 8) / 64, 6);
    expect(link.queueMs(1e9)).toBe(0);
    const short = pass({ rateKbps: 64, queueBytes: 3 * wire - 1 }, 10, 4, 0);
    expect(short.link.counters.queueDropped).toBe(2);
  });

  it('never carries more than the rate over a long time', () => {
    const { out } = pass({ rateKbps: 256, queueBytes: 8000 }, 11, 5000, 1, 500);
    const spanMs = out.at(-1)!.atMs;
    const kbps = (out.length * (500 + HEADER_BYTES) * 8) / spanMs;
    expect(kbps).toBeLessThanOrEqual(256.001);
    expect(kbps).toBeGreaterThan(250);
  });

  it('counts what does not fit its storage', () => {
    const link = new Link({ latencyMs: 9 }, 1, new InFlight({ datagrams: 1, datagramBytes: 10 }));
    expect(link.send(0, bytes, 0, 11, 1, 2)).toBe(Fate.overflowed);
    expect(link.send(0, bytes, 0, 10, 1, 2)).toBe(Fate.carried);
    expect(link.send(0, bytes, 0, 10, 1, 2)).toBe(Fate.overflowed);
    expect(link.counters.overflowed).toBe(2);
  });

  it('accounts for every datagram, and is the same for the same seed', () => {
    const fraction = fc.double({ min: 0, max: 1, noNaN: true });
    const options = fc.record({
      latencyMs: fc.integer({ min: 0, max: 200 }),
      jitterMs: fc.integer({ min: 0, max: 100 }),
      loss: fraction,
      duplicate: fraction,
      reorder: fraction,
      rateKbps: fc.integer({ min: 50, max: 5000 }),
      queueBytes: fc.integer({ min: 0, max: 20_000 }),
    });
    fc.assert(
      fc.property(options, fc.integer(), (link, seed) => {
        const first = pass(link, seed, 100, 7);
        const { counters } = first.link;
        expect(counters.delivered).toBe(
          counters.sent -
            counters.lost -
            counters.queueDropped -
            counters.overflowed +
            counters.duplicated,
        );
        expect(pass(link, seed, 100, 7).out).toEqual(first.out);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    [{ loss: 1.01 }, /loss is 1.01/],
    [{ latencyMs: -1 }, /latencyMs is -1/],
    [{ jitterMs: Number.NaN }, /jitterMs is NaN/],
    [{ rateKbps: 0 }, /rateKbps is 0/],
    [{ burstLoss: { enter: 0.1, leave: 0 } }, /burstLoss.leave is 0/],
  ])('refuses %o', (options, message) => {
    expect(() => new Link(options, 1)).toThrow(message);
    expect(() => new Link({}, 1).configure(options)).toThrow(message);
  });
});
