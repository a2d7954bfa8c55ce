import { describe, expect, test } from 'vitest';
import { Traffic } from '../src/transport/traffic.ts';

describe('Traffic', () => {
  test('counts packets and bytes', () => {
    const traffic = new Traffic();
    traffic.add(5, 100);
    traffic.add(5, 50);
    traffic.add(90_000, 1);
    expect([traffic.packets, traffic.bytes]).toEqual([3, 151]);
  });

  test('a steady stream reads as what it is, whenever it is asked', () => {
    for (const [tickMs, bytes] of [
      [16, 100],
      [1000 / 60, 1200],
      [50, 40],
      [4, 7],
    ] as const) {
      const traffic = new Traffic();
      const perSecond = (bytes * 1000) / tickMs;
      for (let i = 0; i * tickMs < 5000; i++) {
        const nowMs = i * tickMs;
        traffic.add(nowMs, bytes);
        if (nowMs < 1000) continue;
        // One packet more or less, in the shortest span that it is the mean of.
        const error = Math.abs(traffic.bytesPerSecond(nowMs) - perSecond);
        expect(error).toBeLessThanOrEqual((bytes * 1000) / 875);
      }
    }
  });

  test('what is over a second old is forgotten, however long the silence', () => {
    const traffic = new Traffic();
    for (let nowMs = 0; nowMs < 2000; nowMs += 10) traffic.add(nowMs, 100);
    expect(traffic.bytesPerSecond(2000)).toBeGreaterThan(9000);
    expect(traffic.bytesPerSecond(2500)).toBeLessThan(6000);
    expect(traffic.bytesPerSecond(2500)).toBeGreaterThan(4000);
    expect(traffic.bytesPerSecond(3000)).toBe(0);
    traffic.add(3000, 875);
    expect(traffic.bytesPerSecond(3000)).toBe(1000);
    expect(traffic.bytesPerSecond(1e9)).toBe(0);
    traffic.add(1e9, 875);
    expect(traffic.bytesPerSecond(1e9)).toBe(1000);
  });

  test('from the very first slice to the ninth, which takes its place', () => {
    const traffic = new Traffic();
    traffic.add(0, 1000);
    expect(traffic.bytesPerSecond(999)).toBeGreaterThan(1000);
    expect(traffic.bytesPerSecond(1000)).toBe(0);
  });

  test('time going backwards moves nothing', () => {
    const traffic = new Traffic();
    traffic.add(5000, 100);
    traffic.add(4000, 100);
    expect(traffic.bytesPerSecond(4000)).toBe(traffic.bytesPerSecond(5000));
    expect(traffic.bytes).toBe(200);
  });
});
