import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  angle,
  axis,
  dequantise,
  edge,
  type Field,
  fixed,
  flag,
  int,
  quantise,
  uint,
} from '../src/replication/field.ts';

const TURN = 2 * Math.PI;

const fields: Field[] = [
  fixed(-128, 128, 1 / 256),
  fixed(-16, 16, 1 / 4096),
  fixed(0, 1, 0.1),
  fixed(-3, 7, 0.3),
  fixed(5, 6, 1 / 3),
  fixed(-1, 1, 2 ** -30),
  angle(1),
  angle(12),
  angle(31),
  uint(1),
  uint(7),
  uint(31),
  int(2),
  int(31),
  flag(),
  axis(2),
  axis(4),
  axis(31),
  edge(),
];
const anyField = fc.constantFrom(...fields);
const anyNumber = fc.oneof(
  fc.double(),
  fc.double({ min: -200, max: 200 }),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 1e300, -1e300),
);

describe('quantise', () => {
  test('gives an integer of [0, max] for every number there is', () => {
    fc.assert(
      fc.property(anyField, anyNumber, (field, value) => {
        const q = quantise(field, value);
        expect(Number.isInteger(q) && q >= 0 && q <= field.max && !Object.is(q, -0)).toBe(true);
        expect(field.max).toBeLessThan(2 ** field.bits);
      }),
    );
  });

  test('is undone by dequantise for every q', () => {
    const anyQ = anyField.chain((f) =>
      fc.tuple(fc.constant(f), fc.integer({ min: 0, max: f.max })),
    );
    fc.assert(
      fc.property(anyQ, ([field, q]) => {
        expect(quantise(field, dequantise(field, q))).toBe(q);
      }),
    );
    for (const field of fields) {
      for (const q of [0, field.max]) expect(quantise(field, dequantise(field, q))).toBe(q);
    }
  });

  test('moves a value inside the range by half a step at most', () => {
    const inside = anyField.chain((f) => {
      const max = dequantise(f, f.max);
      return fc.tuple(fc.constant(f), fc.double({ min: f.min, max, noNaN: true }));
    });
    fc.assert(
      fc.property(inside, ([field, value]) => {
        const back = dequantise(field, quantise(field, value));
        const off = Math.abs(back - value);
        const shorter = field.wraps ? Math.min(off, TURN - off) : off;
        expect(shorter).toBeLessThanOrEqual((field.step / 2) * (1 + 1e-6));
      }),
    );
  });

  test('clamps, and NaN counts as zero', () => {
    const f = fixed(-2, 2, 0.5);
    expect([-3, -2, -0.1, 1.4, 1.5, 2, 9].map((v) => dequantise(f, quantise(f, v)))).toEqual([
      -2, -2, 0, 1.5, 1.5, 1.5, 1.5,
    ]);
    expect(quantise(f, Number.NaN)).toBe(4);
    expect(quantise(fixed(5, 9, 1), Number.NaN)).toBe(0);
    expect(quantise(f, Infinity)).toBe(f.max);
    expect(quantise(f, -Infinity)).toBe(0);
    expect(dequantise(int(4), quantise(int(4), -99))).toBe(-8);
    expect(dequantise(uint(4), quantise(uint(4), 99))).toBe(15);
  });

  test('wraps angles, also those right below a full turn', () => {
    const f = angle(4);
    expect(quantise(f, 0)).toBe(0);
    expect(quantise(f, TURN)).toBe(0);
    expect(quantise(f, TURN - 1e-9)).toBe(0);
    expect(quantise(f, -TURN / 16)).toBe(15);
    expect(quantise(f, -1e-300)).toBe(0);
    expect(quantise(f, 5 * TURN + TURN / 4)).toBe(4);
    expect([Number.NaN, Infinity, -Infinity].map((v) => quantise(f, v))).toEqual([0, 0, 0]);
  });

  test('keeps -1, 0 and 1 of an axis exactly', () => {
    for (let bits = 2; bits <= 31; bits++) {
      const f = axis(bits);
      for (const v of [-1, 0, 1]) expect(dequantise(f, quantise(f, v))).toBe(v);
    }
  });
});

describe('makers', () => {
  test('take as many bits as the range needs', () => {
    expect(fixed(-128, 128, 1 / 256).bits).toBe(16);
    expect(fixed(0, 1, 1).bits).toBe(1);
    expect(fixed(0, 257, 1).bits).toBe(9);
    expect(fixed(0, 2 ** 31, 1).bits).toBe(31);
    expect([flag().bits, edge().bits]).toEqual([1, 1]);
  });

  test('know what a fresh row holds', () => {
    expect(fixed(-1, 1, 0.3).zero).toBeCloseTo(-0.1);
    expect(fixed(5, 9, 1).zero).toBe(5);
    expect(int(4).zero).toBe(0);
    expect(flag().zero).toBe(false);
  });

  test('refuse what cannot be', () => {
    const wrong = [
      () => fixed(1, 1, 1),
      () => fixed(2, 1, 1),
      () => fixed(0, 1, 0),
      () => fixed(0, 1, -1),
      () => fixed(0, Number.NaN, 1),
      () => fixed(0, Infinity, 1),
      () => fixed(0, 2 ** 31 + 1, 1),
      () => fixed(1e20, 1e20 + 65536, 1),
      () => angle(0),
      () => angle(32),
      () => uint(0),
      () => uint(32),
      () => uint(1.5),
      () => int(1),
      () => axis(1),
    ];
    for (const make of wrong)
      expect(make).toThrow(expect.objectContaining({ code: 'field-invalid' }));
  });
});
