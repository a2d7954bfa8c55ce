// The quantised rows of one archetype at one tick: what snapshots are written from, deltas are taken against,
// and rewinds look into. A ring of them is the server's history.

import type { Layout } from './layout.ts';
import { quantiseRow, type Table } from './table.ts';

/** Quantised state of one archetype at one tick. Slots are those of the table it was taken from. */
export class Frame {
  readonly layout: Layout;
  /** -1 = empty. */
  tick = -1;
  count = 0;
  /** Used slots by ascending id; valid up to `count`. */
  readonly order: Int32Array;
  /** Entity id by slot, 0 = none. */
  readonly ids: Uint32Array;
  /** Quantised values, [slot * stride + field]. */
  readonly values: Int32Array;

  constructor(layout: Layout) {
    this.layout = layout;
    this.order = new Int32Array(layout.capacity);
    this.ids = new Uint32Array(layout.capacity);
    this.values = new Int32Array(layout.capacity * layout.stride);
  }

  /** Slot of a row, -1 = not there at this tick. */
  slotOf(id: number): number {
    const { order, ids } = this;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ids[order[middle]!]! < id) low = middle + 1;
      else high = middle;
    }
    if (low === this.count) return -1;
    const slot = order[low]!;
    return ids[slot] === id ? slot : -1;
  }

  /** Quantises every row of the table, in place (see quantiseRow), and keeps the result as `tick`. */
  capture(table: Table, tick: number): void {
    const { stride } = this.layout;
    this.tick = tick;
    this.count = table.count;
    this.ids.set(table.ids);
    for (let i = 0; i < table.count; i++) {
      const slot = table.order[i]!;
      this.order[i] = slot;
      quantiseRow(table, slot, this.values, slot * stride);
    }
  }

  clear(): void {
    this.tick = -1;
    this.count = 0;
    this.ids.fill(0);
  }
}
