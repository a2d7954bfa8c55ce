import { AUDIENCE_ALL, Frame, Layout, Table, uint } from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { KnownEntities } from '../src/known-entities.ts';

function scene() {
  const layout = new Layout('thing', 0, 8, false, [
    {
      name: 'c',
      fields: { v: uint(8) },
      audience: AUDIENCE_ALL,
      predict: true,
      interpolate: false,
      snapOver: Number.POSITIVE_INFINITY,
    },
  ]);
  const table = new Table(layout);
  const frame = new Frame(layout);
  const known = new KnownEntities(8);
  const goneIds = (room = 99) => {
    const ids: number[] = [];
    known.forgetGone(frame, (id) => ids.length < room && ids.push(id) > 0);
    return ids;
  };
  return { table, frame, known, goneIds };
}

describe('KnownEntities', () => {
  test('an entity differs until a tick at or after its last change is acked', () => {
    const { table, known } = scene();
    known.learn(2, 7, false, 10);
    table.changedAll[2] = 10;
    table.changedOwner[2] = 14;
    expect(known.differs(2, table, false)).toBe(true);
    known.acked(2, 7, 12);
    expect(known.differs(2, table, false)).toBe(false);
    expect(known.differs(2, table, true)).toBe(true);
    known.acked(2, 7, 11);
    expect(known.ackedTick[2]).toBe(12);
    table.changedAll[2] = 13;
    expect(known.differs(2, table, false)).toBe(true);
  });

  test('an ack of the slot under another id does not count', () => {
    const { known } = scene();
    known.learn(2, 7, false, 10);
    known.acked(2, 6, 12);
    expect(known.ackedTick[2]).toBe(-1);
    known.acked(2, 7, 12);
    known.learn(2, 9, false, 13);
    known.acked(2, 7, 14);
    expect(known.ackedTick[2]).toBe(-1);
  });

  test('a late ack from before it changed hands does not count', () => {
    const { known } = scene();
    known.learn(2, 7, false, 10);
    known.learn(2, 7, true, 20);
    known.acked(2, 7, 19);
    expect(known.ackedTick[2]).toBe(-1);
    known.acked(2, 7, 20);
    expect(known.ackedTick[2]).toBe(20);
  });

  test('what went is told of once, if it was ever sent', () => {
    const { known, table, frame, goneIds } = scene();
    for (const id of [3, 4, 5]) {
      const slot = table.spawn(id);
      known.learn(slot, id, false, 0);
      if (id !== 5) known.sentTick[slot] = 0;
    }
    frame.capture(table, 0);
    expect(goneIds()).toEqual([]);
    for (const id of [4, 5]) table.despawn(table.slotOf(id));
    table.compact();
    frame.capture(table, 1);
    expect(goneIds()).toEqual([4]);
    expect(goneIds()).toEqual([]);
  });

  test('and stays known as long as there is no room to tell', () => {
    const { known, frame, goneIds } = scene();
    for (const slot of [0, 1, 2]) {
      known.learn(slot, slot + 1, false, 0);
      known.sentTick[slot] = 0;
    }
    expect(frame.count).toBe(0);
    expect(goneIds(2)).toEqual([1, 2]);
    expect(known.ids[2]).toBe(3);
    expect(goneIds(2)).toEqual([3]);
  });

  test('what was sent under another owner is told of as well', () => {
    const { known, goneIds } = scene();
    known.learn(0, 1, false, 0);
    known.sentTick[0] = 0;
    known.learn(0, 1, true, 5);
    expect(goneIds()).toEqual([1]);
  });
});
