import { World } from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { ConfirmedWorld } from '../src/confirmed-world.ts';
import { Prediction, type Rollback } from '../src/prediction.ts';
import { Column, inputRow, playerRow, smallGame } from './small-game.ts';

const ID = 7;

class Scene {
  readonly world = new World(smallGame, { seed: 1, authority: false });
  readonly confirmed = new ConfirmedWorld(this.world.tables);
  readonly rollbacks: Rollback[] = [];
  readonly told: string[] = [];
  readonly prediction = new Prediction(smallGame, this.world, this.confirmed, {
    replaying: (tick) => this.told.push(`replaying ${tick}`),
    replayed: (rollback) => {
      this.rollbacks.push(rollback);
      this.told.push('replayed');
    },
    resynchronised: (tick) => this.told.push(`resynchronised ${tick}`),
  });

  /** What the server says of the own row at a tick. */
  confirm(tick: number, row: Int32Array, id = ID): void {
    const slot = this.confirmed.enter(0, id, true);
    this.confirmed.confirm(0, slot, tick, row, 0);
  }

  reconcile(tick: number, row: Int32Array): void {
    this.confirm(tick, row);
    this.prediction.reconcile(tick);
  }

  /** Predicts ticks up to and including `last`, a full step to the right each. */
  run(last: number, input = inputRow(7)): void {
    while (this.prediction.tick < last) {
      const tick = this.prediction.tick + 1;
      this.prediction.setInput(tick, input);
      this.prediction.predict(tick);
    }
  }

  /** The own row is known at tick 0, x = 0; ticks up to `last` are predicted. */
  begin(last: number): void {
    this.prediction.tick = 0;
    this.reconcile(0, playerRow(0));
    this.rollbacks.length = 0;
    this.told.length = 0;
    this.run(last);
  }

  get(field: number, id = ID): number {
    const table = this.world.tables[0]!;
    return table.live[field]![table.slotOf(id)]!;
  }

  get x(): number {
    return this.get(Column.x);
  }
}

