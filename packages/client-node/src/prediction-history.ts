// What the client predicted: per tick, the rows it owns as they came out of simulate, and the input it gave.

import { type Layout, SequenceRing } from '@tickwire/protocol';

/** Ticks kept: beyond a round trip of two seconds at 60 Hz prediction starts over. */
const HISTORY_TICKS = 128;

/** Own rows of one archetype that are predicted. */
const ROWS_MAX = 16;

/** One archetype's rows at one tick. */
export class PredictedRows {
  count = 0;
  readonly ids: Uint32Array;
  /** [row * stride + field] */
  readonly values: Int32Array;

  constructor(stride: number) {
    this.ids = new Uint32Array(ROWS_MAX);
    this.values = new Int32Array(ROWS_MAX * stride);
  }

  /** Which row has the id, -1 = none. */
  find(id: number): number {
    for (let row = 0; row < this.count; row++) if (this.ids[row] === id) return row;
    return -1;
  }
}

/** See the head of the file. */
export class PredictionHistory {
  /** By input field, quantised: [tick slot * fields + field]. */
  readonly inputs: Int32Array;
  readonly #ring = new SequenceRing(HISTORY_TICKS);
  readonly #inputRing = new SequenceRing(HISTORY_TICKS);
  readonly #fields: number;
  /** [archetype][tick slot] */
  readonly #rows: readonly (readonly PredictedRows[])[];

  constructor(layouts: readonly Layout[], inputFields: number) {
    this.#fields = inputFields;
    this.inputs = new Int32Array(HISTORY_TICKS * inputFields);
    this.#rows = layouts.map((layout) =>
      Array.from({ length: HISTORY_TICKS }, () => new PredictedRows(layout.stride)),
    );
  }

  clear(): void {
    this.#ring.clear();
    this.#inputRing.clear();
  }

  /** Forgets what came out, not what was given. */
  clearRows(): void {
    this.#ring.clear();
  }

  hasRows(tick: number): boolean {
    return tick >= 0 && this.#ring.has(tick);
  }

  hasInput(tick: number): boolean {
    return tick >= 0 && this.#inputRing.has(tick);
  }

  /** Where the input of a tick stands. */
  inputAt(tick: number): number {
    return this.#inputRing.slot(tick) * this.#fields;
  }

  /** Takes a place for the input of a tick; returns where. */
  putInput(tick: number): number {
    return this.#inputRing.put(tick) * this.#fields;
  }

  /** Takes a place for the rows of a tick. */
  putRows(tick: number): void {
    this.#ring.put(tick);
  }

  rows(archetype: number, tick: number): PredictedRows {
    return this.#rows[archetype]![this.#ring.slot(tick)]!;
  }
}
