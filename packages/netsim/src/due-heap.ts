// Numbered slots in order of time: a binary heap that knows where each slot stands, so that one in the middle can be
// taken out or moved. Keys stand in typed arrays, to be written before a slot is put in: no call allocates.

/** A binary heap of slots 0 to count - 1. */
export class DueHeap {
  /** When a slot is due, in ms. After a change of a slot in the heap call {@link settle}. */
  readonly dueMs: Float64Array;
  /** Decides between slots due at the same time: the lower first. Equal again, the one put in first. */
  readonly rankMs: Float64Array;
  readonly #inserted: Float64Array;
  readonly #heap: Int32Array;
  // Where a slot stands in the heap; -1 = nowhere.
  readonly #place: Int32Array;
  #size = 0;
  #insertions = 0;

  constructor(count: number) {
    this.dueMs = new Float64Array(count);
    this.rankMs = new Float64Array(count);
    this.#inserted = new Float64Array(count);
    this.#heap = new Int32Array(count);
    this.#place = new Int32Array(count).fill(-1);
  }

  /** The slot that is due first; -1 = the heap is empty. */
  first(): number {
    return this.#size === 0 ? -1 : this.#heap[0]!;
  }

  /** Whether the slot is in the heap. */
  has(slot: number): boolean {
    return this.#place[slot]! >= 0;
  }

  /** Puts in a slot that is not there. */
  insert(slot: number): void {
    this.#inserted[slot] = this.#insertions++;
    this.#siftUp(this.#size++, slot);
  }

  /** Takes out a slot that is there. */
  remove(slot: number): void {
    const at = this.#place[slot]!;
    this.#place[slot] = -1;
    const last = this.#heap[--this.#size]!;
    if (last === slot) return;
    this.#put(at, last);
    this.settle(last);
  }

  /** Finds the place of a slot whose keys have changed. */
  settle(slot: number): void {
    this.#siftUp(this.#place[slot]!, slot);
    this.#siftDown(this.#place[slot]!, slot);
  }

  #before(a: number, b: number): boolean {
    const dueA = this.dueMs[a]!;
    const dueB = this.dueMs[b]!;
    if (dueA !== dueB) return dueA < dueB;
    const rankA = this.rankMs[a]!;
    const rankB = this.rankMs[b]!;
    return rankA < rankB || (rankA === rankB && this.#inserted[a]! < this.#inserted[b]!);
  }

  #siftUp(hole: number, slot: number): void {
    let at = hole;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(slot, this.#heap[parent]!)) break;
      this.#put(at, this.#heap[parent]!);
      at = parent;
    }
    this.#put(at, slot);
  }

  #siftDown(hole: number, slot: number): void {
    const heap = this.#heap;
    let at = hole;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, slot)) break;
      this.#put(at, heap[child]!);
      at = child;
    }
    this.#put(at, slot);
  }

  #put(at: number, slot: number): void {
    this.#heap[at] = slot;
    this.#place[slot] = at;
  }
}
