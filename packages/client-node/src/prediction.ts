// Prediction and reconciliation of the client's own rows: compute each tick as the server will, keep what came out,
// and when the server says otherwise go back to what it said and compute again from there.

import {
  dequantise,
  type Game,
  type GameShape,
  INPUT_REPEAT_TICKS_MAX,
  loadRow,
  type World,
} from '@tickwire/protocol';
import type { ConfirmedWorld } from './confirmed-world.ts';
import { PredictionHistory } from './prediction-history.ts';

/** Ticks replayed at most; further back the client takes the server's word and starts over. */
const ROLLBACK_TICKS_MAX = 60;

/** Why a rollback happened: a field came out different, or an own row is new. */
export interface Rollback {
  /** Tick at which the server disagreed. */
  readonly tick: number;
  readonly entity: number;
  /** 'component.field', '' for a row that had not been predicted at all. */
  readonly field: string;
  readonly predicted: number;
  readonly actual: number;
  /** 'mismatch', 'spawned'. */
  readonly cause: string;
  /** Ticks computed again. */
  readonly replayed: number;
}

/** Told what prediction does. */
export interface PredictionSink {
  /** About to go back to `tick`: effects of ticks after it will be said again. */
  replaying(tick: number): void;
  /** The replay has ended; whatever was not said again did not happen. */
  replayed(rollback: Rollback): void;
  /** Too far back to replay. */
  resynchronised(tick: number): void;
}

/** Counters of prediction. */
export interface PredictionStatistics {
  /** Ticks of which the server's state came and was compared. */
  readonly compared: number;
  readonly mispredicted: number;
  readonly rollbacks: number;
  readonly replayedTicks: number;
  readonly resyncs: number;
}

/** By number, as in World.inputs. */
const InputStatus = { none: 0, repeated: 1, real: 2 } as const;

/** See the head of the file. */
export class Prediction<S extends GameShape> {
  readonly statistics = {
    compared: 0,
    mispredicted: 0,
    rollbacks: 0,
    replayedTicks: 0,
    resyncs: 0,
  };
  readonly #game: Game<S>;
  readonly #world: World<S>;
  readonly #confirmed: ConfirmedWorld;
  readonly #history: PredictionHistory;
  readonly #sink: PredictionSink;
  #comparedTick = -1;

  constructor(game: Game<S>, world: World<S>, confirmed: ConfirmedWorld, sink: PredictionSink) {
    this.#game = game;
    this.#world = world;
    this.#confirmed = confirmed;
    this.#sink = sink;
    this.#history = new PredictionHistory(game.layouts, game.inputFields.length);
  }

  /** Newest predicted tick, -1 = none. */
  tick = -1;

  /** Ticks up to `tick` will not be predicted: the clock jumped over them. */
  skipTo(tick: number): void {
    this.#history.clearRows();
    this.tick = tick;
  }

  /** Keeps the input of a tick: quantised values[0..]. */
  setInput(tick: number, values: Int32Array): void {
    const at = this.#history.putInput(tick);
    for (let f = 0; f < values.length; f++) this.#history.inputs[at + f] = values[f]!;
  }

  /** Computes the next tick. Throws what simulate throws. */
  predict(tick: number): void {
    this.#simulate(tick);
    this.tick = tick;
  }

