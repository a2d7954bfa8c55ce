import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InFlight } from '../src/in-flight.ts';
import { type Delivery, Fate, Link } from '../src/link.ts';
import { HEADER_BYTES, type LinkOptions } from '../src/link-options.ts';

interface Arrival {
  readonly atMs: number;
  readonly sizeBytes: number;
}

/** What came out of a link, by number, and when. */
function pass(options: LinkOptions, arrivals: readonly Arrival[], seed = 1) {
  const inFlight = new InFlight({ datagrams: 1024 });
  const link = new Link(options, seed, inFlight);
  const dropped: number[] = [];
  inFlight.onDrop = (slot) => dropped.push(inFlight.from[slot]!);
  const bytes = new Uint8Array(1500);
  const out: { index: number; atMs: number }[] = [];
  const delivery: Delivery = { bytes, start: 0, end: 0, from: 0, to: 0 };
  const drain = (untilMs: number) => {
    for (let wakeMs = link.wakeAt(); wakeMs <= untilMs; wakeMs = link.wakeAt()) {
      if (link.poll(wakeMs, delivery)) out.push({ index: delivery.from, atMs: wakeMs });
    }
  };
  for (const [index, { atMs, sizeBytes }] of arrivals.entries()) {
    drain(atMs);
    if (link.send(atMs, bytes, 0, sizeBytes, index, 0) === Fate.queueDropped) dropped.push(index);
  }
  drain(Number.MAX_VALUE);
  expect(inFlight.held).toBeLessThanOrEqual(1);
  return { out, dropped, link };
}

/** The same, computed as a router would: one datagram after another leaves a list. */
function model(rateKbps: number, queueBytes: number, arrivals: readonly Arrival[]) {
  const out: { index: number; atMs: number }[] = [];
  const dropped: number[] = [];
  let waiting: { index: number; wireBytes: number }[] = [];
  let sending: { index: number; wireBytes: number; endsMs: number } | undefined;
  const serve = (untilMs: number) => {
    while (sending !== undefined && sending.endsMs <= untilMs) {
      out.push({ index: sending.index, atMs: sending.endsMs });
      const next = waiting.shift();
      const startMs: number = sending.endsMs;
      sending = next && { ...next, endsMs: startMs + (next.wireBytes * 8) / rateKbps };
    }
  };
  for (const [index, { atMs, sizeBytes }] of arrivals.entries()) {
    serve(atMs);
    const wireBytes = sizeBytes + HEADER_BYTES;
    const leftBytes = sending === undefined ? 0 : ((sending.endsMs - atMs) * rateKbps) / 8;
    const room = queueBytes + 0.5 - wireBytes - leftBytes;
    const sum = () => waiting.reduce((bytes, one) => bytes + one.wireBytes, 0);
    if (room < 0) {
      dropped.push(index);
      continue;
    }
    while (sum() > room) dropped.push(waiting.shift()!.index);
    if (sending === undefined)
      sending = { index, wireBytes, endsMs: atMs + (wireBytes * 8) / rateKbps };
    else waiting = [...waiting, { index, wireBytes }];
  }
  serve(Number.MAX_VALUE);
  return { out, dropped };
}

const burst = (count: number, sizeBytes = 100): Arrival[] =>
  Array.from({ length: count }, () => ({ atMs: 0, sizeBytes }));

