// The timeline on which other players are shown: behind the newest snapshot by as much as arrivals vary, moving
// smoothly, never backwards. In ticks of the server.

/** Snapshots that may be missing without a gap, plus the one being blended to. */
const DELAY_INTERVALS = 2;
const DEVIATIONS = 2.5;
const SMOOTHING = 1 / 16;
const DILATION_PER_TICK = 0.1;
const DILATION_MAX = 0.1;
/** Beyond this many ticks of error the timeline jumps (forward only). */
const SNAP_TICKS = 10;

const At = { position: 0, sinceMs: 1, speed: 2, offset: 3, deviation: 4, interval: 5 } as const;

/** See the head of the file. Between two calls of `steer` the position is a straight line of time. */
export class ViewClock {
  readonly #tickMs: number;
  readonly #values = new Float64Array(6);
  #newest = -1;
  #samples = 0;

  constructor(tickHz: number) {
    this.#tickMs = 1000 / tickHz;
  }

  /** Newest tick received, -1 = none. */
  get newest(): number {
    return this.#newest;
  }

  /** How far behind the newest arrival the view aims to be, in ticks. */
  get delayTicks(): number {
    return DELAY_INTERVALS * this.#values[At.interval]! + DEVIATIONS * this.#values[At.deviation]!;
  }

  /** Tick with a fraction, NaN before the first snapshot. */
  positionAt(nowMs: number): number {
    const values = this.#values;
    if (this.#samples === 0) return Number.NaN;
    const elapsedTicks = Math.max(0, nowMs - values[At.sinceMs]!) / this.#tickMs;
    return values[At.position]! + elapsedTicks * values[At.speed]!;
  }

  /** The first packet of the snapshot of `tick` arrived. */
  received(nowMs: number, tick: number): void {
    const values = this.#values;
    const offset = nowMs / this.#tickMs - tick;
    if (this.#samples++ === 0) {
      values[At.offset] = offset;
      values[At.deviation] = 1;
      values[At.interval] = 1;
      values[At.sinceMs] = nowMs;
      values[At.speed] = 1;
      values[At.position] = Math.max(0, tick - this.delayTicks);
    } else {
      const gap = tick - this.#newest;
      values[At.interval]! += (gap - values[At.interval]!) * SMOOTHING;
      const distance = Math.abs(offset - values[At.offset]!);
      values[At.deviation]! += (distance - values[At.deviation]!) * SMOOTHING;
      values[At.offset]! += (offset - values[At.offset]!) * SMOOTHING;
    }
    this.#newest = tick;
  }

  /** Once a tick: adapts the speed to where the view should be, or jumps ahead when far behind. */
  steer(nowMs: number): void {
    const values = this.#values;
    if (this.#samples === 0 || nowMs <= values[At.sinceMs]!) return;
    values[At.position] = this.positionAt(nowMs);
    values[At.sinceMs] = nowMs;
    const target = nowMs / this.#tickMs - values[At.offset]! - this.delayTicks;
    const error = target - values[At.position]!;
    if (error > SNAP_TICKS) values[At.position] = target;
    const dilation = error > SNAP_TICKS ? 0 : error * DILATION_PER_TICK;
    values[At.speed] = 1 + Math.max(-DILATION_MAX, Math.min(DILATION_MAX, dilation));
  }
}
