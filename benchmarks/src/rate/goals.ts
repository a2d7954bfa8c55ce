// The goals of the rate controller, measured as MEASURING.md has it: one number a seed, and the bound that each of
// them must keep.

import { type ConditionName, type LinkOptions, presets } from '@tickwire/netsim';
import { ascending, median, percentile } from '../percentile.ts';
import { type FlowPlan, Path } from './path.ts';

const SECONDS = 60;
/** From here on the queue and the use of the link count. */
const SETTLED_SECOND = 5;
/** The second connection comes so late; from then on the share counts. */
const LATE_MS = 10_000;
const SHARED_SECOND = 30;
/** The queue is read so often in each second. */
const READINGS = 500;
const MESSAGE_EVERY_MS = 50;
/** Small messages are measured while so much is transferred, from its first byte on. */
const LEVEL_BYTES = 4 * 1024 * 1024;
const LEVEL_SECONDS_MAX = 300;

/** Presets with jitter, and from when to when their use is measured. On `satellite` the start is not over by then. */
const NOISY = ['wifi', 'lte', 'bad-wifi', 'satellite'] as const;
const NOISY_FROM_MS = 10_000;
const NOISY_UNTIL_MS = 30_000;

/** One goal, measured with each seed. */
export interface GoalResult {
  readonly name: string;
  readonly unit: '%' | 'ms';
  /** By seed, the first one first. */
  readonly values: readonly number[];
  readonly median: number;
  /** The value furthest on the wrong side. */
  readonly worst: number;
  readonly limit: number;
  /** Whether the limit is the least or the most that a value may be. */
  readonly bound: 'at least' | 'at most';
  /** Whether the worst value keeps it. */
  readonly holds: boolean;
}

interface Measured {
  /** Median queue of each second, ms. */
  readonly queuesMs: readonly number[];
  /** Bytes that each connection had through the bottleneck by the end of each second. */
  readonly passedBytes: readonly (readonly number[])[];
}

interface Wire {
  readonly kbps: number;
  readonly rttMs: number;
}

/** The slow link of the goals, with a tail-drop buffer of 200 ms. */
const SLOW: Wire = { kbps: 256, rttMs: 50 };
const CABLE: Wire = { kbps: 10_000, rttMs: 20 };

const transfer: FlowPlan = {};

function pathOf(seed: number, wire: Wire, ways: LinkOptions, flows: readonly FlowPlan[]): Path {
  return new Path({
    seed,
    bottleneck: { rateKbps: wire.kbps, queueBytes: (wire.kbps / 8) * 200 },
    ways: { latencyMs: wire.rttMs / 2, ...ways },
    flows,
  });
}

function run(seed: number, wire: Wire, ways: LinkOptions, flows: readonly FlowPlan[]): Measured {
  const path = pathOf(seed, wire, ways, flows);
  const queuesMs: number[] = [];
  const passedBytes: number[][] = [];
  for (let second = 0; second < SECONDS; second++) {
    const readings = new Float64Array(READINGS);
    for (let n = 0; n < READINGS; n++) {
      path.run(second * 1000 + ((n + 1) * 1000) / READINGS);
      readings[n] = path.bottleneck.queueMs(path.nowMs);
    }
    queuesMs.push(median(readings));
    passedBytes.push(path.passedBytes);
  }
  return { queuesMs, passedBytes };
}

/** Bytes of each connection from the start of a second to the end. */
function bytesSince({ passedBytes }: Measured, second: number): number[] {
  return passedBytes.at(-1)!.map((bytes, i) => bytes - passedBytes[second - 1]![i]!);
}

/** Percent of the link that was used once things had settled. */
function used(measured: Measured, { kbps }: Wire): number {
  const bytes = bytesSince(measured, SETTLED_SECOND).reduce((a, b) => a + b, 0);
  return (100 * bytes) / ((kbps / 8) * 1000 * (SECONDS - SETTLED_SECOND));
}

/** The worst second's median queue, ms. */
function worstQueueMs({ queuesMs }: Measured): number {
  return Math.max(...queuesMs.slice(SETTLED_SECOND));
}

/** Percent of what both had that the larger one had. */
function largerShare(measured: Measured): number {
  const [a = 0, b = 0] = bytesSince(measured, SHARED_SECOND);
  return (100 * Math.max(a, b)) / (a + b);
}

