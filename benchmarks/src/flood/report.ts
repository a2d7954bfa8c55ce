// What the rounds of the flood bench say together: what a hostile datagram costs, what players lost, who joined; and
// whether the goals hold. A phase whose load was not what it claims to be makes them invalid.

import { ascending, median, percentile } from '../percentile.ts';
import type { PhaseName, PhaseResult, ProcessWindow } from './phase.ts';
import { TICK_HZ } from './traffic.ts';

/** Fewer rounds cannot tell a ratio from chance. */
export const ROUNDS_MIN = 3;
/** Rounds of a ratio may differ by this part of their median. */
const ROUNDS_SPREAD_MAX = 0.1;
/** The flooder may stay so far behind its rate. */
const RATE_SHARE_MIN = 0.9;
/** Inputs sent may differ from nominal by this part. */
const COUNT_TOLERANCE = 0.01;
/** 99th percentile of the players' lateness; beyond it the load is not what it claims to be. */
const PLAYERS_LATE_MS_MAX = 4;

/** What a hostile datagram may cost beyond a raw receive. */
const EXTRA_US_MAX = 1.5;
/** Share of players' inputs that may be lost under the flood. */
const INPUT_LOSS_MAX = 0.005;

/** One round: every phase once. A phase that broke off has its reason instead of a result. */
export type Round = Readonly<Record<PhaseName, PhaseResult | string>>;

/** What the load should have been. */
export interface Nominal {
  readonly rate: number;
  readonly players: number;
  readonly joins: number;
}

/** A figure that has to stay below a limit, or reach it. */
export interface Goal {
  readonly name: string;
  readonly limit: string;
  /** Null = not valid. */
  readonly value: number | null;
  readonly holds: boolean;
  readonly reason?: string;
}

/** One round's costs, us. */
export interface Costs {
  /** Server CPU for a raw receive of one datagram. */
  readonly rawUs: number;
  /** Server CPU that the flood adds, over hostile datagrams received. */
  readonly hostileUs: number;
}

/** All that the last line of `--json` says. */
export interface FloodReport {
  readonly costs: readonly Costs[];
  readonly goals: readonly Goal[];
  readonly faults: readonly string[];
}

type Whole = Readonly<Record<PhaseName, PhaseResult>>;

/** Puts the rounds together. */
export function report(rounds: readonly Round[], nominal: Nominal): FloodReport {
  const faults = rounds.flatMap((round, i) => faultsOf(round, nominal, i + 1));
  const complete = rounds.filter(isWhole);
  const costs = complete.map(costsOf);
  const goals = [costGoal(costs), lossGoal(complete), joinGoal(complete, nominal)];
  if (faults.length === 0) return { costs, goals, faults };
  const reason = 'the load was not as it should be';
  const invalid = goals.map((goal) => ({ ...goal, value: null, holds: false, reason }));
  return { costs, goals: invalid, faults };
}

/** Why the phase's figures may not be compared; undefined = they may. */
export function faultOf(phase: PhaseResult | string, nominal: Nominal): string | undefined {
  if (typeof phase === 'string') return phase;
  const { flooder, players } = phase;
  const reasons = [flooder && rateFault(flooder, nominal), players && loadFault(players, nominal)];
  return reasons.find((reason) => reason !== undefined);
}

function faultsOf(round: Round, nominal: Nominal, number: number): string[] {
  return (Object.keys(round) as PhaseName[]).flatMap((name) => {
    const fault = faultOf(round[name], nominal);
    return fault === undefined ? [] : [`round ${number}, ${name}: ${fault}`];
  });
}

function rateFault(flooder: ProcessWindow, { rate }: Nominal): string | undefined {
  const reached = perSecond(flooder.hostile, flooder);
  if (reached >= RATE_SHARE_MIN * rate) return undefined;
  return `the flooder reached ${whole(reached)} of ${whole(rate)} a second`;
}

function loadFault(window: ProcessWindow, { players }: Nominal): string | undefined {
  const due = (players * TICK_HZ * window.elapsedMs) / 1000;
  if (Math.abs(window.inputs / due - 1) > COUNT_TOLERANCE) {
    return `players sent ${whole(window.inputs)} of ${whole(due)} inputs`;
  }
  if (window.lateMsP99 <= PLAYERS_LATE_MS_MAX) return undefined;
  const late = window.lateMsP99.toFixed(1);
  return `players' event loop lag p99 is ${late} ms, over ${PLAYERS_LATE_MS_MAX}`;
}

function isWhole(round: Round): round is Whole {
  return Object.values(round).every((phase) => typeof phase !== 'string');
}

function costsOf({ raw, calm, flood }: Whole): Costs {
  const calmUs = (calm.target.cpuUs / calm.target.elapsedMs) * flood.target.elapsedMs;
  return {
    rawUs: raw.target.cpuUs / raw.target.hostile,
    hostileUs: (flood.target.cpuUs - calmUs) / flood.target.hostile,
  };
}

