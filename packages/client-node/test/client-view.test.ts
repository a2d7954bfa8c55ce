import { World } from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { ClientView } from '../src/client-view.ts';
import { ConfirmedWorld } from '../src/confirmed-world.ts';
import { Correction } from '../src/correction.ts';
import { Column, playerRow, smallGame } from './small-game.ts';

function create() {
  const world = new World(smallGame, { seed: 1, authority: false });
  const confirmed = new ConfirmedWorld(world.tables);
  const corrections = world.tables.map((table) => new Correction(table));
  const view = new ClientView(smallGame, confirmed, corrections);
  const confirm = (id: number, tick: number, x: number, owned = false) => {
    const slot = confirmed.enter(0, id, owned);
    confirmed.confirm(0, slot, tick, playerRow(x), 0);
    return slot;
  };
  const shown = () => {
    const rows: [id: number, x: number][] = [];
    for (const p of view.face.player) rows.push([p.id, p.pose.x]);
    return rows;
  };
  return { table: world.tables[0]!, confirmed, corrections, view, confirm, shown };
}

describe('client view', () => {
  test('others between their samples, own rows between their last two ticks', () => {
    const { table, view, confirm, shown } = create();
    confirm(7, 10, 0);
    confirm(7, 12, 2);
    const own = confirm(9, 12, 50, true);
    table.start[Column.x]![own] = 60;
    table.live[Column.x]![own] = 61;
    view.update(11, 0.25);
    expect(shown()).toEqual([
      [7, 1],
      [9, 60.25],
    ]);
    view.update(12, 1);
    expect(shown()).toEqual([
      [7, 2],
      [9, 61],
    ]);
  });

  test('a correction is shown where the row was', () => {
    const { table, corrections, view, confirm, shown } = create();
    const own = confirm(9, 12, 50, true);
    corrections[0]!.begin();
    table.live[Column.x]![own] = 4;
    table.start[Column.x]![own] = 4;
    corrections[0]!.end();
    view.update(12, 1);
    expect(shown()).toEqual([[9, 0]]);
    corrections[0]!.decay(100);
    view.update(12, 1);
    expect(shown()).toEqual([[9, 2]]);
  });

  test('who left is no longer shown, who took the slot is', () => {
    const { confirmed, view, confirm, shown } = create();
    confirm(7, 10, 1);
    confirm(8, 10, 2);
    view.update(10, 0);
    confirmed.leave(7);
    confirm(9, 11, 3);
    view.update(11, 0);
    expect(shown()).toEqual([
      [8, 2],
      [9, 3],
    ]);
    confirmed.leave(8);
    confirmed.leave(9);
    view.update(11, 0);
    expect(shown()).toEqual([]);
  });

  test('a full table, shown twice, stays the same', () => {
    const { view, confirm, shown } = create();
    for (let id = 1; id <= 24; id++) confirm(id, 10, id);
    view.update(10, 0);
    const first = shown();
    expect(first).toHaveLength(24);
    view.update(10, 0);
    expect(shown()).toEqual(first);
  });
});
