import { describe, expect, test } from 'vitest';
import { RttEstimator } from '../src/transport/rtt.ts';

/** One round trip of so many milliseconds, sent at 1000, with an ack held back for 3. */
function sample(rtt: RttEstimator, rttMs: number): void {
  rtt.sample(1003 + rttMs, Float64Array.of(0, 1000), 1, { delayMs: 3 });
}

describe('RttEstimator', () => {
  test('guesses before the first sample', () => {
    const rtt = new RttEstimator();
    expect(rtt.samples).toBe(0);
    expect(rtt.smoothedMs).toBe(250);
    expect(rtt.variationMs).toBe(125);
    expect(rtt.lossDelayMs).toBe(750);
  });

  test('takes the first sample as it is', () => {
    const rtt = new RttEstimator();
    sample(rtt, 80);
    expect(rtt.smoothedMs).toBe(80);
    expect(rtt.variationMs).toBe(40);
    expect(rtt.latestMs).toBe(80);
  });

  test('averages as RFC 6298 does', () => {
    const rtt = new RttEstimator();
    sample(rtt, 80);
    sample(rtt, 160);
    expect(rtt.variationMs).toBe(0.75 * 40 + 0.25 * 80);
    expect(rtt.smoothedMs).toBe(90);
    expect(rtt.latestMs).toBe(160);
    expect(rtt.samples).toBe(2);
  });

  test('settles on a steady path, with a floor under the loss delay', () => {
    const rtt = new RttEstimator();
    for (let i = 0; i < 200; i++) sample(rtt, 100);
    expect(rtt.smoothedMs).toBeCloseTo(100, 6);
    expect(rtt.variationMs).toBeCloseTo(0, 6);
    expect(rtt.lossDelayMs).toBeCloseTo(112.5, 5);
    const near = new RttEstimator();
    for (let i = 0; i < 200; i++) sample(near, 0);
    expect(near.lossDelayMs).toBeCloseTo(5, 5);
  });

  test('on another path it begins anew', () => {
    const rtt = new RttEstimator();
    for (let i = 0; i < 20; i++) sample(rtt, 30 + i);
    rtt.restart();
    expect([rtt.samples, rtt.smoothedMs, rtt.variationMs, rtt.latestMs]).toEqual([
      0, 250, 125, 250,
    ]);
    sample(rtt, 80);
    expect([rtt.smoothedMs, rtt.variationMs]).toEqual([80, 40]);
  });

  test('a lying peer gets nothing below 0', () => {
    const rtt = new RttEstimator();
    sample(rtt, -4000);
    sample(rtt, Number.NaN);
    expect(rtt.smoothedMs).toBe(0);
    expect(rtt.lossDelayMs).toBe(5);
  });
});
