// The keys of effects that were told lately, so that none is told again. Bounded: a new key takes the oldest's place.

/** A set of keys (tick, entity, kind, n). */
export class EffectKeys {
  readonly #size: number;
  readonly #ticks: Float64Array;
  readonly #entities: Float64Array;
  readonly #kinds: Int32Array;
  readonly #counts: Float64Array;
  #next = 0;

  /** `size`: keys held at most. */
  constructor(size: number) {
    this.#size = size;
    this.#ticks = new Float64Array(size).fill(-1);
    this.#entities = new Float64Array(size);
    this.#kinds = new Int32Array(size);
    this.#counts = new Float64Array(size);
  }

  add(kind: number, tick: number, entity: number, n: number): void {
    const at = this.#next;
    this.#next = (at + 1) % this.#size;
    this.#ticks[at] = tick;
    this.#entities[at] = entity;
    this.#kinds[at] = kind;
    this.#counts[at] = n;
  }

  has(kind: number, tick: number, entity: number, n: number): boolean {
    for (let at = 0; at < this.#size; at++) {
      // Few keys share a tick, so that nearly every look ends here.
      if (this.#ticks[at] !== tick || this.#entities[at] !== entity) continue;
      if (this.#kinds[at] === kind && this.#counts[at] === n) return true;
    }
    return false;
  }
}
