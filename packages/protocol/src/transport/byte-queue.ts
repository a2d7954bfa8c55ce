// A growable circular store of bytes, first in, first out. What waits in a channel mostly is little and now and then
// is much, so the store starts without memory, doubles while it fills, and goes back to little when it has run empty:
// a large one at once, a middling one after a filling that did not need it, so that steady traffic allocates nothing.
//
// A byte keeps its position for as long as it is held: positions count bytes ever appended, modulo 2^32 as signed
// 32-bit integers. The capacity is a power of two, so the low bits of a position, counted from one at which the queue was
// empty, are its place in the store. So a queue that runs empty again and again uses the same few cache lines.

import type { ByteWriter } from '../wire/bytes.ts';
import { assert } from '../wire/errors.ts';

const CAPACITY_MIN = 4 * 1024;
/** A larger store is not kept beyond its use. */
const CAPACITY_KEPT = 16 * 1024;
/** From here on a copy by the engine is worth the view that it allocates; what travels whole stays below. */
const BULK_BYTES = 2048;
const NOTHING = new Uint8Array(0);

/** See the head of the file. Holds at most `bytesMax` bytes; keeping to that is its owner's business. */
export class ByteQueue {
  readonly #bytesMax: number;
  #store: Uint8Array = NOTHING;
  #tail = 0;
  /** The position whose place is the first in the store. */
  #origin = 0;
  #length = 0;
  /** The most that was held since the store was last empty. */
  #peak = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes held. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of memory taken: 0, or a power of two. */
  get capacity(): number {
    return this.#store.length;
  }

  /** Copies bytes[start, end) to the end of the queue. */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#put(bytes, start, end);
  }

  /** Forgets the oldest `count` bytes. */
  drop(count: number): void {
    assert(count <= this.#length, 'a byte queue drops what it holds');
    this.#tail = (this.#tail + count) | 0;
    this.#length -= count;
    if (this.#length === 0) this.#shrink();
  }

  /** Forgets all bytes, and the memory that they took. */
  clear(): void {
    this.#tail = (this.#tail + this.#length) | 0;
    this.#store = NOTHING;
    this.#length = 0;
    this.#peak = 0;
  }

  /** Moves the oldest `count` bytes to the end of another queue. */
  moveTo(other: ByteQueue, count: number): void {
    const at = this.#place(this.#tail);
    const first = Math.min(count, this.#store.length - at);
    other.#reserve(count);
    other.#put(this.#store, at, at + first);
    other.#put(this.#store, 0, count - first);
    this.drop(count);
  }

  /** Writes `count` bytes from `position` on, which must be held. */
  writeTo(writer: ByteWriter, position: number, count: number): void {
    const at = this.#place(position);
    const first = Math.min(count, this.#store.length - at);
    writer.range(this.#store, at, at + first);
    writer.range(this.#store, 0, count - first);
  }

  /** Writes the oldest `count` bytes, and forgets them. */
  takeTo(writer: ByteWriter, count: number): void {
    this.writeTo(writer, this.#tail, count);
    this.drop(count);
  }

  #shrink(): void {
    const capacity = this.#store.length;
    const needed = this.#peak > CAPACITY_MIN && capacity <= CAPACITY_KEPT;
    if (capacity > CAPACITY_MIN && !needed) this.#store = new Uint8Array(CAPACITY_MIN);
    this.#peak = 0;
    this.#origin = this.#tail;
  }

  #place(position: number): number {
    return (position - this.#origin) & (this.#store.length - 1);
  }

  #reserve(count: number): void {
    const length = this.#length + count;
    assert(length <= this.#bytesMax, 'a byte queue stays within its bound');
    if (length <= this.#store.length) return;
    let capacity = CAPACITY_MIN;
    while (capacity < length) capacity *= 2;
    const old = this.#store;
    const at = this.#place(this.#tail);
    const held = this.#length;
    const first = Math.min(held, old.length - at);
    this.#store = new Uint8Array(capacity);
    this.#length = 0;
    this.#put(old, at, at + first);
    this.#put(old, 0, held - first);
  }

  #put(bytes: Uint8Array, start: number, end: number): void {
    const at = this.#place((this.#tail + this.#length) | 0);
    const split = Math.min(end, start + this.#store.length - at);
    copy(bytes, start, split, this.#store, at);
    copy(bytes, split, end, this.#store, 0);
    this.#length += end - start;
    if (this.#length > this.#peak) this.#peak = this.#length;
  }
}

function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start >= BULK_BYTES) {
    to.set(from.subarray(start, end), at);
    return;
  }
  for (let i = start, j = at; i < end; ) to[j++] = from[i++]!;
}
