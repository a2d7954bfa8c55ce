import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DueHeap } from '../src/due-heap.ts';

const SLOTS = 12;

it('knows the first slot, whatever is put in, taken out and moved', () => {
  const step = fc.record({
    what: fc.constantFrom('insert', 'remove', 'move'),
    slot: fc.nat({ max: SLOTS - 1 }),
    due: fc.nat({ max: 4 }),
    rank: fc.nat({ max: 2 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const heap = new DueHeap(SLOTS);
      let model: { slot: number; due: number; rank: number; serial: number }[] = [];
      let serial = 0;
      for (const { what, slot, due, rank } of steps) {
        const entry = model.find((one) => one.slot === slot);
        expect(heap.has(slot)).toBe(entry !== undefined);
        if ((what === 'insert') === (entry !== undefined)) continue;
        if (what === 'remove') {
          heap.remove(slot);
          model = model.filter((one) => one.slot !== slot);
        } else {
          heap.dueMs[slot] = due;
          heap.rankMs[slot] = rank;
          if (entry === undefined) {
            heap.insert(slot);
            model.push({ slot, due, rank, serial: serial++ });
          } else {
            heap.settle(slot);
            Object.assign(entry, { due, rank });
          }
        }
        model.sort((a, b) => a.due - b.due || a.rank - b.rank || a.serial - b.serial);
        expect(heap.first()).toBe(model[0]?.slot ?? -1);
      }
      for (const { slot } of model) {
        expect(heap.first()).toBe(slot);
        heap.remove(slot);
      }
      expect(heap.first()).toBe(-1);
    }),
  );
});
