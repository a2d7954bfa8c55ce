import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { math } from '../src/game/math.ts';

const bits = new DataView(new ArrayBuffer(8));

/** Doubles between two numbers; 0 for equal ones and for two NaN. */
function distance(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  if (Number.isNaN(a) || Number.isNaN(b)) return Infinity;
  const difference = rank(a) - rank(b);
  return Math.abs(Number(difference));
}

function rank(value: number): bigint {
  bits.setFloat64(0, value);
  const all = bits.getBigInt64(0);
  return all < 0n ? -(all & 0x7fff_ffff_ffff_ffffn) : all;
}

// The engine's own functions are within one unit of the exact value, so three plus one of difference.
const MAX_DISTANCE = 4;
const anyAngle = fc.oneof(
  fc.double({ min: -10, max: 10, noNaN: true }),
  fc.double({ min: -(2 ** 20), max: 2 ** 20, noNaN: true }),
);
const anyNumber = fc.double();
const unit = fc.double({ min: -1, max: 1, noNaN: true });

const cases = [
  ['sin', anyAngle],
  ['cos', anyAngle],
  ['tan', anyAngle],
  ['atan', anyNumber],
  ['asin', unit],
  ['acos', unit],
  ['exp', fc.oneof(anyNumber, fc.double({ min: -750, max: 750 }))],
  ['log', fc.oneof(anyNumber, fc.double({ min: 0, max: 2 }))],
] as const;

const pairs = [
  ['atan2', anyNumber, anyNumber],
  ['hypot', anyNumber, anyNumber],
  ['pow', fc.double({ min: 0, max: 100 }), fc.double({ min: -150, max: 150 })],
  ['pow', anyNumber, fc.integer({ min: -40, max: 40 })],
  ['pow', anyNumber, anyNumber],
] as const;

describe('math', () => {
  test.each(cases)('%s is close to the engine', (name, values) => {
    fc.assert(
      fc.property(values, (x) => {
        expect(distance(math[name](x), Math[name](x))).toBeLessThanOrEqual(MAX_DISTANCE);
      }),
      { numRuns: 60000, endOnFailure: true },
    );
  });

  test.each(pairs)('%s is close to the engine (%#)', (name, xs, ys) => {
    fc.assert(
      fc.property(xs, ys, (x, y) => {
        expect(distance(math[name](x, y), Math[name](x, y))).toBeLessThanOrEqual(MAX_DISTANCE);
      }),
      { numRuns: 60000, endOnFailure: true },
    );
  });

  test('agrees on the special values, signs of zero included', () => {
    const special = [0, -0, 1, -1, 0.5, 2, -2, 3, -3, 1e19, 1e300, 5e-324, -5e-324];
    special.push(Infinity, -Infinity, Number.NaN, 2 ** 53, 1 + 2 ** -52, 1 - 2 ** -53);
    for (const x of special) {
      for (const name of ['atan', 'asin', 'acos', 'exp', 'log'] as const) {
        expect([name, x, sameBits(math[name](x), Math[name](x))]).toEqual([name, x, true]);
      }
      for (const y of special) {
        for (const name of ['pow', 'atan2', 'hypot'] as const) {
          expect([name, x, y, sameBits(math[name](x, y), Math[name](x, y))]).toEqual([
            name,
            x,
            y,
            true,
          ]);
        }
      }
    }
    for (const name of ['sin', 'cos', 'tan'] as const) {
      expect([Infinity, -Infinity, Number.NaN].map((x) => math[name](x))).toEqual([
        Number.NaN,
        Number.NaN,
        Number.NaN,
      ]);
    }
    expect([math.sin(-0), math.tan(-0), math.cos(0)]).toEqual([-0, -0, 1]);
  });

  test('huge angles still give something of [-1, 1]', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => {
        const length = math.hypot(math.sin(x), math.cos(x));
        expect(Math.abs(length - 1)).toBeLessThan(1e-15 * 4);
      }),
    );
  });

  test('is exact where the exact value is a double', () => {
    const found = [math.sin(0), math.cos(0), math.exp(0), math.log(1), math.atan2(0, 1)];
    expect(found).toEqual([0, 1, 1, 0, 0]);
    expect([math.atan2(0, -1), math.atan2(2, 0), math.atan2(-2, 0)]).toEqual([
      Math.PI,
      Math.PI / 2,
      -Math.PI / 2,
    ]);
    for (let n = -1074; n < 1024; n++) expect([n, math.pow(2, n)]).toEqual([n, 2 ** n]);
    for (let base = 2; base <= 200; base++) {
      for (let n = 0, exact = 1; exact <= 2 ** 53; n++, exact *= base) {
        expect([base, n, math.pow(base, n)]).toEqual([base, n, exact]);
      }
    }
  });

  test('an angle a hair beside a multiple of π/2', () => {
    // No double below 2^20 comes closer; the values were computed with 250 bits.
    expect(math.cos(45.553093477052)).toBe(-6.189806365883577e-19);
    expect(math.sin(91.106186954104)).toBe(-1.2379612731767154e-18);
  });

  test('known bits: what every engine must give', () => {
    const found = [
      math.sin(0.5),
      math.cos(100.25),
      math.tan(-1.25),
      math.atan2(-3, 0.7),
      math.asin(0.3),
      math.acos(-0.9),
      math.exp(-3.7),
      math.log(12.34),
      math.pow(1.0001, 12345.678),
      math.hypot(3.3, -4.4),
      math.cos(45.553093477052),
      math.exp(700.123),
      math.log(1.0009765625),
      math.atan2(1e-3, -1e-4),
      math.pow(10, -300.5),
    ].map(hex);
    expect(found).toMatchInlineSnapshot(`
      [
        "3fdeaee8744b05f0",
        "3feebec72ba6b0ec",
        "c008139943e231a8",
        "bff5770c39ba330a",
        "3fd380159e14f6fe",
        "400586476251e745",
        "3f99511fc6871044",
        "40041a4f0369f2d2",
        "400b7e526b8e001c",
        "4016000000000000",
        "bc26d61b58c99c43",
        "7f10b9bc66f2e010",
        "3f4ffc00aa8ab110",
        "3ffaba397c7259dd",
        "018b1b75833790ca",
      ]
    `);
  });
});

function sameBits(a: number, b: number): boolean {
  return distance(a, b) <= 2 && Object.is(a, -0) === Object.is(b, -0);
}

function hex(value: number): string {
  bits.setFloat64(0, value);
  return bits.getBigUint64(0).toString(16).padStart(16, '0');
}
