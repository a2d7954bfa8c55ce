// What the wire has said of one entity, newest last: baselines for changes and the poses that views blend.

/** Ticks back that a sample is kept: as far as a baseline can be named. A power of two. */
const SAMPLE_TICKS = 64;

const NONE = -1;

/** The quantised rows of one entity, by tick. Reused for another entity after `clear`. */
export class EntitySamples {
  readonly stride: number;
  /** [(tick % SAMPLE_TICKS) * stride + field] */
  readonly values: Int32Array;
  readonly #ticks = new Float64Array(SAMPLE_TICKS).fill(NONE);
  /** Tick of the sample before, by the slot of a sample. */
  readonly #before = new Float64Array(SAMPLE_TICKS);
  /** Up to when a sample's values are known to hold, by its slot. */
  readonly #until = new Float64Array(SAMPLE_TICKS);
  #newestTick = NONE;
  /** Whether the client owns the entity. */
  owned = false;

  constructor(stride: number) {
    this.stride = stride;
    this.values = new Int32Array(SAMPLE_TICKS * stride);
  }

  clear(owned: boolean): void {
    this.#ticks.fill(NONE);
    this.#newestTick = NONE;
    this.owned = owned;
  }

  /** -1 = nothing yet. */
  get newestTick(): number {
    return this.#newestTick;
  }

  /** Where the newest sample's values start. */
  get newestAt(): number {
    return (this.#newestTick % SAMPLE_TICKS) * this.stride;
  }

  /** Up to this tick the newest sample's values are known to hold, -1 = nothing yet. */
  get untilTick(): number {
    return this.#newestTick < 0 ? NONE : this.untilTickOf(this.#newestTick);
  }

  /** Up to which tick the values of the sample of exactly `tick`, which is held, are known to hold. */
  untilTickOf(tick: number): number {
    return this.#until[tick % SAMPLE_TICKS]!;
  }

  /** Takes a row of `tick`, not older than any before. Returns where to put its values. */
  push(tick: number): number {
    const slot = tick % SAMPLE_TICKS;
    if (tick > this.#newestTick) this.#before[slot] = this.#newestTick;
    this.#ticks[slot] = tick;
    this.#newestTick = tick;
    this.#until[slot] = tick;
    return slot * this.stride;
  }

  /** Nothing changed up to and including `tick`. */
  extend(tick: number): void {
    if (this.#newestTick >= 0 && tick > this.untilTick) {
      this.#until[this.#newestTick % SAMPLE_TICKS] = tick;
    }
  }

  /** Where the values of exactly `tick` start, -1 = not held. */
  at(tick: number): number {
    const slot = tick % SAMPLE_TICKS;
    return tick >= 0 && this.#ticks[slot] === tick ? slot * this.stride : NONE;
  }

  /** Tick of the sample before the one of `tick`, -1 = none is held. */
  before(tick: number): number {
    const before = this.#before[tick % SAMPLE_TICKS]!;
    return this.at(before) >= 0 ? before : NONE;
  }
}
