// Times several kinds of work beside each other: a short slice of each in turn, many times, so that whatever the
// machine does meanwhile meets all of them.

import { median } from '../percentile.ts';

/** Something to be timed. */
export interface Work {
  /** What `run` does so many of. */
  readonly calls: number;
  /** Before each `run`, not timed. */
  prepare?(): void;
  run(): void;
}

/** Enough for a median that one interruption does not move. */
const SLICES = 41;
/** For the compiler. */
const WARM_UP_SLICES = 10;

const US_PER_MS = 1000;

/** Microseconds of one call of each work: the medians of their slices. */
export function usPerCall<Name extends string>(
  works: Readonly<Record<Name, Work>>,
): Record<Name, number> {
  const names = Object.keys(works) as Name[];
  const slices = new Map(names.map((name) => [name, [] as number[]]));
  for (let slice = -WARM_UP_SLICES; slice < SLICES; slice++) {
    for (const name of names) {
      const us = timed(works[name]);
      if (slice >= 0) slices.get(name)!.push(us);
    }
  }
  const medians = names.map((name) => [name, median(slices.get(name)!)]);
  return Object.fromEntries(medians);
}

function timed(work: Work): number {
  work.prepare?.();
  const startMs = performance.now();
  work.run();
  return ((performance.now() - startMs) * US_PER_MS) / work.calls;
}
