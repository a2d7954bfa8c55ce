// `npm run bench:crypto`: what cryptography costs: a packet sealed, opened, refused, by the provider in use and beside it
// by sodium-native and node:crypto; what a connection takes for hostile datagrams; handshakes. Exit code: 0 = all goals
// hold, 1 = one does not, or is not valid, 2 = bad arguments.

import { parseArgs } from 'node:util';
import { loadCrypto } from '@tickwire/protocol/udp';
import { chooseCores } from './cores.ts';
import { handshakeCosts } from './crypto/handshakes.ts';
import { packetCosts, packetSizes } from './crypto/packets.ts';
import { loadProviders, type Provider } from './crypto/providers.ts';
import { messageSizes, refusalCosts } from './crypto/refusals.ts';
import { describe, goalsOf, ROUNDS_MIN, type Round } from './crypto/report.ts';
import type { RunOrder } from './tick-message.ts';
import { runOnce } from './tick-run.ts';

const USAGE = `usage: npm run bench:crypto -- [options]
  --rounds N      rounds in which everything is measured once; ratios need ${ROUNDS_MIN} (${ROUNDS_MIN})
  --seconds N     length of the dgram window of a round (5)
  --json          one JSON object as the last line`;

/** The client-tick of bench:tick, whose raw dgram these costs are held against. */
const TICK: Omit<RunOrder, 'seconds'> = {
  peer: 'dgram',
  load: { clients: 500, upBytes: 32, downBytes: 200 },
  hz: 60,
  warmUpMs: 1500,
};

interface CryptoArguments {
  readonly rounds: number;
  readonly seconds: number;
  readonly json: boolean;
}

function readArguments(): CryptoArguments {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: String(ROUNDS_MIN) },
      seconds: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  });
  return {
    rounds: wholeNumber('rounds', values.rounds),
    seconds: wholeNumber('seconds', values.seconds),
    json: values.json,
  };
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number`);
  return value;
}

const crypto = await loadCrypto();

/** All that one process can measure by itself. */
function measureAlone(providers: readonly Provider[]): Omit<Round, 'dgram'> {
  const packets = packetSizes.map((size) => [size, packetCosts(providers, size)]);
  const refusals = messageSizes.map((size) => [size, refusalCosts(crypto, size)]);
  return {
    packets: Object.fromEntries(packets),
    refusals: Object.fromEntries(refusals),
    handshakes: handshakeCosts(crypto),
  };
}

async function main({ rounds, seconds, json }: CryptoArguments): Promise<void> {
  console.log(
    `Node ${process.version}; medians of ${rounds} rounds, each of medians of short slices in turn`,
  );
  const { providers, skipped } = await loadProviders(crypto);
  for (const [name, reason] of Object.entries(skipped)) console.log(`${name} skipped: ${reason}`);
  const measured: Round[] = [];
  // For the compiler: the first of all would be measured in code that is still being made.
  measureAlone(providers);
  for (let round = 1; round <= rounds; round++) {
    const dgram = await runOnce({ ...TICK, seconds }, round, chooseCores());
    measured.push({ ...measureAlone(providers), dgram });
    console.log(`round ${round} of ${rounds}`);
  }
  const goals = goalsOf(measured);
  console.log(describe(measured, goals));
  if (json) {
    console.log(JSON.stringify({ node: process.version, rounds: measured, goals, skipped }));
  }
  process.exitCode = goals.every(({ holds }) => holds) ? 0 : 1;
}

let given: CryptoArguments | undefined;
try {
  given = readArguments();
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exitCode = 2;
}
if (given !== undefined) await main(given);
