import type { LinkOptions } from '@tickwire/netsim';
import { describe, expect, it } from 'vitest';
import { RateController, type RateReason } from '../src/transport/rate-controller.ts';
import { RttEstimator } from '../src/transport/rtt.ts';
import { SENT_WINDOW } from '../src/transport/sent-packets.ts';
import { type FlowOptions, measure, Path, utilisation } from './rate-controller-path.ts';

const FULL = 1178;
const SECONDS = 60;
const seeds = [1, 2, 3];

/** 256 kbit/s unless told otherwise, 50 ms round trip, a tail-drop buffer of 200 ms. */
function path(
  seed: number,
  ways: LinkOptions = {},
  { kbps = 256, rttMs = 50, policedKbps = Number.POSITIVE_INFINITY } = {},
  flows: readonly FlowOptions[] = [{}],
): Path {
  return new Path({
    seed,
    bottleneck: { rateKbps: kbps, queueBytes: (kbps / 8) * 200 },
    ways: { latencyMs: rttMs / 2, ...ways },
    policedKbps,
    flows,
  });
}

function rateOf({ flows }: Path): number {
  return flows[0]!.rate.state.bytesPerSecond;
}

describe('a backlogged sender at 256 kbit/s', () => {
  it.each(seeds)('keeps the queue short and uses the link (seed %i)', (seed) => {
    const seconds = measure(path(seed), SECONDS).slice(5);
    expect(Math.max(...seconds.map(({ queueMs }) => queueMs))).toBeLessThan(50);
    expect(utilisation(seconds, 256)).toBeGreaterThan(0.9);
  });

  it.each(seeds)('shares with one that comes 10 s later (seed %i)', (seed) => {
    const seconds = measure(path(seed, {}, {}, [{}, { startMs: 10_000 }]), SECONDS).slice(30);
    const [a = 0, b = 0] = [0, 1].map((i) =>
      seconds.reduce((sum, { passedBytes }) => sum + passedBytes[i]!, 0),
    );
    expect(Math.max(a, b) / (a + b)).toBeLessThan(0.6);
    expect(utilisation(seconds, 256)).toBeGreaterThan(0.9);
  });

  it.each(seeds)('loses little to random loss of a twentieth (seed %i)', (seed) => {
    const lossy = measure(path(seed, { loss: 0.05 }), SECONDS).slice(5);
    expect(utilisation(lossy, 256)).toBeGreaterThan(0.8);
  });

  it.each(seeds)('loses little to 40 ms of jitter (seed %i)', (seed) => {
    const jittery = measure(path(seed, { jitterMs: 40 }), SECONDS).slice(5);
    expect(utilisation(jittery, 256)).toBeGreaterThan(0.8);
  });

  it('goes on at 25 % loss', () => {
    expect(utilisation(measure(path(1, { loss: 0.25 }), SECONDS), 256)).toBeGreaterThan(0.6);
  });

  it('delays a small message of higher priority by at most 80 ms', () => {
    const p99 = (flow: FlowOptions) => {
      const one = path(1, {}, {}, [{ ...flow, messageEveryMs: 100 }]);
      measure(one, 2 * SECONDS);
      const sorted = one.flows[0]!.messageDelaysMs.sort((a, b) => a - b);
      return sorted[Math.floor(sorted.length * 0.99)]!;
    };
    expect(p99({}) - p99({ bytesPerTick: 0 })).toBeLessThan(80);
  });
});

