import { angle, archetype, component, defineGame, fixed, flag, Table } from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { Correction } from '../src/correction.ts';

const game = defineGame({
  id: 'correction',
  tickHz: 60,
  input: {},
  archetypes: {
    ship: archetype(
      {
        pose: component(
          {
            x: fixed(-128, 128, 1 / 256),
            y: fixed(-128, 128, 1 / 256),
            aim: angle(12),
            lit: flag(),
          },
          { interpolate: 'linear', snapOver: 2 },
        ),
        heat: component({ value: fixed(0, 64, 1) }),
      },
      { max: 4 },
    ),
  },
  effects: {},
  messages: {},
  simulate() {},
});
const [X, Y, AIM, LIT, HEAT] = [0, 1, 2, 3, 4];

function create() {
  const table = new Table(game.layouts[0]!);
  table.selectActive();
  const correction = new Correction(table);
  const own = (id: number) => {
    const slot = table.spawn(id);
    table.activate(slot);
    return slot;
  };
  /** A rollback that sets a field of a slot. */
  const move = (slot: number, field: number, to: number) => {
    correction.begin();
    table.live[field]![slot] = to;
    correction.end();
  };
  return { table, correction, own, move };
}

describe('correction', () => {
  test('what moved is shown where it was, and halves in 100 ms, however often asked', () => {
    const { correction, own, move } = create();
    const slot = own(1);
    move(slot, X!, 1);
    expect(correction.errorOf(X!, slot)).toBe(-1);
    correction.decay(100);
    expect(correction.errorOf(X!, slot)).toBeCloseTo(-0.5, 12);
    for (let i = 0; i < 100; i++) correction.decay(1);
    expect(correction.errorOf(X!, slot)).toBeCloseTo(-0.25, 9);
    correction.decay(5000);
    expect(correction.errorOf(X!, slot)).toBe(0);
  });

  test('errors add up, moves are counted', () => {
    const { correction, own, move } = create();
    const slot = own(1);
    move(slot, X!, 1);
    move(slot, X!, 1.5);
    move(slot, Y!, -1);
    expect(correction.errorOf(X!, slot)).toBe(-1.5);
    expect(correction.errorOf(Y!, slot)).toBe(1);
    expect([correction.moves, correction.movedUnits]).toEqual([3, 2.5]);
  });

  test('up to the snap distance an error is smoothed, beyond it jumps', () => {
    const { correction, own, move } = create();
    const slot = own(1);
    move(slot, X!, 2);
    expect(correction.errorOf(X!, slot)).toBe(-2);
    move(slot, X!, 2 + 1 / 256);
    expect(correction.errorOf(X!, slot)).toBe(0);
  });

  test('angles take the short way round and never jump', () => {
    const { table, correction, own, move } = create();
    const slot = own(1);
    table.live[AIM!]![slot] = 0.1;
    move(slot, AIM!, 2 * Math.PI - 0.1);
    expect(correction.errorOf(AIM!, slot)).toBeCloseTo(0.2, 9);
    move(slot, AIM!, Math.PI);
    const error = correction.errorOf(AIM!, slot);
    expect(Math.abs(error)).toBeGreaterThan(2);
    expect(Math.abs(error)).toBeLessThanOrEqual(Math.PI);
  });

  test('what has nothing in between, or is not interpolated, is shown as it is', () => {
    const { correction, own, move } = create();
    const slot = own(1);
    move(slot, LIT!, 1);
    move(slot, HEAT!, 9);
    expect(correction.errorOf(LIT!, slot)).toBe(0);
    expect(correction.errorOf(HEAT!, slot)).toBe(0);
  });

  test('another row in the slot starts without error', () => {
    const { table, correction, own, move } = create();
    const slot = own(1);
    move(slot, X!, 1);
    table.remove(slot);
    expect(correction.errorOf(X!, slot)).toBe(0);
    expect(own(2)).toBe(slot);
    expect(correction.errorOf(X!, slot)).toBe(0);
    move(slot, X!, 0.25);
    expect(correction.errorOf(X!, slot)).toBe(-0.25);
  });

  test("a row that was somebody else's for a while starts without error", () => {
    const { table, correction, own, move } = create();
    const slot = own(1);
    move(slot, X!, 1);
    correction.decay(1);
    table.deactivate(slot);
    correction.decay(1);
    table.activate(slot);
    correction.decay(1);
    expect(correction.errorOf(X!, slot)).toBe(0);
  });
});
