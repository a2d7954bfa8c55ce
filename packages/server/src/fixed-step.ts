// When ticks are due: a schedule counted from a start, so that it never drifts, with bounded catch-up, so that
// a slow moment cannot feed on itself. After Fiedler's "Fix your timestep", with the surplus dropped and counted.

/** Ticks run in one go, at most. */
export const CATCH_UP_TICKS_MAX = 4;

/** Whoever is further behind than this drops the rest. */
export const CATCH_UP_MS_MAX = 250;

/** The schedule of one fixed-tick loop. Times are monotonic milliseconds. */
export class FixedStep {
  readonly tickMs: number;
  #originMs: number;
  #count = 0;
  #dropped = 0;

  /** The first tick is due one tick after `nowMs`. */
  constructor(tickHz: number, nowMs: number) {
    this.tickMs = 1000 / tickHz;
    this.#originMs = nowMs;
  }

  /** Ticks given up because the loop was too far behind. */
  get dropped(): number {
    return this.#dropped;
  }

  /** When the next tick is due. */
  get nextMs(): number {
    return this.#originMs + (this.#count + 1) * this.tickMs;
  }

  /** How many ticks are due now, at most {@link CATCH_UP_TICKS_MAX}; what is owed beyond the bounds is dropped. */
  due(nowMs: number): number {
    if (nowMs < this.nextMs) return 0;
    // The division may land just under a whole number at the very moment a tick is due.
    const owed = Math.max(1, Math.floor((nowMs - this.#originMs) / this.tickMs) - this.#count);
    const most = Math.max(
      1,
      Math.min(CATCH_UP_TICKS_MAX, Math.floor(CATCH_UP_MS_MAX / this.tickMs)),
    );
    if (owed <= most) return owed;
    this.#dropped += owed - most;
    this.#originMs += (owed - most) * this.tickMs;
    return most;
  }

  /** One due tick is being run; returns how late it is, milliseconds. */
  take(nowMs: number): number {
    const lateMs = nowMs - this.nextMs;
    this.#count++;
    return lateMs > 0 ? lateMs : 0;
  }
}