describe('other paths', () => {
  it.each([
    [2000, 50, 0.85],
    [10_000, 20, 0.8],
    [2000, 300, 0.75],
  ])('uses %i kbit/s at a round trip of %i ms', (kbps, rttMs, least) => {
    const seconds = measure(path(1, {}, { kbps, rttMs }), 30).slice(10);
    expect(utilisation(seconds, kbps)).toBeGreaterThan(least);
    expect(Math.max(...seconds.map(({ queueMs }) => queueMs))).toBeLessThan(50);
  });

  it('finds the rate of a policer that has no queue, and does not lose much to it', () => {
    const policed = path(1, {}, { kbps: 100_000, policedKbps: 1000 });
    const seconds = measure(policed, 40).slice(5);
    expect(utilisation(seconds, 1000)).toBeGreaterThan(0.8);
    const { acked, lost } = policed.flows[0]!.window.statistics;
    expect(lost / acked).toBeLessThan(0.15);
  });

  it('follows a bottleneck that falls from 2 Mbit/s to 256 kbit/s', () => {
    const falling = path(1, {}, { kbps: 2000 });
    const seconds = measure(falling, 40, (second) => {
      if (second === 20) falling.bottleneck.configure({ rateKbps: 256, queueBytes: 50_000 });
    });
    const after = seconds.slice(30);
    expect(Math.max(...after.map(({ queueMs }) => queueMs))).toBeLessThan(50);
    expect(utilisation(after, 256)).toBeGreaterThan(0.8);
  });

  it('follows a route that becomes longer', () => {
    const moved = path(1, {}, { kbps: 2000 });
    const seconds = measure(moved, 40, (second) => {
      if (second === 20) moved.flows[0]!.forward.configure({ latencyMs: 75 });
    });
    expect(utilisation(seconds.slice(25), 2000)).toBeGreaterThan(0.7);
  });

  it('comes back after two seconds of nothing', () => {
    const dark = path(1, {}, { kbps: 2000 });
    const reasons: RateReason[] = [];
    const seconds = measure(dark, 30, (second) => {
      reasons.push(dark.flows[0]!.rate.state.reason);
      dark.dark = second === 20 || second === 21;
    });
    expect(reasons[22]).toBe('silence');
    expect(utilisation(seconds.slice(23), 2000)).toBeGreaterThan(0.5);
  });
});

describe('an application-limited sender', () => {
  it.each([
    ['a clean path', {}, 24_000],
    ['loss', { loss: 0.05 }, 24_000],
    ['much loss', { loss: 0.25 }, 24_000],
    ['jitter and loss', { jitterMs: 40, loss: 0.05 }, 19_000],
  ])('neither grows nor loses its rate on %s', (_name, ways, least) => {
    const limited = path(1, ways, { kbps: 2000 }, [{ bytesPerTick: 300 }]);
    measure(limited, SECONDS);
    expect(rateOf(limited)).toBeLessThanOrEqual(24_000);
    expect(rateOf(limited)).toBeGreaterThanOrEqual(least);
    expect(limited.flows[0]!.rate.state.reason).toBe('application');
  });

  it('keeps its rate when it says nothing at all', () => {
    const idle = path(1, { jitterMs: 40 }, {}, [{ bytesPerTick: 0, messageEveryMs: 2000 }]);
    measure(idle, 120);
    expect(rateOf(idle)).toBe(24_000);
  });

  it('is cut when it says more than the path carries', () => {
    const narrow = path(1, {}, { kbps: 128 }, [{ bytesPerTick: 300 }]);
    const seconds = measure(narrow, 30).slice(10);
    expect(Math.max(...seconds.map(({ queueMs }) => queueMs))).toBeLessThan(100);
    expect(utilisation(seconds, 128)).toBeGreaterThan(0.8);
  });
});

