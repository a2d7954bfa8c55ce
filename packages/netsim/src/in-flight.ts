// Datagrams on their way: preallocated storage for a bounded number of them, given back in order of due time,
// equal times in the order they were pushed.

import { TickwireError } from '@tickwire/protocol';
import { flipBits } from './corruption.ts';
import { DueHeap } from './due-heap.ts';

/** A stretch of time in which nothing comes out of a link. */
export interface Stall {
  /** First moment at which nothing comes out. */
  readonly fromMs: number;
  /** First moment at which something comes out again. */
  readonly untilMs: number;
  /** What falls due meanwhile: all of it comes out at `untilMs`, in order ('hold'), or never ('drop'). */
  readonly outcome: 'hold' | 'drop';
}

/** Told what becomes of the datagrams that it sent, so that each link counts its own. */
export interface Carrier {
  /** The latest stall, past ones included; undefined = there was none. */
  readonly latestStall: Stall | undefined;
  /** One came out. @param order the number given to {@link InFlight.pushNext}; @param copy whether it is a duplicate. */
  landed(order: number, copy: boolean, sizeBytes: number): void;
  /** One fell due in a stall that drops. */
  cutOff(): void;
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
  /** When the datagram is due, by slot, in ms. After a change call {@link settle}. */
  readonly dueMs: Float64Array;
  /** When the datagram given to {@link pushNext} is due: one number, so that none has to be made for each call. */
  readonly nextDueMs = new Float64Array(1);
  /** Called for each datagram that ends on its way, while its bytes are still there. */
  onDrop: ((slot: number, reason: 'link-queue' | 'stall') => void) | undefined;
  /** The slot of the last datagram that {@link push} kept; -1 = there was none. */
  newest = -1;

