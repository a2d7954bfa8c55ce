// What the two reliable kinds of messages share: everything but the order of delivery.

import type { ChannelLimits } from '../wire/channel-options.ts';
import type { Verdict } from '../wire/verdict.ts';
import { IncomingMessages } from './incoming-messages.ts';
import {
  emptyStatistics,
  type MessageChannel,
  type MessageChannelStatistics,
  type MessageSink,
  type SendResult,
} from './message-channel.ts';
import { OutgoingMessages } from './outgoing-messages.ts';

/** A sending and a receiving half. What they promise stands at their heads. */
export class ReliableChannel implements MessageChannel {
  readonly elicitsAck = true;
  readonly #statistics: MessageChannelStatistics = emptyStatistics();
  readonly #outgoing: OutgoingMessages;
  readonly #incoming: IncomingMessages;

  constructor(limits: ChannelLimits, sink: MessageSink, ordered: boolean) {
    this.#outgoing = new OutgoingMessages(limits, this.#statistics);
    this.#incoming = new IncomingMessages(limits, this.#statistics, sink, ordered);
  }

  get statistics(): Readonly<MessageChannelStatistics> {
    return this.#statistics;
  }

  send(bytes: Uint8Array, start: number, end: number): SendResult {
    return this.#outgoing.send(bytes, start, end);
  }

  onWritable(callback: () => void): void {
    this.#outgoing.onWritable(callback);
  }

  pending(nowMs: number): boolean {
    return this.#outgoing.pending(nowMs);
  }

  write(nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    return this.#outgoing.write(nowMs, out, start, end, sequence);
  }

  read(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    this.#outgoing.see(nowMs);
    return this.#incoming.stage(bytes, start, end);
  }

  commit(): void {
    this.#incoming.commit();
  }

  acked(sequence: number): void {
    this.#outgoing.acked(sequence);
  }

  lost(sequence: number): void {
    this.#outgoing.lost(sequence);
  }

  close(): void {
    this.#outgoing.close();
    this.#incoming.close();
  }
}
