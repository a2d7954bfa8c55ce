// What a server of sessions can be told, and what it tells outside of the packet path.

import type { AddressBook, ConnectionTuning, Crypto, KeyPair } from '@tickwire/protocol';
import type { Access } from './access.ts';
import type { LimitOptions } from './limits.ts';
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
export interface SessionServerOptions extends ConnectionTuning {
  readonly crypto: Crypto;
  readonly addresses: AddressBook;
  readonly nowMs: number;
  /** Unix time, ms, as it is when asked: what connect tokens are judged by. A server that takes them must have it. */
  readonly wallClock?: (() => number) | undefined;
  /** What clients know the server by. Default: a new one. */
  readonly identity?: KeyPair | undefined;
  /** The way in. Default: open to everybody. */
  readonly access?: Access | undefined;
  /** Connections, half-open ones included. Default 1024. */
  readonly maxConnections?: number;
  /** Goes with the refusal 'full' to whoever finds no place, cut to 200 bytes. Default ''. */
  readonly fullText?: string;
  /** A session that has lost its connection waits so long for its client, ms. Default 30000, 0 = not at all. */
  readonly resumeMs?: number;
  /** Sessions that may be away at the same time; more end at once. Default: as maxConnections. At most 65535. */
  readonly maxAway?: number;
  /** How much is taken from clients, and from those who want to be some. */
  readonly limits?: LimitOptions | undefined;
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
