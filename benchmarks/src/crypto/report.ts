// What the rounds of the crypto bench say together: medians, and whether its goals hold in every sense: as ratios of
// figures of the same round, valid only when the rounds agree.

import { median } from '../percentile.ts';
import type { RunResult } from '../tick-run.ts';
import type { HandshakeCosts } from './handshakes.ts';
import { type PacketCosts, packetSizes } from './packets.ts';
import { IN_USE } from './providers.ts';
import { messageSizes, type RefusalCosts } from './refusals.ts';

/** Fewer rounds cannot tell a ratio from chance. */
export const ROUNDS_MIN = 3;
/** Rounds of a ratio may differ by this part of their median. */
const ROUNDS_SPREAD_MAX = 0.1;

/** Refusing costs less than opening a good one. */
const REFUSAL_MAX = 1;
/** Seal and open of a packet, over a client-tick of raw dgram. */
const DGRAM_SHARE_MAX = 0.4;
const DGRAM_SHARE_BYTES = 200;

/** All that one round measured; sizes are keys, costs microseconds. */
export interface Round {
  readonly packets: Readonly<Record<number, Readonly<Record<string, PacketCosts>>>>;
  readonly refusals: Readonly<Record<number, RefusalCosts>>;
  readonly handshakes: HandshakeCosts;
  readonly dgram: RunResult;
}

/** A ratio that has to stay below a limit. */
export interface Goal {
  readonly name: string;
  /** Median of the rounds; null = they do not agree, or one was not valid. */
  readonly ratio: number | null;
  readonly limit: number;
  readonly holds: boolean;
  readonly reason?: string;
}

/** Goals over all rounds. */
export function goalsOf(rounds: readonly Round[]): Goal[] {
  const sealer = packetSizes.map((size) =>
    goal(`refuse a forged packet / open a good one, ${size} B`, REFUSAL_MAX, rounds, (round) => {
      const { refuse, open } = round.packets[size]![IN_USE]!;
      return refuse / open;
    }),
  );
  const connection = messageSizes.flatMap((size) =>
    (['forged', 'replayed', 'random'] as const).map((kind) =>
      goal(
        `connection: ${kind} / good datagram, message of ${size} B`,
        REFUSAL_MAX,
        rounds,
        (round) => {
          const costs = round.refusals[size]!;
          return costs[kind] / costs.good;
        },
      ),
    ),
  );
  const share = goal(
    `seal + open of ${DGRAM_SHARE_BYTES} B / client-tick of raw dgram`,
    DGRAM_SHARE_MAX,
    rounds,
    ({ packets, dgram }) => {
      const { seal, open } = packets[DGRAM_SHARE_BYTES]![IN_USE]!;
      return (seal + open) / dgram.usPerClientTick;
    },
  );
  const invalid = rounds.find(({ dgram }) => !dgram.valid);
  if (invalid === undefined) return [...sealer, ...connection, share];
  const reason = `dgram, round ${invalid.dgram.round}: ${invalid.dgram.reason}`;
  return [...sealer, ...connection, { ...share, ratio: null, holds: false, reason }];
}

function goal(
  name: string,
  limit: number,
  rounds: readonly Round[],
  ratioOf: (round: Round) => number,
): Goal {
  const ratios = rounds.map(ratioOf);
  const middle = median(ratios);
  const spread = (Math.max(...ratios) - Math.min(...ratios)) / middle;
  const reason =
    rounds.length < ROUNDS_MIN
      ? `fewer than ${ROUNDS_MIN} rounds`
      : spread > ROUNDS_SPREAD_MAX
        ? `rounds differ by ${Math.round(spread * 100)} %`
        : undefined;
  if (reason !== undefined) return { name, limit, ratio: null, holds: false, reason };
  const ratio = Math.round(middle * 1000) / 1000;
  return { name, limit, ratio, holds: ratio < limit };
}

/** The medians of all rounds as a table for people. */
export function describe(rounds: readonly Round[], goals: readonly Goal[]): string {
  return [
    ...describePackets(rounds),
    '',
    ...describeRefusals(rounds),
    '',
    ...describeHandshakes(rounds),
    '',
    `raw dgram: ${us(rounds.map(({ dgram }) => dgram.usPerClientTick)).trim()} per client-tick`,
    '',
    ...goals.map(({ name, ratio, limit, holds, reason }) => {
      const said =
        ratio === null ? `INVALID: ${reason}` : `${ratio.toFixed(2)}  ${holds ? 'holds' : 'FAILS'}`;
      return `${name.padEnd(58)} below ${limit.toFixed(1)}  ${said}`;
    }),
  ].join('\n');
}

function describePackets(rounds: readonly Round[]): string[] {
  const names = Object.keys(rounds[0]!.packets[packetSizes[0]]!);
  const columns = ['seal', 'open', 'refuse'] as const;
  const head = columns.map((column) => column.padStart(10)).join('');
  return packetSizes.flatMap((size) => [
    `${`${size} B of body`.padEnd(18)}${head}`,
    ...names.map((name) => {
      const cells = columns.map((column) =>
        us(rounds.map(({ packets }) => packets[size]![name]![column])),
      );
      return `  ${name.padEnd(16)}${cells.join('')}`;
    }),
  ]);
}

function describeRefusals(rounds: readonly Round[]): string[] {
  const columns = ['good', 'forged', 'replayed', 'random'] as const;
  return [
    `${'connection'.padEnd(18)}${columns.map((column) => column.padStart(10)).join('')}`,
    ...messageSizes.map((size) => {
      const cells = columns.map((column) =>
        us(rounds.map(({ refusals }) => refusals[size]![column])),
      );
      return `  ${`${size} B`.padEnd(16)}${cells.join('')}`;
    }),
  ];
}

/** What a handshake is made of, and what it may be instead. */
const handshakeRows = {
  request: 'a request, challenged',
  proof: 'a proof, accepted',
  firstPacket: 'the first packet',
  requestAboveLimit: 'hostile: a request above the limit',
  nobody: 'hostile: a packet for nobody',
  wrongCookie: 'hostile: a proof with a wrong cookie',
  repeatedProof: 'hostile: a proof once more, few slots in use',
  repeatedProofAt1000: 'hostile: a proof once more, 1000 slots in use',
  repeatedProofAt8000: 'hostile: a proof once more, 8000 slots in use',
  wrongCredential: 'hostile: a good cookie, a wrong credential',
} as const satisfies Record<keyof HandshakeCosts, string>;

function describeHandshakes(rounds: readonly Round[]): string[] {
  const row = (name: string, values: readonly number[]) => {
    const perSecond = `${Math.round(1e6 / median(values)).toLocaleString('en')} a second`;
    return `  ${name.padEnd(46)}${us(values)}${perSecond.padStart(20)}`;
  };
  const costs = Object.entries(handshakeRows) as [keyof HandshakeCosts, string][];
  const whole = rounds.map(({ handshakes }) => {
    return handshakes.request + handshakes.proof + handshakes.firstPacket;
  });
  return [
    "handshakes, the server's part on one core",
    row('a whole handshake', whole),
    ...costs.map(([key, name]) =>
      row(
        name,
        rounds.map(({ handshakes }) => handshakes[key]),
      ),
    ),
  ];
}

function us(values: readonly number[]): string {
  return `${median(values).toFixed(2)} us`.padStart(10);
}