/** By how much a transfer of 4 MiB raises the p99 of small messages beside it, ms. */
function raisedP99(seed: number, wire: Wire): number {
  const messageEveryMs = MESSAGE_EVERY_MS;
  const busy = pathOf(seed, wire, {}, [{ messageEveryMs }]);
  for (let second = 1; busy.passedBytes[0]! < LEVEL_BYTES; second++) {
    if (second > LEVEL_SECONDS_MAX) throw new Error(`4 MiB took more than ${LEVEL_SECONDS_MAX} s`);
    busy.run(second * 1000);
  }
  const quiet = pathOf(seed, wire, {}, [{ messageEveryMs, transfers: false }]);
  quiet.run(busy.nowMs);
  const [loaded, unloaded] = [busy, quiet].map(({ messageDelaysMs }) =>
    percentile(ascending(messageDelaysMs), 99),
  );
  return loaded! - unloaded!;
}

/** Bytes that pass on the way down of a preset, the start left out; both ways have its delay and its loss. */
function passed(seed: number, name: ConditionName, flow: FlowPlan): number {
  const { down } = presets[name];
  const { rateKbps = Number.POSITIVE_INFINITY, queueBytes = 0, ...ways } = down;
  const path = new Path({ seed, bottleneck: { rateKbps, queueBytes }, ways, flows: [flow] });
  path.run(NOISY_FROM_MS);
  const before = path.passedBytes[0]!;
  path.run(NOISY_UNTIL_MS);
  return path.passedBytes[0]! - before;
}

/** Percent of what passes if the link's rate is known from the start: there only windows and losses limit. */
function usedOfPreset(seed: number, name: ConditionName): number {
  const bytesPerSecond = (presets[name].down.rateKbps! * 1000) / 8;
  const rate = { minBytesPerSecond: bytesPerSecond, maxBytesPerSecond: bytesPerSecond };
  return (100 * passed(seed, name, transfer)) / passed(seed, name, { rate });
}

interface Row {
  readonly name: string;
  readonly unit: '%' | 'ms';
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
  readonly values: number[];
}

function rows(): Record<string, Row> {
  const row = (name: string, bound: Row['bound'], limit: number, unit: Row['unit'] = '%'): Row => ({
    name,
    unit,
    bound,
    limit,
    values: [],
  });
  return {
    queue: row('median queue in the worst second', 'at most', 50, 'ms'),
    used: row('use of the link', 'at least', 80),
    share: row('share of the larger of two', 'at most', 60),
    usedByTwo: row('use of the link by two', 'at least', 80),
    loss: row('cost of 5 % random loss', 'at most', 20),
    jitter: row('cost of 40 ms of jitter', 'at most', 20),
    slowP99: row('p99 beside 4 MiB, 256 kbit/s', 'at most', 80, 'ms'),
    cableP99: row('p99 beside 4 MiB, 10 Mbit/s', 'at most', 2 * (1000 / 60), 'ms'),
    cableUsed: row('use of a link of 10 Mbit/s', 'at least', 80),
    ...Object.fromEntries(
      NOISY.map((name) => [
        name,
        row(`use of ${name}, of what it can give`, 'at least', name === 'satellite' ? 40 : 50),
      ]),
    ),
  };
}

function measureSeed(seed: number, of: Record<string, Row>): void {
  const put = (name: string, value: number) => of[name]!.values.push(value);
  const alone = run(seed, SLOW, {}, [transfer]);
  const usedAlone = used(alone, SLOW);
  put('queue', worstQueueMs(alone));
  put('used', usedAlone);
  const two = run(seed, SLOW, {}, [transfer, { startMs: LATE_MS }]);
  put('share', largerShare(two));
  put('usedByTwo', used(two, SLOW));
  const cost = (ways: LinkOptions) =>
    100 * (1 - used(run(seed, SLOW, ways, [transfer]), SLOW) / usedAlone);
  put('loss', cost({ loss: 0.05 }));
  put('jitter', cost({ jitterMs: 40 }));
  put('slowP99', raisedP99(seed, SLOW));
  put('cableP99', raisedP99(seed, CABLE));
  put('cableUsed', used(run(seed, CABLE, {}, [transfer]), CABLE));
  for (const name of NOISY) put(name, usedOfPreset(seed, name));
}

/** Measures all goals with so many seeds, from 1 on. */
export function measureGoals(seeds: number): GoalResult[] {
  const of = rows();
  for (let seed = 1; seed <= seeds; seed++) measureSeed(seed, of);
  return Object.values(of).map(({ name, unit, bound, limit, values }) => {
    const most = bound === 'at most';
    const worst = most ? Math.max(...values) : Math.min(...values);
    const holds = most ? worst <= limit : worst >= limit;
    return { name, unit, bound, limit, values, median: median(values), worst, holds };
  });
}
