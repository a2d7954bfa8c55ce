// Random operations and mutated packets on live connections. `npm run fuzz -- --target connection --seed N --seconds S`
// runs this file for as long as it is told to; `npm test` runs a fixed number of seeds. A failure names its seed and the
// command.

import { expect, test } from 'vitest';
import { ConnectionFuzz, type FuzzMode } from './connection-fuzz.ts';

const QUICK_CASES = 40;
const firstSeed = Number(process.env.TICKWIRE_FUZZ_SEED ?? 1);
const seconds = Number(process.env.TICKWIRE_FUZZ_SECONDS ?? 0);

/** Runs case after case: until the time is over, when there is one. Returns how many. */
function runCases(mode: FuzzMode): number {
  const untilMs = performance.now() + seconds * 500;
  let cases = 0;
  while (seconds > 0 ? performance.now() < untilMs : cases < QUICK_CASES) {
    const seed = firstSeed + cases++;
    try {
      new ConnectionFuzz(seed, mode).run();
    } catch (error) {
      const replay = `npm run fuzz -- --target connection --seed ${seed} --seconds 1`;
      throw new Error(`${mode}, seed ${seed}: ${(error as Error).message}\nreplay: ${replay}`, {
        cause: error,
      });
    }
  }
  return cases;
}

test.each(['sealed', 'trusted'] as const)(
  '%s: no throw, no growth, no stall',
  (mode) => {
    const cases = runCases(mode);
    if (seconds > 0) console.log(`${mode}: ${cases} cases from seed ${firstSeed}`);
    expect(cases).toBeGreaterThan(0);
  },
  (seconds + 60) * 1000,
);
