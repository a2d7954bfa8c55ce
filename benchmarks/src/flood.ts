// `npm run bench:flood`: a real server under a flood of requests, on real loopback sockets: its CPU per hostile datagram
// beside a raw dgram receive, what its players lose, and who can still join. Exit code: 0 = all goals hold, 1 = one does
// not, or is not valid, 2 = bad arguments.

import { parseArgs } from 'node:util';
import { chooseCores } from './cores.ts';
import { type PhaseName, type PhaseResult, phases, runPhase } from './flood/phase.ts';
import { describe, describePhase, ROUNDS_MIN, type Round, report } from './flood/report.ts';
import { MANY_ADDRESSES, TICK_HZ } from './flood/traffic.ts';

const USAGE = `usage: npm run bench:flood -- [options]
  --rate N        hostile datagrams a second (50000)
  --players N     players connected before the flood, one socket each (100)
  --joins N       players that join during it (20)
  --seconds N     length of the window of a phase (3)
  --rounds N      rounds in which every phase runs once; the ratio needs ${ROUNDS_MIN} (${ROUNDS_MIN})
  --json          one JSON object as the last line`;

interface FloodArguments {
  readonly rate: number;
  readonly players: number;
  readonly joins: number;
  readonly windowMs: number;
  readonly rounds: number;
  readonly json: boolean;
}

function readArguments(): FloodArguments {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      rate: text('50000'),
      players: text('100'),
      joins: text('20'),
      seconds: text('3'),
      rounds: text(String(ROUNDS_MIN)),
      json: { type: 'boolean', default: false },
    },
  });
  return {
    rate: wholeNumber('rate', values.rate),
    players: wholeNumber('players', values.players),
    joins: wholeNumber('joins', values.joins),
    windowMs: 1000 * wholeNumber('seconds', values.seconds),
    rounds: wholeNumber('rounds', values.rounds),
    json: values.json,
  };
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number`);
  return value;
}

/** Every phase once a round, so that what the machine does meanwhile meets all of them. */
async function runRounds(given: FloodArguments, cores: ReturnType<typeof chooseCores>) {
  const rounds: Round[] = [];
  for (let round = 1; round <= given.rounds; round++) {
    const results = {} as Record<PhaseName, PhaseResult | string>;
    for (const name of Object.keys(phases) as PhaseName[]) {
      const result = await runPhase(name, given, cores).catch((error: Error) => error.message);
      console.log(describePhase(round, name, result, given));
      results[name] = result;
    }
    rounds.push(results);
  }
  return rounds;
}

async function main(given: FloodArguments): Promise<void> {
  const cores = chooseCores();
  console.log(
    typeof cores === 'string'
      ? `processes are not pinned: ${cores}`
      : `server pinned to core ${cores.server}, players and flooder to core ${cores.generator} (taskset)`,
  );
  console.log(
    `${given.rate} hostile datagrams a second beside ${given.players} players at ${TICK_HZ} Hz for ` +
      `${given.windowMs / 1000} s, ${MANY_ADDRESSES ? 'from many addresses' : 'all from one address'}, Node ${process.version}; ` +
      'the flood comes in bursts of about 1 ms',
  );
  const rounds = await runRounds(given, cores);
  const result = report(rounds, given);
  console.log(`\n${describe(result)}`);
  if (given.json) {
    console.log(JSON.stringify({ ...result, rounds, cores, node: process.version }));
  }
  process.exitCode = result.goals.every(({ holds }) => holds) ? 0 : 1;
}

let given: FloodArguments | undefined;
try {
  given = readArguments();
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exitCode = 2;
}
if (given !== undefined) await main(given);
