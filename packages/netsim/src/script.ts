// What a test wants done at given times: callbacks in order of time, equal times in the order they were asked for.

interface Entry {
  readonly atMs: number;
  readonly run: () => void;
}

/** Scripted callbacks of a world. Not a hot path: a sorted array serves. */
export class Script {
  readonly #entries: Entry[] = [];

  /** Adds a callback. */
  add(atMs: number, run: () => void): void {
    let index = this.#entries.length;
    while (index > 0 && this.#entries[index - 1]!.atMs > atMs) index--;
    this.#entries.splice(index, 0, { atMs, run });
  }

  /** Time of the next callback; Infinity = none. */
  wakeAt(): number {
    return this.#entries[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Runs what is due. Returns whether anything ran; callbacks added meanwhile wait for the next call. */
  run(nowMs: number): boolean {
    let due = 0;
    while (due < this.#entries.length && this.#entries[due]!.atMs <= nowMs) due++;
    for (const entry of this.#entries.splice(0, due)) entry.run();
    return due > 0;
  }
}
