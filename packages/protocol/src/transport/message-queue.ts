// Messages that wait for their first packet, first in, first out, each with the time at which it was first seen to wait.
// Who adds a message need not know the time: the next one that is told counts. What was told before may be long ago.

import { assert } from '../wire/errors.ts';
import { ByteQueue } from './byte-queue.ts';

const CAPACITY_MIN = 16;
/** Larger columns are not kept beyond their use. */
const CAPACITY_KEPT = 256;

/** At most `entriesMax` messages of together `bytesMax` bytes; keeping to that is its owner's business. */
export class MessageQueue {
  readonly #entriesMax: number;
  readonly #bytes: ByteQueue;
  /** By the number of the message, modulo the capacity, a power of two. */
  #lengths = new Int32Array(CAPACITY_MIN);
  #stampsMs = new Float64Array(CAPACITY_MIN);
  #oldest = 0;
  #count = 0;
  /** How many of the newest came since a time was told, and so have no stamp. */
  #unseen = 0;
  readonly #nowMs = new Float64Array(1);

  constructor(entriesMax: number, bytesMax: number) {
    this.#entriesMax = entriesMax;
    this.#bytes = new ByteQueue(bytesMax);
  }

  get count(): number {
    return this.#count;
  }

  /** Length of the oldest message. There must be one. */
  get firstBytes(): number {
    return this.#lengths[this.#oldest]!;
  }

  /** Tells the time, from which on what came since the last one waits. */
  see(nowMs: number): void {
    const mask = this.#lengths.length - 1;
    for (; this.#unseen > 0; this.#unseen--) {
      this.#stampsMs[(this.#oldest + this.#count - this.#unseen) & mask] = nowMs;
    }
    this.#nowMs[0] = nowMs;
  }

  /** Whether the oldest message was seen to wait more than `ttlMs` ago. There must be one. */
  firstOlderThan(ttlMs: number): boolean {
    if (this.#unseen === this.#count) return false;
    return this.#nowMs[0]! - this.#stampsMs[this.#oldest]! > ttlMs;
  }

  /** Copies bytes[start, end) as the newest message; it waits from the time told next. */
  add(bytes: Uint8Array, start: number, end: number): void {
    assert(this.#count < this.#entriesMax, 'a message queue stays within its bound');
    if (this.#count === this.#lengths.length) this.#resize(this.#count * 2);
    const slot = (this.#oldest + this.#count++) & (this.#lengths.length - 1);
    this.#lengths[slot] = end - start;
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

  /** Forgets all messages, and the memory that they took. */
  clear(): void {
    this.#bytes.clear();
    this.#count = 0;
    this.#unseen = 0;
    this.#resize(CAPACITY_MIN);
  }

  #forget(): void {
    this.#oldest = (this.#oldest + 1) & (this.#lengths.length - 1);
    this.#count--;
    if (this.#unseen > this.#count) this.#unseen = this.#count;
    if (this.#count === 0 && this.#lengths.length > CAPACITY_KEPT) this.#resize(CAPACITY_MIN);
  }

  #resize(capacity: number): void {
    const lengths = new Int32Array(capacity);
    const stampsMs = new Float64Array(capacity);
    const mask = this.#lengths.length - 1;
    for (let i = 0; i < this.#count; i++) {
      lengths[i] = this.#lengths[(this.#oldest + i) & mask]!;
      stampsMs[i] = this.#stampsMs[(this.#oldest + i) & mask]!;
    }
    this.#lengths = lengths;
    this.#stampsMs = stampsMs;
    this.#oldest = 0;
  }
}
