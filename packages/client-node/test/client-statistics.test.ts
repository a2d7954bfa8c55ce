import { describe, expect, test } from 'vitest';
import { collectStatistics } from '../src/client-statistics.ts';

describe('client statistics', () => {
  test('before anything was measured everything is zero, the clock runs as it is', () => {
    const { prediction, clockSpeed, ...numbers } = collectStatistics(undefined, undefined);
    expect(clockSpeed).toBe(1);
    expect(new Set([...Object.values(numbers), ...Object.values(prediction)])).toEqual(
      new Set([0]),
    );
  });

  test('each call gives an object of its own', () => {
    const first = collectStatistics(undefined, undefined);
    const second = collectStatistics(undefined, undefined);
    expect(first.prediction).not.toBe(second.prediction);
  });
});
