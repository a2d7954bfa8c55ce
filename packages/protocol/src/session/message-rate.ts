// How many messages a second a channel takes from the other side. A channel whose bucket is empty refuses its next
// section, and so the packet: a reliable sender says it again, so nothing of it is lost; what is unreliable is lost,
// and counted. What one section brings is not known before it is delivered, so it may leave a debt; that is paid before
// the next is read.

import type { Channel } from '../transport/channel.ts';
import type { MessageChannelStatistics } from '../transport/message-channel.ts';
import { Verdict } from '../wire/verdict.ts';
import { RateBucket, type RateLimit } from './rate-bucket.ts';

/** Stands before a channel of messages and lets through what its rate allows; all else it leaves to the channel. */
export class MessageRate implements Channel {
  readonly elicitsAck: boolean;
  readonly #channel: Channel;
  readonly #statistics: MessageChannelStatistics;
  readonly #bucket: RateBucket;

  /** Throws 'option-invalid' for what is no limit. */
  constructor(channel: Channel, statistics: MessageChannelStatistics, limit: RateLimit) {
    this.elicitsAck = channel.elicitsAck;
    this.#channel = channel;
    this.#statistics = statistics;
    this.#bucket = new RateBucket('message rate', limit);
  }

  /** A message of the channel was delivered, or a value taken back. */
  delivered(): void {
    this.#bucket.spend();
  }

  pending(nowMs: number): boolean {
    return this.#channel.pending(nowMs);
  }

  write(nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    return this.#channel.write(nowMs, out, start, end, sequence);
  }

  /** Refuses before the section is looked at: who says too much costs as little as can be. */
  read(nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    if (this.#bucket.admits(nowMs)) return this.#channel.read(nowMs, bytes, start, end, sequence);
    this.#statistics.limited++;
    return Verdict.refused;
  }

  commit(nowMs: number): void {
    this.#channel.commit(nowMs);
  }

  acked(sequence: number): void {
    this.#channel.acked(sequence);
  }

  lost(sequence: number): void {
    this.#channel.lost(sequence);
  }

  close(): void {
    this.#channel.close();
  }
}
