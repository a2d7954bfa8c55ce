// The unreliable delivery kind: sent once, never resent, delivered in whatever order it arrives.
// The layout stands in unreliable-queue.ts. A message that was cut arrives with its last missing fragment, or never.

import { ByteReader } from '../wire/bytes.ts';
import { type ChannelLimits, FRAGMENT_BYTES } from '../wire/channel-options.ts';
import { Verdict } from '../wire/verdict.ts';
import { fragmentCount, RecordHead } from './fragment.ts';
import { FragmentRing } from './fragment-ring.ts';
import {
  emptyStatistics,
  type MessageChannel,
  type MessageChannelStatistics,
  type MessageSink,
  type SendResult,
  SinkErrors,
} from './message-channel.ts';
import { UnreliableQueue } from './unreliable-queue.ts';

/** The record at hand. Nobody else is called while it is looked at, so one is enough for all. */
const reader = new ByteReader();
const head = new RecordHead();

/** See the head of the file. */
export class UnreliableChannel implements MessageChannel {
  /** Nothing is resent, yet the rate is learned from what arrives. */
  readonly elicitsAck = true;
  readonly #limits: ChannelLimits;
  readonly #sink: MessageSink;
  #errors: SinkErrors | undefined;
  readonly #statistics = emptyStatistics();
  readonly #queue: UnreliableQueue;
  /** Made for the first fragment: many channels never see any. */
  #fragments: FragmentRing | undefined;
  readonly #fragmentsMax: number;
  #closed = false;
  /** The section that was read and waits for its commit. */
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #sequence = 0;

  constructor(limits: ChannelLimits, sink: MessageSink) {
    this.#limits = limits;
    this.#sink = sink;
    this.#queue = new UnreliableQueue(limits, this.#statistics);
    this.#fragmentsMax = fragmentCount(limits.messageBytes);
  }

  get statistics(): Readonly<MessageChannelStatistics> {
    return this.#statistics;
  }

  send(bytes: Uint8Array, start: number, end: number): SendResult {
    if (this.#closed) return 'closed';
    if (end - start > this.#limits.messageBytes) return 'too-large';
    return this.#queue.add(bytes, start, end) ? 'queued' : 'full';
  }

  onWritable(callback: () => void): void {
    if (!this.#closed) this.#queue.onWritable(callback);
  }

  pending(nowMs: number): boolean {
    if (this.#closed) return false;
    this.#fragments?.expire(nowMs);
    this.#queue.expire(nowMs);
    return !this.#closed && this.#statistics.queued > 0;
  }

  write(nowMs: number, out: Uint8Array, start: number, end: number): number {
    return this.#closed ? 0 : this.#queue.write(nowMs, out, start, end);
  }

  read(nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    if (this.#closed) return Verdict.refused;
    this.#queue.see(nowMs);
    this.#begin(bytes, start, end, sequence);
    let wellFormed = start < end;
    reader.reset(bytes, start, end);
    while (wellFormed && reader.remaining > 0) wellFormed = this.#check();
    if (wellFormed) return Verdict.accepted;
    this.#end = start;
    return Verdict.malformed;
  }

  commit(nowMs: number): void {
    const end = this.#end;
    this.#fragments?.begin(this.#sequence);
    for (let at = this.#start; at < end && !this.#closed; ) at = this.#take(nowMs, at, end);
    this.#end = this.#start;
    this.#errors?.release();
  }

  acked(): void {}

  lost(): void {}

  close(): void {
    this.#closed = true;
    this.#queue.close();
    this.#fragments?.close();
  }

  /** Whether a message from packet `order` (its first fragment's) is still wanted. Told of each, as it is delivered. */
  protected wants(_order: number): boolean {
    return true;
  }

  #begin(bytes: Uint8Array, start: number, end: number, sequence: number): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#sequence = sequence;
    this.#fragments?.begin(sequence);
  }

  /** Walks over the next record; false = malformed. */
  #check(): boolean {
    if (!head.read(reader, this.#fragmentsMax, true)) return false;
    reader.skip(head.length);
    if (reader.failed) return false;
    if (head.index * FRAGMENT_BYTES + head.length > this.#limits.messageBytes) return false;
    return !head.fragment || this.#ring().check(head);
  }

  #ring(): FragmentRing {
    if (this.#fragments === undefined) {
      this.#fragments = new FragmentRing(this.#limits, this.#statistics);
      this.#fragments.begin(this.#sequence);
    }
    return this.#fragments;
  }

  /** Delivers or keeps the record at `at` of a section that was checked; returns where the next one is. */
  #take(nowMs: number, at: number, end: number): number {
    reader.reset(this.#bytes, at, end);
    head.read(reader, this.#fragmentsMax, true);
    const start = reader.position;
    const next = start + head.length;
    if (!head.fragment) {
      this.#deliver(this.#bytes, start, next, this.#sequence);
      return next;
    }
    const fragments = this.#ring();
    if (fragments.keep(nowMs, head, this.#bytes, start)) {
      this.#deliver(fragments.bytes, fragments.start, fragments.end, fragments.order);
    }
    return next;
  }

  #deliver(bytes: Uint8Array, start: number, end: number, order: number): void {
    if (!this.wants(order)) {
      this.#statistics.overtaken++;
      return;
    }
    this.#statistics.delivered++;
    this.#statistics.deliveredBytes += end - start;
    try {
      this.#sink(bytes, start, end);
    } catch (error) {
      this.#errors ??= new SinkErrors();
      this.#errors.keep(error);
    }
  }
}
