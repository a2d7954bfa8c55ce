// Round-trip estimate: exponential averages of RFC 6298 (gains 1/8 and 1/4), fed with samples from which the
// peer's own ack delay has been taken out.

import { Cells, connectionCells } from './state-cells.ts';

const SMOOTHING = 1 / 8;
const VARIATION_SMOOTHING = 1 / 4;
/** Before the first sample: long enough not to resend into a slow path. */
const INITIAL_RTT_MS = 250;

/** How long a peer held an ack back, milliseconds. */
export interface AckDelay {
  readonly delayMs: number;
}

const At = { smoothed: Cells.rtt, variation: Cells.rtt + 1, latest: Cells.rtt + 2 } as const;

/** Smoothed round-trip time and its variation, milliseconds. */
export class RttEstimator {
  readonly #values: Float64Array;
  #samples = 0;

  constructor(cells = connectionCells()) {
    this.#values = cells;
    this.restart();
  }

  /**
   * One measured round trip: now, less when it was sent (sentAtMs[slot]), less what the peer says it held the ack.
   * The sum is made here, because handing over a fresh fraction would allocate it. Clamped to 0 for lying peers.
   */
  sample(nowMs: number, sentAtMs: Float64Array, slot: number, block: AckDelay): void {
    const values = this.#values;
    const measured = nowMs - sentAtMs[slot]! - block.delayMs;
    const rtt = measured > 0 ? measured : 0;
    if (this.#samples++ === 0) {
      values[At.smoothed] = rtt;
      values[At.variation] = rtt / 2;
    } else {
      values[At.variation] =
        values[At.variation]! +
        (Math.abs(values[At.smoothed]! - rtt) - values[At.variation]!) * VARIATION_SMOOTHING;
      values[At.smoothed] = values[At.smoothed]! + (rtt - values[At.smoothed]!) * SMOOTHING;
    }
    values[At.latest] = rtt;
  }

  /** The path is another one: guesses again. */
  restart(): void {
    this.#values[At.smoothed] = INITIAL_RTT_MS;
    this.#values[At.variation] = INITIAL_RTT_MS / 2;
    this.#values[At.latest] = INITIAL_RTT_MS;
    this.#samples = 0;
  }

  get samples(): number {
    return this.#samples;
  }

  /** Smoothed round trip; the initial guess until the first sample. */
  get smoothedMs(): number {
    return this.#values[At.smoothed]!;
  }

  /** Mean deviation: the jitter of the statistics. */
  get variationMs(): number {
    return this.#values[At.variation]!;
  }

  get latestMs(): number {
    return this.#values[At.latest]!;
  }

  /** How long after sending a packet it is lost, once one sent later has been acked. */
  get lossDelayMs(): number {
    const smoothed = this.smoothedMs;
    return smoothed + Math.max(4 * this.variationMs, smoothed / 8, 5);
  }
}