  /** Own rows are known at `tick`: compares, and computes again if need be. Throws what simulate throws. */
  reconcile(tick: number): void {
    if (tick <= this.#comparedTick) return;
    this.#comparedTick = tick;
    if (this.#ownRows() === 0) return;
    const difference = this.#compare(tick);
    if (this.#history.hasRows(tick)) {
      this.statistics.compared++;
      if (difference?.cause === 'mismatch') this.statistics.mispredicted++;
    }
    if (difference === undefined) this.#loadUnpredicted();
    else this.#rollBack(tick, difference);
  }

  #ownRows(): number {
    let count = 0;
    for (const table of this.#world.tables) count += table.activeCount;
    return count;
  }

  #simulate(tick: number): void {
    this.#applyInput(tick);
    this.#world.step(tick);
    this.#history.putRows(tick);
    for (let a = 0; a < this.#world.tables.length; a++) {
      const rows = this.#history.rows(a, tick);
      rows.reserve(this.#world.tables[a]!.activeCount);
      rows.count = this.#world.saveRows(a, rows.ids, rows.values);
    }
  }

  #applyInput(tick: number): void {
    const given = this.#givenTick(tick);
    const at = this.#history.inputAt(given);
    const status = given === tick ? InputStatus.real : InputStatus.repeated;
    for (let a = 0; a < this.#world.tables.length; a++) {
      const columns = this.#world.inputs[a];
      const { active, activeCount } = this.#world.tables[a]!;
      if (columns === undefined) continue;
      for (let i = 0; i < activeCount; i++) {
        const slot = active[i]!;
        columns.status[slot] = given < 0 ? InputStatus.none : status;
        for (let f = 0; f < this.#game.inputFields.length; f++) {
          const field = this.#game.inputFields[f]!;
          const pressed = given >= 0 && (status === InputStatus.real || field.kind !== 'edge');
          columns.values[f]![slot] = pressed
            ? dequantise(field, this.#history.inputs[at + f]!)
            : Number(field.zero);
        }
      }
    }
  }

  /** Which tick's input counts for a tick: its own, or as on the server that of a tick not long before; -1 = none. */
  #givenTick(tick: number): number {
    for (let back = 0; back <= INPUT_REPEAT_TICKS_MAX; back++) {
      if (this.#history.hasInput(tick - back)) return tick - back;
    }
    return -1;
  }

  /** The first field in which prediction and server differ; undefined = none. */
  #compare(tick: number): Omit<Rollback, 'replayed'> | undefined {
    for (let a = 0; a < this.#world.tables.length; a++) {
      const { active, activeCount, ids } = this.#world.tables[a]!;
      for (let i = 0; i < activeCount; i++) {
        const slot = active[i]!;
        const difference = this.#compareRow(a, slot, ids[slot]!, tick);
        if (difference !== undefined) return difference;
      }
    }
    return undefined;
  }

  #compareRow(
    archetype: number,
    slot: number,
    id: number,
    tick: number,
  ): Omit<Rollback, 'replayed'> | undefined {
    const { layout } = this.#world.tables[archetype]!;
    const samples = this.#confirmed.samples(archetype, slot);
    const rows = this.#history.rows(archetype, tick);
    const row = this.#history.hasRows(tick) ? rows.find(id) : -1;
    if (row < 0) {
      return { tick, entity: id, field: '', predicted: 0, actual: 0, cause: 'spawned' };
    }
    const at = samples.newestAt;
    for (let f = 0; f < layout.stride; f++) {
      if (!isPredicted(layout.components[layout.componentOf[f]!]!)) continue;
      const predicted = rows.values[row * layout.stride + f]!;
      const actual = samples.values[at + f]!;
      if (predicted === actual) continue;
      const field = layout.fieldNames[f]!;
      return { tick, entity: id, field, predicted, actual, cause: 'mismatch' };
    }
    return undefined;
  }

  #rollBack(tick: number, difference: Omit<Rollback, 'replayed'>): void {
    const replayed = this.tick - tick;
    this.#sink.replaying(tick);
    this.#loadConfirmed();
    if (replayed > ROLLBACK_TICKS_MAX) {
      this.#startOver(tick);
      return;
    }
    for (let t = tick + 1; t <= this.tick; t++) this.#simulate(t);
    if (this.tick < tick) this.tick = tick;
    this.statistics.rollbacks++;
    this.statistics.replayedTicks += Math.max(0, replayed);
    this.#sink.replayed({ ...difference, replayed: Math.max(0, replayed) });
  }

  #startOver(tick: number): void {
    this.statistics.resyncs++;
    // Inputs stay: the server has them or will, so that later replays need them.
    this.#history.clearRows();
    this.tick = tick;
    this.#sink.resynchronised(tick);
  }

  #loadConfirmed(): void {
    for (let a = 0; a < this.#world.tables.length; a++) {
      const table = this.#world.tables[a]!;
      for (let i = 0; i < table.activeCount; i++) {
        const slot = table.active[i]!;
        const samples = this.#confirmed.samples(a, slot);
        loadRow(table, slot, samples.values, samples.newestAt);
      }
    }
  }

  /** What prediction does not touch always is what the server said last. */
  #loadUnpredicted(): void {
    for (let a = 0; a < this.#world.tables.length; a++) {
      const table = this.#world.tables[a]!;
      const { layout, live, start } = table;
      for (let i = 0; i < table.activeCount; i++) {
        const slot = table.active[i]!;
        const samples = this.#confirmed.samples(a, slot);
        for (let f = 0; f < layout.stride; f++) {
          if (isPredicted(layout.components[layout.componentOf[f]!]!)) continue;
          const q = samples.values[samples.newestAt + f]!;
          const value = dequantise(layout.fields[f]!, q);
          live[f]![slot] = value;
          start[f]![slot] = value;
        }
      }
    }
  }
}

/** Whether a client computes the component's values itself. */
function isPredicted(component: { readonly predict: boolean; readonly audience: number }): boolean {
  return component.predict && component.audience !== 2;
}