describe('prediction', () => {
  test('a right prediction is compared and left alone', () => {
    const scene = new Scene();
    scene.begin(10);
    expect(scene.x).toBe(10);
    scene.reconcile(4, playerRow(4));
    expect(scene.x).toBe(10);
    expect(scene.told).toEqual([]);
    expect(scene.prediction.statistics).toMatchObject({
      compared: 1,
      mispredicted: 0,
      rollbacks: 1,
    });
  });

  test('a wrong one is computed again from what the server says, with the inputs given', () => {
    const scene = new Scene();
    scene.begin(4);
    scene.run(10, inputRow(-7, false, true));
    expect(scene.x).toBe(4 - 12);
    scene.reconcile(3, playerRow(50, 2));
    expect(scene.x).toBe(50 + 1 - 12);
    expect(scene.get(Column.y)).toBe(2);
    expect(scene.rollbacks).toEqual([
      {
        tick: 3,
        entity: ID,
        field: 'pose.x',
        predicted: playerRow(3)[0],
        actual: playerRow(50)[0],
        cause: 'mismatch',
        replayed: 7,
      },
    ]);
    expect(scene.told).toEqual(['replaying 3', 'replayed']);
    expect(scene.prediction.statistics).toMatchObject({ compared: 1, mispredicted: 1 });
  });

  test('once replayed, later words of the same truth agree', () => {
    const scene = new Scene();
    scene.begin(10);
    scene.reconcile(3, playerRow(50));
    scene.reconcile(5, playerRow(52));
    expect(scene.rollbacks).toHaveLength(1);
    expect(scene.x).toBe(57);
  });

  test('a mismatch at the newest tick replays nothing', () => {
    const scene = new Scene();
    scene.begin(10);
    scene.reconcile(10, playerRow(50));
    expect(scene.rollbacks[0]).toMatchObject({ cause: 'mismatch', replayed: 0 });
    expect(scene.x).toBe(50);
  });

  test('the same tick twice and older ticks are not compared', () => {
    const scene = new Scene();
    scene.begin(10);
    scene.reconcile(5, playerRow(5));
    scene.prediction.reconcile(5);
    scene.prediction.reconcile(4);
    expect(scene.prediction.statistics.compared).toBe(1);
  });

  test('without own rows nothing happens', () => {
    const scene = new Scene();
    scene.run(5);
    scene.prediction.reconcile(3);
    expect(scene.told).toEqual([]);
  });

  test('an own row that was not predicted begins where the server says', () => {
    const scene = new Scene();
    scene.begin(10);
    scene.confirm(4, playerRow(4));
    scene.confirm(4, playerRow(100), 8);
    scene.prediction.reconcile(4);
    expect(scene.rollbacks).toMatchObject([
      { entity: 8, field: '', cause: 'spawned', replayed: 6 },
    ]);
    expect(scene.get(Column.x, 8)).toBe(106);
    expect(scene.x).toBe(10);
  });

  test('a server that is ahead is followed', () => {
    const scene = new Scene();
    scene.begin(10);
    scene.reconcile(12, playerRow(40));
    expect(scene.prediction.tick).toBe(12);
    expect(scene.rollbacks).toMatchObject([{ replayed: 0 }]);
    expect(scene.prediction.statistics.replayedTicks).toBe(0);
  });

  test('60 ticks are replayed; 61 are not: the server is taken at its word', () => {
    const scene = new Scene();
    scene.begin(64);
    scene.reconcile(4, playerRow(50));
    expect(scene.rollbacks).toMatchObject([{ replayed: 60 }]);
    expect(scene.x).toBe(110);

    const late = new Scene();
    late.begin(65);
    late.reconcile(4, playerRow(50));
    expect(late.rollbacks).toEqual([]);
    expect(late.told).toEqual(['replaying 4', 'resynchronised 4']);
    expect(late.prediction.statistics).toMatchObject({
      resyncs: 1,
      mispredicted: 1,
      replayedTicks: 0,
    });
    expect(late.x).toBe(50);
    expect(late.prediction.tick).toBe(4);
    late.run(5);
    expect(late.x).toBe(51);
  });

  test('after starting over, replays still know the inputs given before', () => {
    const scene = new Scene();
    scene.begin(65);
    scene.reconcile(4, playerRow(50));
    scene.prediction.skipTo(65);
    scene.run(66, inputRow(0));
    scene.reconcile(20, playerRow(0));
    expect(scene.rollbacks).toMatchObject([{ cause: 'spawned', replayed: 46 }]);
    expect(scene.x).toBe(45);
  });

  test('beyond the history there is nothing to compare with', () => {
    const scene = new Scene();
    scene.begin(140);
    scene.reconcile(12, playerRow(12));
    expect(scene.prediction.statistics).toMatchObject({ compared: 0, resyncs: 1 });
    const kept = new Scene();
    kept.begin(140);
    kept.reconcile(13, playerRow(13));
    expect(kept.prediction.statistics).toMatchObject({ compared: 1, resyncs: 0 });
  });

  test('a missing input is repeated for ten ticks, edges are not; then there is none', () => {
    const scene = new Scene();
    scene.prediction.tick = 0;
    scene.reconcile(0, playerRow(0));
    scene.prediction.setInput(1, inputRow(7, true));
    scene.prediction.predict(1);
    expect([scene.x, scene.get(Column.shots)]).toEqual([1, 1]);
    for (let tick = 2; tick <= 11; tick++) scene.prediction.predict(tick);
    expect([scene.x, scene.get(Column.shots)]).toEqual([11, 1]);
    const { status } = scene.world.inputs[0]!;
    const slot = scene.world.tables[0]!.slotOf(ID);
    expect(status[slot]).toBe(1);
    scene.prediction.predict(12);
    expect(scene.x).toBe(11);
    expect(status[slot]).toBe(0);
  });

  test('what is not predicted follows the server without a rollback, hidden fields are not compared', () => {
    const scene = new Scene();
    scene.begin(10);
    const row = playerRow(4, 0, 0, 33);
    row[Column.secret] = 9;
    scene.reconcile(4, row);
    expect(scene.told).toEqual([]);
    expect(scene.get(Column.gold)).toBe(33);
    expect(scene.x).toBe(10);
  });

  test('more own rows than there was room for are all predicted', () => {
    const scene = new Scene();
    scene.prediction.tick = 0;
    for (let id = 1; id <= 20; id++) scene.confirm(0, playerRow(id), id);
    scene.prediction.reconcile(0);
    scene.run(5);
    for (let id = 1; id <= 20; id++) scene.confirm(3, playerRow(id + 3), id);
    scene.rollbacks.length = 0;
    scene.prediction.reconcile(3);
    expect(scene.rollbacks).toEqual([]);
    expect(scene.prediction.statistics).toMatchObject({ compared: 1, mispredicted: 0 });
  });

  test('after a skip the ticks left out are computed when the server speaks of them', () => {
    const scene = new Scene();
    scene.begin(5);
    scene.prediction.skipTo(8);
    scene.run(9);
    expect(scene.x).toBe(6);
    scene.reconcile(4, playerRow(4));
    expect(scene.rollbacks).toMatchObject([{ cause: 'spawned', replayed: 5 }]);
    // Ticks 6 to 8 repeat the input of 5, as the server does.
    expect(scene.x).toBe(9);
  });
});
