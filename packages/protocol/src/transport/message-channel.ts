// What all channels of application messages have in common, whatever their delivery kind.

import type { ChannelLimits } from '../wire/channel-options.ts';
import type { Channel } from './channel.ts';

/** What `send` says: `full` = try again when writable, `too-large` = never, `closed` = the connection is over. */
export type SendResult = 'queued' | 'full' | 'too-large' | 'closed';

/**
 * Gets each message; the range is valid only during the call. It should not throw. If it does, that message counts as
 * delivered, and the others of the section are delivered all the same; then the channel's `commit`, and so the
 * connection's `receive`, throws the first error. What other channels had in the packet may be lost by then, though
 * it is acknowledged: close the connection.
 */
export type MessageSink = (bytes: Uint8Array, start: number, end: number) => void;

/** Counts of one channel since it was made, and the state of its queue. One object for the channel's life. */
export interface MessageChannelStatistics {
  /** Messages that `send` took, and their bytes. */
  sent: number;
  sentBytes: number;
  /** Messages handed to this side's sink, and their bytes. */
  delivered: number;
  deliveredBytes: number;
  /** Messages, pieces or values that were said again because their packet was lost. */
  resent: number;
  /** Calls of `send` that found the queue full. */
  full: number;
  /**
   * Given up because their time to live was over: none of it was sent, or, of an unreliable message that was cut, not
   * all of it. It counts from the first flush after `send`.
   */
  expired: number;
  /** Received, and dropped because something newer had been delivered. */
  overtaken: number;
  /** Received in part, and given up because the rest never came. */
  incomplete: number;
  /** Packets refused because the other side says more messages than it may. */
  limited: number;
  /** Messages, and their bytes, that wait; of reliable kinds also those that are not yet acknowledged. */
  queued: number;
  queuedBytes: number;
  /** Bytes held on the receiving side until what is before them, or the rest of them, comes. */
  heldBytes: number;
}

/** Statistics of a channel on which nothing has happened. */
export function emptyStatistics(): MessageChannelStatistics {
  return {
    sent: 0,
    sentBytes: 0,
    delivered: 0,
    deliveredBytes: 0,
    resent: 0,
    full: 0,
    expired: 0,
    overtaken: 0,
    incomplete: 0,
    limited: 0,
    queued: 0,
    queuedBytes: 0,
    heldBytes: 0,
  };
}

/** A channel of messages, of every kind but reliable-latest. */
export interface MessageChannel extends Channel {
  readonly statistics: Readonly<MessageChannelStatistics>;
  /** Copies bytes[start, end) into the queue. Nothing leaves before the connection's next flush. */
  send(bytes: Uint8Array, start: number, end: number): SendResult;
  /**
   * Calls once, when at most half of the queue is in use again; at the next flush at the earliest. Those who wait are
   * called in order, as long as there is room. Throws 'handlers-full' when 64 wait already. It must not throw.
   */
  onWritable(callback: () => void): void;
}

/** Whether at most half of a queue is in use: the room at which those who found it full are told. */
export function hasRoom(limits: ChannelLimits, statistics: MessageChannelStatistics): boolean {
  const { queueEntries, queueBytes } = limits;
  return statistics.queued <= queueEntries / 2 && statistics.queuedBytes <= queueBytes / 2;
}

/** What a sink has thrown, until everything that came with it has been handed over. */
export class SinkErrors {
  #first: { readonly error: unknown } | undefined;

  keep(error: unknown): void {
    this.#first ??= { error };
  }

  /** Throws the first of them, if there are any, and forgets all. */
  release(): void {
    const first = this.#first;
    if (first === undefined) return;
    this.#first = undefined;
    throw first.error;
  }
}
