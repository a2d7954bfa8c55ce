// What the client predicted: per tick, the rows it owns as they came out of simulate, and the input it gave.

import { type Layout, SequenceRing } from '@tickwire/protocol';

/** Ticks kept: twice as far as a replay goes back, so that what is older can still be compared. */
const HISTORY_TICKS = 128;

/** Own rows of one archetype that there is room for at first. */
const ROWS_AT_FIRST = 16;

/** One archetype's rows at one tick. */
export class PredictedRows {
  count = 0;
  ids: Uint32Array;
  /** [row * stride + field] */
  values: Int32Array;
  readonly #stride: number;

  constructor(stride: number) {
    this.#stride = stride;
    this.ids = new Uint32Array(ROWS_AT_FIRST);
    this.values = new Int32Array(ROWS_AT_FIRST * stride);
  }

  /** Makes room for so many rows; what was there is lost. Allocates only when a client owns more than ever before. */
  reserve(rows: number): void {
    if (rows <= this.ids.length) return;
    const room = Math.max(rows, 2 * this.ids.length);
    this.ids = new Uint32Array(room);
    this.values = new Int32Array(room * this.#stride);
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
