// Slots for integer keys, up to a bound, and lists over the slots: a slot is in one list at most, joins and leaves it
// in constant time, and keeps its place while it stays.

/** No slot, no list. */
export const NONE = -1;

/** The list of slots that have no key. The caller's own count up from 1. */
const FREE = 0;
/** Slots while there are few keys. */
const SMALL_SLOTS = 32;

/** See the head of the file. Callers keep columns of `capacity` entries and index them by slot. */
export class KeySlots {
  readonly #slots = new Map<number, number>();
  readonly #slotsMax: number;
  #keys: Uint32Array;
  /** Slots that ever had a key; those behind are not in the free list yet. */
  #touched = 0;
  readonly #firsts: Int32Array;
  readonly #lasts: Int32Array;
  #next: Int32Array;
  #previous: Int32Array;
  #lists: Int32Array;

  constructor(keys: number, lists: number) {
    this.#slotsMax = keys;
    const small = Math.min(keys, SMALL_SLOTS);
    this.#keys = new Uint32Array(small);
    this.#next = new Int32Array(small);
    this.#previous = new Int32Array(small);
    this.#lists = new Int32Array(small).fill(NONE);
    this.#firsts = new Int32Array(lists + 1).fill(NONE);
    this.#lasts = new Int32Array(lists + 1).fill(NONE);
  }

  /** Entries that every column needs now. */
  get capacity(): number {
    return this.#keys.length;
  }

  /** Keys that have a slot. */
  get count(): number {
    return this.#slots.size;
  }

  get full(): boolean {
    return this.#slots.size === this.#slotsMax;
  }

  /** Slot of `key`, -1 = none. */
  find(key: number): number {
    return this.#slots.get(key) ?? NONE;
  }

  key(slot: number): number {
    return this.#keys[slot]!;
  }

  /** Gives a new key a slot, in no list. Not to be called when full; `capacity` may have grown. */
  claim(key: number): number {
    let slot = this.#firsts[FREE]!;
    if (slot === NONE) slot = this.#touched++;
    else this.leave(slot);
    if (slot === this.#keys.length) this.#grow();
    this.#keys[slot] = key;
    this.#slots.set(key, slot);
    return slot;
  }

  /** Takes the slot from its key. */
  release(slot: number): void {
    this.#slots.delete(this.#keys[slot]!);
    this.join(FREE, slot);
  }

  /** First slot of a list, -1 = it is empty. */
  first(list: number): number {
    return this.#firsts[list]!;
  }

  /** The slot behind `slot` in its list, -1 = none. */
  after(slot: number): number {
    return this.#next[slot]!;
  }

  /** The list that `slot` is in, -1 = none. */
  list(slot: number): number {
    return this.#lists[slot]!;
  }

  /** Moves `slot` to the end of a list. */
  join(list: number, slot: number): void {
    this.leave(slot);
    const last = this.#lasts[list]!;
    this.#lists[slot] = list;
    this.#previous[slot] = last;
    this.#next[slot] = NONE;
    if (last === NONE) this.#firsts[list] = slot;
    else this.#next[last] = slot;
    this.#lasts[list] = slot;
  }

  /** Takes `slot` out of its list, if it is in any. */
  leave(slot: number): void {
    const list = this.#lists[slot]!;
    if (list === NONE) return;
    const previous = this.#previous[slot]!;
    const next = this.#next[slot]!;
    if (previous === NONE) this.#firsts[list] = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#lasts[list] = previous;
    else this.#previous[next] = previous;
    this.#lists[slot] = NONE;
  }

  #grow(): void {
    const capacity = Math.min(2 * this.#keys.length, this.#slotsMax);
    this.#keys = grown(this.#keys, new Uint32Array(capacity));
    this.#next = grown(this.#next, new Int32Array(capacity));
    this.#previous = grown(this.#previous, new Int32Array(capacity));
    this.#lists = grown(this.#lists, new Int32Array(capacity).fill(NONE));
  }
}

/** `larger`, a new column, with what stood in the one that it replaces. */
export function grown<T extends Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array>(
  column: T,
  larger: T,
): T {
  larger.set(column);
  return larger;
}
