// One player's inputs on the server, by tick: what the wire brought, what a tick takes, and how early things came.

import {
  BitReader,
  dequantise,
  expandSequence,
  type Field,
  INPUT_REPEAT_TICKS_MAX,
  InputBlock,
  quantise,
  SequenceRing,
  Verdict,
} from '@tickwire/protocol';

/** Ticks ahead of the simulation for which an input is kept. */
export const INPUT_AHEAD_TICKS_MAX = 32;

const RING_TICKS = 64;
/** Ticks for which it is remembered that their input was missing. */
const MISSING_MEMORY_TICKS = 4096;

/** What `take` did for a tick; the values that `World` calls input status. */
const Status = { none: 0, repeated: 1, real: 2 } as const;

/** Columns to fill with a tick's input: by field, then slot. */
export interface InputColumns {
  readonly values: readonly Float64Array[];
  readonly status: Uint8Array;
  readonly viewTick: Float64Array;
}

/** Counters of one player's inputs. */
export interface InputStatistics {
  readonly real: number;
  /** Ticks simulated without the player's input. */
  readonly missing: number;
  /** Packets whose newest input came after its tick had been simulated. */
  readonly late: number;
  /** Inputs outside the window of acceptable ticks. */
  readonly outOfWindow: number;
  /** Packets of an earlier place in a match. */
  readonly oldEpoch: number;
}

/** See the head of the file. */
export class InputBuffer {
  readonly statistics = { real: 0, missing: 0, late: 0, outOfWindow: 0, oldEpoch: 0 };
  readonly #fields: readonly Field[];
  readonly #block: InputBlock;
  readonly #reader = new BitReader();
  readonly #ring = new SequenceRing(RING_TICKS);
  readonly #rows: Int32Array;
  readonly #views = new Float64Array(RING_TICKS);
  readonly #last: Int32Array;
  /** What untouched controls read as. */
  readonly #neutral: Int32Array;
  readonly #missing = new SequenceRing(MISSING_MEMORY_TICKS);
  readonly #times = new Float64Array(1);
  #repeats = 0;
  #everReal = false;
  #newestTick = -1;
  #feedbackDue = false;
  #staged = false;
  #stagedSequence = -1;
  #newestSequence = -1;

  constructor(fields: readonly Field[]) {
    this.#fields = fields;
    this.#block = new InputBlock(fields);
    this.#rows = new Int32Array(RING_TICKS * fields.length);
    this.#last = new Int32Array(fields.length);
    this.#neutral = Int32Array.from(fields, (field) => quantise(field, 0));
  }

  /** Whether any input of this place has come. */
  get started(): boolean {
    return this.#newestTick >= 0;
  }

  /** Newest input tick of the newest packet that came. */
  get newestTick(): number {
    return this.#newestTick;
  }

  /** How long before its tick that one came, milliseconds; negative = too late. */
  get slackMs(): number {
    return this.#times[0]!;
  }

  /** Whether there is an arrival that the client has not been told about; clears it. */
  takeFeedback(): boolean {
    const due = this.#feedbackDue;
    this.#feedbackDue = false;
    return due;
  }

  /** Whether the tick was simulated without this player's input. Remembered for some 4,000 ticks. */
  wasMissing(tick: number): boolean {
    return this.#missing.has(tick);
  }

  /** Stages the input section of packet `sequence`. */
  stage(
    bytes: Uint8Array,
    start: number,
    end: number,
    sequence = this.#newestSequence + 1,
  ): Verdict {
    this.#stagedSequence = sequence;
    this.#reader.reset(bytes, start, end);
    this.#staged = this.#block.read(this.#reader);
    return this.#staged ? Verdict.accepted : Verdict.malformed;
  }

  /**
   * Keeps the staged inputs of ticks not yet simulated. `tick` = last simulated tick; the next one is due at
   * `nextMs`, and one more every `tickMs`.
   */
  commit(nowMs: number, epoch: number, tick: number, nextMs: number, tickMs: number): void {
    if (!this.#staged) return;
    this.#staged = false;
    const block = this.#block;
    if (block.epoch !== epoch) {
      this.statistics.oldEpoch++;
      return;
    }
    const newest = expandSequence(block.wireTick, tick);
    if (newest < 0) {
      this.statistics.outOfWindow++;
      return;
    }
    // By packet, not by tick: a client that was far ahead goes back, and must hear how it stands then.
    if (this.#stagedSequence > this.#newestSequence) {
      this.#newestSequence = this.#stagedSequence;
      this.#newestTick = newest;
      this.#times[0] = nextMs + (newest - tick - 1) * tickMs - nowMs;
      this.#feedbackDue = true;
    }
    const view = block.hasView
      ? expandSequence(block.wireViewTick, tick) + block.viewFraction / 256
      : Number.NaN;
    for (let n = 0; n < block.count; n++) this.#keep(newest - n, tick, n, view - n);
  }

  /** Writes the input of `tick` into row `slot` of the columns and forgets it. */
  take(tick: number, columns: InputColumns, slot: number): void {
    const status = this.#statusOf(tick);
    const at = this.#ring.slot(tick) * this.#fields.length;
    for (let f = 0; f < this.#fields.length; f++) {
      const field = this.#fields[f]!;
      if (status === Status.real) this.#last[f] = this.#rows[at + f]!;
      const held = status === Status.repeated && field.kind !== 'edge';
      const q = status === Status.real || held ? this.#last[f]! : this.#neutral[f]!;
      columns.values[f]![slot] = dequantise(field, q);
    }
    columns.status[slot] = status;
    columns.viewTick[slot] =
      status === Status.real ? this.#views[this.#ring.slot(tick)]! : Number.NaN;
  }

  /** Accounts for `tick`, once for all rows of the player; call after the takes. */
  finish(tick: number): void {
    if (this.#ring.has(tick)) {
      this.statistics.real++;
      this.#everReal = true;
      this.#repeats = 0;
      return;
    }
    this.#repeats++;
    if (!this.#everReal) return;
    this.statistics.missing++;
    this.#missing.put(tick);
  }

  #statusOf(tick: number): number {
    if (this.#ring.has(tick)) return Status.real;
    return this.#everReal && this.#repeats < INPUT_REPEAT_TICKS_MAX ? Status.repeated : Status.none;
  }

  #keep(inputTick: number, tick: number, n: number, view: number): void {
    if (inputTick <= tick) {
      if (n === 0) this.statistics.late++;
      return;
    }
    if (inputTick > tick + INPUT_AHEAD_TICKS_MAX) {
      this.statistics.outOfWindow++;
      return;
    }
    if (this.#ring.has(inputTick)) return;
    const slot = this.#ring.put(inputTick);
    const stride = this.#fields.length;
    for (let f = 0; f < stride; f++) {
      this.#rows[slot * stride + f] = this.#block.values[n * stride + f]!;
    }
    this.#views[slot] = view;
  }
}
