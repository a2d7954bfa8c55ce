import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blendRow } from '../src/replication/blend.ts';
import { angle, dequantise, fixed, flag, quantise, uint } from '../src/replication/field.ts';
import { AUDIENCE_ALL, Layout } from '../src/replication/layout.ts';

const TURN = 2 * Math.PI;
const fields = {
  x: fixed(-8, 8, 1 / 16),
  y: fixed(-8, 8, 0.1),
  aim: angle(8),
  hp: uint(4),
  lit: flag(),
};
const shown = { name: 'shown', fields, audience: AUDIENCE_ALL, predict: true, interpolate: true };
const layout = new Layout('row', 0, 2, false, [
  { ...shown, snapOver: Infinity },
  { ...shown, name: 'jumpy', snapOver: 2 },
  { ...shown, name: 'still', interpolate: false, snapOver: Infinity },
]);
const out = layout.fields.map(() => new Float64Array(2));
const anyRow = fc
  .tuple(...layout.fields.map((field) => fc.nat(field.max)))
  .map((row) => Int32Array.from(row));
const anyFraction = fc.double({ min: 0, max: 1, noNaN: true });

function blend(from: Int32Array, to: Int32Array, fraction: number): number[] {
  blendRow(layout, from, 0, to, 0, fraction, out, 1);
  return out.map((column) => column[1]!);
}

test('at 0 it is the earlier row exactly, and so is what does not blend', () => {
  fc.assert(
    fc.property(anyRow, anyRow, anyFraction, (from, to, fraction) => {
      const earlier = layout.fields.map((field, f) => dequantise(field, from[f]!));
      expect(blend(from, to, 0)).toEqual(earlier);
      expect(blend(from, from, fraction)).toEqual(earlier);
      const row = blend(from, to, fraction);
      expect(row.slice(10)).toEqual(earlier.slice(10));
      expect(row.slice(3, 5)).toEqual(earlier.slice(3, 5));
    }),
  );
});

test('between two rows numbers lie between and angles on the shorter arc', () => {
  fc.assert(
    fc.property(anyRow, anyRow, anyFraction, (from, to, fraction) => {
      const [x, , aim] = blend(from, to, fraction);
      const [x0, x1] = [from, to].map((row) => dequantise(layout.fields[0]!, row[0]!));
      expect(x).toBeCloseTo(x0! + (x1! - x0!) * fraction, 9);
      const [a0, a1] = [from, to].map((row) => dequantise(layout.fields[2]!, row[2]!));
      const way = Math.abs(a1! - a0!);
      const gone = Math.abs(aim! - a0!);
      const arc = Math.min(way, TURN - way);
      expect(Math.min(gone, TURN - gone)).toBeCloseTo(arc * fraction, 9);
      expect(aim! >= 0 && aim! < TURN).toBe(true);
    }),
  );
});

test('a move beyond snapOver stays, one of exactly snapOver blends', () => {
  const from = new Int32Array(layout.stride);
  const to = new Int32Array(layout.stride);
  const x = layout.fieldNames.indexOf('jumpy.x');
  const aim = layout.fieldNames.indexOf('jumpy.aim');
  from[x] = quantise(layout.fields[x]!, 1);
  to[x] = quantise(layout.fields[x]!, 3);
  to[aim] = 64;
  expect(blend(from, to, 0.5)[x]).toBe(2);
  expect(blend(from, to, 0.5)[aim]).toBeCloseTo(TURN / 8);
  to[x]!++;
  expect(blend(from, to, 0.5)[x]).toBe(1);
  expect(blend(from, to, 0.5)[aim]).toBe(0);
});
