// When an ack has to leave. It waits for a packet to ride in, but not for long; one that shows a packet missing does not
// wait at all and is said twice, since somebody holds back what came after.

import { Cells, connectionCells } from './state-cells.ts';

/** An ack waits at most so long: half the time that a resend can be expected to wait for it. */
const DELAY_MAX_MS = 25;
/** A hurried ack is said again so soon, unless another packet has left by then. */
const ECHO_MS = 5;

const DUE = Cells.ackTimer;

/** See the head of the file. */
export class AckTimer {
  readonly #dueMs: Float64Array;
  #hurried = false;

  constructor(cells = connectionCells()) {
    this.#dueMs = cells;
    cells[DUE] = Number.POSITIVE_INFINITY;
  }

  /** A packet that wants an ack was kept; out of order = it is not the one after the newest. */
  owe(nowMs: number, outOfOrder: boolean): void {
    const due = this.#dueMs;
    // Two branches with a store each: one variable for both sums would be boxed.
    if (!outOfOrder) {
      if (nowMs + DELAY_MAX_MS < due[DUE]!) due[DUE] = nowMs + DELAY_MAX_MS;
      return;
    }
    this.#hurried = true;
    if (nowMs < due[DUE]!) due[DUE] = nowMs;
  }

  /** A packet leaves, and every packet has the acks in it. */
  sent(nowMs: number): void {
    this.#dueMs[DUE] = this.#hurried ? nowMs + ECHO_MS : Number.POSITIVE_INFINITY;
    this.#hurried = false;
  }

  /** Whether an ack may wait no longer. */
  overdue(nowMs: number): boolean {
    return nowMs >= this.#dueMs[DUE]!;
  }

  /** When it may not; Infinity = none is owed. */
  wakeAt(): number {
    return this.#dueMs[DUE]!;
  }
}
