// The live rows of one archetype in flat columns. A row keeps its slot as long as it lives; `order` lists
// the used slots by ascending id. Capacity is fixed, so columns never move.

import { assert } from '../wire/errors.ts';
import { quantise } from './field.ts';
import type { Layout } from './layout.ts';

/** Live rows of one archetype. */
export class Table {
  readonly layout: Layout;
  /** Rows in use. */
  count = 0;
  /** Used slots by ascending id; valid up to `count`. */
  readonly order: Int32Array;
  /** Entity id by slot, 0 = free. */
  readonly ids: Uint32Array;
  /** Values now, [field][slot]. */
  readonly live: readonly Float64Array[];
  /** Values as at the tick's start, [field][slot]. */
  readonly start: readonly Float64Array[];
  /** Slots that simulate iterates, by id: `order` itself unless {@link selectActive} was called. */
  active: Int32Array;
  activeCount = 0;
  /** Session index + 1 by slot, 0 = nobody. */
  readonly owners: Int32Array;
  /** 1 = despawned, gone with the next {@link compact}. */
  readonly doomed: Uint8Array;
  /** Last tick at which a field for everybody changed, or the row was born; by slot, -1 = not yet. Server only. */
  readonly changedAll: Float64Array;
  /** The same for fields that everybody or the owner sees. */
  readonly changedOwner: Float64Array;
  /** First tick whose state has the row, by slot, -1 = not yet. Server only. */
  readonly bornTick: Float64Array;
  /** Ids that {@link compact} took away since {@link forgetRemoved}, in order of removal. */
  readonly removedIds: Uint32Array;
  removedCount = 0;
  readonly #free: Int32Array;

  constructor(layout: Layout) {
    const { capacity, stride } = layout;
    this.layout = layout;
    this.order = new Int32Array(capacity);
    this.ids = new Uint32Array(capacity);
    this.live = Array.from({ length: stride }, () => new Float64Array(capacity));
    this.start = Array.from({ length: stride }, () => new Float64Array(capacity));
    this.active = this.order;
    this.owners = new Int32Array(capacity);
    this.doomed = new Uint8Array(capacity);
    this.changedAll = new Float64Array(capacity).fill(-1);
    this.changedOwner = new Float64Array(capacity).fill(-1);
    this.bornTick = new Float64Array(capacity).fill(-1);
    // A step compacts at its start and at its end, and every row may go each time.
    this.removedIds = new Uint32Array(2 * capacity);
    this.#free = new Int32Array(capacity);
    this.clear();
  }

  /** From here on `active` is a list of its own, empty; see {@link activate}. For clients. */
  selectActive(): void {
    this.active = new Int32Array(this.layout.capacity);
    this.activeCount = 0;
  }

  /** Adds a row with the values nearest to zero. Returns its slot, -1 = full. `id` must be unknown. */
  spawn(id: number): number {
    if (this.count === this.layout.capacity) return -1;
    const at = this.#insertionPoint(this.order, this.count, id);
    assert(at === this.count || this.ids[this.order[at]!] !== id, 'a spawned id is unknown');
    const slot = this.#free[this.layout.capacity - this.count - 1]!;
    this.order.copyWithin(at + 1, at, this.count);
    this.order[at] = slot;
    this.count++;
    this.#blank(slot, id);
    return slot;
  }

  /** Marks the row; it stays until {@link compact}. */
  despawn(slot: number): void {
    this.doomed[slot] = 1;
  }

  /** Takes the marked rows away and notes their ids in `removedIds`. Returns how many. */
  compact(): number {
    const before = this.count;
    let kept = 0;
    for (let i = 0; i < before; i++) {
      const slot = this.order[i]!;
      if (this.doomed[slot] === 0) this.order[kept++] = slot;
      else this.#release(slot, before - 1 - (i - kept));
    }
    this.count = kept;
    if (kept !== before) this.#dropInactive();
    return before - kept;
  }

  /** Takes one row away at once, without a note in `removedIds`. */
  remove(slot: number): void {
    const id = this.ids[slot]!;
    if (id === 0) return;
    const at = this.#insertionPoint(this.order, this.count, id);
    this.order.copyWithin(at, at + 1, this.count);
    this.count--;
    this.#free[this.layout.capacity - this.count - 1] = slot;
    this.ids[slot] = 0;
    this.#dropInactive();
  }

