// Round-trip estimate: exponential averages of RFC 6298 (gains 1/8 and 1/4), fed with samples from which the
// peer's own ack delay has been taken out.

const SMOOTHING = 1 / 8;
const VARIATION_SMOOTHING = 1 / 4;
/** Before the first sample: long enough not to resend into a slow path. */
const INITIAL_RTT_MS = 250;

/** How long a peer held an ack back, milliseconds. */
export interface AckDelay {
  readonly delayMs: number;
}

/** Smoothed round-trip time and its variation, milliseconds. */
export class RttEstimator {
  /** Columns, not fields: a fractional number in an object field would be boxed anew at each update. */
  readonly #values = new Float64Array([INITIAL_RTT_MS, INITIAL_RTT_MS / 2, INITIAL_RTT_MS]);
  #samples = 0;

  /**
   * One measured round trip: now, less when it was sent (sentAtMs[slot]), less what the peer says it held the ack.
   * The sum is made here, because handing over a fresh fraction would allocate it. Clamped to 0 for lying peers.
   */
  sample(nowMs: number, sentAtMs: Float64Array, slot: number, block: AckDelay): void {
    const values = this.#values;
    const measured = nowMs - sentAtMs[slot]! - block.delayMs;
    const rtt = measured > 0 ? measured : 0;
    if (this.#samples++ === 0) {
      values[0] = rtt;
      values[1] = rtt / 2;
    } else {
      values[1] = values[1]! + (Math.abs(values[0]! - rtt) - values[1]!) * VARIATION_SMOOTHING;
      values[0] = values[0]! + (rtt - values[0]!) * SMOOTHING;
    }
    values[2] = rtt;
  }

  get samples(): number {
    return this.#samples;
  }

  /** Smoothed round trip; the initial guess until the first sample. */
  get smoothedMs(): number {
    return this.#values[0]!;
  }

  /** Mean deviation: the jitter of the statistics. */
  get variationMs(): number {
    return this.#values[1]!;
  }

  get latestMs(): number {
    return this.#values[2]!;
  }

  /** How long after sending a packet it is lost, once one sent later has been acked. */
  get lossDelayMs(): number {
    const smoothed = this.smoothedMs;
    return smoothed + Math.max(4 * this.variationMs, smoothed / 8, 5);
  }
}
