// Messages that wait for their first packet, first in, first out, each with the time at which it was first seen to wait.
// Who adds a message need not know the time: the next one that is told counts. What was told before may be long ago.

import type { ByteWriter } from '../wire/bytes.ts';
import { assert } from '../wire/errors.ts';
import { ByteQueue } from './byte-queue.ts';

const CAPACITY_MIN = 16;
/** More is not kept beyond their use. */
const CAPACITY_KEPT = 256;

/** At most `entriesMax` messages of together `bytesMax` bytes; keeping to that is its owner's business. */
export class MessageQueue {
  readonly #entriesMax: number;
  readonly #bytes: ByteQueue;
  #capacity = CAPACITY_MIN;
  /** The time told last, then for each message its length and its time, by its number modulo the capacity. */
  #entries = new Float64Array(1 + 2 * CAPACITY_MIN);
  #oldest = 0;
  #count = 0;
  /** How many of the newest came since a time was told, and so have no stamp. */
  #unseen = 0;

  constructor(entriesMax: number, bytesMax: number) {
    this.#entriesMax = entriesMax;
    this.#bytes = new ByteQueue(bytesMax);
  }

  get count(): number {
    return this.#count;
  }

  /** Length of the oldest message. There must be one. */
  get firstBytes(): number {
    return this.#entries[1 + 2 * this.#oldest]!;
  }

  /** Tells the time, from which on what came since the last one waits. */
  see(nowMs: number): void {
    const entries = this.#entries;
    for (; this.#unseen > 0; this.#unseen--) {
      entries[2 + 2 * this.#place(this.#count - this.#unseen)] = nowMs;
    }
    entries[0] = nowMs;
  }

  /** Whether the oldest message was seen to wait more than `ttlMs` ago. There must be one. */
  firstOlderThan(ttlMs: number): boolean {
    if (this.#unseen === this.#count) return false;
    return this.#entries[0]! - this.#entries[2 + 2 * this.#oldest]! > ttlMs;
  }

  /** Copies bytes[start, end) as the newest message; it waits from the time told next. */
  add(bytes: Uint8Array, start: number, end: number): void {
    assert(this.#count < this.#entriesMax, 'a message queue stays within its bound');
    if (this.#count === this.#capacity) this.#resize(this.#count * 2);
    this.#entries[1 + 2 * this.#place(this.#count++)] = end - start;
    this.#unseen++;
    this.#bytes.append(bytes, start, end);
  }

  /** Forgets the oldest message. */
  drop(): void {
    this.#bytes.drop(this.firstBytes);
    this.#forget();
  }

  /** Moves the bytes of the oldest message to the end of `other`. */
  moveTo(other: ByteQueue): void {
    this.#bytes.moveTo(other, this.firstBytes);
    this.#forget();
  }

  /** Writes the bytes of the oldest message, and forgets it. */
  takeTo(writer: ByteWriter): void {
    this.#bytes.takeTo(writer, this.firstBytes);
    this.#forget();
  }

  /** Forgets all messages, and the memory that they took. */
  clear(): void {
    this.#bytes.clear();
    this.#count = 0;
    this.#unseen = 0;
    this.#resize(CAPACITY_MIN);
  }

  #forget(): void {
    this.#oldest = this.#place(1);
    this.#count--;
    if (this.#unseen > this.#count) this.#unseen = this.#count;
    if (this.#count > 0) return;
    // The first places again, which are in the cache.
    this.#oldest = 0;
    if (this.#capacity > CAPACITY_KEPT) this.#resize(CAPACITY_MIN);
  }

  /** Where the message stands that came so many after the oldest. */
  #place(after: number): number {
    return (this.#oldest + after) & (this.#capacity - 1);
  }

  #resize(capacity: number): void {
    const old = this.#entries;
    const entries = new Float64Array(1 + 2 * capacity);
    entries[0] = old[0]!;
    for (let i = 0; i < this.#count; i++) {
      const from = 1 + 2 * this.#place(i);
      entries[1 + 2 * i] = old[from]!;
      entries[2 + 2 * i] = old[from + 1]!;
    }
    this.#entries = entries;
    this.#capacity = capacity;
    this.#oldest = 0;
  }
}
