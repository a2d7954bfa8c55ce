// `npm run bench`: benny suites over what every packet passes through, without sockets or cryptography, and how
// much it allocates; `npm run bench:packet` asks it for the packet alone. Exit code 1 = the goal for allocation does
// not hold, or its count is not valid; 2 = bad arguments.

import { parseArgs } from 'node:util';
import { ackCases } from './suites/ack.ts';
import { type AllocationReport, runAllocation } from './suites/allocation.ts';
import { connectionCases } from './suites/connection.ts';
import { inputCases } from './suites/input.ts';
import { messageCases } from './suites/message.ts';
import { packetCases } from './suites/packet.ts';
import { snapshotCases } from './suites/snapshot.ts';
import { type Cases, runSuite, type SuiteResult } from './suites/suite.ts';

const USAGE = `usage: npm run bench -- [options]
  --suites A,B    of packet, ack, message, connection, snapshot, input, allocation (all)
  --seconds N     time for each case, at most (1)
  --json          one JSON object as the last line`;

/** Made when their turn comes: a suite does not run among the garbage of others. */
const suites: Readonly<Record<string, () => Cases>> = {
  packet: packetCases,
  ack: ackCases,
  message: messageCases,
  connection: connectionCases,
  snapshot: snapshotCases,
  input: inputCases,
};

/** Not for benny: it counts bytes, in a process of its own. */
const ALLOCATION = 'allocation';

interface SuiteArguments {
  readonly names: readonly string[];
  readonly seconds: number;
  readonly json: boolean;
}

function readArguments(): SuiteArguments {
  const { values } = parseArgs({
    options: {
      suites: { type: 'string', default: [...Object.keys(suites), ALLOCATION].join(',') },
      seconds: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  });
  const names = values.suites.split(',');
  const unknown = names.find((name) => name !== ALLOCATION && !Object.hasOwn(suites, name));
  if (unknown !== undefined) throw new Error(`no suite is called '${unknown}'`);
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error('--seconds takes a number above 0');
  return { names, seconds, json: values.json };
}

async function main({ names, seconds, json }: SuiteArguments): Promise<void> {
  const results: SuiteResult[] = [];
  for (const name of names) {
    const cases = suites[name];
    if (cases !== undefined) results.push(await runSuite(name, cases(), seconds));
  }
  let allocation: AllocationReport | undefined;
  if (names.includes(ALLOCATION)) {
    allocation = await runAllocation();
    if (!allocation.holds) process.exitCode = 1;
  }
  if (json) console.log(JSON.stringify({ node: process.version, suites: results, allocation }));
}

let given: SuiteArguments | undefined;
try {
  given = readArguments();
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exitCode = 2;
}
if (given !== undefined) await main(given);
