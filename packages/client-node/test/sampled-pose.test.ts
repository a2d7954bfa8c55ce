import { Table } from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { EntitySamples } from '../src/entity-samples.ts';
import { showSampled } from '../src/sampled-pose.ts';
import { Column, playerRow, smallGame } from './small-game.ts';

const layout = smallGame.layouts[0]!;

function create(...moves: (readonly [tick: number, x: number])[]) {
  const samples = new EntitySamples(layout.stride);
  const table = new Table(layout);
  const slot = table.spawn(1);
  const push = (tick: number, x: number, gold = 0) =>
    samples.values.set(playerRow(x, 0, 0, gold), samples.push(tick));
  for (const [tick, x] of moves) push(tick, x);
  const shown = (position: number, field: number = Column.x) => {
    showSampled(samples, position, table, slot);
    return table.live[field]![slot]!;
  };
  return { samples, push, shown };
}

describe('sampled pose', () => {
  test('between two samples, at them, and over a gap', () => {
    const { shown } = create([10, 0], [12, 2], [16, 4]);
    expect([10, 10.5, 11, 12, 13, 15, 16].map((at) => shown(at))).toEqual([
      0, 0.5, 1, 2, 2.5, 3.5, 4,
    ]);
  });

  test('before the first sample: the first', () => {
    const { shown } = create([10, 3], [12, 5]);
    expect([shown(9.9), shown(0), shown(-5)]).toEqual([3, 3, 3]);
  });

  test('one sample only: that, at any time', () => {
    const { shown } = create([10, 3]);
    expect([shown(1), shown(10), shown(500)]).toEqual([3, 3, 3]);
  });

  test('past the newest it goes on for fifteen ticks, then stands', () => {
    const { shown } = create([10, 0], [12, 2]);
    expect([13, 20, 26.5, 27, 28, 500].map((at) => shown(at))).toEqual([3, 10, 16.5, 17, 17, 17]);
  });

  test('known to be at rest, it stays', () => {
    const { samples, shown } = create([10, 0], [12, 2]);
    samples.extend(13);
    expect([shown(12.5), shown(13), shown(40)]).toEqual([2, 2, 2]);
  });

  test('after a rest it moves only from when the rest ended', () => {
    const { samples, push, shown } = create([10, 0]);
    samples.extend(20);
    push(22, 2);
    expect([11, 19, 20, 21, 22, 23].map((at) => shown(at))).toEqual([0, 0, 0, 1, 2, 3]);
  });

  test('a rest known up to the very tick of the next sample', () => {
    const { samples, push, shown } = create([10, 0]);
    samples.extend(22);
    push(22, 2);
    expect([shown(21.9), shown(22), shown(23)]).toEqual([0, 2, 4]);
  });

  test('a teleport is not blended: the old place until the new one is due, and no going on', () => {
    const { shown } = create([10, 0], [12, 8.5]);
    expect([shown(11.9), shown(12), shown(14)]).toEqual([0, 8.5, 8.5]);
    const smooth = create([10, 0], [12, 8]);
    expect(smooth.shown(11)).toBe(4);
  });

  test('what is not interpolated changes when its tick comes', () => {
    const { push, shown } = create([10, 0]);
    push(12, 1, 99);
    expect([shown(11.9, Column.gold), shown(12, Column.gold)]).toEqual([0, 99]);
  });

  test('samples that have been overwritten end the search', () => {
    const { push, shown } = create([0, 0]);
    for (let tick = 2; tick <= 66; tick += 2) push(tick, tick);
    // Tick 2 is gone with 66, so 4 is the oldest.
    expect(shown(1)).toBe(4);
    expect(shown(65)).toBe(65);
  });

  test('no position at all shows the newest', () => {
    const { shown } = create([10, 0], [12, 2]);
    expect(shown(Number.NaN)).toBe(2);
  });
});
