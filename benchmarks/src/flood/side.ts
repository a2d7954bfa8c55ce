// The frame that all processes of the flood bench share: take the order, report ready, answer commands with readings.

import { Lateness } from '../lateness.ts';
import type { Command, FloodCounts, FloodOrder, Reading, Ready } from './order.ts';

/** One process, up and joined. */
export interface Side {
  /** Where it listens; 0 = nowhere. */
  readonly port: number;
  counts(): FloodCounts;
  start(): void;
  /** The window opens. */
  open(): void;
  /** The window closes. */
  close(): void;
}

/** Makes a side; it tells `late` how late it takes each of its steps, ms. */
export type OpenSide = (order: FloodOrder, late: (lateMs: number) => void) => Promise<Side>;

/** Runs this process as the side that its first argument orders. */
export async function runSide(order: FloodOrder, openSide: OpenSide): Promise<void> {
  // Nothing may outlive the bench.
  process.once('disconnect', () => process.exit());
  if (!process.connected) process.exit();
  const lateness = new Lateness();
  const side = await openSide(order, (lateMs) => lateness.record(lateMs));
  process.on('message', (command: Command) => {
    if (command === 'open') lateness.reset();
    if (command !== 'read') side[command]();
    process.send!(read(side, lateness.msP99));
  });
  const ready: Ready = { port: side.port };
  process.send!(ready);
}

function read(side: Side, lateMsP99: number): Reading {
  const { user, system } = process.cpuUsage();
  return { atMs: performance.now(), cpuUs: user + system, lateMsP99, counts: side.counts() };
}
