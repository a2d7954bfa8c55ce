// The sending half of the unreliable kinds: messages wait in order, are written once, and are forgotten.
//
//   section body: one or more records, each
//     1..6   head (fragment.ts); of a fragment with the id, which counts the fragments of the channel
//     ..     bytes
//
// What waits longer than its time to live is worth nothing any more: it is dropped, oldest first, and counted. The
// fragments of a message leave in order, in as many packets and flushes as the rate allows. Each that leaves starts
// the time to live anew; when it passes without another one leaving, the rest is given up and counted likewise.

import { ByteWriter } from '../wire/bytes.ts';
import { type ChannelLimits, FRAGMENT_BYTES } from '../wire/channel-options.ts';
import { ByteQueue } from './byte-queue.ts';
import { headBytes, writeFragmentHead, writeWholeHead } from './fragment.ts';
import { hasRoom, type MessageChannelStatistics } from './message-channel.ts';
import { MessageQueue } from './message-queue.ts';
import { WritableCallbacks } from './writable-callbacks.ts';

const FRAGMENT_ID_BYTES = 2;

/** Needed within one call of `write` only, in which nobody else is called, so one is enough for all. */
const writer = new ByteWriter();

/** See the head of the file. Keeps the sender's share of the channel's statistics. */
export class UnreliableQueue {
  readonly #limits: ChannelLimits;
  readonly #statistics: MessageChannelStatistics;
  readonly #waiting: MessageQueue;
  /** The message that is being written in fragments, and where in the store its next byte stands. */
  readonly #bytes: ByteQueue;
  #position = 0;
  #length = 0;
  /** Its next fragment; 0 = there is no such message. When the fragment before left. */
  #index = 0;
  readonly #leftAtMs = new Float64Array(1);
  #nextId = 0;
  /** Made for the first who waits: most channels are never full. */
  #writable: WritableCallbacks | undefined;

  constructor(limits: ChannelLimits, statistics: MessageChannelStatistics) {
    this.#limits = limits;
    this.#statistics = statistics;
    this.#waiting = new MessageQueue(limits.queueEntries, limits.queueBytes);
    this.#bytes = new ByteQueue(limits.messageBytes);
  }

  /** Copies bytes[start, end) behind what waits; false = full. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    const statistics = this.#statistics;
    const { queueEntries, queueBytes } = this.#limits;
    const length = end - start;
    if (statistics.queued === queueEntries || statistics.queuedBytes + length > queueBytes) {
      statistics.full++;
      return false;
    }
    this.#waiting.add(bytes, start, end);
    statistics.queued++;
    statistics.queuedBytes += length;
    statistics.sent++;
    statistics.sentBytes += length;
    return true;
  }

  /** Tells the time, from which the life of messages counts that were added since the last one. */
  see(nowMs: number): void {
    this.#waiting.see(nowMs);
  }

  /** Tells the time and drops what has waited too long. */
  expire(nowMs: number): void {
    this.see(nowMs);
    if (this.#index > 0 && nowMs - this.#leftAtMs[0]! > this.#limits.ttlMs) this.#giveUp();
    while (this.#waiting.count > 0 && this.#waiting.firstOlderThan(this.#limits.ttlMs)) {
      this.#statistics.expired++;
      this.#settle(this.#waiting.firstBytes);
      this.#waiting.drop();
    }
    this.#tellWritable();
  }

  /** Writes as much as fits into out[start, end), oldest first; returns its length. */
  write(nowMs: number, out: Uint8Array, start: number, end: number): number {
    this.see(nowMs);
    writer.reset(out, start, end);
    let fits = true;
    while (fits && this.#statistics.queued > 0) fits = this.#writeRecord();
    const length = writer.position - start;
    if (length > 0 && this.#index > 0) this.#leftAtMs[0] = nowMs;
    this.#tellWritable();
    return length;
  }

  /** Calls once, when at most half of the queue is in use; never during this call. */
  onWritable(callback: () => void): void {
    this.#writable ??= new WritableCallbacks();
    this.#writable.add(callback);
  }

  /** Nobody is told anything any more, nothing need be kept. */
  close(): void {
    this.#writable?.clear();
    this.#waiting.clear();
    this.#bytes.clear();
  }

  /** Writes the oldest message, or its next fragment; false = it does not fit. */
  #writeRecord(): boolean {
    const index = this.#index;
    const total = index > 0 ? this.#length : this.#waiting.firstBytes;
    const cut = total > FRAGMENT_BYTES;
    const length = Math.min(total - index * FRAGMENT_BYTES, FRAGMENT_BYTES);
    const last = index * FRAGMENT_BYTES + length === total;
    const idBytes = cut ? FRAGMENT_ID_BYTES : 0;
    if (headBytes(length, cut, index) + idBytes + length > writer.remaining) return false;
    if (cut) this.#writeFragment(index, length, last);
    else {
      writeWholeHead(writer, length);
      this.#waiting.takeTo(writer);
    }
    if (last) this.#settle(total);
    return true;
  }

  #writeFragment(index: number, length: number, last: boolean): void {
    if (index === 0) this.#begin();
    writeFragmentHead(writer, length, this.#nextId++, index, last);
    this.#bytes.writeTo(writer, this.#position, length);
    this.#forget(length);
    this.#index = last ? 0 : index + 1;
  }

  #begin(): void {
    this.#length = this.#waiting.firstBytes;
    this.#waiting.moveTo(this.#bytes);
  }

  #giveUp(): void {
    this.#index = 0;
    this.#forget(this.#bytes.length);
    this.#statistics.expired++;
    this.#settle(this.#length);
  }

  #forget(count: number): void {
    this.#bytes.drop(count);
    this.#position = (this.#position + count) | 0;
  }

  /** A message has left, or never will. */
  #settle(length: number): void {
    this.#statistics.queued--;
    this.#statistics.queuedBytes -= length;
  }

  #tellWritable(): void {
    if (this.#writable === undefined || this.#writable.none) return;
    this.#writable.tell(() => hasRoom(this.#limits, this.#statistics));
  }
}
