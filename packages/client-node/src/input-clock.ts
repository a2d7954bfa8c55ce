// The client's clock of the server's ticks: how far ahead to run so that each input arrives just before its tick.
// Three regimes: snap when far off, dilate by at most 10 % when off, leave alone inside a deadband. Corrections
// already made but not yet seen in the server's feedback are taken into account by comparing every measurement
// in the frame of a clock that had never been corrected.

import { SequenceRing } from '@tickwire/protocol';

/** Arrival this long before its tick is aimed at, beyond the jitter margin, in ticks. */
const TARGET_TICKS = 1;
/** Multiples of the mean deviation of arrivals that are kept as margin. */
const DEVIATIONS = 2.5;
/** Before anything is known: the deviation to expect. */
const INITIAL_DEVIATION_MS = 4;
/** Weight of a new measurement; the first ones weigh more. */
const SMOOTHING = 1 / 8;
/** Errors up to this, in ticks, are left alone. */
const DEADBAND_TICKS = 0.25;
/** Speed changes by this per tick of error, at most {@link DILATION_MAX}. */
const DILATION_PER_TICK = 0.1;
const DILATION_MAX = 0.1;
/** Beyond this many ticks of error the clock jumps. */
const SNAP_TICKS = 10;
/** While the first measurements come in, it jumps sooner: nothing is shown yet that could jerk. */
const SETTLING_SNAP_TICKS = 1.5;
const SETTLING_FEEDBACKS = 12;
/** Inputs whose feedback may still come. */
const MEMORY_TICKS = 256;

const At = { position: 0, adjusted: 1, last: 2, mean: 3, deviation: 4, speed: 5 } as const;

/** See the head of the file. Positions are ticks with a fraction; tick n is to be computed from n on. */
export class InputClock {
  readonly #tickMs: number;
  /** Doubles in one array, so that storing one never allocates. */
  readonly #values = new Float64Array(6);
  readonly #sent = new SequenceRing(MEMORY_TICKS);
  readonly #adjustedWhenSent = new Float64Array(MEMORY_TICKS);
  #feedbacks = 0;
  #started = false;
  #snaps = 0;

  constructor(tickHz: number) {
    this.#tickMs = 1000 / tickHz;
  }

  get started(): boolean {
    return this.#started;
  }

  /** Ticks with a fraction; NaN before the start. */
  get position(): number {
    return this.#started ? this.#values[At.position]! : Number.NaN;
  }

  /** 1 = as the server; between 0.9 and 1.1. */
  get speed(): number {
    return this.#values[At.speed]!;
  }

  /** How often it jumped, the first settling included. */
  get snaps(): number {
    return this.#snaps;
  }

  /** How early inputs arrive, as expected now, milliseconds. */
  get slackMs(): number {
    return this.#values[At.mean]! + this.#values[At.adjusted]! * this.#tickMs;
  }

  /** How early they should. */
  get targetMs(): number {
    return TARGET_TICKS * this.#tickMs + DEVIATIONS * this.#values[At.deviation]!;
  }

  /** The server was about to compute `serverTick` half a round trip ago. */
  start(nowMs: number, serverTick: number, roundTripMs: number): void {
    const values = this.#values;
    this.#started = true;
    this.#feedbacks = 0;
    this.#sent.clear();
    values[At.deviation] = INITIAL_DEVIATION_MS;
    values[At.adjusted] = 0;
    values[At.mean] = this.targetMs;
    values[At.last] = nowMs;
    values[At.speed] = 1;
    values[At.position] = serverTick + (roundTripMs + this.targetMs) / this.#tickMs;
  }

  advance(nowMs: number): void {
    const values = this.#values;
    const elapsedTicks = (nowMs - values[At.last]!) / this.#tickMs;
    if (!this.#started || elapsedTicks <= 0) return;
    values[At.last] = nowMs;
    const extra = elapsedTicks * (values[At.speed]! - 1);
    values[At.position]! += elapsedTicks + extra;
    values[At.adjusted]! += extra;
    this.#steer();
  }

  /** When the position reaches `tick`. */
  timeOf(tick: number): number {
    const ticks = tick - this.#values[At.position]!;
    return this.#values[At.last]! + (ticks / this.#values[At.speed]!) * this.#tickMs;
  }

  /** The input of `tick` leaves now. */
  sent(tick: number): void {
    this.#adjustedWhenSent[this.#sent.put(tick)] = this.#values[At.adjusted]!;
  }

  /** The server says how long before its tick the input of `tick` arrived. */
  feedback(tick: number, slackMs: number): void {
    if (!this.#sent.has(tick)) return;
    const values = this.#values;
    const uncorrected = slackMs - this.#adjustedWhenSent[this.#sent.slot(tick)]! * this.#tickMs;
    const weight = Math.max(SMOOTHING, 1 / ++this.#feedbacks);
    const distance = Math.abs(uncorrected - values[At.mean]!);
    if (this.#feedbacks > 1) {
      values[At.deviation]! += (distance - values[At.deviation]!) * SMOOTHING;
    }
    values[At.mean]! += (uncorrected - values[At.mean]!) * weight;
    const error = this.#errorTicks();
    const limit = this.#feedbacks <= SETTLING_FEEDBACKS ? SETTLING_SNAP_TICKS : SNAP_TICKS;
    if (Math.abs(error) > limit) this.#snap(error);
    this.#steer();
  }

  /** Positive = earlier than needed. */
  #errorTicks(): number {
    return (this.slackMs - this.targetMs) / this.#tickMs;
  }

  #snap(errorTicks: number): void {
    this.#snaps++;
    this.#values[At.position]! -= errorTicks;
    this.#values[At.adjusted]! -= errorTicks;
  }

  #steer(): void {
    const error = this.#errorTicks();
    const dilation = Math.abs(error) <= DEADBAND_TICKS ? 0 : -error * DILATION_PER_TICK;
    this.#values[At.speed] = 1 + Math.max(-DILATION_MAX, Math.min(DILATION_MAX, dilation));
  }
}
