// Which loss is congestion and which is the path's own. Packets are judged in windows; the least share that was lost
// in any of the recent windows is the floor, and only loss well above it speaks of the rate.

import { PathCells, pathCells } from './state-cells.ts';

/** A window ends after so many packets and so long, or early when this many of not many more were lost. */
const WINDOW_PACKETS = 64;
const WINDOW_MS = 500;
const EARLY_LOST = 12;
const EARLY_PACKETS = 32;
/** Windows that the floor looks back on: at least six seconds. */
const WINDOWS = 12;
/** Loss above one and a half times the floor by this much is congestion: random loss of 5 % never reaches it. */
const FLOOR_FACTOR = 1.5;
const EXCESS = 0.2;
/** In so many windows in a row: a radio's bursts of loss may fill one, hardly ever the next as well. */
const WINDOWS_ABOVE = 2;
/** Of the loss that led to a cut so much is left: the cut was no help, so the loss is the path's own. */
const LEFT = 0.5;

const FROM = PathCells.loss;
/** `shares` = the first of WINDOWS. */
const At = { since: FROM, floor: FROM + 1, cutShare: FROM + 2, shares: FROM + 3 } as const;

/** Loss of one direction, window by window. */
export class LossShare {
  readonly #values: Float64Array;
  #windows = 0;
  #settled = 0;
  #lost = 0;
  /** Windows in a row with too much loss. */
  #above = 0;

  constructor(cells = pathCells()) {
    this.#values = cells;
  }

  /** Share of packets that the path loses whatever the rate is, 0 to below 1. */
  get floor(): number {
    return this.#values[At.floor]!;
  }

  /** Only packets sent from now on count. */
  restart(nowMs: number): void {
    this.#values[At.since] = nowMs;
    this.#settled = 0;
    this.#lost = 0;
  }

  /** The packet sent at sentAtMs[slot] arrived, or is lost. */
  settle(sentAtMs: Float64Array, slot: number, lost: boolean): void {
    if (sentAtMs[slot]! < this.#values[At.since]!) return;
    this.#settled++;
    if (lost) this.#lost++;
  }

  /** A packet that was counted as lost arrived after all. */
  correct(sentAtMs: Float64Array, slot: number): void {
    if (this.#lost > 0 && sentAtMs[slot]! >= this.#values[At.since]!) this.#lost--;
  }

  /** Ends the window if it is long enough. True = so much was lost in it that the rate must fall. */
  judge(nowMs: number): boolean {
    const early = this.#lost >= EARLY_LOST && this.#settled <= EARLY_PACKETS;
    const long = this.#settled >= WINDOW_PACKETS && nowMs >= this.#values[At.since]! + WINDOW_MS;
    if (!early && !long) return false;
    const share = this.#lost / this.#settled;
    this.restart(nowMs);
    this.#learn(share);
    const values = this.#values;
    const afterCut = values[At.cutShare]! > 0 && share > LEFT * values[At.cutShare]!;
    if (afterCut) this.#own(share);
    const above = !afterCut && share > FLOOR_FACTOR * values[At.floor]! + EXCESS;
    this.#above = above ? this.#above + 1 : 0;
    const congested = this.#above === WINDOWS_ABOVE;
    if (congested) this.#above = 0;
    values[At.cutShare] = congested ? share : 0;
    return congested;
  }

  #learn(share: number): void {
    const values = this.#values;
    values[At.shares + (this.#windows++ % WINDOWS)] = share;
    let floor = share;
    for (let i = 0; i < Math.min(this.#windows, WINDOWS); i++) {
      floor = Math.min(floor, values[At.shares + i]!);
    }
    values[At.floor] = Math.min(floor, 0.9);
  }

  /** All of this loss is the path's own. */
  #own(share: number): void {
    this.#values.fill(share, At.shares, At.shares + WINDOWS);
    this.#values[At.floor] = Math.min(share, 0.9);
  }
}
