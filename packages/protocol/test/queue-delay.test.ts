import { Prng } from '@tickwire/netsim';
import { describe, expect, it } from 'vitest';
import { QueueDelay } from '../src/transport/queue-delay.ts';
import { RttEstimator } from '../src/transport/rtt.ts';

const RATE = 250_000;
const FULL = 1178;

/** A sender that measures one packet each 20 ms. */
class Measured {
  readonly delay = new QueueDelay(0);
  readonly #rtt = new RttEstimator();
  readonly #sentAtMs = new Float64Array(1);
  nowMs = 0;

  /** Round trips, one after another. True = the estimate was made from enough of them. */
  take(rttsMs: readonly number[], burstBytes = FULL, rate = RATE, starting = false): boolean {
    let enough = false;
    for (const rttMs of rttsMs) {
      this.#sentAtMs[0] = this.nowMs;
      this.delay.acked(FULL);
      const ackedAtMs = this.nowMs + rttMs;
      this.#rtt.sample(ackedAtMs, this.#sentAtMs, 0, { delayMs: 0 });
      const fresh = this.delay.sample(ackedAtMs, this.#rtt, this.#sentAtMs, 0, burstBytes);
      enough = fresh && this.delay.estimate(rate, starting);
      this.nowMs += 20;
    }
    return enough;
  }
}

function times(count: number, rttMs: number): number[] {
  return new Array<number>(count).fill(rttMs);
}

describe('QueueDelay', () => {
  it('is the mean round trip above the shortest of the last ten seconds', () => {
    const measured = new Measured();
    expect(measured.delay.queueMs).toBe(0);
    expect(measured.take(times(4, 50))).toBe(false);
    expect(measured.take(times(10, 50))).toBe(true);
    expect(measured.delay.queueMs).toBe(0);
    measured.take(times(20, 80));
    expect(measured.delay.queueMs).toBeCloseTo(30);
    expect(measured.delay.queueMs).toBeGreaterThan(measured.delay.limitMs);
    measured.take(times(450, 80));
    expect(measured.delay.queueMs).toBeCloseTo(30);
    measured.take(times(60, 80));
    expect(measured.delay.queueMs).toBe(0);
  });

  it('starts again where it is told that the path is another one', () => {
    const measured = new Measured();
    measured.take(times(20, 50));
    measured.take(times(20, 90));
    measured.delay.forget();
    expect(measured.delay.queueMs).toBe(0);
    measured.take(times(20, 90));
    expect(measured.delay.queueMs).toBe(0);
  });

  it('does not take one stalled packet for a queue', () => {
    const measured = new Measured();
    measured.take([...times(30, 50), 250]);
    expect(measured.delay.queueMs).toBe(0);
  });

  it('does not take the packets that left together for a queue', () => {
    const measured = new Measured();
    measured.take(times(20, 50), FULL);
    // Ten more packets before it, at 250 bytes a ms.
    measured.take(times(20, 50 + (10 * FULL) / 250), 11 * FULL);
    expect(measured.delay.queueMs).toBeCloseTo(0);
    measured.take(times(20, 70 + (10 * FULL) / 250), 11 * FULL);
    expect(measured.delay.queueMs).toBeCloseTo(20);
  });

  it('bears more where round trips are noisy, and jitter alone hardly ever passes', () => {
    const random = new Prng(1);
    const jittery = () => 100 + (random.next() + random.next() - 1) * 80;
    const measured = new Measured();
    let above = 0;
    for (let i = 0; i < 3000; i++) {
      measured.take([jittery()]);
      if (i > 50 && measured.delay.queueMs > measured.delay.limitMs) above++;
    }
    expect(above).toBeLessThan(15);
    for (let i = 0; i < 30; i++) measured.take([jittery() + 120]);
    expect(measured.delay.queueMs).toBeGreaterThan(measured.delay.limitMs);
  });

  it('does not take a lucky packet for a sign that all others wait', () => {
    const measured = new Measured();
    measured.take(times(20, 60));
    measured.take([45, ...times(10, 60)]);
    // Of the 15 ms only what the lucky one itself took off the mean.
    expect(measured.delay.queueMs).toBeLessThan(4);
    // The burst explains that it came sooner: what the others wait longer than that is a queue.
    const bursts = new Measured();
    bursts.take(times(20, 60), 11 * FULL);
    bursts.take([60 - (10 * FULL) / 250], FULL);
    bursts.take(times(10, 70), 11 * FULL);
    expect(bursts.delay.queueMs).toBeCloseTo(10);
  });

  it('explains little of the jitter while starting, or on a path that was fast of late', () => {
    const limitMs = (rates: readonly number[], starting: boolean) => {
      const measured = new Measured();
      for (const rate of rates) {
        const jittery = Array.from({ length: 40 }, (_, i) => 60 + 8 * (i % 2));
        measured.take(jittery, FULL, rate, starting);
      }
      return measured.delay.limitMs;
    };
    expect(limitMs([24_000], true)).toBeGreaterThan(limitMs([24_000], false) + 10);
    expect(limitMs([200_000, 24_000], false)).toBeGreaterThan(limitMs([24_000], false) + 10);
  });

  it('remembers for ten seconds the most that arrived, and never more than was sent', () => {
    const measured = new Measured();
    measured.take(times(50, 50), FULL, 100_000);
    expect(measured.delay.reachedBytesPerSecond).toBe(100_000);
    measured.take(times(450, 50), FULL, 20_000);
    expect(measured.delay.reachedBytesPerSecond).toBeCloseTo(50 * FULL);
    measured.take(times(600, 50), FULL, 20_000);
    expect(measured.delay.reachedBytesPerSecond).toBe(20_000);
  });

  it('bears more of a slow flow than of a fast one', () => {
    const limitMs = (rate: number) => {
      const measured = new Measured();
      measured.take(times(20, 50), FULL, rate);
      return measured.delay.limitMs;
    };
    expect(limitMs(8000)).toBe(4 + 6 * 16);
    expect(limitMs(32_000)).toBe(10);
    expect(limitMs(128_000)).toBe(7);
    expect(limitMs(12_500_000)).toBeLessThan(5);
  });

  it('counts only what was sent after it was cleared', () => {
    const measured = new Measured();
    measured.take(times(20, 50));
    measured.delay.clear(measured.nowMs + 40);
    expect(measured.take(times(2, 50))).toBe(false);
    expect(measured.take(times(4, 50))).toBe(false);
    expect(measured.take(times(1, 50))).toBe(true);
  });

  it('tells how fast bytes arrive, and whether slower than they were sent', () => {
    const measured = new Measured();
    expect(measured.delay.arrivedBytesPerSecond(8)).toBe(Number.POSITIVE_INFINITY);
    expect(measured.delay.stretch).toBe(Number.POSITIVE_INFINITY);
    measured.take(times(20, 50));
    expect(measured.delay.arrivedBytesPerSecond(8)).toBeCloseTo(50 * FULL);
    expect(measured.delay.stretch).toBeCloseTo(1);
    // Each waits 10 ms longer than the one before: 30 ms apart though sent 20 ms apart.
    measured.take(Array.from({ length: 20 }, (_, i) => 50 + 10 * i));
    expect(measured.delay.arrivedBytesPerSecond(8)).toBeCloseTo((1000 / 30) * FULL);
    expect(measured.delay.stretch).toBeCloseTo(1.5);
  });
});
