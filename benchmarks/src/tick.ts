// `npm run bench:tick`: server CPU per client-tick of Tickwire beside raw node:dgram and ws, over real loopback
// sockets. Peers take turns in rounds. Exit code: 0 = every run and ratio is valid, 1 = not, 2 = bad arguments.

import { parseArgs } from 'node:util';
import { type Cores, chooseCores } from './cores.ts';
import { type PeerName, peerNames, peers } from './peers/all.ts';
import type { PlantedFault, RunOrder } from './tick-message.ts';
import { describe, describeRun, report } from './tick-report.ts';
import { type RunResult, runOnce } from './tick-run.ts';

const USAGE = `usage: npm run bench:tick -- [options]
  --clients N     clients, one socket each (500)
  --hz N          ticks per second (60)
  --seconds N     length of one measured window (5)
  --rounds N      rounds in which every peer runs once; a ratio needs 3 (3)
  --peers A,B     of ${peerNames.join(', ')} (all)
  --json          one JSON object as the last line
  --plant FAULT   prove that a fault is seen: loss (2 % not sent), lag (generator held up)`;

/** Payload of one client-tick: an input up, a snapshot down. */
const UP_BYTES = 32;
const DOWN_BYTES = 200;
/** Time for the compiler to settle. */
const WARM_UP_MS = 1500;

interface TickArguments {
  readonly order: Omit<RunOrder, 'peer'>;
  readonly rounds: number;
  readonly names: readonly PeerName[];
  readonly json: boolean;
}

function readArguments(): TickArguments {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      clients: text('500'),
      hz: text('60'),
      seconds: text('5'),
      rounds: text('3'),
      peers: text(peerNames.join(',')),
      plant: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const load = {
    clients: wholeNumber('clients', values.clients),
    upBytes: UP_BYTES,
    downBytes: DOWN_BYTES,
  };
  const plant = values.plant === undefined ? {} : { plant: fault(values.plant) };
  const hz = wholeNumber('hz', values.hz);
  const seconds = wholeNumber('seconds', values.seconds);
  return {
    order: { load, hz, seconds, warmUpMs: WARM_UP_MS, ...plant },
    rounds: wholeNumber('rounds', values.rounds),
    names: values.peers.split(',').map(peerName),
    json: values.json,
  };
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number`);
  return value;
}

function peerName(name: string): PeerName {
  if (!Object.hasOwn(peers, name)) throw new Error(`no peer is called '${name}'`);
  return name as PeerName;
}

function fault(name: string): PlantedFault {
  if (name !== 'loss' && name !== 'lag') throw new Error(`no fault is called '${name}'`);
  return name;
}

/** Every peer once a round, so that what the machine does meanwhile meets all of them. */
async function runRounds(
  { order, rounds }: TickArguments,
  names: readonly PeerName[],
  cores: Cores | string,
): Promise<RunResult[]> {
  const runs: RunResult[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const peer of names) {
      const run = await runOnce({ ...order, peer }, round, cores);
      console.log(describeRun(run));
      runs.push(run);
    }
  }
  return runs;
}

async function main(given: TickArguments): Promise<void> {
  const { load, hz, seconds } = given.order;
  const cores = chooseCores();
  console.log(
    typeof cores === 'string'
      ? `processes are not pinned: ${cores}`
      : `server pinned to core ${cores.server}, generator to core ${cores.generator} (taskset)`,
  );
  console.log(
    `${load.clients} clients at ${hz} Hz for ${seconds} s, ${load.upBytes} B up and ${load.downBytes} B down, ` +
      `Node ${process.version}; clients send in phases of about 1 ms, the server once a tick`,
  );
  const skipped: Record<string, string> = {};
  for (const name of given.names) {
    const reason = peers[name].missing();
    if (reason !== undefined) skipped[name] = reason;
  }
  const names = given.names.filter((name) => skipped[name] === undefined);
  const result = report(await runRounds(given, names, cores), skipped);
  console.log(describe(result));
  if (given.json) console.log(JSON.stringify({ ...result, cores, node: process.version }));
  process.exitCode = result.valid ? 0 : 1;
}

let given: TickArguments | undefined;
try {
  given = readArguments();
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exitCode = 2;
}
if (given !== undefined) await main(given);
