// How late things happened against their due times: the measure of whether a load was what it claims to be.

import { createHistogram } from 'node:perf_hooks';

const NS_PER_MS = 1e6;

/** See the head of the file. */
export class Lateness {
  readonly #histogram = createHistogram();

  /** What was early counts as in time. */
  record(lateMs: number): void {
    this.#histogram.record(Math.max(1, Math.round(lateMs * NS_PER_MS)));
  }

  /** Forgets what was recorded. */
  reset(): void {
    this.#histogram.reset();
  }

  /** 99th percentile, ms; 0 = nothing was recorded. */
  get msP99(): number {
    return this.#histogram.percentile(99) / NS_PER_MS;
  }
}
