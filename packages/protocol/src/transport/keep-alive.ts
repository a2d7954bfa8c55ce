// When a side that has nothing to say pings, so that it is known to live, and when a silent peer is given up.

import { type ConnectionTuning, resolveTimes } from './connection-options.ts';
import { Cells, connectionCells } from './state-cells.ts';

/** Until the peer is heard: the accepted side only becomes live with the first packet that arrives there. */
const GREETING_MS = 200;

const At = { lastSent: Cells.keepAlive, lastHeard: Cells.keepAlive + 1 } as const;

/** See the head of the file. */
export class KeepAlive {
  readonly #timeoutMs: number;
  readonly #keepAliveMs: number;
  readonly #times: Float64Array;
  #heard = false;
  #pingDue = false;

  constructor(nowMs: number, tuning: ConnectionTuning, cells = connectionCells()) {
    this.#times = cells;
    const { timeoutMs, keepAliveMs } = resolveTimes(tuning);
    this.#timeoutMs = timeoutMs;
    this.#keepAliveMs = keepAliveMs;
    this.#times[At.lastHeard] = nowMs;
    // As if silent for so long already: the first flush greets.
    this.#times[At.lastSent] = nowMs - this.#quietMs;
  }

  /** Nothing was said for so long that the next flush is to ping. */
  get pingDue(): boolean {
    return this.#pingDue;
  }

  /** A packet leaves. */
  sent(nowMs: number): void {
    this.#times[At.lastSent] = nowMs;
    this.#pingDue = false;
  }

  /** An authentic packet came. True = the first. */
  heard(nowMs: number): boolean {
    this.#times[At.lastHeard] = nowMs;
    const first = !this.#heard;
    this.#heard = true;
    return first;
  }

  /** True = nothing was heard for the timeout. */
  advance(nowMs: number): boolean {
    // The same sums as in wakeAt, so that rounding cannot let one of them see it earlier than the other.
    if (nowMs >= this.#times[At.lastSent]! + this.#quietMs) this.#pingDue = true;
    return nowMs >= this.#times[At.lastHeard]! + this.#timeoutMs;
  }

  wakeAt(): number {
    const times = this.#times;
    return Math.min(times[At.lastHeard]! + this.#timeoutMs, times[At.lastSent]! + this.#quietMs);
  }

  /** How long nothing may be sent before a ping is due. */
  get #quietMs(): number {
    return this.#heard ? this.#keepAliveMs : Math.min(GREETING_MS, this.#keepAliveMs);
  }
}
