import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SequenceRing } from '../src/wire/sequence-ring.ts';

describe('SequenceRing', () => {
  test('holds a sequence until another takes its slot', () => {
    const ring = new SequenceRing(8);
    expect(ring.has(3)).toBe(false);
    const slot = ring.put(3);
    expect(ring.has(3)).toBe(true);
    expect(ring.has(11)).toBe(false);
    expect(ring.tag(slot)).toBe(3);
    expect(ring.put(11)).toBe(slot);
    expect(ring.has(3)).toBe(false);
    expect(ring.has(11)).toBe(true);
  });

  test('removes only what is there', () => {
    const ring = new SequenceRing(4);
    ring.put(1);
    ring.remove(5);
    expect(ring.has(1)).toBe(true);
    ring.remove(1);
    expect(ring.has(1)).toBe(false);
    expect(ring.tag(1)).toBe(-1);
    ring.put(2);
    ring.clear();
    expect(ring.has(2)).toBe(false);
  });

  test('never holds what is no sequence', () => {
    const ring = new SequenceRing(4);
    expect(ring.has(-1)).toBe(false);
    expect(ring.has(-5)).toBe(false);
    expect(ring.has(Number.NaN)).toBe(false);
  });

  test('sizes other than powers of two are a mistake', () => {
    for (const size of [0, 3, -4, 12]) expect(() => new SequenceRing(size)).toThrow('power of two');
    expect(new SequenceRing(1).put(7)).toBe(0);
  });

  test('agrees with a map of the last sequence in each slot', () => {
    const sequence = fc.integer({ min: 0, max: 2 ** 40 });
    fc.assert(
      fc.property(fc.array(sequence, { maxLength: 60 }), fc.array(sequence), (puts, probes) => {
        const ring = new SequenceRing(16);
        const model = new Map<number, number>();
        for (const put of puts) {
          ring.put(put);
          model.set(put % 16, put);
        }
        for (const probe of [...puts, ...probes]) {
          expect(ring.has(probe)).toBe(model.get(probe % 16) === probe);
        }
      }),
    );
  });
});
