import { type Table, World } from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfirmedWorld } from '../src/confirmed-world.ts';
import { playerRow, smallGame } from './small-game.ts';

function create() {
  const world = new World(smallGame, { seed: 1, authority: false });
  return { world, confirmed: new ConfirmedWorld(world.tables), players: world.tables[0]! };
}

function activeIds(table: Table): number[] {
  return [...table.active.subarray(0, table.activeCount)].map((slot) => table.ids[slot]!);
}

describe('confirmed world', () => {
  test("others' rows are loaded at once, own rows are left to prediction", () => {
    const { confirmed, players } = create();
    const other = confirmed.enter(0, 7, false);
    const own = confirmed.enter(0, 9, true);
    confirmed.confirm(0, other, 3, playerRow(4), 0);
    confirmed.confirm(0, own, 3, playerRow(5), 0);
    expect(players.live[0]![other]).toBe(4);
    expect(players.live[0]![own]).toBe(0);
    expect(confirmed.samples(0, own).newestTick).toBe(3);
    expect(activeIds(players)).toEqual([9]);
    expect(confirmed.archetypeOf(9)).toBe(0);
    expect(confirmed.archetypeOf(8)).toBe(-1);
  });

  test('a change of hands starts the samples over and keeps the slot', () => {
    const { confirmed, players } = create();
    const slot = confirmed.enter(0, 7, false);
    confirmed.confirm(0, slot, 3, playerRow(4), 0);
    expect(confirmed.enter(0, 7, false)).toBe(slot);
    expect(confirmed.samples(0, slot).newestTick).toBe(3);
    expect(confirmed.enter(0, 7, true)).toBe(slot);
    expect(confirmed.samples(0, slot).newestTick).toBe(-1);
    expect(activeIds(players)).toEqual([7]);
    confirmed.enter(0, 7, false);
    expect(activeIds(players)).toEqual([]);
  });

  test('a reused slot knows nothing of the entity before', () => {
    const { confirmed, players } = create();
    const slot = confirmed.enter(0, 7, true);
    confirmed.confirm(0, slot, 3, playerRow(4), 0);
    expect(confirmed.leave(7)).toBe(true);
    expect(confirmed.leave(7)).toBe(false);
    expect(players.activeCount).toBe(0);
    expect(confirmed.enter(0, 8, false)).toBe(slot);
    expect(confirmed.samples(0, slot).at(3)).toBe(-1);
    expect(confirmed.samples(0, slot).owned).toBe(false);
  });

  test('full: one past the capacity finds no slot', () => {
    const { confirmed } = create();
    for (let id = 1; id <= 4; id++) expect(confirmed.enter(1, id, false)).toBeGreaterThanOrEqual(0);
    expect(confirmed.enter(1, 5, false)).toBe(-1);
    expect(confirmed.enter(1, 4, false)).toBeGreaterThanOrEqual(0);
  });

  test('a whole snapshot says that everything is known up to its tick', () => {
    const { confirmed } = create();
    const slot = confirmed.enter(0, 7, false);
    confirmed.confirm(0, slot, 3, playerRow(4), 0);
    confirmed.confirmWhole(9);
    expect(confirmed.wholeTick).toBe(9);
    expect(confirmed.samples(0, slot).untilTick).toBe(9);
    expect(confirmed.samples(0, slot).newestTick).toBe(3);
  });

  test('any comings and goings: the tables hold what entered, the active rows are the own ones', () => {
    const action = fc.record({ id: fc.integer({ min: 1, max: 30 }), what: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const { confirmed, players } = create();
        const model = new Map<number, boolean>();
        actions.forEach(({ id, what }, tick) => {
          if (what === 2) {
            expect(confirmed.leave(id)).toBe(model.delete(id));
            return;
          }
          const fits = model.has(id) || model.size < 24;
          const slot = confirmed.enter(0, id, what === 1);
          expect(slot >= 0).toBe(fits);
          if (!fits) return;
          model.set(id, what === 1);
          confirmed.confirm(0, slot, tick, playerRow(id), 0);
        });
        const ids = [...model.keys()].sort((a, b) => a - b);
        expect([...players.order.subarray(0, players.count)].map((s) => players.ids[s])).toEqual(
          ids,
        );
        expect(activeIds(players)).toEqual(ids.filter((id) => model.get(id)));
        for (const id of ids) {
          const samples = confirmed.samples(0, players.slotOf(id));
          expect(samples.owned).toBe(model.get(id));
          expect(samples.values[samples.newestAt]).toBe(playerRow(id)[0]);
        }
      }),
      { numRuns: 100 },
    );
  });
});
