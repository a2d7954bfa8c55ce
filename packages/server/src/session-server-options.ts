// What a server of sessions can be told, and what it tells outside of the packet path.

import type { HostOptions } from './host-options.ts';
import type { User } from './slot-table.ts';

/** Severity of a log line. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Called outside the packet path, with plain data. */
export type Log = (level: LogLevel, event: string, data: Readonly<Record<string, unknown>>) => void;
/**
 * `where`: 'simulate', 'onTick', 'onRequest', 'onSession', 'onEnter', 'onLeave', 'onMessage', 'onForget', 'onWritable',
 * 'onLeft', 'onResumed', 'onEnd', 'tokens.consume', 'socket'.
 */
export type OnError = (error: Error, where: string) => void;

/** Options of every server. */
export interface SessionServerOptions extends Omit<HostOptions, 'game' | 'sink'> {
  readonly nowMs: number;
  /** A session that has lost its connection waits so long for its client, ms. Default 30000, 0 = not at all, at most 3600000. */
  readonly resumeMs?: number;
  /** Sessions that may be away at the same time; more end at once. Default: as maxConnections. At most 65535. */
  readonly maxAway?: number;
  /** Silent by default. */
  readonly log?: Log;
  /** Everything that user code throws. Default: to `log`. */
  readonly onError?: OnError;
}

/** Somebody with a proven address who wants a session. */
export interface ConnectRequest {
  /** Opaque address. */
  readonly from: number;
  /** Who it is, by its connect token; undefined where clients need none. */
  readonly user: User | undefined;
  accept(): void;
  /** `text` reaches the client, cut to 200 bytes. */
  refuse(text?: string): void;
  /** The decision failed: the client is told 'error', `onError` the rest. */
  fail(error: Error): void;
}

/** How {@link SessionServer.close} ends. */
export interface CloseOptions {
  /** Text that clients get with the reason 'shutdown'. */
  readonly reason?: string;
  /** Messages under way have so long to arrive, or on unreliable channels to leave. Default 1000. */
  readonly graceMs?: number;
}
