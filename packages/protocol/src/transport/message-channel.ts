// What all channels of application messages have in common, whatever their delivery kind.

import type { Channel } from './channel.ts';

/** What `send` says: `full` = try again when writable, `too-large` = never, `closed` = the connection is over. */
export type SendResult = 'queued' | 'full' | 'too-large' | 'closed';

/** Gets each message; the range is valid only during the call. */
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
  /** Never sent: their time to live was over first. */
  expired: number;
  /** Received, and dropped because something newer had been delivered. */
  overtaken: number;
  /** Received in part, and given up because the rest never came. */
  incomplete: number;
  /** Messages, and their bytes, that wait or are not yet acknowledged. */
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
  /** Calls once, when at most half of the queue is in use again. One callback at a time. */
  onWritable(callback: () => void): void;
}
