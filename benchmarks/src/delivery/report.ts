// What the cells of the delivery bench say together: a run for each peer and loss, of medians over the seeds, and
// whether the goals hold.

import { median } from '../percentile.ts';
import type { CellPlan, CellResult, FlowFigures } from './cell.ts';

/** By the measuring rules, figures of fewer messages or seeds are an indication only. */
export const RULE = { messages: 3000, seeds: 5 } as const;
/** The peer that the goals are about. */
const OURS = 'tickwire';

/** One peer at one loss: medians over the seeds. */
export interface DeliveryRun {
  readonly peer: string;
  readonly lossPct: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** UDP payload and 28 B of headers a datagram, both directions, per delivered message. The tag is not in it. */
  readonly bytesPerMessage: number;
  /** What authenticates the datagrams, beside {@link bytesPerMessage}. */
  readonly tagBytesPerMessage: number;
  /** What the medians are of. */
  readonly seeds: readonly FlowFigures[];
}

/** One goal at one loss. */
export interface Goal {
  readonly goal: 'p99Ms' | 'bytesPerMessage';
  readonly lossPct: number;
  readonly value: number;
  /** The best of the others: the p99 must be below it, the bytes not above. */
  readonly limit: number;
  readonly holds: boolean;
}

/** The last line of `--json`, with what the command adds. */
export interface DeliveryReport {
  readonly runs: readonly DeliveryRun[];
  readonly goals: readonly Goal[];
  readonly valid: boolean;
  readonly reasons: readonly string[];
}

/** The runs of one cell. */
export function runsOf(plan: CellPlan, cell: CellResult): DeliveryRun[] {
  return plan.peers.map((peer, at) => {
    const seeds = cell.figures[at]!;
    const middle = (figure: (one: FlowFigures) => number) => rounded(median(seeds.map(figure)));
    return {
      peer: peer.name,
      lossPct: cell.lossPct,
      p50Ms: middle((one) => one.p50Ms),
      p99Ms: middle((one) => one.p99Ms),
      bytesPerMessage: middle((one) => one.bytesPerMessage),
      tagBytesPerMessage: middle((one) => one.tagBytesPerMessage),
      seeds,
    };
  });
}

/** The goals of one cell's runs; none where there is nobody to compare with. */
export function goalsOf(runs: readonly DeliveryRun[]): Goal[] {
  const ours = runs.find((run) => run.peer === OURS);
  const others = runs.filter((run) => run.peer !== OURS);
  if (ours === undefined || others.length === 0) return [];
  const { lossPct, p99Ms, bytesPerMessage } = ours;
  const fastest = Math.min(...others.map((run) => run.p99Ms));
  const leanest = Math.min(...others.map((run) => run.bytesPerMessage));
  return [
    { goal: 'p99Ms', lossPct, value: p99Ms, limit: fastest, holds: p99Ms < fastest },
    {
      goal: 'bytesPerMessage',
      lossPct,
      value: bytesPerMessage,
      limit: leanest,
      holds: bytesPerMessage <= leanest,
    },
  ];
}

/** Puts cells together. Goals of a cell with faults are left out: its figures say nothing. */
export function report(plans: readonly CellPlan[], cells: readonly CellResult[]): DeliveryReport {
  const runs = cells.map((cell, at) => runsOf(plans[at]!, cell));
  const reasons = cells.flatMap((cell) =>
    cell.faults.map((fault) => `at ${cell.lossPct} % loss: ${fault}`),
  );
  return {
    runs: runs.flat(),
    goals: runs.flatMap((of, at) => (cells[at]!.faults.length > 0 ? [] : goalsOf(of))),
    valid: reasons.length === 0,
    reasons,
  };
}

/** One cell as lines of a table. */
export function describeCell(runs: readonly DeliveryRun[], cell: CellResult): string {
  const lines = runs.map((run) => {
    const figures = [run.p50Ms, run.p99Ms, run.bytesPerMessage, run.tagBytesPerMessage];
    const columns = figures.map((value) => value.toFixed(1).padStart(9)).join('');
    const p99s = run.seeds.map((one) => Math.round(one.p99Ms)).join(' ');
    const refused = run.seeds.reduce((sum, one) => sum + one.refused, 0);
    const note = refused > 0 ? `  ${refused} sends refused` : '';
    return `${`${run.lossPct} %`.padStart(5)}  ${run.peer.padEnd(9)}${columns}   ${p99s}${note}`;
  });
  const late = [cell.sendLateMsP99, cell.linkLateMsP99].map((ms) => ms.toFixed(1));
  lines.push(`       lateness p99: sends ${late[0]} ms, links ${late[1]} ms`);
  return lines.join('\n');
}

/** Heads the lines of {@link describeCell}. */
export const TABLE_HEAD = ' loss  peer        p50 ms   p99 ms    B/msg    + tag   p99 of each seed';

/** Goals and faults for people. */
export function describeVerdict({ goals, reasons }: DeliveryReport): string {
  const lines = goals.map(({ goal, lossPct, value, limit, holds }) => {
    const wanted = goal === 'p99Ms' ? 'below' : 'at most';
    const what = `${goal} at ${lossPct} % loss: ${value}, ${wanted} ${limit}`;
    return `${holds ? 'goal holds' : 'GOAL FAILS'}: ${what}`;
  });
  lines.push(...reasons.map((reason) => `INVALID: ${reason}`));
  return lines.join('\n');
}

/** Two decimals are more than the clock is good for. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