describe('RateController', () => {
  /** Sends and acks `count` full packets, one each `gapMs`, all after `rttMs`. */
  function steady(rate: RateController, rtt: RttEstimator, startMs: number, count: number): number {
    const sentAtMs = new Float64Array(SENT_WINDOW);
    const gapMs = 50;
    for (let i = 0; i < count; i++) {
      const nowMs = startMs + i * gapMs;
      const slot = i % SENT_WINDOW;
      sentAtMs[slot] = nowMs;
      rate.sent(nowMs, slot, FULL, true);
      rate.flushed(nowMs, true);
      rate.acked(nowMs + 40, slot);
      rtt.sample(nowMs + 40, sentAtMs, slot, { delayMs: 0 });
      rate.acknowledged(nowMs + 40, rtt, true);
    }
    return startMs + count * gapMs;
  }

  it('begins with a packet of credit, and earns its rate', () => {
    const rate = new RateController(1000, { initialBytesPerSecond: 10_000 });
    expect(rate.credit(1000)).toBe(FULL);
    rate.sent(1000, 0, FULL, true);
    rate.sent(1000, 1, FULL, true);
    expect(rate.credit(1000)).toBe(-FULL);
    expect(rate.credit(1050)).toBe(-FULL + 500);
    expect(rate.credit(1040)).toBe(-FULL + 500);
    expect(rate.state).toEqual({ bytesPerSecond: 10_000, queueMs: 0, reason: 'starting' });
  });

  it('saves no more than a packet, or one and a half flushes', () => {
    const slow = new RateController(0);
    expect(slow.credit(60_000)).toBe(FULL);
    const fast = new RateController(0, { initialBytesPerSecond: 1_000_000 });
    expect(fast.credit(60_000)).toBe(25_000);
    for (let nowMs = 0; nowMs <= 5000; nowMs += 50) fast.flushed(nowMs, false);
    expect(fast.credit(120_000)).toBeGreaterThan(70_000);
  });

  it('bounds the debt of what leaves without credit', () => {
    const rate = new RateController(0);
    for (let i = 0; i < 100; i++) rate.sent(0, i, FULL, false);
    expect(rate.credit(0)).toBe(-2 * FULL);
  });

  it('grows while it is held back, and stays at its maximum', () => {
    const rate = new RateController(0, { maxBytesPerSecond: 30_000 });
    const rtt = new RttEstimator();
    const nowMs = steady(rate, rtt, 0, 10);
    expect(rate.state.bytesPerSecond).toBeGreaterThan(24_000);
    steady(rate, rtt, nowMs, 200);
    expect(rate.state.bytesPerSecond).toBe(30_000);
  });

  it('does not grow beyond twice of what arrives', () => {
    const rate = new RateController(0);
    steady(rate, new RttEstimator(), 0, 2000);
    // One packet each 50 ms.
    expect(rate.state.bytesPerSecond).toBeLessThan(2.2 * 20 * FULL);
  });

  it('halves with each silence after the first, down to its minimum, and comes back', () => {
    const rate = new RateController(0, { initialBytesPerSecond: 20_000 });
    rate.silent(100);
    expect(rate.state).toMatchObject({ bytesPerSecond: 20_000, reason: 'starting' });
    rate.silent(300);
    expect(rate.state).toMatchObject({ bytesPerSecond: 10_000, reason: 'silence' });
    for (let nowMs = 400; nowMs < 5000; nowMs += 100) rate.silent(nowMs);
    expect(rate.state.bytesPerSecond).toBe(4000);
    steady(rate, new RttEstimator(), 5000, 1);
    expect(rate.state.bytesPerSecond).toBe(14_000);
  });

  it('takes nothing off for a single packet that was lost', () => {
    const rate = new RateController(0, { initialBytesPerSecond: 20_000 });
    rate.silent(100);
    steady(rate, new RttEstimator(), 200, 1);
    expect(rate.state.bytesPerSecond).toBe(20_000);
  });

  it.each([
    [{ initialBytesPerSecond: 3999 }, /initialBytesPerSecond is 3999/],
    [{ initialBytesPerSecond: 6000, maxBytesPerSecond: 5999 }, /initialBytesPerSecond is 6000/],
    [{ minBytesPerSecond: 99 }, /minBytesPerSecond is 99/],
    [{ minBytesPerSecond: 9000, maxBytesPerSecond: 8999 }, /minBytesPerSecond is 9000/],
    [{ maxBytesPerSecond: 125_000_001 }, /maxBytesPerSecond is 125000001/],
    [{ maxBytesPerSecond: Number.NaN }, /maxBytesPerSecond is NaN/],
  ])('refuses %o', (options, message) => {
    expect(() => new RateController(0, options)).toThrow(message);
  });

  it('fits its defaults into the bounds that are given', () => {
    expect(new RateController(0, { maxBytesPerSecond: 2000 }).state.bytesPerSecond).toBe(2000);
    expect(new RateController(0, { minBytesPerSecond: 50_000 }).state.bytesPerSecond).toBe(50_000);
    expect(new RateController(0, { minBytesPerSecond: 100 }).state.bytesPerSecond).toBe(24_000);
  });
});
