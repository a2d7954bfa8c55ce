// `npm run bench:delivery`: how long reliable, ordered messages take over a bad network, and what they cost in bytes,
// for Tickwire beside ENet and KCP. Real sockets in real time, all over one proxy. Exit code: 0 = valid, and the goals
// hold; 1 = not; 2 = bad arguments.

import { constants, setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { peers } from './delivery/all.ts';
import {
  type CellPlan,
  type CellResult,
  MESSAGES_PER_SECOND,
  ONE_WAY_MS,
  runCell,
} from './delivery/cell.ts';
import { MESSAGE_BYTES } from './delivery/flow.ts';
import type { DeliveryPeer } from './delivery/peer.ts';
import {
  describeCell,
  describeVerdict,
  RULE,
  report,
  runsOf,
  TABLE_HEAD,
} from './delivery/report.ts';

const names = peers.map((peer) => peer.name).join(',');
const USAGE = `usage: npm run bench:delivery -- [options]
  --messages N    measured messages of each connection (${RULE.messages})
  --seeds N       connections of each peer, each with a seed of its own (${RULE.seeds})
  --loss A,B      percent of datagrams lost, in each direction; one cell each (1,5,10)
  --peers A,B     of ${names} (all)
  --json          one JSON object as the last line`;

/** More connections would not be in time any more. */
const SEEDS_MAX = 20;

interface DeliveryArguments {
  readonly messages: number;
  readonly seeds: number;
  readonly lossPcts: readonly number[];
  readonly peers: readonly DeliveryPeer[];
  readonly json: boolean;
}

function readArguments(): DeliveryArguments {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      messages: text(String(RULE.messages)),
      seeds: text(String(RULE.seeds)),
      loss: text('1,5,10'),
      peers: text(names),
      json: { type: 'boolean', default: false },
    },
  });
  return {
    messages: wholeNumber('messages', values.messages, 1_000_000),
    seeds: wholeNumber('seeds', values.seeds, SEEDS_MAX),
    lossPcts: values.loss.split(',').map(percent),
    peers: values.peers.split(',').map(peerCalled),
    json: values.json,
  };
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`--${name} takes a whole number from 1 to ${most}`);
}

function percent(text: string): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (value >= 0 && value < 100) return value;
  throw new Error('--loss takes numbers from 0 to below 100');
}

function peerCalled(name: string): DeliveryPeer {
  const found = peers.find((peer) => peer.name === name);
  if (found === undefined) throw new Error(`no peer is called '${name}'`);
  return found;
}

/** The peers that can run here; the others are named. */
function installed(asked: readonly DeliveryPeer[]): {
  there: readonly DeliveryPeer[];
  skipped: Readonly<Record<string, string>>;
} {
  const skipped: Record<string, string> = {};
  const there = asked.filter((peer) => {
    const reason = peer.missing();
    if (reason === undefined) return true;
    skipped[peer.name] = reason;
    return false;
  });
  return { there, skipped };
}

async function main(given: DeliveryArguments): Promise<void> {
  const { messages, seeds, json } = given;
  const { there, skipped } = installed(given.peers);
  console.log(
    `${messages} messages of ${MESSAGE_BYTES} B at ${MESSAGES_PER_SECOND} per second, ${seeds} seeds, ` +
      `${2 * ONE_WAY_MS} ms round trip, loss in each direction, Node ${process.version}`,
  );
  for (const peer of there) console.log(`${peer.name}: ${peer.settings}`);
  for (const [name, reason] of Object.entries(skipped)) console.log(`${name} skipped: ${reason}`);
  console.log(raisePriority());
  console.log(TABLE_HEAD);
  const plans = given.lossPcts.map((lossPct) => ({ peers: there, lossPct, messages, seeds }));
  const cells: CellResult[] = [];
  for (const plan of plans) cells.push(await runAndShow(plan));
  const result = report(plans, cells);
  console.log(describeVerdict(result));
  const complete = messages >= RULE.messages && seeds >= RULE.seeds;
  if (!complete) {
    console.log(
      `an indication only: the rule is ${RULE.messages} messages and ${RULE.seeds} seeds`,
    );
  }
  if (json) console.log(JSON.stringify({ ...result, complete, skipped, node: process.version }));
  const holds = result.valid && result.goals.every((goal) => goal.holds);
  process.exitCode = holds ? 0 : 1;
}

/** What else runs on the machine should not be seen as the network's doing. Says whether the system let it. */
function raisePriority(): string {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
    return 'priority of the process: raised';
  } catch {
    return 'priority of the process: the usual one, the system refused another';
  }
}

async function runAndShow(plan: CellPlan): Promise<CellResult> {
  const cell = await runCell(plan);
  console.log(describeCell(runsOf(plan, cell), cell));
  return cell;
}

let given: DeliveryArguments | undefined;
try {
  given = readArguments();
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exitCode = 2;
}
if (given !== undefined) await main(given);
