// What the two reliable kinds of messages share: everything but the order of delivery.

import type { ChannelLimits } from '../wire/channel-options.ts';
import { Verdict } from '../wire/verdict.ts';
import { IncomingMessages } from './incoming-messages.ts';
import {
  emptyStatistics,
  type MessageChannel,
  type MessageChannelStatistics,
  type MessageSink,
  type SendResult,
} from './message-channel.ts';
import { OutgoingMessages } from './outgoing-messages.ts';

/**
 * A sending and a receiving half. What they promise stands at their heads. Each is made when it is needed first: many
 * channels only speak, or only listen, and a half takes some kilobytes.
 */
export class ReliableChannel implements MessageChannel {
  readonly elicitsAck = true;
  readonly #statistics: MessageChannelStatistics = emptyStatistics();
  readonly #limits: ChannelLimits;
  readonly #sink: MessageSink;
  readonly #ordered: boolean;
  #outgoing: OutgoingMessages | undefined;
  #incoming: IncomingMessages | undefined;
  #closed = false;

  constructor(limits: ChannelLimits, sink: MessageSink, ordered: boolean) {
    this.#limits = limits;
    this.#sink = sink;
    this.#ordered = ordered;
  }

  get statistics(): Readonly<MessageChannelStatistics> {
    return this.#statistics;
  }

  send(bytes: Uint8Array, start: number, end: number): SendResult {
    if (this.#closed) return 'closed';
    return this.#speak().send(bytes, start, end);
  }

  onWritable(callback: () => void): void {
    if (!this.#closed) this.#speak().onWritable(callback);
  }

  pending(nowMs: number): boolean {
    return this.#outgoing?.pending(nowMs) ?? false;
  }

  write(nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    return this.#outgoing?.write(nowMs, out, start, end, sequence) ?? 0;
  }

  read(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    if (this.#closed) return Verdict.refused;
    this.#outgoing?.see(nowMs);
    this.#incoming ??= new IncomingMessages(
      this.#limits,
      this.#statistics,
      this.#sink,
      this.#ordered,
    );
    return this.#incoming.stage(bytes, start, end);
  }

  commit(): void {
    this.#incoming?.commit();
  }

  acked(sequence: number): void {
    this.#outgoing?.acked(sequence);
  }

  lost(sequence: number): void {
    this.#outgoing?.lost(sequence);
  }

  close(): void {
    this.#closed = true;
    this.#outgoing?.close();
    this.#incoming?.close();
  }

  #speak(): OutgoingMessages {
    this.#outgoing ??= new OutgoingMessages(this.#limits, this.#statistics);
    return this.#outgoing;
  }
}
