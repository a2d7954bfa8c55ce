// The client's clock of the server's ticks: how far ahead to run so that each input arrives just before its tick.
// Three regimes: snap when far off, dilate by at most 10 % when off, leave alone inside a deadband. Corrections
// already made but not yet seen in the server's feedback are taken into account by comparing every measurement
// in the frame of a clock that had never been corrected.

import { SequenceRing } from '@tickwire/protocol';

/** Arrival this long before its tick is aimed at, beyond the jitter margin, in ticks. */
const TARGET_TICKS = 1;
/**
 * On a lossy path one more tick, so that an input whose packet was lost still comes in time with the next packet: all of
 * it from this share of loss on, less below.
 */
const LOSS_FULL_MARGIN = 0.04;
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

const At = {
  position: 0,
  adjusted: 1,
  sinceMs: 2,
  mean: 3,
  deviation: 4,
  speed: 5,
  lossTicks: 6,
} as const;

/**
 * See the head of the file. Positions are ticks with a fraction; tick n is to be computed from n on. Between two
 * changes of speed the position is a straight line of time, so that asking often or seldom makes no difference.
 */
export class InputClock {
  readonly #tickMs: number;
  /** Doubles in one array, so that storing one never allocates. Position and adjusted are as of `sinceMs`. */
  readonly #values = new Float64Array(7);
  readonly #sent = new SequenceRing(MEMORY_TICKS);
  readonly #adjustedWhenSent = new Float64Array(MEMORY_TICKS);
  #feedbacks = 0;
  #started = false;
  #snaps = 0;

  constructor(tickHz: number) {
    this.#tickMs = 1000 / tickHz;
    this.#values[At.speed] = 1;
  }

  /** 1 = as the server; between 0.9 and 1.1. */
  get speed(): number {
    return this.#values[At.speed]!;
  }

  /** How often it jumped, the first settling included. */
  get snaps(): number {
    return this.#snaps;
  }

  /** How early inputs arrive, as expected at the last change of speed, milliseconds. */
  get slackMs(): number {
    return this.#values[At.mean]! + this.#values[At.adjusted]! * this.#tickMs;
  }

  /** How early they should. */
  get targetMs(): number {
    const ticks = TARGET_TICKS + this.#values[At.lossTicks]!;
    return ticks * this.#tickMs + DEVIATIONS * this.#values[At.deviation]!;
  }

  /** Ticks with a fraction; NaN before the start. */
  positionAt(nowMs: number): number {
    const values = this.#values;
    if (!this.#started) return Number.NaN;
    const elapsedMs = Math.max(0, nowMs - values[At.sinceMs]!);
    return values[At.position]! + (elapsedMs / this.#tickMs) * values[At.speed]!;
  }

  /** When the position reaches `tick`. */
  timeOf(tick: number): number {
    const ticks = tick - this.#values[At.position]!;
    return this.#values[At.sinceMs]! + (ticks / this.#values[At.speed]!) * this.#tickMs;
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
    values[At.sinceMs] = nowMs;
    values[At.speed] = 1;
    values[At.position] = serverTick + (roundTripMs + this.targetMs) / this.#tickMs;
  }

  /** The input of `tick` leaves now, on a path that loses such a share of packets. */
  sent(nowMs: number, tick: number, lossShare: number): void {
    this.#values[At.lossTicks] = Math.min(1, lossShare / LOSS_FULL_MARGIN);
    this.#steer(nowMs);
    this.#adjustedWhenSent[this.#sent.put(tick)] = this.#values[At.adjusted]!;
  }

  /** The server says how long before its tick the input of `tick` arrived. */
  feedback(nowMs: number, tick: number, slackMs: number): void {
    if (!this.#sent.has(tick)) return;
    const values = this.#values;
    const uncorrected = slackMs - this.#adjustedWhenSent[this.#sent.slot(tick)]! * this.#tickMs;
    const weight = Math.max(SMOOTHING, 1 / ++this.#feedbacks);
    const distance = Math.abs(uncorrected - values[At.mean]!);
    if (this.#feedbacks > 1) {
      values[At.deviation]! += (distance - values[At.deviation]!) * SMOOTHING;
    }
    values[At.mean]! += (uncorrected - values[At.mean]!) * weight;
    this.#steer(nowMs);
    const limit = this.#feedbacks <= SETTLING_FEEDBACKS ? SETTLING_SNAP_TICKS : SNAP_TICKS;
    if (Math.abs(this.#errorTicks()) > limit) this.#snap();
  }

  /** Positive = earlier than needed. */
  #errorTicks(): number {
    return (this.slackMs - this.targetMs) / this.#tickMs;
  }

  #snap(): void {
    const error = this.#errorTicks();
    this.#snaps++;
    this.#values[At.position]! -= error;
    this.#values[At.adjusted]! -= error;
    this.#values[At.speed] = 1;
  }

  /** Takes stock of the way made at the old speed, then sets the new one. */
  #steer(nowMs: number): void {
    const values = this.#values;
    const elapsedTicks = Math.max(0, nowMs - values[At.sinceMs]!) / this.#tickMs;
    values[At.position] = this.positionAt(nowMs);
    values[At.adjusted]! += elapsedTicks * (values[At.speed]! - 1);
    values[At.sinceMs] = Math.max(nowMs, values[At.sinceMs]!);
    const error = this.#errorTicks();
    const dilation = Math.abs(error) <= DEADBAND_TICKS ? 0 : -error * DILATION_PER_TICK;
    values[At.speed] = 1 + Math.max(-DILATION_MAX, Math.min(DILATION_MAX, dilation));
  }
}
