// What a connection asks of everything that travels in it: messages, snapshots and inputs alike.

import type { Verdict } from '../wire/verdict.ts';

/** Channels of one connection: ids 0 to CHANNELS_MAX - 1; section numbers from there on belong to the connection. */
export const CHANNELS_MAX = 64;

/**
 * One stream of data in a connection. A packet carries at most one section of each channel.
 * Receiving is in two steps, so that a packet is kept whole or not at all: `read` checks and stages,
 * `commit` keeps what was staged; without a commit the next `read` starts over.
 */
export interface Channel {
  /** Whether packets that carry this channel want a verdict. Both sides must agree. */
  readonly elicitsAck: boolean;
  /** Whether `write` has something to say now. Called at least once a flush: the clock of times to live. */
  pending(nowMs: number): boolean;
  /**
   * Writes one section body into out[start, end) for packet `sequence`; returns its length. 0 = nothing left,
   * or nothing that fits. The connection calls it once a packet, for as many packets as it keeps writing.
   */
  write(nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number;
  /** Checks and stages the section bytes[start, end): accepted, malformed or refused. Never throws. */
  read(nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict;
  /** Keeps what the last `read` staged. The range it came from is still valid. */
  commit(nowMs: number): void;
  /** The packet in which this channel wrote under `sequence` arrived and was kept. */
  acked(sequence: number): void;
  /** It did not, as far as can be told; final. */
  lost(sequence: number): void;
  /** The connection is over: packets without a verdict are abandoned, nothing is sent or delivered any more. */
  close(): void;
}

/** A channel and its place among those of a connection. */
export interface ChannelPlan {
  /** 0 to {@link CHANNELS_MAX} - 1, the same on both sides. */
  readonly id: number;
  readonly channel: Channel;
  /** Higher goes first. Default 0. */
  readonly priority?: number;
  /** Share of the bandwidth among channels of the same priority. Default 1. */
  readonly weight?: number;
}
