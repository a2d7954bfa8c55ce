import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InFlight } from '../src/in-flight.ts';
import { type Delivery, Fate, Link } from '../src/link.ts';
import { HEADER_BYTES, type LinkOptions } from '../src/link-options.ts';

const bytes = new Uint8Array(1200);

/** Sends `count` datagrams, `gapMs` apart, each from an address of its own, and returns what came out when. */
function pass(
  options: LinkOptions,
  seed: number,
  count: number,
  gapMs: number,
  sizeBytes = 100,
  script: (link: Link) => void = () => {},
) {
  const link = new Link(options, seed, new InFlight({ datagrams: 4096 }));
  script(link);
  const out: { index: number; atMs: number; delayMs: number }[] = [];
  const fates: Fate[] = [];
  const delivery: Delivery = { bytes, start: 0, end: 0, from: 0, to: 0 };
  const drain = (untilMs: number) => {
    for (let wakeMs = link.wakeAt(); wakeMs <= untilMs; wakeMs = link.wakeAt()) {
      if (!link.poll(wakeMs, delivery)) continue;
      const index = delivery.from;
      out.push({ index, atMs: wakeMs, delayMs: wakeMs - index * gapMs });
    }
  };
  for (let i = 0; i < count; i++) {
    drain(i * gapMs);
    fates.push(link.send(i * gapMs, bytes, 0, sizeBytes, i, 2));
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

  it('keeps the order in spite of jitter, and delays nobody else for it', () => {
    const free = pass({ latencyMs: 50, jitterMs: 30 }, 13, 500, 5);
    const kept = pass({ latencyMs: 50, jitterMs: 30, inOrder: true }, 13, 500, 5);
    expect(free.link.counters.reordered).toBeGreaterThan(100);
    expect(kept.link.counters.reordered).toBe(0);
    const byIndex = [...free.out].sort((a, b) => a.index - b.index);
    let latestMs = 0;
    for (const [i, d] of kept.out.entries()) {
      latestMs = Math.max(latestMs, byIndex[i]!.atMs);
      expect(d).toMatchObject({ index: i, atMs: latestMs });
    }
  });

  it('still reorders what it is asked to, and no more, when it keeps the order', () => {
    const { counters } = pass({ jitterMs: 30, inOrder: true, reorder: 0.1 }, 14, 5000, 16).link;
    expect(Math.abs(counters.reordered / 5000 - 0.1)).toBeLessThan(0.02);
  });

  it('carries datagrams up to the MTU, headers included, and none a byte larger', () => {
    const send = (sizeBytes: number) => {
      const { fates, link } = pass({ mtuBytes: 1228, latencyMs: 5 }, 1, 3, 1, sizeBytes);
      return [fates, link.counters.delivered, link.counters.mtuDropped];
    };
    expect(send(1200)).toEqual([[0, 0, 0], 3, 0]);
    expect(send(1201)).toEqual([[Fate.mtuDropped, Fate.mtuDropped, Fate.mtuDropped], 0, 3]);
    expect(pass({ mtuBytes: 28 }, 1, 2, 1, 0).link.counters.delivered).toBe(2);
  });

  it('takes no bandwidth for what is larger than the MTU', () => {
    const link = new Link({ mtuBytes: 128, rateKbps: 64 }, 1);
    expect(link.send(0, bytes, 0, 101, 1, 2)).toBe(Fate.mtuDropped);
    expect(link.queueMs(0)).toBe(0);
    expect(link.send(0, bytes, 0, 100, 1, 2)).toBe(Fate.carried);
    expect(link.queueMs(0)).toBe(16);
  });

  it('flips bits in the fraction asked for, in copies on their own', () => {
    const link = new Link({ corrupt: 0.2, duplicate: 1 }, 15);
    const delivery: Delivery = { bytes, start: 0, end: 0, from: 0, to: 0 };
    const clean = Uint8Array.from({ length: 40 }, (_, i) => i);
    const flips = new Map<string, number>();
    for (let i = 0; i < 10_000; i++) {
      link.send(i, clean, 0, 40, 1, 2);
      const pair: number[] = [];
      while (link.poll(i, delivery)) {
        let bits = 0;
        for (let at = 0; at < 40; at++) {
          let difference = delivery.bytes[delivery.start + at]! ^ clean[at]!;
          for (; difference !== 0; difference &= difference - 1) bits++;
        }
        pair.push(bits);
      }
      const which = pair.map((bits) => (bits === 0 ? 'clean' : 'corrupted')).join();
      expect(Math.max(...pair)).toBeLessThanOrEqual(3);
      flips.set(which, (flips.get(which) ?? 0) + 1);
    }
    expect(Math.abs(flips.get('corrupted,clean')! / 10_000 - 0.16)).toBeLessThan(0.015);
    expect(Math.abs(flips.get('clean,corrupted')! / 10_000 - 0.16)).toBeLessThan(0.015);
    expect(Math.abs(flips.get('corrupted,corrupted')! / 10_000 - 0.04)).toBeLessThan(0.01);
    const single = flips.get('corrupted,clean')! + flips.get('clean,corrupted')!;
    expect(link.counters.corrupted).toBe(single + 2 * flips.get('corrupted,corrupted')!);
    expect(pass({ corrupt: 1 }, 15, 10, 1, 0).link.counters).toMatchObject({
      corrupted: 0,
      delivered: 10,
    });
  });

  it('corrupts the same originals in the same way when copies are made as well', () => {
    const originals = (duplicate: number) => {
      const link = new Link({ corrupt: 0.5, duplicate }, 18);
      const delivery: Delivery = { bytes, start: 0, end: 0, from: 0, to: 0 };
      return Array.from({ length: 100 }, (_, i) => {
        link.send(i, new Uint8Array(16), 0, 16, 1, 2);
        link.poll(i, delivery);
        const original = [...delivery.bytes.subarray(delivery.start, delivery.end)];
        while (link.poll(i, delivery));
        return original;
      });
    };
    expect(originals(0.5)).toEqual(originals(0));
    expect(originals(0).filter((one) => one.some((byte) => byte !== 0)).length).toBeGreaterThan(30);
  });

  it('leaves the bytes of the sender alone when it corrupts', () => {
    const mine = new Uint8Array(64);
    new Link({ corrupt: 1 }, 1).send(0, mine, 0, 64, 1, 2);
    expect(mine).toEqual(new Uint8Array(64));
  });

  it('asks each chance of its own: one more option leaves the other answers as they were', () => {
    const base: LinkOptions = {
      latencyMs: 40,
      jitterMs: 10,
      loss: 0.1,
      burstLoss: { enter: 0.05, leave: 0.3 },
      reorder: 0.1,
    };
    const run = (more: LinkOptions) => pass({ ...base, ...more }, 16, 500, 10);
    const plain = run({});
    const corrupted = run({ corrupt: 0.5 });
    expect(corrupted.fates).toEqual(plain.fates);
    expect(corrupted.out).toEqual(plain.out);
    expect(corrupted.link.counters.corrupted).toBeGreaterThan(100);
    for (const more of [{ mtuBytes: 1500 }, { queuePolicy: 'head' as const }, { corrupt: 0 }]) {
      expect(run(more).out).toEqual(plain.out);
    }
    expect(run({ inOrder: true }).fates).toEqual(plain.fates);
    const twice = run({ duplicate: 0.2, corrupt: 0.5 });
    expect(twice.fates).toEqual(plain.fates);
    expect(twice.out.filter((d) => plain.out.some((p) => p.atMs === d.atMs))).toEqual(plain.out);
  });

  it('meets the same chances with the next one, whatever became of one too large', () => {
    const link = { latencyMs: 40, jitterMs: 10, corrupt: 0.5, duplicate: 0.3, mtuBytes: 128 };
    const delays = (firstBytes: number) => {
      const made = new Link(link, 17);
      const delivery: Delivery = { bytes, start: 0, end: 0, from: 0, to: 0 };
      made.send(0, bytes, 0, firstBytes, 0, 0);
      for (let i = 1; i < 50; i++) made.send(i, bytes, 0, 100, i, 0);
      const found: number[] = [];
      for (let wakeMs = made.wakeAt(); wakeMs < 1e9; wakeMs = made.wakeAt()) {
        if (made.poll(wakeMs, delivery) && delivery.from > 0) found.push(delivery.from, wakeMs);
      }
      return found.sort();
    };
    // Chances of copies are drawn for copies only: the first one has none with this seed.
    expect(delays(101)).toEqual(delays(100));
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
      queuePolicy: fc.constantFrom('tail' as const, 'head' as const),
      mtuBytes: fc.integer({ min: 127, max: 128 }),
      corrupt: fraction,
      inOrder: fc.boolean(),
      stallMs: fc.integer({ min: 0, max: 500 }),
      outcome: fc.constantFrom('hold' as const, 'drop' as const),
    });
    fc.assert(
      fc.property(options, fc.integer(), ({ stallMs, outcome, ...link }, seed) => {
        const script = (made: Link) => made.stall(100, 100 + stallMs, outcome);
        const first = pass(link, seed, 100, 7, 100, script);
        const { counters } = first.link;
        expect(counters.delivered).toBe(
          counters.sent -
            counters.lost -
            counters.queueDropped -
            counters.mtuDropped -
            counters.stallDropped -
            counters.overflowed +
            counters.duplicated,
        );
        expect(first.out).toHaveLength(counters.delivered);
        expect(pass(link, seed, 100, 7, 100, script).out).toEqual(first.out);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    [{ corrupt: 1.01 }, /corrupt is 1.01/],
    [{ mtuBytes: 27 }, /mtuBytes is 27; give a number from 28/],
    [{ queuePolicy: 'middle' as 'tail' }, /queuePolicy is middle; give tail or head/],
    [{ inOrder: 1 as unknown as boolean }, /inOrder is 1; give true or false/],
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

describe('a stall of a link', () => {
  const every10 = (script: (link: Link) => void, options: LinkOptions = {}) =>
    pass({ latencyMs: 5, ...options }, 1, 20, 10, 100, script);

  it('lets nothing out, and then everything at once, in order', () => {
    // Sent at 0, 10, ... and due at 5, 15, ...: what is due from 25 on until just before 85 is held.
    const { out, link } = every10((made) => made.stall(25, 85));
    expect(out.map((d) => d.index)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(out.map((d) => d.atMs).slice(0, 10)).toEqual([5, 15, 85, 85, 85, 85, 85, 85, 85, 95]);
    expect(link.counters).toMatchObject({ delivered: 20, stallDropped: 0, reordered: 0 });
  });

  it('drops from its first moment to just before its last', () => {
    const { out, link } = every10((made) => made.stall(25, 85, 'drop'));
    expect(out.map((d) => d.index)).toEqual([
      0,
      1,
      8,
      9,
      ...Array.from({ length: 10 }, (_, i) => i + 10),
    ]);
    expect(link.counters).toMatchObject({ delivered: 14, stallDropped: 6 });
    expect(every10((made) => made.stall(25, 25, 'drop')).out).toHaveLength(20);
  });

  it('lets out in the order of due times, not of sending', () => {
    const jitter = { latencyMs: 50, jitterMs: 40 };
    const free = every10(() => {}, jitter).out;
    const held = every10((made) => made.stall(60, 160), jitter).out;
    expect(held.map((d) => d.index)).toEqual(free.map((d) => d.index));
    expect(free.map((d) => d.index)).not.toEqual(
      [...free.map((d) => d.index)].sort((a, b) => a - b),
    );
    expect(held.map((d) => d.atMs)).toEqual(
      free.map((d) => (d.atMs >= 60 && d.atMs < 160 ? 160 : d.atMs)),
    );
  });

  it('counts copies that it drops', () => {
    const { link } = every10((made) => made.stall(0, 1e6, 'drop'), { duplicate: 1 });
    expect(link.counters).toMatchObject({
      sent: 20,
      duplicated: 20,
      stallDropped: 40,
      delivered: 0,
    });
  });

  it('gives way to a new one', () => {
    const { out } = every10((made) => {
      made.stall(0, 1e6, 'drop');
      made.stall(100, 130);
    });
    expect(out).toHaveLength(20);
    expect(out.filter((d) => d.atMs === 130)).toHaveLength(3);
  });

  it('comes out late but in order when it is asked late', () => {
    const link = new Link({}, 1);
    link.stall(0, 50);
    for (let i = 0; i < 3; i++) link.send(i, bytes, 0, 1, i, 0);
    link.send(50, bytes, 0, 1, 3, 0);
    const delivery: Delivery = { bytes, start: 0, end: 0, from: 0, to: 0 };
    expect(link.poll(49, delivery)).toBe(false);
    const order: number[] = [];
    while (link.poll(1000, delivery)) order.push(delivery.from);
    expect(order).toEqual([0, 1, 2, 3]);
  });

  it.each([
    [10, 9, 'hold'],
    [0, Number.POSITIVE_INFINITY, 'hold'],
    [Number.NaN, 1, 'hold'],
    [0, 1, 'wait'],
  ])('refuses %d to %d, %s', (fromMs, untilMs, outcome) => {
    const link = new Link({}, 1);
    expect(() => link.stall(fromMs, untilMs, outcome as 'hold')).toThrow(/a stall from/);
    expect(link.latestStall).toBeUndefined();
  });
});
