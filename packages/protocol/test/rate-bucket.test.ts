import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkRateLimit,
  RateBucket,
  RateBuckets,
  type RateLimit,
} from '../src/session/rate-bucket.ts';

const limit = { perSecond: 10, burst: 3 };

function bucket(of: RateLimit = limit): RateBucket {
  return new RateBucket('test', of);
}

/** How many of so many are taken at once. */
function taken(from: RateBucket, nowMs: number, wanted: number): number {
  let count = 0;
  for (let i = 0; i < wanted; i++) if (from.take(nowMs)) count++;
  return count;
}

/** Steps are whole, as chance spreads other numbers by their exponents, so nearly all are next to nothing. */
function tenths(from: number, to: number): fc.Arbitrary<number> {
  return fc.integer({ min: from, max: to }).map((value) => value / 10);
}

describe('a bucket', () => {
  test('begins full, at whatever time', () => {
    for (const nowMs of [0, 5, 1e12, -1e6]) {
      const one = bucket();
      expect(taken(one, nowMs, 4)).toBe(3);
      expect(one.limited).toBe(1);
    }
  });

  test('can be asked for more than one, of which only one is taken', () => {
    const one = bucket();
    expect([one.admits(0, 3), one.admits(0, 4)]).toEqual([true, false]);
    one.spend();
    expect([one.admits(0, 3), one.admits(0, 2)]).toEqual([false, true]);
    expect(one.limited).toBe(2);
    expect([one.admits(99, 3), one.admits(100, 3)]).toEqual([false, true]);
  });

  test('fills with time, and not above its burst', () => {
    const one = bucket();
    expect(taken(one, 1000, 10)).toBe(3);
    expect(taken(one, 1099, 10)).toBe(0);
    expect(taken(one, 1100, 10)).toBe(1);
    expect(taken(one, 1350, 10)).toBe(2);
    expect(taken(one, 1400, 10)).toBe(1);
    expect(taken(one, 1e9, 10)).toBe(3);
  });

  test('asked whether it admits, it keeps its tokens and counts a no', () => {
    const one = bucket();
    for (let i = 0; i < 10; i++) expect(one.admits(0)).toBe(true);
    expect(taken(one, 0, 3)).toBe(3);
    expect(one.limited).toBe(0);
    expect(one.admits(0)).toBe(false);
    expect(one.limited).toBe(1);
  });

  test('may be left in debt, which is paid first', () => {
    const one = bucket();
    expect(one.admits(0)).toBe(true);
    for (let i = 0; i < 8; i++) one.spend();
    expect(one.take(599)).toBe(false);
    expect(one.take(600)).toBe(true);
    expect(one.take(600)).toBe(false);
  });

  test('a clock that goes back fills nothing, then or later', () => {
    const one = bucket();
    expect(taken(one, 1000, 2)).toBe(2);
    expect(taken(one, 0, 3)).toBe(1);
    expect(taken(one, Number.NaN, 3)).toBe(0);
    expect(taken(one, 1000, 3)).toBe(0);
    expect(taken(one, 1100, 3)).toBe(1);
  });

  test('of a rate below one a second, and of a high one after days', () => {
    const slow = bucket({ perSecond: 0.1, burst: 1 });
    expect(taken(slow, 0, 5)).toBe(1);
    expect(taken(slow, 9999, 5)).toBe(0);
    expect(taken(slow, 10_000, 5)).toBe(1);
    const fast = bucket({ perSecond: 10_000, burst: 20_000 });
    const days = 30 * 86_400_000;
    expect(taken(fast, days, 30_000)).toBe(20_000);
    let count = 0;
    for (let ms = 1; ms <= 1000; ms++) count += taken(fast, days + ms, 30);
    expect(count).toBe(10_000);
  });
});

