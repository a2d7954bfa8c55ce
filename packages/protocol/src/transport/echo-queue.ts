// Small records that were lost and said again get an echo: a second copy in a packet of a later flush, so that a loss of
// the first does not cost another round trip. What comes behind a lost message of an ordered channel waits for it, so
// two losses in a row decide the slowest messages; for a few bytes in a hundred the echo makes that three.

/** A record of at most so many bytes gets an echo. Bulk data would pay for it with bandwidth and gain nothing. */
export const ECHO_BYTES_MAX = 256;

/** Ids that wait for their echo, with the time at which they were said again; as many as records are in flight. */
export class EchoQueue {
  readonly #ids: Float64Array;
  readonly #atMs: Float64Array;
  #head = 0;
  #count = 0;

  /** @param capacity records in flight at most. */
  constructor(capacity: number) {
    this.#ids = new Float64Array(capacity);
    this.#atMs = new Float64Array(capacity);
  }

  /** Record `id` was said again just now. When there is no room, it goes without an echo. */
  add(nowMs: number, id: number): void {
    if (this.#count === this.#ids.length) return;
    const at = (this.#head + this.#count++) % this.#ids.length;
    this.#ids[at] = id;
    this.#atMs[at] = nowMs;
  }

  /** Whether an echo is due: one of an earlier moment than this. */
  due(nowMs: number): boolean {
    return this.#count > 0 && this.#atMs[this.#head]! < nowMs;
  }

  /** The record whose echo is due first. */
  get first(): number {
    return this.#ids[this.#head]!;
  }

  /** Takes out the first. */
  drop(): void {
    this.#head = (this.#head + 1) % this.#ids.length;
    this.#count--;
  }
}
