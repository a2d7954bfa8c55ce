// What passed over a connection: packets and bytes since the start, by channel, and bytes a second. UDP payload.

import { CHANNELS_MAX } from './channel.ts';

const SLICES = 8;
const SLICE_MS = 125;

/** One direction. Columns, so that counting never allocates. */
export class Traffic {
  /** Section bodies' bytes by channel id. */
  readonly channelBytes = new Float64Array(CHANNELS_MAX);
  readonly #totals = new Float64Array(2);
  /** Bytes in each of the last slices of time, in a ring. */
  readonly #slices = new Float64Array(SLICES);
  #slice = 0;

  get packets(): number {
    return this.#totals[0]!;
  }

  get bytes(): number {
    return this.#totals[1]!;
  }

  /** A packet of so many bytes passed. */
  add(nowMs: number, sizeBytes: number): void {
    this.#totals[0]!++;
    this.#totals[1]! += sizeBytes;
    this.#moveTo(nowMs);
    this.#slices[this.#slice % SLICES]! += sizeBytes;
  }

  /** Mean over the last 875 to 1000 ms. */
  bytesPerSecond(nowMs: number): number {
    this.#moveTo(nowMs);
    let sum = 0;
    for (let i = 0; i < SLICES; i++) sum += this.#slices[i]!;
    // The slice under way counts as far as it has come.
    const currentMs = Math.max(0, nowMs - this.#slice * SLICE_MS);
    return (sum * 1000) / ((SLICES - 1) * SLICE_MS + currentMs);
  }

  #moveTo(nowMs: number): void {
    const slice = Math.floor(nowMs / SLICE_MS);
    if (slice <= this.#slice) return;
    const passed = Math.min(SLICES, slice - this.#slice);
    for (let i = 0; i < passed; i++) this.#slices[(slice - i) % SLICES] = 0;
    this.#slice = slice;
  }
}