describe('many buckets', () => {
  test('each has its own tokens, the count is of all', () => {
    const many = new RateBuckets('test', limit, 3);
    for (let i = 0; i < 5; i++) many.take(1, 0);
    expect([many.take(0, 0), many.take(1, 0), many.take(2, 0)]).toEqual([true, false, true]);
    expect(many.limited).toBe(3);
  });

  test('say which are full again, and are made so for somebody else', () => {
    const many = new RateBuckets('test', limit, 2);
    expect(many.full(0, 0)).toBe(true);
    many.take(0, 0);
    expect([many.full(0, 0), many.full(0, 99), many.full(1, 0)]).toEqual([false, false, true]);
    expect(many.full(0, 100)).toBe(true);
    for (let i = 0; i < 9; i++) many.spend(1);
    expect(many.full(1, 100)).toBe(false);
    many.reset(1);
    expect(many.full(1, 100)).toBe(true);
  });

  test('are as a plain model says, whatever is asked of them', () => {
    const action = fc.record({
      index: fc.nat(2),
      stepMs: fc.oneof(fc.constant(0), fc.nat(2000), tenths(-500, 500)),
      what: fc.constantFrom('take', 'take', 'take', 'spend', 'full', 'reset'),
    });
    const rate = fc.record({
      perSecond: tenths(1, 50_000),
      burst: tenths(10, 500),
    });
    fc.assert(
      fc.property(rate, fc.array(action, { maxLength: 200 }), (of, actions) => {
        const many = new RateBuckets('test', of, 3);
        const model = [0, 1, 2].map(() => ({ tokens: of.burst, atMs: Number.NEGATIVE_INFINITY }));
        let nowMs = 1000;
        let limited = 0;
        for (const { index, stepMs, what } of actions) {
          nowMs += stepMs;
          const one = model[index]!;
          if (what === 'reset') {
            many.reset(index);
            one.tokens = of.burst;
            continue;
          }
          if (what === 'spend') {
            many.spend(index);
            one.tokens--;
            continue;
          }
          const elapsedMs = Math.max(0, nowMs - one.atMs);
          one.tokens = Math.min(of.burst, one.tokens + elapsedMs * (of.perSecond / 1000));
          one.atMs = Math.max(one.atMs, nowMs);
          if (what === 'full') {
            expect(many.full(index, nowMs)).toBe(one.tokens === of.burst);
            continue;
          }
          const yes = one.tokens >= 1;
          expect(many.take(index, nowMs)).toBe(yes);
          if (yes) one.tokens--;
          else limited++;
        }
        expect(many.limited).toBe(limited);
      }),
    );
  });

  test('never give more in any span than the burst and what the span brings', () => {
    const steps = fc.array(fc.record({ stepMs: fc.nat(300), wanted: fc.nat(8) }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const one = bucket();
        const given: { atMs: number; count: number }[] = [];
        let atMs = 0;
        for (const { stepMs, wanted } of list) {
          atMs += stepMs;
          given.push({ atMs, count: taken(one, atMs, wanted) });
        }
        for (let from = 0; from < given.length; from++) {
          let sum = 0;
          for (const { atMs: at, count } of given.slice(from)) {
            sum += count;
            const bound = limit.burst + ((at - given[from]!.atMs) * limit.perSecond) / 1000;
            expect(sum).toBeLessThanOrEqual(bound + 1e-6);
          }
        }
      }),
    );
  });
});

describe('what is no limit', () => {
  test.each([
    [{ perSecond: 0, burst: 1 }, 'perSecond'],
    [{ perSecond: -1, burst: 1 }, 'perSecond'],
    [{ perSecond: Number.NaN, burst: 1 }, 'perSecond'],
    [{ perSecond: Number.POSITIVE_INFINITY, burst: 1 }, 'perSecond'],
    [{ perSecond: 1e9 + 1, burst: 1 }, 'perSecond'],
    [{ perSecond: 1, burst: 0.999 }, 'burst'],
    [{ perSecond: 1, burst: Number.NaN }, 'burst'],
    [{ perSecond: 1, burst: 1e9 + 1 }, 'burst'],
  ])('%j throws, and the message names %s', (wrong, name) => {
    for (const act of [() => checkRateLimit('here', wrong), () => new RateBucket('here', wrong)]) {
      expect(act).toThrow(
        expect.objectContaining({
          code: 'option-invalid',
          message: expect.stringContaining(`here.${name}`),
        }),
      );
    }
  });

  test('at the bounds it is one', () => {
    for (const right of [
      { perSecond: 1e9, burst: 1e9 },
      { perSecond: Number.MIN_VALUE, burst: 1 },
    ]) {
      expect(checkRateLimit('here', right)).toBe(right);
      expect(bucket(right).take(0)).toBe(true);
    }
  });
});
