import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Grid, HitSet, scan } from '../src/game/grid.ts';

const CAPACITY = 200;

function hits(set: HitSet): number[] {
  const found: number[] = [];
  for (let place = set.take(); place >= 0; place = set.take()) found.push(place);
  return found;
}

describe('HitSet', () => {
  test('gives places back in order, once', () => {
    const set = new HitSet(70);
    const words = set.begin(70);
    for (const place of [69, 0, 31, 32, 63, 64, 5]) words[place >>> 5]! |= 1 << (place & 31);
    expect(hits(set)).toEqual([0, 5, 31, 32, 63, 64, 69]);
    expect(set.take()).toBe(-1);
    words[0] = -1;
    set.begin(1);
    expect(hits(set)).toEqual([]);
  });
});

describe('Grid', () => {
  const coordinate = fc.oneof(
    fc.integer({ min: -20, max: 20 }),
    fc.double({ min: -20, max: 20, noNaN: true }),
    fc.double({ min: 1e9, max: 1e9 + 10, noNaN: true }),
    fc.constantFrom(Number.NaN, Infinity, -Infinity, 0),
  );
  const tame = fc.oneof(
    fc.integer({ min: -20, max: 20 }),
    fc.double({ min: -20, max: 20, noNaN: true }),
  );
  const radius = fc.oneof(
    fc.integer({ min: 0, max: 12 }),
    fc.double({ min: 0, max: 60 }),
    fc.constant(Infinity),
  );
  const place = (c: fc.Arbitrary<number>) => fc.array(fc.tuple(c, c), { maxLength: CAPACITY });
  const question = (c: fc.Arbitrary<number>) => fc.array(fc.tuple(c, c, radius), { maxLength: 6 });

  test.each([
    ['tame', tame],
    ['wild', coordinate],
  ])('finds what a scan finds, %s numbers', (_, c) => {
    fc.assert(
      fc.property(place(c), question(c), (places, questions) => {
        const xs = new Float64Array(CAPACITY);
        const ys = new Float64Array(CAPACITY);
        // Slots are not places: rows stand in them backwards.
        const order = Int32Array.from({ length: CAPACITY }, (__, i) => CAPACITY - 1 - i);
        places.forEach(([x, y], i) => {
          xs[order[i]!] = x;
          ys[order[i]!] = y;
        });
        const index = { order, ids: new Uint32Array(CAPACITY), count: places.length };
        const grid = new Grid(index, xs, ys);
        const set = new HitSet(CAPACITY);
        for (const [x, y, r] of [...questions, ...questions]) {
          scan(index, xs, ys, x, y, r, set.begin(index.count));
          const expected = hits(set);
          grid.mark(x, y, r, set.begin(index.count));
          expect(hits(set)).toEqual(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('sees rows where they are after invalidate', () => {
    const xs = Float64Array.from({ length: 64 }, (_, i) => i);
    const order = Int32Array.from({ length: 64 }, (_, i) => i);
    const grid = new Grid({ order, ids: new Uint32Array(64), count: 64 }, xs, new Float64Array(64));
    const set = new HitSet(64);
    for (let i = 0; i < 3; i++) {
      grid.mark(10, 0, 1, set.begin(64));
      expect(hits(set)).toEqual([9, 10, 11]);
    }
    xs[50] = 10;
    grid.invalidate();
    for (let i = 0; i < 3; i++) {
      grid.mark(10, 0, 1, set.begin(64));
      expect(hits(set)).toEqual([9, 10, 11, 50]);
    }
  });
});
