// The demo's arguments: parsed strictly, every number within its bounds.

import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { TickwireError } from '@tickwire/protocol';
import { arena } from './arena.ts';

/** The text of `demo --help`. */
export const demoHelp = `npm run demo -- [options]

The arena: a server process, bots in others, and a bad network between them, judged by the truth.

  --players N      bots, 2 to 1000                                  (24)
  --matches N      matches they are spread over    (2, or more so that each has at most 12)
  --seconds S      judge and end after S seconds, 3 or more       (until Ctrl-C)
  --latency MS     one-way delay                                    (50)
  --jitter MS      delay varies by so much, plus or minus           (20)
  --loss PCT       datagrams lost, 0 to 100                          (5)
  --duplicate PCT  datagrams delivered twice                         (0)
  --reorder PCT    datagrams held back, so that later ones pass      (0)
  --rate KBPS      bandwidth per client, kbit/s                (unlimited)
  --snapshots HZ   snapshots per second to each client  (30, above 100 players 20)
  --seed N         decides every chance                              (1)
  --host ADDR      loopback address to play on, as ::1       (127.0.0.1)
  --json           the last line on stdout is one JSON object
  --break BUG      plant a bug: prediction, ack or quantise; the demo must then fail and name it
  --help           print this

What the network does applies to each direction: a latency of 50 is a round trip of 100 ms.
Exit code 0 = every demand held, 1 = one did not, 2 = the arguments are wrong.
`;

const bugs = ['prediction', 'ack', 'quantise'] as const;
/** A bug that can be planted. */
export type Bug = (typeof bugs)[number];

/** Checked arguments. */
export interface DemoOptions {
  readonly players: number;
  readonly matches: number;
  /** Undefined = until somebody ends it. */
  readonly seconds: number | undefined;
  readonly latency: number;
  readonly jitter: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly rate: number | undefined;
  readonly snapshots: number;
  readonly seed: number;
  readonly host: string;
  readonly json: boolean;
  readonly bug: Bug | undefined;
}

const text = { type: 'string' } as const;
const yes = { type: 'boolean', default: false } as const;
const declared = {
  players: text,
  matches: text,
  seconds: text,
  latency: text,
  jitter: text,
  loss: text,
  duplicate: text,
  reorder: text,
  rate: text,
  snapshots: text,
  seed: text,
  host: text,
  break: text,
  json: yes,
  help: yes,
};

const SNAPSHOTS = 30;
/** One machine computes all these clients too. */
const MANY_PLAYERS = 100;
const SNAPSHOTS_FOR_MANY = 20;
const PLAYERS_MAX = 1000;
const PLAYERS_PER_MATCH = 12;
/** Joining, settling, a little play and the silence at the end. */
const SECONDS_MIN = 3;

/** Reads the arguments; 'help' if that is what they ask for. Throws TickwireError 'usage'. */
export function parseDemoOptions(args: readonly string[]): DemoOptions | 'help' {
  const given = parseStrictly(args);
  if (given.help) return 'help';
  const number = (name: Exclude<keyof typeof given, 'json' | 'help'>, from: Bounds) =>
    parseNumber(name, given[name], from);
  const players = number('players', { low: 2, high: PLAYERS_MAX, whole: true, otherwise: 24 });
  const enough = Math.max(2, Math.ceil(players / PLAYERS_PER_MATCH));
  const ms = { low: 0, high: 60_000 };
  const share = { low: 0, high: 100, otherwise: 0 };
  const { seconds, rate } = given;
  return {
    players,
    matches: number('matches', {
      low: 1,
      high: Math.floor(players / 2),
      whole: true,
      otherwise: Math.min(enough, Math.floor(players / 2)),
    }),
    seconds: seconds === undefined ? undefined : number('seconds', { low: SECONDS_MIN, high: 1e6 }),
    latency: number('latency', { ...ms, otherwise: 50 }),
    jitter: number('jitter', { ...ms, otherwise: 20 }),
    loss: number('loss', { ...share, otherwise: 5 }),
    duplicate: number('duplicate', share),
    reorder: number('reorder', share),
    rate: rate === undefined ? undefined : number('rate', { low: 0.001, high: 1e9 }),
    snapshots: number('snapshots', {
      low: 1,
      high: arena.tickHz,
      otherwise: players > MANY_PLAYERS ? SNAPSHOTS_FOR_MANY : SNAPSHOTS,
    }),
    seed: number('seed', { low: 0, high: 2 ** 31 - 1, whole: true, otherwise: 1 }),
    host: parseHost(given.host),
    json: given.json,
    bug: parseBug(given.break),
  };
}

function parseStrictly(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: declared }).values;
  } catch (error) {
    throw new TickwireError('usage', error instanceof Error ? error.message : String(error));
  }
}

interface Bounds {
  readonly low: number;
  readonly high: number;
  readonly whole?: boolean;
  /** Without one the argument must be given. */
  readonly otherwise?: number;
}

function parseNumber(name: string, given: string | undefined, bounds: Bounds): number {
  const { low, high, whole = false, otherwise } = bounds;
  if (given === undefined && otherwise !== undefined) return otherwise;
  const value = given === undefined || given.trim() === '' ? Number.NaN : Number(given);
  if (value >= low && value <= high && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'an integer' : 'a number';
  throw new TickwireError('usage', `--${name} is '${given}'; give ${kind} from ${low} to ${high}`);
}

function parseHost(given = '127.0.0.1'): string {
  if (isIP(given) !== 0) return given;
  throw new TickwireError('usage', `--host is '${given}'; give an IPv4 or IPv6 address`);
}

function parseBug(given: string | undefined): Bug | undefined {
  const bug = bugs.find((one) => one === given);
  if (given === undefined || bug !== undefined) return bug;
  throw new TickwireError('usage', `--break is '${given}'; give one of ${bugs.join(', ')}`);
}
