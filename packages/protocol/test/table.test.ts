import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fixed, int } from '../src/replication/field.ts';
import { AUDIENCE_ALL, Layout } from '../src/replication/layout.ts';
import { loadRow, quantiseRow, Table } from '../src/replication/table.ts';

const CAPACITY = 6;

function createTable(): Table {
  const fields = { x: fixed(-8, 8, 0.5), n: int(4) };
  const spec = { name: 'at', fields, audience: AUDIENCE_ALL, predict: true };
  const specs = [{ ...spec, interpolate: false, snapOver: Infinity }];
  return new Table(new Layout('row', 0, CAPACITY, false, specs));
}

function idsOf(table: Table, slots = table.order, count = table.count): number[] {
  return [...slots.subarray(0, count)].map((slot) => table.ids[slot]!);
}

describe('rows', () => {
  test('come and go up to the capacity, one past it is refused', () => {
    const table = createTable();
    for (let id = 1; id <= CAPACITY; id++) expect(table.spawn(id)).toBe(id - 1);
    expect(table.spawn(99)).toBe(-1);
    expect(table.count).toBe(CAPACITY);
    table.remove(table.slotOf(3));
    expect(table.slotOf(3)).toBe(-1);
    expect(table.spawn(99)).toBe(2);
    expect(idsOf(table)).toEqual([1, 2, 4, 5, 6, 99]);
  });

  test('start at zero, whatever the slot held before', () => {
    const table = createTable();
    const slot = table.spawn(1);
    table.live[0]![slot] = 3;
    table.owners[slot] = 4;
    table.changedAll[slot] = 7;
    table.despawn(slot);
    expect(table.compact()).toBe(1);
    expect(table.spawn(2)).toBe(slot);
    expect([table.live[0]![slot], table.start[0]![slot], table.owners[slot]]).toEqual([0, 0, 0]);
    expect([table.doomed[slot], table.changedAll[slot], table.bornTick[slot]]).toEqual([0, -1, -1]);
  });

  test('a known id cannot be spawned again, an unknown slot cannot be removed', () => {
    const table = createTable();
    table.spawn(5);
    expect(() => table.spawn(5)).toThrow('known');
    table.remove(3);
    expect(table.count).toBe(1);
  });

  test('behave as a sorted list of ids under any sequence of calls', () => {
    const id = fc.integer({ min: 1, max: 12 });
    const call = fc.tuple(fc.constantFrom('spawn', 'despawn', 'remove', 'compact'), id);
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const table = createTable();
        const model = new Map<number, { slot: number; doomed: boolean }>();
        const removed: number[] = [];
        table.forgetRemoved();
        for (const [verb, id] of calls) {
          const row = model.get(id);
          if (verb === 'spawn' && !row) {
            const slot = table.spawn(id);
            expect(slot < 0).toBe(model.size === CAPACITY);
            if (slot >= 0) model.set(id, { slot, doomed: false });
          } else if (verb === 'despawn' && row) {
            row.doomed = true;
            table.despawn(row.slot);
          } else if (verb === 'remove' && row) {
            model.delete(id);
            table.remove(row.slot);
          } else if (verb === 'compact') {
            const gone = [...model].filter(([, r]) => r.doomed).map(([i]) => i);
            expect(table.compact()).toBe(gone.length);
            for (const i of gone) model.delete(i);
            removed.push(...gone.sort((a, b) => a - b));
          }
          expect(idsOf(table)).toEqual([...model.keys()].sort((a, b) => a - b));
          for (const [i, { slot }] of model) expect(table.slotOf(i)).toBe(slot);
          expect(new Set([...model.values()].map((r) => r.slot)).size).toBe(model.size);
        }
        const noted = Math.min(removed.length, table.removedIds.length);
        expect([...table.removedIds.subarray(0, table.removedCount)]).toEqual(
          removed.slice(0, noted),
        );
      }),
    );
  });

  test('are found among the first few only, when asked', () => {
    const table = createTable();
    for (const id of [10, 20, 30]) table.spawn(id);
    expect([table.slotOf(30), table.slotOf(30, 2), table.slotOf(20, 2)]).toEqual([2, -1, 1]);
    expect([table.slotOf(0), table.slotOf(15), table.slotOf(31)]).toEqual([-1, -1, -1]);
  });

  test('all go with clear', () => {
    const table = createTable();
    for (const id of [1, 2, 3]) table.spawn(id);
    table.clear();
    expect([table.count, table.slotOf(1)]).toEqual([0, -1]);
    for (let id = 1; id <= CAPACITY; id++) expect(table.spawn(id)).toBe(id - 1);
  });
});

describe('active rows', () => {
  test('stand by id, once each, and leave with their row', () => {
    const table = createTable();
    table.selectActive();
    for (const id of [1, 2, 3, 4]) table.spawn(id);
    for (const id of [3, 1, 4, 3]) table.activate(table.slotOf(id));
    expect(idsOf(table, table.active, table.activeCount)).toEqual([1, 3, 4]);
    table.deactivate(table.slotOf(1));
    table.deactivate(table.slotOf(2));
    expect(idsOf(table, table.active, table.activeCount)).toEqual([3, 4]);
    table.remove(table.slotOf(3));
    expect(idsOf(table, table.active, table.activeCount)).toEqual([4]);
    table.despawn(table.slotOf(4));
    table.compact();
    expect(table.activeCount).toBe(0);
  });
});

describe('quantiseRow and loadRow', () => {
  test('carry a row through whole numbers and leave live at what they stand for', () => {
    const table = createTable();
    const slot = table.spawn(1);
    table.live[0]![slot] = 1.7;
    table.live[1]![slot] = 99;
    const q = new Int32Array(4);
    quantiseRow(table, slot, q, 1);
    expect([...q]).toEqual([0, 19, 15, 0]);
    expect([table.live[0]![slot], table.live[1]![slot]]).toEqual([1.5, 7]);
    const other = table.spawn(2);
    loadRow(table, other, q, 1);
    expect([table.live[0]![other], table.start[0]![other]]).toEqual([1.5, 1.5]);
    expect([table.live[1]![other], table.start[1]![other]]).toEqual([7, 7]);
  });

  test('markStart copies live to start', () => {
    const table = createTable();
    const slot = table.spawn(1);
    table.live[0]![slot] = 2;
    expect(table.start[0]![slot]).toBe(0);
    table.markStart(slot);
    expect(table.start[0]![slot]).toBe(2);
  });
});
