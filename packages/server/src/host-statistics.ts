// What a host has counted besides datagrams by verdict.

import type { LimitStatistics } from './admission-limits.ts';

/** A reading of a host. */
export interface HostStatistics extends LimitStatistics {
  /** Whose cryptography is in use. */
  readonly crypto: string;
  /** Clients that are proven and not yet connected. */
  readonly halfOpen: number;
  /** Bytes of requests: from addresses that need not be those of whoever sent them. */
  readonly unprovenBytesIn: number;
  /** Bytes that answered them; never more. `limits.requests` bounds them. */
  readonly unprovenBytesOut: number;
  /** Answers to strangers and to proofs that found no room among those waiting to be sent. */
  readonly repliesDropped: number;
  /** Connect tokens that are remembered: used ones until they expire, and those of attempts that are not over. */
  readonly tokensRemembered: number;
  /** Tokens that were refused because `limits.tokens` are remembered. */
  readonly tokensFull: number;
  /** Challenges sent to addresses that connections may be moving to. */
  readonly pathChallenges: number;
  /** Connections that moved to another address. */
  readonly pathChanges: number;
}
