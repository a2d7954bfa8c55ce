import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flipBits } from '../src/corruption.ts';
import { Prng } from '../src/prng.ts';

/** The places of the bits that `pattern` flips in `length` bytes. */
function flipped(length: number, pattern: number): number[] {
  const bytes = new Uint8Array(length);
  flipBits(bytes, 0, length, pattern);
  const bits = Array.from({ length: length * 8 }, (_, bit) => bit);
  return bits.filter((bit) => ((bytes[bit >> 3]! >> (bit & 7)) & 1) === 1);
}

describe('flipBits', () => {
  it('flips 1 to 3 bits, and only in its range', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 9 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer(),
        (start, length, pattern) => {
          const bytes = new Uint8Array(60);
          flipBits(bytes, start, start + length, pattern);
          expect(bytes.subarray(0, start).every((byte) => byte === 0)).toBe(true);
          expect(bytes.subarray(start + length).every((byte) => byte === 0)).toBe(true);
          const count = flipped(length, pattern).length;
          expect(count).toBeGreaterThanOrEqual(1);
          expect(count).toBeLessThanOrEqual(3);
          const shifted = bytes.slice(start, start + length);
          flipBits(shifted, 0, length, pattern);
          expect(shifted).toEqual(new Uint8Array(length));
        },
      ),
    );
  });

  it('flips each number of bits as often as the others, and each bit of a byte and of a packet', () => {
    const random = new Prng(1);
    const counts = [0, 0, 0, 0];
    const places = new Array<number>(8).fill(0);
    const parts = new Array<number>(10).fill(0);
    for (let i = 0; i < 30_000; i++) {
      const small = flipped(1, random.u32());
      counts[small.length]!++;
      for (const bit of small) places[bit]!++;
      for (const bit of flipped(10, random.u32())) parts[bit >> 3]!++;
    }
    expect(counts[0]).toBe(0);
    for (const count of counts.slice(1)) expect(Math.abs(count - 10_000)).toBeLessThan(400);
    for (const count of places) expect(Math.abs(count - 7500)).toBeLessThan(400);
    for (const count of parts) expect(Math.abs(count - 6000)).toBeLessThan(400);
  });

  it('leaves an empty range alone', () => {
    const bytes = new Uint8Array(2);
    flipBits(bytes, 1, 1, 12345);
    expect(bytes).toEqual(new Uint8Array(2));
  });
});
