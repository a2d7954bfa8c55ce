// The frame that both measured processes share: take the order, report ready, wait for the start, step at a
// fixed pace, report the window. They work on until the bench ends them, so that the other's window stays full.

import { Lateness } from './lateness.ts';
import { Pace } from './pace.ts';
import type { Traffic } from './peers/peer.ts';
import type { ProcessMessage, RunOrder } from './tick-message.ts';
import { TickWindow } from './tick-window.ts';

/** One side of a run, up and joined. */
export interface Side {
  readonly port: number;
  readonly traffic: Traffic;
  readonly stepMs: number;
  step(index: number): void;
}

/** Runs this process as one side of the run that its first argument orders. */
export async function runSide(open: (order: RunOrder) => Promise<Side>): Promise<void> {
  const order: RunOrder = JSON.parse(process.argv[2] ?? '');
  // Nothing may outlive the bench.
  process.once('disconnect', () => process.exit());
  const side = await open(order);
  process.once('message', () => measure(order, side));
  tell({ kind: 'ready', port: side.port });
}

function measure(order: RunOrder, side: Side): void {
  const window = new TickWindow(order.warmUpMs, order.seconds * 1000, side.traffic);
  const late = new Lateness();
  const step = (index: number) => {
    const result = window.step();
    if (result !== undefined) {
      tell({ kind: 'done', window: result, lateMsP99: late.msP99 });
    }
    side.step(index);
  };
  const record = (lateMs: number) => {
    if (window.open) late.record(lateMs);
  };
  new Pace(side.stepMs, step, record).start();
}

function tell(message: ProcessMessage): void {
  process.send!(message);
}