describe('a queue that drops at its head', () => {
  const wire = 100 + HEADER_BYTES;

  it('keeps the one being sent and the newest, up to its bound', () => {
    const options: LinkOptions = { rateKbps: 64, queueBytes: 3 * wire, queuePolicy: 'head' };
    expect(pass(options, burst(3)).dropped).toEqual([]);
    const { out, dropped, link } = pass(options, burst(6));
    expect(dropped).toEqual([1, 2, 3]);
    expect(out.map((one) => one.index)).toEqual([0, 4, 5]);
    // 128 bytes at 64 kbit/s are 16 ms: the gaps that the dropped ones left are closed.
    for (const [i, one] of out.entries()) expect(one.atMs).toBeCloseTo(16 * (i + 1), 6);
    expect(link.counters).toMatchObject({ sent: 6, delivered: 3, queueDropped: 3 });
  });

  it('drops the newcomer when nothing waits, or when dropping all that waits would not help', () => {
    const options: LinkOptions = { rateKbps: 64, queueBytes: 2 * wire - 1, queuePolicy: 'head' };
    expect(pass(options, burst(2)).dropped).toEqual([1]);
    const large = [...burst(2, 72), { atMs: 0, sizeBytes: 2 * wire - HEADER_BYTES }];
    expect(pass(options, large)).toMatchObject({ dropped: [2] });
  });

  it('is a router that drops at its head, for any traffic', () => {
    const arrival = fc.record({
      gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 })),
      sizeBytes: fc.integer({ min: 0, max: 1200 }),
    });
    fc.assert(
      fc.property(
        fc.array(arrival, { maxLength: 150 }),
        fc.integer({ min: 30, max: 3000 }),
        fc.integer({ min: 0, max: 6000 }),
        // Without jitter nobody would overtake anyway.
        fc.boolean(),
        (gaps, rateKbps, queueBytes, inOrder) => {
          let atMs = 0;
          const arrivals = gaps.map(({ gapMs, sizeBytes }) => {
            // Never at the very moment at which another leaves, which rounding would decide.
            if (gapMs > 0) atMs += gapMs + Math.SQRT2 / 1000;
            return { atMs, sizeBytes };
          });
          const expected = model(rateKbps, queueBytes, arrivals);
          const options = { rateKbps, queueBytes, inOrder, queuePolicy: 'head' as const };
          const actual = pass(options, arrivals);
          expect(actual.dropped).toEqual(expected.dropped);
          expect(actual.out.map((one) => one.index)).toEqual(expected.out.map((one) => one.index));
          for (const [i, { atMs }] of actual.out.entries()) {
            expect(atMs).toBeCloseTo(expected.out[i]!.atMs, 5);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('grows beyond its first places, for any number of small ones', () => {
    const options: LinkOptions = { rateKbps: 64, queueBytes: 200 * wire, queuePolicy: 'head' };
    const { out, dropped } = pass(options, burst(300));
    expect(dropped).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(out.map((one) => one.index)).toEqual([
      0,
      ...Array.from({ length: 199 }, (_, i) => i + 101),
    ]);
  });

  it('keeps the order when it is asked to, whoever is dropped', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, jitterMs) => {
        const options: LinkOptions = { latencyMs: 60, jitterMs, inOrder: true, rateKbps: 500 };
        const arrivals = Array.from({ length: 120 }, (_, i) => ({
          atMs: i * 2,
          sizeBytes: 50 + ((i * 37) % 300),
        }));
        const { out, link } = pass(
          { ...options, queueBytes: 2000, queuePolicy: 'head' },
          arrivals,
          seed,
        );
        const indices = out.map((one) => one.index);
        expect(indices).toEqual([...indices].sort((a, b) => a - b));
        expect(link.counters.queueDropped).toBeGreaterThan(0);
        expect(out.length + link.counters.queueDropped).toBe(120);
      }),
      { numRuns: 50 },
    );
  });

  it('takes the copy away with the one it is of, and moves the copies of the others up', () => {
    const options: LinkOptions = {
      rateKbps: 64,
      queueBytes: 3 * wire,
      duplicate: 1,
      queuePolicy: 'head',
    };
    const { out, dropped, link } = pass(options, burst(5));
    expect(dropped).toEqual([1, 2]);
    expect(out.map((one) => one.index)).toEqual([0, 0, 3, 3, 4, 4]);
    for (const [i, one] of out.entries()) expect(one.atMs).toBeCloseTo(16 * ((i >> 1) + 1), 6);
    expect(link.counters).toMatchObject({ duplicated: 3, delivered: 6, queueDropped: 2 });
  });

  it('counts what was lost by chance once, though it waits as well', () => {
    const options: LinkOptions = {
      rateKbps: 64,
      queueBytes: 3 * wire,
      loss: 1,
      queuePolicy: 'head',
    };
    const { link } = pass(options, burst(9));
    expect(link.counters).toMatchObject({ sent: 9, lost: 9, queueDropped: 0 });
  });

  describe('when the link changes', () => {
    const options: LinkOptions = { rateKbps: 64, queueBytes: 3 * wire };
    const head: LinkOptions = { ...options, queuePolicy: 'head' };
    const fill = (first: LinkOptions) => {
      const link = new Link(first, 1);
      const send = () => link.send(0, new Uint8Array(100), 0, 100, 1, 2);
      for (let i = 0; i < 3; i++) expect(send()).toBe(Fate.carried);
      return { link, send };
    };

    it('leaves alone what waits from before it had the policy', () => {
      const { link, send } = fill(options);
      link.configure(head);
      expect(send()).toBe(Fate.queueDropped);
      link.configure({ ...head, queueBytes: 4 * wire });
      for (let i = 0; i < 2; i++) expect(send()).toBe(Fate.carried);
      expect(link.counters).toMatchObject({ queueDropped: 2, sent: 6 });
      expect(link.queueMs(0)).toBeCloseTo(4 * 16, 6);
    });

    it('leaves alone what waits from before it last had another', () => {
      const { link, send } = fill(head);
      link.configure(options);
      link.configure(head);
      expect(send()).toBe(Fate.queueDropped);
    });

    it('still drops what waits when anything else has changed', () => {
      const { link, send } = fill(head);
      link.configure({ ...head, latencyMs: 5 });
      expect(send()).toBe(Fate.carried);
      expect(link.counters.queueDropped).toBe(1);
    });
  });
});
