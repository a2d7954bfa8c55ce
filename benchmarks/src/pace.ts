// Calls a step at fixed times that do not drift, however late the event loop is.

/** A late wake-up makes up for so much, four ticks at 60 Hz; older steps are left out, and the counts show it. */
const CATCH_UP_MS_MAX = 67;

/** See the head of the file. Lateness of each step, against its due time, goes to `late`. */
export class Pace {
  readonly #periodMs: number;
  readonly #step: (index: number) => void;
  readonly #late: (lateMs: number) => void;
  #startMs = 0;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(periodMs: number, step: (index: number) => void, late: (lateMs: number) => void) {
    this.#periodMs = periodMs;
    this.#step = step;
    this.#late = late;
  }

  start(): void {
    this.#startMs = performance.now();
    this.#wake();
  }

  /** No step comes after this, also when a step calls it. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #dueMs(): number {
    return this.#startMs + this.#next * this.#periodMs;
  }

  readonly #wake = (): void => {
    this.#skip();
    while (!this.#stopped && this.#dueMs() <= performance.now()) {
      this.#late(performance.now() - this.#dueMs());
      this.#step(this.#next++);
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(this.#wake, Math.ceil(this.#dueMs() - performance.now()));
  };

  #skip(): void {
    const lateMs = performance.now() - this.#dueMs();
    if (lateMs <= CATCH_UP_MS_MAX) return;
    this.#late(lateMs);
    this.#next += Math.ceil((lateMs - CATCH_UP_MS_MAX) / this.#periodMs);
  }
}
