// `npm run demo`: the arena played by bots over a bad network, shown live and judged by the truth.
// Composition: the processes stand in arena-run.ts, the demands in verdict.ts, the picture in terminal-view.ts.

import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { TickwireError } from '@tickwire/protocol';
import { arena } from './arena.ts';
import { ArenaRun } from './arena-run.ts';
import { type DemoOptions, demoHelp, parseDemoOptions } from './demo-options.ts';
import { type Figures, ratesBetween } from './figures.ts';
import { LineView } from './line-view.ts';
import { TerminalView } from './terminal-view.ts';
import { reachVerdict, type Verdict } from './verdict.ts';

/** At the end inputs are silent for so long, and after this much of it bots are asked what they know. */
const SILENT_MS = 1500;
const SETTLED_MS = 700;

/** How a run came out. */
interface Outcome {
  readonly before: Figures | undefined;
  readonly after: Figures | undefined;
  readonly failures: readonly string[];
  readonly verdict: Verdict | undefined;
  readonly joined: number;
}

try {
  const options = parseDemoOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(demoHelp);
  else process.exitCode = await demo(options);
} catch (error) {
  if (!(error instanceof TickwireError && error.code === 'usage')) throw error;
  process.stderr.write(`demo: ${error.message}\nSee npm run demo -- --help.\n`);
  process.exitCode = 2;
}

/** Runs it; returns the exit code. */
async function demo(options: DemoOptions): Promise<number> {
  const stop = new AbortController();
  let endedBy: NodeJS.Signals | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      endedBy ??= signal;
      stop.abort();
    });
  }
  // A reader that has gone away is no reason to leave children behind.
  process.stdout.on('error', () => stop.abort());
  const outcome = await play(options, stop);
  const interrupted = endedBy !== undefined && options.seconds !== undefined;
  const failures = [...outcome.failures];
  if (interrupted) failures.push(`interrupted: ended by ${endedBy} before its time was over`);
  for (const failure of failures) process.stderr.write(`demo failed: ${failure}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify(toJson(options, outcome, failures))}\n`);
  else if (failures.length === 0) process.stdout.write(`${farewell(outcome)}\n`);
  if (interrupted && endedBy !== undefined) return 128 + constants.signals[endedBy];
  return failures.length === 0 ? 0 : 1;
}

/** Starts, shows, silences, judges and ends a run, whatever happens in between. */
async function play(options: DemoOptions, stop: AbortController): Promise<Outcome> {
  const live = process.stdout.isTTY === true && !options.json;
  const run = new ArenaRun(options, live, stop);
  const view = live ? new TerminalView(run, options) : new LineView(run, options);
  let before: Figures | undefined;
  let after: Figures | undefined;
  try {
    view.open();
    await run.start();
    before = await run.freshFigures();
    await untilEnd(run, options, stop.signal);
    after = await run.freshFigures();
  } finally {
    view.close();
    await run.end();
  }
  if (run.complaints !== '') process.stderr.write(run.complaints);
  const judged = options.seconds !== undefined && !stop.signal.aborted;
  const evidence = run.judge.finish();
  const verdict = judged ? reachVerdict(evidence, { players: options.players }) : undefined;
  const failures = [...run.failures, ...(verdict?.failures ?? [])];
  if (judged && (before === undefined || after === undefined)) {
    failures.push('figures: a process did not answer when asked for its numbers');
  }
  return { before, after, failures, verdict, joined: run.joined };
}

async function untilEnd(run: ArenaRun, { seconds }: DemoOptions, stop: AbortSignal): Promise<void> {
  const endAtMs = performance.now() + (seconds ?? Number.POSITIVE_INFINITY) * 1000;
  await sleepUntil(endAtMs - SILENT_MS, stop);
  if (stop.aborted) return;
  run.silence();
  await sleepUntil(endAtMs - SILENT_MS + SETTLED_MS, stop);
  await run.confirm();
  await sleepUntil(endAtMs, stop);
}

/** Sleeps in short stretches: timers do not take infinity, and a clock that jumps does not matter. */
async function sleepUntil(atMs: number, signal: AbortSignal): Promise<void> {
  const stretchMs = 1000;
  while (!signal.aborted && performance.now() < atMs) {
    const leftMs = Math.min(stretchMs, atMs - performance.now());
    await sleep(Math.max(1, leftMs), undefined, { signal }).catch(() => {});
  }
}

/** What the last line of `--json` says. */
function toJson(options: DemoOptions, outcome: Outcome, failures: readonly string[]): object {
  const { before, after, verdict, joined } = outcome;
  const rates = before && after ? ratesBetween(before, after) : undefined;
  return rounded({
    players: options.players,
    matches: options.matches,
    joined,
    tickHz: arena.tickHz,
    seconds: 0,
    ...rates,
    verifiedTicks: verdict?.verifiedTicks ?? 0,
    mispredictedTicksPct: verdict?.mispredictedTicksPct ?? 0,
    synchronised: verdict?.synchronised ?? false,
    judged: verdict !== undefined,
    latencyMs: options.latency,
    jitterMs: options.jitter,
    lossPct: options.loss,
    seed: options.seed,
    node: process.version,
    failures,
  });
}

function farewell({ joined, verdict }: Outcome): string {
  if (verdict === undefined) return `The arena has closed; ${joined} bots have played.`;
  const right = (100 - verdict.mispredictedTicksPct).toFixed(2);
  const ticks = `${right} % of ${verdict.verifiedTicks} ticks predicted right`;
  return `Every demand held: ${joined} bots joined, ${ticks}, all synchronised in the end.`;
}

/** Numbers to four decimals. */
function rounded(values: Record<string, unknown>): Record<string, unknown> {
  const round = (value: unknown) =>
    typeof value === 'number' ? Math.round(value * 1e4) / 1e4 : value;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, round(value)]));
}
