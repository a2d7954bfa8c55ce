import { expect, test } from 'vitest';
import { noteChanges } from '../src/replication/changes.ts';
import { uint } from '../src/replication/field.ts';
import { Frame } from '../src/replication/frame.ts';
import {
  AUDIENCE_ALL,
  AUDIENCE_OWNER,
  AUDIENCE_SERVER,
  Layout,
} from '../src/replication/layout.ts';
import { Table } from '../src/replication/table.ts';

const plain = { predict: true, interpolate: false, snapOver: Infinity };
const layout = new Layout('row', 0, 4, false, [
  { ...plain, name: 'open', fields: { a: uint(8) }, audience: AUDIENCE_ALL },
  { ...plain, name: 'own', fields: { b: uint(8) }, audience: AUDIENCE_OWNER },
  { ...plain, name: 'hidden', fields: { c: uint(8) }, audience: AUDIENCE_SERVER },
]);

test('captures quantised rows and leaves the table quantised', () => {
  const table = new Table(layout);
  const frame = new Frame(layout);
  expect([frame.tick, frame.slotOf(1)]).toEqual([-1, -1]);
  for (const id of [3, 5, 9]) table.live[0]![table.spawn(id)] = id + 0.3;
  frame.capture(table, 7);
  expect([frame.tick, frame.count]).toEqual([7, 3]);
  expect([3, 5, 9, 4, 10, 0].map((id) => frame.slotOf(id))).toEqual([0, 1, 2, -1, -1, -1]);
  expect(frame.values[frame.slotOf(5) * layout.stride]).toBe(5);
  expect(table.live[0]![1]).toBe(5);
  table.remove(1);
  expect(frame.slotOf(5)).toBe(1);
  frame.capture(table, 8);
  expect([frame.count, frame.slotOf(5), frame.slotOf(9)]).toEqual([2, -1, 2]);
  frame.clear();
  expect([frame.tick, frame.slotOf(9)]).toEqual([-1, -1]);
});

test('changes are noted for those who see them', () => {
  const table = new Table(layout);
  let before: Frame | undefined;
  const marks = (tick: number) => {
    const frame = new Frame(layout);
    frame.capture(table, tick);
    noteChanges(table, before, frame);
    before = frame;
    return [table.bornTick[0], table.changedAll[0], table.changedOwner[0]];
  };
  table.spawn(1);
  expect(marks(1)).toEqual([1, 1, 1]);
  expect(marks(2)).toEqual([1, 1, 1]);
  table.live[2]![0] = 4;
  expect(marks(3)).toEqual([1, 1, 1]);
  table.live[1]![0] = 4;
  expect(marks(4)).toEqual([1, 1, 4]);
  table.live[0]![0] = 4;
  expect(marks(5)).toEqual([1, 5, 5]);
  table.live[0]![0] = 4.2;
  expect(marks(6)).toEqual([1, 5, 5]);
  table.remove(0);
  expect(table.spawn(2)).toBe(0);
  expect(marks(7)).toEqual([7, 7, 7]);
});
