// Runs one set of cases through benny and keeps what it found.

import { add, complete, cycle, suite } from 'benny';

/** What is measured, by name. A case does one unit of work a call, and works on memory made before. */
export type Cases = Readonly<Record<string, () => unknown>>;

/** Operations per second of each case. */
export interface SuiteResult {
  readonly suite: string;
  readonly results: readonly {
    readonly name: string;
    readonly opsPerSecond: number;
    /** Relative margin of error, percent. */
    readonly marginPct: number;
  }[];
}

/** Runs `cases` one after the other, each for at most `seconds`. benny prints. */
export async function runSuite(name: string, cases: Cases, seconds: number): Promise<SuiteResult> {
  const options = { minTime: seconds / 20, maxTime: seconds };
  const entries = Object.entries(cases).map(([title, run]) => add(title, () => run, options));
  const { results } = await suite(name, ...entries, cycle(), complete());
  return {
    suite: name,
    results: results.map((result) => ({
      name: result.name,
      opsPerSecond: result.ops,
      marginPct: result.margin,
    })),
  };
}

/** Stops a bench that would measure something broken. */
export function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`bench: ${what}`);
}
