// Unix time as tokens are judged by it: the injected clock, but never back. A clock that was set back must not bring a
// token back to life.

/** See the head of the file. */
export class WallClock {
  /** When the server started, ms. */
  readonly startedMs: number;
  readonly #read: () => number;
  #latestMs: number;

  constructor(read: () => number) {
    this.#read = read;
    this.startedMs = read();
    this.#latestMs = this.startedMs;
  }

  /** Now, ms. */
  get nowMs(): number {
    this.#latestMs = Math.max(this.#latestMs, this.#read());
    return this.#latestMs;
  }
}
