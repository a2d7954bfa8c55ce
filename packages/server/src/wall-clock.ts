// Unix time as tokens are judged by it. It never goes back: a clock that was set back must not bring a token back to
// life. Nor does it follow each step of the system's clock forward, which would end tokens before their time.

/** See the head of the file. Of whatever clock is injected, which `steadyClock` makes of the system's. */
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

/**
 * The system's clock may be ahead of the time that has passed by this much before it is followed: more than a clock that
 * is kept goes wrong between two corrections, and as much as a backend's may be ahead.
 */
const AHEAD_MS_MAX = 5000;

/**
 * Unix time, ms: `readUnixMs` as it is now, and from then on the time that has passed by `readMonotonicMs`, which stands
 * still while a process or its machine is suspended. Only when the system's clock is ahead by more than 5 s it is
 * followed. A step of it back is not. Whole ms, as tokens have them: one that is made in the millisecond in which a
 * server starts is not from before.
 */
export function steadyClock(readUnixMs: () => number, readMonotonicMs: () => number): () => number {
  let offsetMs = readUnixMs() - readMonotonicMs();
  return () => {
    const passedMs = readMonotonicMs();
    const aheadMs = readUnixMs() - (offsetMs + passedMs);
    if (aheadMs > AHEAD_MS_MAX) offsetMs += aheadMs;
    return Math.floor(offsetMs + passedMs);
  };
}
