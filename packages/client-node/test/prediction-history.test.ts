import { describe, expect, test } from 'vitest';
import { PredictedRows, PredictionHistory } from '../src/prediction-history.ts';
import { smallGame } from './small-game.ts';

const create = () => new PredictionHistory(smallGame.layouts, smallGame.inputFields.length);

describe('prediction history', () => {
  test('rows and inputs are kept 127 ticks, gone after 128', () => {
    const history = create();
    history.putRows(5);
    history.inputs[history.putInput(5)] = 9;
    history.putRows(132);
    history.putInput(132);
    expect([history.hasRows(5), history.hasInput(5)]).toEqual([true, true]);
    expect(history.inputs[history.inputAt(5)]).toBe(9);
    history.putRows(133);
    history.putInput(133);
    expect([history.hasRows(5), history.hasInput(5)]).toEqual([false, false]);
    expect([history.hasRows(132), history.hasRows(133)]).toEqual([true, true]);
  });

  test('nothing before the first tick', () => {
    const history = create();
    expect([history.hasRows(-1), history.hasInput(-1)]).toEqual([false, false]);
    expect([history.hasRows(0), history.hasInput(0)]).toEqual([false, false]);
  });

  test('clearing rows keeps inputs', () => {
    const history = create();
    history.putRows(5);
    history.putInput(5);
    history.clearRows();
    expect([history.hasRows(5), history.hasInput(5)]).toEqual([false, true]);
  });

  test('rows are found by id among those that count', () => {
    const rows = new PredictedRows(2);
    rows.ids.set([4, 9, 11]);
    rows.count = 2;
    expect([rows.find(4), rows.find(9), rows.find(11), rows.find(0)]).toEqual([0, 1, -1, -1]);
  });

  test('room grows only past what there is', () => {
    const rows = new PredictedRows(2);
    const { ids } = rows;
    rows.reserve(16);
    expect(rows.ids).toBe(ids);
    rows.reserve(17);
    expect(rows.ids.length).toBeGreaterThanOrEqual(17);
    expect(rows.values.length).toBe(rows.ids.length * 2);
  });
});
