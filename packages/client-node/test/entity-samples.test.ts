import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EntitySamples } from '../src/entity-samples.ts';

describe('samples of an entity', () => {
  test('empty: nothing at any tick', () => {
    const samples = new EntitySamples(2);
    expect(samples.newestTick).toBe(-1);
    expect(samples.untilTick).toBe(-1);
    samples.extend(9);
    expect(samples.untilTick).toBe(-1);
    for (const tick of [-65, -1, 0, 1, 64]) expect(samples.at(tick)).toBe(-1);
  });

  test('a sample is held 63 ticks, gone after 64', () => {
    const samples = new EntitySamples(3);
    expect(samples.push(5)).toBe(15);
    samples.push(68);
    expect(samples.at(5)).toBe(15);
    expect(samples.before(68)).toBe(5);
    samples.push(69);
    expect(samples.at(5)).toBe(-1);
    expect(samples.before(69)).toBe(68);
    expect(samples.before(68)).toBe(-1);
  });

  test('the same tick again replaces, and does not come before itself', () => {
    const samples = new EntitySamples(1);
    samples.push(7);
    samples.values[samples.push(8)] = 1;
    samples.values[samples.push(8)] = 2;
    expect(samples.values[samples.newestAt]).toBe(2);
    expect(samples.before(8)).toBe(7);
    expect(samples.before(7)).toBe(-1);
  });

  test('known at rest: as long as said, by sample, never shortened', () => {
    const samples = new EntitySamples(1);
    samples.push(3);
    samples.extend(9);
    samples.extend(6);
    expect(samples.untilTick).toBe(9);
    samples.push(12);
    expect(samples.untilTick).toBe(12);
    expect(samples.untilTickOf(3)).toBe(9);
  });

  test('cleared for another entity', () => {
    const samples = new EntitySamples(1);
    samples.push(3);
    samples.clear(true);
    expect([samples.owned, samples.newestTick, samples.at(3)]).toEqual([true, -1, -1]);
    samples.push(4);
    expect(samples.before(4)).toBe(-1);
  });

  test('any gaps: holds exactly what is younger than 64 ticks, each after the one before', () => {
    const gaps = fc.array(fc.nat(70), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(gaps, (steps) => {
        const samples = new EntitySamples(1);
        const ticks: number[] = [];
        let tick = 0;
        for (const step of steps) {
          tick += step;
          samples.values[samples.push(tick)] = tick;
          if (ticks.at(-1) !== tick) ticks.push(tick);
        }
        const held = new Set<number>();
        const bySlot = new Map(ticks.map((t) => [t % 64, t]));
        for (const t of bySlot.values()) held.add(t);
        ticks.forEach((t, i) => {
          const at = samples.at(t);
          expect(at >= 0).toBe(held.has(t));
          if (at < 0) return;
          expect(samples.values[at]).toBe(t);
          const before = ticks[i - 1] ?? -1;
          expect(samples.before(t)).toBe(held.has(before) ? before : -1);
        });
        expect(samples.newestTick).toBe(tick);
      }),
      { numRuns: 200 },
    );
  });
});
