// What the runs of the tick bench say together: medians, ratios of interleaved rounds, and whether they hold.

import { median } from './percentile.ts';
import type { RunResult } from './tick-run.ts';

/** Fewer rounds cannot tell a ratio from chance. */
const ROUNDS_MIN = 3;
/** Rounds of a ratio may differ by this part of their median. */
const ROUNDS_SPREAD_MAX = 0.1;

/** The last line of `--json`. */
export interface TickReport {
  readonly runs: readonly RunResult[];
  /** Median of the valid runs, by peer. */
  readonly usPerClientTick: Readonly<Record<string, number>>;
  /** Tickwire's server CPU over raw dgram's, and over that of ws; null = not measured, or not valid. */
  readonly ratioToDgram: number | null;
  readonly ratioToWs: number | null;
  readonly valid: boolean;
  /** Why not, or why a ratio is missing. */
  readonly reasons: readonly string[];
  /** Peers left out, and why. */
  readonly skipped: Readonly<Record<string, string>>;
}

/** Puts the runs together. */
export function report(
  runs: readonly RunResult[],
  skipped: Readonly<Record<string, string>>,
): TickReport {
  const reasons = runs
    .filter((run) => !run.valid)
    .map((run) => `${run.peer}, round ${run.round}: ${run.reason}`);
  const ratios = [ratio(runs, 'dgram'), ratio(runs, 'ws')];
  const broken = reasons.length > 0;
  if (!broken) reasons.push(...ratios.flatMap(({ reason }) => reason ?? []));
  const [toDgram, toWs] = ratios.map(({ value }) => (broken ? null : value));
  return {
    runs,
    usPerClientTick: medians(runs),
    ratioToDgram: toDgram ?? null,
    ratioToWs: toWs ?? null,
    valid: reasons.length === 0,
    reasons,
    skipped,
  };
}

/** The report for people; the runs themselves have been shown as they ended. */
export function describe(of: TickReport): string {
  const lines = Object.entries(of.usPerClientTick).map(
    ([peer, us]) => `${peer.padEnd(10)} median ${us.toFixed(2)} us per client-tick`,
  );
  if (of.ratioToDgram !== null) lines.push(`tickwire / dgram  ${of.ratioToDgram.toFixed(2)}`);
  if (of.ratioToWs !== null) lines.push(`tickwire / ws     ${of.ratioToWs.toFixed(2)}`);
  for (const [peer, reason] of Object.entries(of.skipped)) lines.push(`${peer} skipped: ${reason}`);
  for (const reason of of.reasons) lines.push(`INVALID: ${reason}`);
  return lines.join('\n');
}

/** One run as a line of a table. */
export function describeRun(run: RunResult): string {
  const us = `${run.usPerClientTick.toFixed(2)} us`.padStart(9);
  const sizes =
    run.upBytes === undefined ? '' : `  ${run.upBytes} B up, ${run.downBytes} B down in a datagram`;
  const verdict = run.valid ? sizes : `  INVALID: ${run.reason}`;
  return `round ${run.round}  ${run.peer.padEnd(10)} ${us} per client-tick${verdict}`;
}

interface Ratio {
  readonly value: number | null;
  readonly reason?: string;
}

/** Tickwire over `base`, round by round. Without both peers there is nothing to say, and no fault. */
function ratio(runs: readonly RunResult[], base: string): Ratio {
  const above = runs.filter((run) => run.peer === 'tickwire');
  const below = runs.filter((run) => run.peer === base);
  if (above.length === 0 || below.length === 0) return { value: null };
  if (above.length < ROUNDS_MIN) {
    return { value: null, reason: `ratio to ${base}: fewer than ${ROUNDS_MIN} rounds` };
  }
  const rounds = above.map((run, i) => run.usPerClientTick / below[i]!.usPerClientTick);
  const middle = median(rounds);
  const spread = (Math.max(...rounds) - Math.min(...rounds)) / middle;
  if (spread <= ROUNDS_SPREAD_MAX) return { value: Math.round(middle * 1000) / 1000 };
  const list = rounds.map((value) => value.toFixed(2)).join(', ');
  return { value: null, reason: `ratio to ${base}: rounds differ by ${percent(spread)} (${list})` };
}

function medians(runs: readonly RunResult[]): Record<string, number> {
  const valid = runs.filter((run) => run.valid);
  const names = [...new Set(valid.map((run) => run.peer))];
  const of = (name: string) => valid.filter((run) => run.peer === name);
  return Object.fromEntries(
    names.map((name) => [name, median(of(name).map((run) => run.usPerClientTick))]),
  );
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