  /** Empties `removedIds`: the world does so when a step begins. */
  forgetRemoved(): void {
    this.removedCount = 0;
  }

  /** Slot of a row, -1 = unknown. Looks only at the first `among` rows by id. */
  slotOf(id: number, among: number = this.count): number {
    const at = this.#insertionPoint(this.order, among, id);
    if (at === among) return -1;
    const slot = this.order[at]!;
    return this.ids[slot] === id ? slot : -1;
  }

  /** Adds a row to `active`. Only after {@link selectActive}; a row that is there stays. */
  activate(slot: number): void {
    assert(this.active !== this.order, 'active rows are selected');
    const at = this.#insertionPoint(this.active, this.activeCount, this.ids[slot]!);
    if (at < this.activeCount && this.active[at] === slot) return;
    this.active.copyWithin(at + 1, at, this.activeCount);
    this.active[at] = slot;
    this.activeCount++;
  }

  /** Takes a row out of `active`. */
  deactivate(slot: number): void {
    assert(this.active !== this.order, 'active rows are selected');
    const at = this.active.indexOf(slot);
    if (at < 0 || at >= this.activeCount) return;
    this.active.copyWithin(at, at + 1, this.activeCount);
    this.activeCount--;
  }

  /** Makes `start` of one row what `live` is. */
  markStart(slot: number): void {
    const { live, start } = this;
    for (let f = 0; f < live.length; f++) start[f]![slot] = live[f]![slot]!;
  }

  /** Removes everything, without notes. */
  clear(): void {
    const { capacity } = this.layout;
    this.count = 0;
    this.activeCount = 0;
    this.removedCount = 0;
    this.ids.fill(0);
    this.doomed.fill(0);
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
  }

  #blank(slot: number, id: number): void {
    this.ids[slot] = id;
    this.owners[slot] = 0;
    this.doomed[slot] = 0;
    this.changedAll[slot] = -1;
    this.changedOwner[slot] = -1;
    this.bornTick[slot] = -1;
    const { zeros } = this.layout;
    for (let f = 0; f < zeros.length; f++) {
      this.live[f]![slot] = zeros[f]!;
      this.start[f]![slot] = zeros[f]!;
    }
  }

  /** `left`: rows in use once this one is gone. */
  #release(slot: number, left: number): void {
    if (this.removedCount < this.removedIds.length) {
      this.removedIds[this.removedCount++] = this.ids[slot]!;
    }
    this.#free[this.layout.capacity - left - 1] = slot;
    this.ids[slot] = 0;
    this.doomed[slot] = 0;
  }

  #dropInactive(): void {
    if (this.active === this.order) {
      this.activeCount = Math.min(this.activeCount, this.count);
      return;
    }
    let kept = 0;
    for (let i = 0; i < this.activeCount; i++) {
      const slot = this.active[i]!;
      if (this.ids[slot] !== 0) this.active[kept++] = slot;
    }
    this.activeCount = kept;
  }

  /** First index whose id is not below `id`. */
  #insertionPoint(slots: Int32Array, count: number, id: number): number {
    const { ids } = this;
    if (count === 0 || ids[slots[count - 1]!]! < id) return count;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ids[slots[middle]!]! < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Quantises a row into out[outStart..] and makes the live values what those stand for. */
export function quantiseRow(table: Table, slot: number, out: Int32Array, outStart: number): void {
  const { live } = table;
  const { fields, mins, steps } = table.layout;
  for (let f = 0; f < fields.length; f++) {
    const column = live[f]!;
    const q = quantise(fields[f]!, column[slot]!);
    out[outStart + f] = q;
    column[slot] = mins[f]! + q * steps[f]!;
  }
}

/**
 * Sets a row from quantised values at values[start..]. Writes `start` too, because rows that are not
 * simulated are read there and no step copies them.
 */
export function loadRow(table: Table, slot: number, values: Int32Array, start: number): void {
  const { live, start: before, layout } = table;
  const { mins, steps, stride } = layout;
  for (let f = 0; f < stride; f++) {
    // What dequantise computes; fields of rows are never of the kind for which it does more.
    const value = mins[f]! + values[start + f]! * steps[f]!;
    live[f]![slot] = value;
    before[f]![slot] = value;
  }
}
