// What the wire has said of one entity, newest last: baselines for changes and the poses that views blend.

/** Samples kept: at 30 snapshots a second, as long as a baseline can be named at 60 Hz. */
export const SAMPLES = 32;

/** The last {@link SAMPLES} quantised rows of one entity. Reused for another entity after `clear`. */
export class EntitySamples {
  readonly stride: number;
  /** [sample * stride + field] */
  readonly values: Int32Array;
  readonly #ticks = new Float64Array(SAMPLES);
  #next = 0;
  /** The newest sample's values are known to hold up to this tick. */
  #untilTick = -1;
  /** Whether the client owns the entity. */
  owned = false;

  constructor(stride: number) {
    this.stride = stride;
    this.values = new Int32Array(SAMPLES * stride);
  }

  clear(owned: boolean): void {
    this.#next = 0;
    this.#untilTick = -1;
    this.owned = owned;
  }

  /** Samples held. */
  get count(): number {
    return Math.min(this.#next, SAMPLES);
  }

  get newestTick(): number {
    return this.#next === 0 ? -1 : this.#ticks[(this.#next - 1) % SAMPLES]!;
  }

  /** Where the newest sample's values start. */
  get newestAt(): number {
    return ((this.#next - 1) % SAMPLES) * this.stride;
  }

  get untilTick(): number {
    return this.#untilTick;
  }

  /** Takes a row of `tick`, newer than all before. Returns where to put its values. */
  push(tick: number): number {
    const slot = this.#next++ % SAMPLES;
    this.#ticks[slot] = tick;
    this.#untilTick = tick;
    return slot * this.stride;
  }

  /** Nothing changed up to and including `tick`. */
  extend(tick: number): void {
    if (tick > this.#untilTick) this.#untilTick = tick;
  }

  /** Where the values of exactly `tick` start, -1 = not held. */
  at(tick: number): number {
    for (let back = 1; back <= this.count; back++) {
      const slot = (this.#next - back) % SAMPLES;
      if (this.#ticks[slot] === tick) return slot * this.stride;
    }
    return -1;
  }

  /** Tick of the sample that is `back` before the newest (0 = newest). */
  tickBack(back: number): number {
    return this.#ticks[(this.#next - 1 - back) % SAMPLES]!;
  }

  /** Where that sample's values start. */
  atBack(back: number): number {
    return ((this.#next - 1 - back) % SAMPLES) * this.stride;
  }
}