function costGoal(costs: readonly Costs[]): Goal {
  const name = `CPU of a hostile datagram / (of a raw receive + ${EXTRA_US_MAX} us)`;
  const ratios = costs.map(({ rawUs, hostileUs }) => hostileUs / (rawUs + EXTRA_US_MAX));
  const middle = median(ratios);
  const spread = (Math.max(...ratios) - Math.min(...ratios)) / Math.abs(middle);
  const reason =
    ratios.length < ROUNDS_MIN
      ? `fewer than ${ROUNDS_MIN} rounds`
      : spread > ROUNDS_SPREAD_MAX
        ? `rounds differ by ${Math.round(spread * 100)} %`
        : undefined;
  const limit = 'below 1';
  if (reason !== undefined) return { name, limit, value: null, holds: false, reason };
  return { name, limit, value: middle, holds: middle < 1 };
}

function lossGoal(rounds: readonly Whole[]): Goal {
  const value = inputLoss(rounds.map(({ flood }) => flood));
  const limit = `below ${INPUT_LOSS_MAX}`;
  return {
    name: 'share of inputs lost under the flood',
    limit,
    value,
    holds: value < INPUT_LOSS_MAX,
  };
}

function joinGoal(rounds: readonly Whole[], { joins }: Nominal): Goal {
  const completed = rounds.reduce((sum, { flood }) => sum + flood.players!.joinMs.length, 0);
  const value = completed / (rounds.length * joins);
  return {
    name: 'share of joins completed under the flood',
    limit: 'all',
    value,
    holds: value === 1,
  };
}

/** Of all phases together; NaN = no inputs. */
function inputLoss(phases: readonly PhaseResult[]): number {
  const sent = phases.reduce((sum, { players }) => sum + players!.inputs, 0);
  const delivered = phases.reduce((sum, { target }) => sum + target.inputs, 0);
  return (sent - delivered) / sent;
}

/** The report for people; the phases themselves have been shown as they ended. */
export function describe({ costs, goals, faults }: FloodReport): string {
  const us = (values: readonly number[]) => `${median(values).toFixed(2)} us`;
  const lines = goals.map(({ name, limit, value, holds, reason }) => {
    const said =
      value === null ? `INVALID: ${reason}` : `${value.toFixed(4)}  ${holds ? 'holds' : 'FAILS'}`;
    return `${name.padEnd(58)} ${limit.padEnd(12)} ${said}`;
  });
  if (costs.length > 0) {
    lines.unshift(
      `server CPU: ${us(costs.map(({ rawUs }) => rawUs))} for a raw receive, ` +
        `${us(costs.map(({ hostileUs }) => hostileUs))} for a hostile datagram`,
      '',
    );
  }
  return [...lines, ...faults.map((fault) => `INVALID: ${fault}`)].join('\n');
}

/** One phase as lines of a table. */
export function describePhase(
  round: number,
  name: PhaseName,
  phase: PhaseResult | string,
  nominal: Nominal,
): string {
  const head = `round ${round}  ${name.padEnd(6)}`;
  if (typeof phase === 'string') return `${head} INVALID: ${phase}`;
  const { target, flooder, players } = phase;
  const fault = faultOf(phase, nominal);
  const parts = [
    `${share(target.cpuUs / 1000 / target.elapsedMs)} of a core`,
    ...(flooder ? describeFlood(target, flooder) : []),
    ...(players ? describePlayers(phase, players, nominal) : []),
    ...(fault === undefined ? [] : [`INVALID: ${fault}`]),
  ];
  return `${head} ${parts.join(`\n${' '.repeat(head.length + 1)}`)}`;
}

function describeFlood(target: ProcessWindow, flooder: ProcessWindow): string[] {
  return [
    `${whole(perSecond(flooder.hostile, flooder))} hostile datagrams a second sent, ` +
      `${whole(perSecond(target.hostile, target))} received`,
    `${target.dropped === undefined ? 'nobody knows how many' : whole(target.dropped)} datagrams ` +
      `dropped by the system, whose receive buffer has ${whole(target.receiveBufferBytes / 1024)} KiB`,
  ];
}

function describePlayers(
  phase: PhaseResult,
  { inputs, joinMs, lateMsP99 }: ProcessWindow,
  { joins }: Nominal,
): string[] {
  const sorted = ascending(joinMs);
  const times =
    joinMs.length === 0
      ? ''
      : `, p50 ${whole(percentile(sorted, 50))} ms, max ${whole(sorted.at(-1)!)} ms`;
  return [
    `${share(inputLoss([phase]))} of ${whole(inputs)} inputs lost; late at p99: ` +
      `players ${lateMsP99.toFixed(1)} ms, the server's ticks ${phase.target.lateMsP99.toFixed(1)} ms`,
    `${joinMs.length} of ${joins} joined${times}`,
  ];
}

function perSecond(count: number, { elapsedMs }: ProcessWindow): number {
  return (count * 1000) / elapsedMs;
}

function share(part: number): string {
  return `${(part * 100).toFixed(2)} %`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
