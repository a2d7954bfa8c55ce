import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expandSequence } from '../src/wire/sequence.ts';

describe('expandSequence', () => {
  test('finds the nearest full number', () => {
    expect(expandSequence(5, 3)).toBe(5);
    expect(expandSequence(0, 0xffff)).toBe(0x10000);
    expect(expandSequence(0xffff, 0x10000)).toBe(0xffff);
    expect(expandSequence(0x7fff, 0)).toBe(0x7fff);
  });

  test('half a turn counts as before', () => {
    expect(expandSequence(0x8000, 0)).toBe(-0x8000);
    expect(expandSequence(0x8000, 0x10000)).toBe(0x8000);
    expect(expandSequence(0xffff, 0)).toBe(-1);
  });

  test('any number within half a turn survives the wire, up to the largest safe integers', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0x8000, max: Number.MAX_SAFE_INTEGER - 0x10000 }),
        fc.integer({ min: -0x8000, max: 0x7fff }),
        (nearest, delta) => {
          const full = nearest + delta;
          expect(expandSequence(full % 0x10000, nearest)).toBe(full);
        },
      ),
    );
  });
});
