// The reliable-latest delivery kind: values by integer key. The newest value of each key arrives; older ones may never.
//
//   section body: one or more records, each
//     1..5   key, varint
//     2      revision: counts the values of the key that were put on the wire, low 16 bits
//     1..2   length + 1, varint; 0 = the key is deleted, no bytes follow
//     ..     bytes
//
// Which of two records of a key is newer is told by the packets they came in: what comes in an older packet than
// the one applied last is overtaken. The revision only tells a value that is said again, because its packet seemed
// lost, from another one.
//
// Values are not cut into fragments. One that is replaced while its pieces are on the way would have wasted them, and
// a large value that changes often would never be whole. So a value has FRAGMENT_BYTES at most.
// Nor has a value a time to live: until it is replaced or deleted it is what the other side should know.
//
// The sending half stands in latest-outgoing.ts, the receiving half in latest-incoming.ts.

import type { ChannelLimits } from '../wire/channel-options.ts';
import { TickwireError } from '../wire/errors.ts';
import type { Verdict } from '../wire/verdict.ts';
import type { Channel } from './channel.ts';
import { LatestIncoming, type LatestSink } from './latest-incoming.ts';
import { LatestOutgoing } from './latest-outgoing.ts';
import {
  emptyStatistics,
  type MessageChannel,
  type MessageChannelStatistics,
  type SendResult,
} from './message-channel.ts';

export type { LatestSink };

/** See the head of the file. Sets and deletions count as messages in the statistics. */
export class ReliableLatestChannel implements Channel {
  readonly elicitsAck = true;
  readonly #limits: ChannelLimits;
  readonly #statistics = emptyStatistics();
  readonly #outgoing: LatestOutgoing;
  readonly #incoming: LatestIncoming;
  #closed = false;

  constructor(limits: ChannelLimits, sink: LatestSink) {
    this.#limits = limits;
    this.#outgoing = new LatestOutgoing(limits, this.#statistics);
    this.#incoming = new LatestIncoming(limits, this.#statistics, sink);
  }

  /** `queued`: keys whose newest value or deletion is not acknowledged; `queuedBytes`: those values. */
  get statistics(): Readonly<MessageChannelStatistics> {
    return this.#statistics;
  }

  /**
   * Makes a copy of bytes[start, end) the value of `key`, a whole number below 2^32; otherwise throws 'key-invalid'.
   * 'full' = as many keys as there may be, or too many bytes not yet acknowledged; the value stays what it was.
   */
  set(key: number, bytes: Uint8Array, start: number, end: number): SendResult {
    checkKey(key);
    if (this.#closed) return 'closed';
    if (end - start > this.#limits.messageBytes) return 'too-large';
    return this.#outgoing.set(key, bytes, start, end) ? 'queued' : 'full';
  }

  /** The key is no more. Never full; a key that has no value is fine as well. Throws as `set` does. */
  delete(key: number): SendResult {
    checkKey(key);
    if (this.#closed) return 'closed';
    this.#outgoing.delete(key);
    return 'queued';
  }

  /**
   * Calls once, when there is room for another key and at most half of `queueBytes` is in use; at the next flush at
   * the earliest. As {@link MessageChannel.onWritable} otherwise.
   */
  onWritable(callback: () => void): void {
    if (!this.#closed) this.#outgoing.onWritable(callback);
  }

  pending(): boolean {
    if (this.#closed) return false;
    this.#outgoing.tellWritable();
    return !this.#closed && this.#outgoing.waiting;
  }

  write(_nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    return this.#closed ? 0 : this.#outgoing.write(out, start, end, sequence);
  }

  read(_nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    return this.#incoming.stage(bytes, start, end, sequence);
  }

  commit(): void {
    this.#incoming.commit();
  }

  acked(sequence: number): void {
    if (this.#closed) return;
    this.#outgoing.resolve(sequence, true);
    this.#outgoing.tellWritable();
  }

  lost(sequence: number): void {
    if (!this.#closed) this.#outgoing.resolve(sequence, false);
  }

  close(): void {
    this.#closed = true;
    this.#outgoing.close();
    this.#incoming.close();
  }
}

function checkKey(key: number): void {
  if (key >>> 0 === key) return;
  throw new TickwireError('key-invalid', `key ${key} is no whole number from 0 to 2^32 - 1`);
}
