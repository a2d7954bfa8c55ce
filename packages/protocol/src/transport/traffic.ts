// What passed over a connection: packets and bytes since the start, and bytes a second. UDP payload.

import { Cells, connectionCells } from './state-cells.ts';

const SLICES = 8;
const SLICE_MS = 125;

/** Cells, counted from the direction's first; `slices` = bytes in each of the last slices of time, in a ring. */
const At = { packets: 0, bytes: 1, slices: 2 } as const;

/** One direction. */
export class Traffic {
  readonly #values: Float64Array;
  readonly #from: number;
  #slice = 0;

  /** @param from the first of its cells. */
  constructor(cells = connectionCells(), from: number = Cells.trafficOut) {
    this.#values = cells;
    this.#from = from;
  }

  get packets(): number {
    return this.#values[this.#from + At.packets]!;
  }

  get bytes(): number {
    return this.#values[this.#from + At.bytes]!;
  }

  /** A packet of so many bytes passed. */
  add(nowMs: number, sizeBytes: number): void {
    this.#moveTo(nowMs);
    const values = this.#values;
    const from = this.#from;
    values[from + At.packets]!++;
    values[from + At.bytes]! += sizeBytes;
    values[from + At.slices + (this.#slice % SLICES)]! += sizeBytes;
  }

  /** Mean over the last 875 to 1000 ms. */
  bytesPerSecond(nowMs: number): number {
    this.#moveTo(nowMs);
    let sum = 0;
    const slices = this.#from + At.slices;
    for (let i = 0; i < SLICES; i++) sum += this.#values[slices + i]!;
    // The slice under way counts as far as it has come.
    const currentMs = Math.max(0, nowMs - this.#slice * SLICE_MS);
    return (sum * 1000) / ((SLICES - 1) * SLICE_MS + currentMs);
  }

  #moveTo(nowMs: number): void {
    const slice = Math.floor(nowMs / SLICE_MS);
    if (slice <= this.#slice) return;
    const passed = Math.min(SLICES, slice - this.#slice);
    const slices = this.#from + At.slices;
    for (let i = 0; i < passed; i++) this.#values[slices + ((slice - i) % SLICES)] = 0;
    this.#slice = slice;
  }
}
