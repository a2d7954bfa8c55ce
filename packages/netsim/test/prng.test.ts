import { describe, expect, it } from 'vitest';
import { Prng } from '../src/prng.ts';

describe('Prng', () => {
  it('gives the same numbers for the same seed and others for another', () => {
    const draw = (seed: number) => {
      const random = new Prng(seed);
      return Array.from({ length: 20 }, () => random.u32());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7)).not.toEqual(draw(7 + 2 ** 32));
  });

  it('draws evenly from [0, 1)', () => {
    const random = new Prng(1);
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) {
      const value = random.next();
      // A value outside [0, 1) would make a bucket of its own.
      buckets[Math.floor(value * 10)]!++;
    }
    expect(buckets).toHaveLength(10);
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  it('forks by label, whatever was drawn before', () => {
    const drawn = new Prng(3);
    drawn.next();
    expect(drawn.fork('a').u32()).toBe(new Prng(3).fork('a').u32());
    expect(drawn.fork('a').u32()).not.toBe(drawn.fork('b').u32());
  });
});
