// Notices a world in which much is done and no time passes, so that a test ends with a message and not never.

/** Moments with work within one millisecond before the world says that it no longer gets anywhere. */
export const LIVELOCK_STEPS = 10_000;

/** Counts moments with work. */
export class LivelockGuard {
  #windowMs = Number.NEGATIVE_INFINITY;
  #steps = 0;

  /** Counts one more. False: {@link LIVELOCK_STEPS} have been within a millisecond. */
  step(nowMs: number): boolean {
    if (nowMs >= this.#windowMs + 1) {
      this.#windowMs = nowMs;
      this.#steps = 0;
    }
    return ++this.#steps <= LIVELOCK_STEPS;
  }
}