  // The rank of a datagram is when it was due before a stall held it: those that one moment lets go keep their order.
  readonly #heap: DueHeap;
  readonly #order: Float64Array;
  readonly #copy: Uint8Array;
  readonly #corrupted: Uint8Array;
  readonly #length: Int32Array;
  readonly #carriers: (Carrier | undefined)[];
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(options: InFlightOptions = {}) {
    const count = checkSize('datagrams', options.datagrams ?? 1024);
    this.datagramBytes = checkSize('datagramBytes', options.datagramBytes ?? 1500);
    // Memory of slots never touched costs nothing: the free list hands out the last used first.
    this.storage = new Uint8Array(count * this.datagramBytes);
    this.from = new Float64Array(count);
    this.to = new Float64Array(count);
    this.#heap = new DueHeap(count);
    this.dueMs = this.#heap.dueMs;
    this.#order = new Float64Array(count);
    this.#copy = new Uint8Array(count);
    this.#corrupted = new Uint8Array(count);
    this.#length = new Int32Array(count);
    this.#carriers = new Array<Carrier | undefined>(count).fill(undefined);
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

  /** Copies bytes[start, end) in, due at `dueMs`. False: full or too large, nothing was kept. */
  push(
    dueMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
    to: number,
  ): boolean {
    this.nextDueMs[0] = dueMs;
    return this.pushNext(bytes, start, end, from, to, undefined, 0, false);
  }

  /**
   * Copies bytes[start, end) in, due at {@link nextDueMs}. False: full or too large, nothing was kept.
   * @param order and @param copy are for the carrier, when the datagram comes out.
   */
  pushNext(
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
    to: number,
    carrier: Carrier | undefined,
    order: number,
    copy: boolean,
  ): boolean {
    if (!this.hasRoom(end - start)) return false;
    const slot = this.#free[--this.#freeCount]!;
    const base = slot * this.datagramBytes - start;
    // A loop, because set() needs a view made for each datagram.
    for (let i = start; i < end; i++) this.storage[base + i] = bytes[i]!;
    this.#length[slot] = end - start;
    this.dueMs[slot] = this.nextDueMs[0]!;
    this.#heap.rankMs[slot] = this.nextDueMs[0]!;
    this.from[slot] = from;
    this.to[slot] = to;
    this.#carriers[slot] = carrier;
    this.#order[slot] = order;
    this.#copy[slot] = copy ? 1 : 0;
    this.#corrupted[slot] = 0;
    this.#heap.insert(slot);
    this.newest = slot;
    return true;
  }

  /** When the next datagram is due, unless a stall holds it; Infinity = none is waiting. */
  wakeAt(): number {
    const slot = this.#heap.first();
    return slot < 0 ? Number.POSITIVE_INFINITY : this.dueMs[slot]!;
  }

  /** Takes the next datagram due by `nowMs`: its slot, to be released by the caller; -1 = none. */
  pop(nowMs: number): number {
    const heap = this.#heap;
    for (let slot = heap.first(); slot >= 0; slot = heap.first()) {
      if (this.dueMs[slot]! > nowMs) return -1;
      const carrier = this.#carriers[slot];
      const stall = carrier?.latestStall;
      if (stall !== undefined && this.#stalls(slot, stall)) continue;
      heap.remove(slot);
      carrier?.landed(this.#order[slot]!, this.#copy[slot] === 1, this.#length[slot]!);
      return slot;
    }
    return -1;
  }

  /** Offset in {@link storage} at which the slot's datagram starts. */
  startOf(slot: number): number {
    return slot * this.datagramBytes;
  }

  /** Offset in {@link storage} at which the slot's datagram ends. */
  endOf(slot: number): number {
    return slot * this.datagramBytes + this.#length[slot]!;
  }

  /** Whether the slot's datagram is a duplicate. */
  isCopy(slot: number): boolean {
    return this.#copy[slot] === 1;
  }

  /** Whether bits of the slot's datagram were flipped on the way. */
  isCorrupted(slot: number): boolean {
    return this.#corrupted[slot] === 1;
  }

  /** How long a stall has held the slot's datagram, in ms. */
  stalledMs(slot: number): number {
    return this.dueMs[slot]! - this.#heap.rankMs[slot]!;
  }

  /** Whether the slot's datagram is the one that `carrier` pushed as `order`, and is still on its way. */
  waits(slot: number, carrier: Carrier, order: number): boolean {
    const same = this.#carriers[slot] === carrier && this.#order[slot] === order;
    return same && this.#heap.has(slot);
  }

  /** Flips bits of a waiting datagram. False: it is empty and has none. */
  corrupt(slot: number, pattern: number): boolean {
    if (this.#length[slot] === 0) return false;
    flipBits(this.storage, this.startOf(slot), this.endOf(slot), pattern);
    this.#corrupted[slot] = 1;
    return true;
  }

  /** Finds the place of a waiting datagram whose due time has been changed. */
  settle(slot: number): void {
    this.#heap.rankMs[slot] = this.dueMs[slot]!;
    this.#heap.settle(slot);
  }

  /** Ends a waiting datagram, and says so. */
  drop(slot: number, reason: 'link-queue' | 'stall'): void {
    this.onDrop?.(slot, reason);
    this.cancel(slot);
  }

  /** Ends a waiting datagram, as if it had never been pushed. */
  cancel(slot: number): void {
    this.#heap.remove(slot);
    this.release(slot);
  }

  /** Gives a popped slot back. Its bytes are no longer valid. */
  release(slot: number): void {
    if (this.#freeCount === this.#free.length) {
      throw new TickwireError('slot-released', `slot ${slot} was released already; release once`);
    }
    this.#carriers[slot] = undefined;
    this.#free[this.#freeCount++] = slot;
  }

  /** Holds or ends the first datagram of the heap if it fell due in the stall. */
  #stalls(slot: number, stall: Stall): boolean {
    const dueMs = this.dueMs[slot]!;
    if (dueMs < stall.fromMs || dueMs >= stall.untilMs) return false;
    if (stall.outcome === 'hold') {
      this.dueMs[slot] = stall.untilMs;
      this.#heap.settle(slot);
    } else {
      this.#carriers[slot]!.cutOff();
      this.drop(slot, 'stall');
    }
    return true;
  }
}

function checkSize(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 1 << 20) return value;
  throw new TickwireError(
    'option-invalid',
    `${name} is ${value}; give an integer from 1 to ${1 << 20}`,
  );
}
