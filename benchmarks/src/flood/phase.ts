// One phase of the bench: a target, its load, a window, and what came of it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Cores } from '../cores.ts';
import { Child } from './child.ts';
import type { Command, FloodOrder, Reading, Role } from './order.ts';

/** Time for the compiler to settle, with the whole load. */
const WARM_UP_MS = 1500;
/** What is under way when the window closes arrives within this. */
const SETTLE_MS = 300;

/** Phases by name: the raw receiver under the flood, the server with players, and with both. */
export const phases = {
  raw: ['receiver', 'flooder'],
  calm: ['server', 'players'],
  flood: ['server', 'players', 'flooder'],
} as const satisfies Record<string, readonly Role[]>;

/** A key of {@link phases}. */
export type PhaseName = keyof typeof phases;

/** What one process did in the window. */
export interface ProcessWindow {
  readonly elapsedMs: number;
  readonly cpuUs: number;
  readonly lateMsP99: number;
  /** Hostile datagrams in the window. */
  readonly hostile: number;
  readonly inputs: number;
  readonly joinMs: readonly number[];
  readonly receiveBufferBytes: number;
  /** Datagrams that found this buffer full; undefined where the system does not tell. */
  readonly dropped: number | undefined;
}

/** A phase's figures: those of the target first; `players` and `flooder` where it has them. */
export interface PhaseResult {
  readonly target: ProcessWindow;
  readonly players?: ProcessWindow;
  readonly flooder?: ProcessWindow;
}

/** Runs a phase once. Rejects with why when it breaks off; nothing of it is left either way. */
export async function runPhase(
  name: PhaseName,
  order: Omit<FloodOrder, 'role' | 'port'>,
  cores: Cores | string,
): Promise<PhaseResult> {
  const children: Child[] = [];
  try {
    let port = 0;
    // One after the other: players have joined before the flood begins.
    for (const role of phases[name]) {
      const child = new Child({ ...order, role, port }, cores);
      children.push(child);
      const ready = await child.ready();
      port ||= ready.port;
    }
    const windows = await measure(children, order.windowMs);
    const of = (role: Role) => windows[(phases[name] as readonly Role[]).indexOf(role)];
    const [target] = windows as [ProcessWindow];
    const players = of('players');
    const flooder = of('flooder');
    return { target, ...(players && { players }), ...(flooder && { flooder }) };
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

async function measure(children: readonly Child[], windowMs: number): Promise<ProcessWindow[]> {
  const all = (command: Command) => Promise.all(children.map((child) => child.ask(command)));
  await all('start');
  await sleep(WARM_UP_MS);
  const open = await all('open');
  await sleep(windowMs);
  const close = await all('close');
  await sleep(SETTLE_MS);
  const end = await all('read');
  return children.map((_, i) => windowOf(open[i]!, close[i]!, end[i]!));
}

function windowOf(open: Reading, close: Reading, end: Reading): ProcessWindow {
  return {
    elapsedMs: close.atMs - open.atMs,
    cpuUs: close.cpuUs - open.cpuUs,
    lateMsP99: close.lateMsP99,
    hostile: close.counts.hostile - open.counts.hostile,
    // Those of the window are marked, so all of them count that arrive.
    inputs: end.counts.inputs,
    joinMs: end.counts.joinMs,
    receiveBufferBytes: end.counts.receiveBufferBytes,
    dropped: difference(close.counts.dropped, open.counts.dropped),
  };
}

function difference(now: number | undefined, before: number | undefined): number | undefined {
  return now === undefined || before === undefined ? undefined : now - before;
}
