// Who may go with the credit that the rate control gives. What is not of the lowest priority may put it into debt by one
// packet, and so need not wait for the debt that a packet of the lowest has made.

import type { RateController } from './rate-controller.ts';
import { PathCells, pathCells } from './state-cells.ts';

const DUE = PathCells.gate;

/** See the head of the file. One for a connection: `open` at a flush, `ready` before each packet, `close` at the end. */
export class CreditGate {
  readonly #rate: RateController;
  /** When the first of those that were held back may go. */
  readonly #dueMs: Float64Array;
  #credit = 0;
  #debtBytes = 0;
  #starved = false;

  constructor(rate: RateController, cells = pathCells()) {
    this.#dueMs = cells;
    this.#rate = rate;
  }

  /** A flush begins. */
  open(): void {
    this.#starved = false;
  }

  /** The next packet is due; `debtBytes` = what the longest costs. */
  ready(nowMs: number, debtBytes: number): void {
    this.#credit = this.#rate.credit(nowMs);
    this.#debtBytes = debtBytes;
  }

  /** Whether a channel may write into it; background = of the lowest priority of several. */
  passes(nowMs: number, background: boolean): boolean {
    const debtBytes = background ? 0 : this.#debtBytes;
    if (this.#credit + debtBytes > 0) return true;
    const bytesPerMs = this.#rate.bytesPerSecond / 1000;
    const waitMs = (1 - this.#credit - debtBytes) / bytesPerMs;
    if (!this.#starved || nowMs + waitMs < this.#dueMs[DUE]!) this.#dueMs[DUE] = nowMs + waitMs;
    this.#starved = true;
    return false;
  }

  /** The flush is over. */
  close(nowMs: number): void {
    this.#rate.flushed(nowMs, this.#starved);
  }

  /** Whether those who were held back in the last flush have to wait still. */
  waits(nowMs: number): boolean {
    return this.#starved && nowMs < this.#dueMs[DUE]!;
  }

  /** When they need not; Infinity = nobody was. */
  wakeAt(): number {
    return this.#starved ? this.#dueMs[DUE]! : Number.POSITIVE_INFINITY;
  }
}
