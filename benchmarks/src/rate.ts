// `npm run bench:rate`: the goals of the rate controller, with real connections over simulated links in virtual time.
// Exit code: 0 = every goal holds with every seed, 1 = not, 2 = bad arguments.

import { parseArgs } from 'node:util';
import { type GoalResult, measureGoals } from './rate/goals.ts';

const USAGE = `usage: npm run bench:rate -- [options]
  --seeds N       runs of each goal, with seeds 1 to N (10)
  --json          one JSON object as the last line`;

const SEEDS_MAX = 1000;

interface RateArguments {
  readonly seeds: number;
  readonly json: boolean;
}

function readArguments(): RateArguments {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10' },
      json: { type: 'boolean', default: false },
    },
  });
  const seeds = Number(values.seeds);
  if (!Number.isInteger(seeds) || seeds < 1 || seeds > SEEDS_MAX) {
    throw new Error(`--seeds takes a whole number from 1 to ${SEEDS_MAX}`);
  }
  return { seeds, json: values.json };
}

function describe({ name, unit, median, worst, bound, limit, holds }: GoalResult): string {
  const show = (value: number) => `${value.toFixed(1)} ${unit}`.padStart(9);
  const goal = `${bound} ${limit.toFixed(0)} ${unit}`.padStart(14);
  return `${name.padEnd(36)}${show(median)}${show(worst)}${goal}  ${holds ? 'holds' : 'FAILS'}`;
}

function main({ seeds, json }: RateArguments): void {
  console.log(
    `Transfers without end at 256 kbit/s, 50 ms round trip, tail-drop buffer of 200 ms, unless told otherwise; ${seeds} seeds`,
  );
  console.log(
    `${''.padEnd(36)}${'median'.padStart(9)}${'worst'.padStart(9)}${'goal'.padStart(14)}`,
  );
  const goals = measureGoals(seeds);
  for (const goal of goals) console.log(describe(goal));
  if (json) console.log(JSON.stringify({ goals, seeds, node: process.version }));
  process.exitCode = goals.every(({ holds }) => holds) ? 0 : 1;
}

let given: RateArguments | undefined;
try {
  given = readArguments();
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exitCode = 2;
}
if (given !== undefined) main(given);
