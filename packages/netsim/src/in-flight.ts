// Datagrams on their way: preallocated storage for a bounded number of them, and a binary heap that
// gives them back in order of due time, equal times in the order they were pushed.

import { TickwireError } from '@tickwire/protocol';

/** Told when a datagram that it sent comes out, so that each link counts its own. */
export interface Carrier {
  /** @param order the number given to {@link InFlight.push}; @param copy whether it is a duplicate. */
  landed(order: number, copy: boolean, sizeBytes: number): void;
}

/** Sizes of an {@link InFlight}, all memory of which is taken at once. */
export interface InFlightOptions {
  /** Datagrams held at most; one more is refused. Default 1024. */
  datagrams?: number | undefined;
  /** Largest datagram in bytes; a larger one is refused. Default 1500. */
  datagramBytes?: number | undefined;
}

/** Bounded store of datagrams ordered by due time. Entries are named by slot numbers; no call allocates. */
export class InFlight {
  /** Largest datagram that fits, in bytes. */
  readonly datagramBytes: number;
  /** All slots, one after another; a datagram stands at {@link startOf} .. {@link endOf}. */
  readonly storage: Uint8Array;
  /** Who sent the datagram, by slot. */
  readonly from: Float64Array;
  /** Where the datagram goes, by slot. */
  readonly to: Float64Array;

  readonly #dueMs: Float64Array;
  readonly #pushed: Float64Array;
  readonly #order: Float64Array;
  readonly #copy: Uint8Array;
  readonly #length: Int32Array;
  readonly #carriers: (Carrier | undefined)[];
  readonly #heap: Int32Array;
  readonly #free: Int32Array;
  #waiting = 0;
  #freeCount: number;
  #pushes = 0;

  constructor(options: InFlightOptions = {}) {
    const count = checkSize('datagrams', options.datagrams ?? 1024);
    this.datagramBytes = checkSize('datagramBytes', options.datagramBytes ?? 1500);
    // Memory of slots never touched costs nothing: the free list hands out the last used first.
    this.storage = new Uint8Array(count * this.datagramBytes);
    this.from = new Float64Array(count);
    this.to = new Float64Array(count);
    this.#dueMs = new Float64Array(count);
    this.#pushed = new Float64Array(count);
    this.#order = new Float64Array(count);
    this.#copy = new Uint8Array(count);
    this.#length = new Int32Array(count);
    this.#carriers = new Array<Carrier | undefined>(count).fill(undefined);
    this.#heap = new Int32Array(count);
    this.#free = Int32Array.from({ length: count }, (_, i) => count - 1 - i);
    this.#freeCount = count;
  }

  /** Datagrams held: those waiting, and those popped but not released. */
  get held(): number {
    return this.#free.length - this.#freeCount;
  }

  /** Whether a datagram of this many bytes can be pushed now. */
  hasRoom(sizeBytes: number): boolean {
    return this.#freeCount > 0 && sizeBytes <= this.datagramBytes;
  }

  /** Copies bytes[start, end) in. False: full or too large, nothing was kept. */
  push(
    dueMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
    to: number,
    carrier?: Carrier,
    order = 0,
    copy = false,
  ): boolean {
    if (!this.hasRoom(end - start)) return false;
    const slot = this.#free[--this.#freeCount]!;
    const base = slot * this.datagramBytes - start;
    // A loop, because set() needs a view made for each datagram.
    for (let i = start; i < end; i++) this.storage[base + i] = bytes[i]!;
    this.#length[slot] = end - start;
    this.#dueMs[slot] = dueMs;
    this.#pushed[slot] = this.#pushes++;
    this.from[slot] = from;
    this.to[slot] = to;
    this.#carriers[slot] = carrier;
    this.#order[slot] = order;
    this.#copy[slot] = copy ? 1 : 0;
    this.#siftUp(this.#waiting++, slot);
    return true;
  }

  /** When the next datagram is due; Infinity = none is waiting. */
  wakeAt(): number {
    return this.#waiting === 0 ? Number.POSITIVE_INFINITY : this.#dueMs[this.#heap[0]!]!;
  }

  /** Takes the next datagram due by `nowMs`: its slot, to be released by the caller; -1 = none. */
  pop(nowMs: number): number {
    if (this.#waiting === 0) return -1;
    const slot = this.#heap[0]!;
    if (this.#dueMs[slot]! > nowMs) return -1;
    const last = this.#heap[--this.#waiting]!;
    if (this.#waiting > 0) this.#siftDown(last);
    this.#carriers[slot]?.landed(this.#order[slot]!, this.#copy[slot] === 1, this.#length[slot]!);
    return slot;
  }

  /** Offset in {@link storage} at which the slot's datagram starts. */
  startOf(slot: number): number {
    return slot * this.datagramBytes;
  }

  /** Offset in {@link storage} at which the slot's datagram ends. */
  endOf(slot: number): number {
    return slot * this.datagramBytes + this.#length[slot]!;
  }

  /** Gives a popped slot back. Its bytes are no longer valid. */
  release(slot: number): void {
    if (this.#freeCount === this.#free.length) {
      throw new TickwireError('slot-released', `slot ${slot} was released already; release once`);
    }
    this.#carriers[slot] = undefined;
    this.#free[this.#freeCount++] = slot;
  }

  #before(a: number, b: number): boolean {
    const dueA = this.#dueMs[a]!;
    const dueB = this.#dueMs[b]!;
    return dueA < dueB || (dueA === dueB && this.#pushed[a]! < this.#pushed[b]!);
  }

  #siftUp(hole: number, slot: number): void {
    const heap = this.#heap;
    let at = hole;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(slot, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = slot;
  }

  #siftDown(slot: number): void {
    const heap = this.#heap;
    const count = this.#waiting;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, slot)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = slot;
  }
}

function checkSize(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 1 << 20) return value;
  throw new TickwireError(
    'option-invalid',
    `${name} is ${value}; give an integer from 1 to ${1 << 20}`,
  );
}
