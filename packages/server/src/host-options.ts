// What a host is made of, and what it asks of and tells to the layer above.

import type {
  AddressBook,
  ChannelPlan,
  ConnectionTuning,
  Crypto,
  EndReason,
  GameIdentity,
  KeyPair,
} from '@tickwire/protocol';
import type { Access, Resumable } from './access.ts';
import type { LimitOptions } from './limits.ts';

/** What a host asks of and tells to the layer above. A slot is a small number, reused after `ended`. */
export interface HostSink {
  /** A proven address wants in, with good credentials: answer with `accept` or `refuse` and the ticket, now or later. */
  requested(slot: number, ticket: number): void;
  /** The session that can be resumed by this id; undefined = none. Default: there are none. */
  resumable?(id: Uint8Array): Resumable | undefined;
  /** The channels of a connection about to be made; `resumes` = the session that it resumes, 0 = a new one. */
  channels(slot: number, resumes: number): readonly ChannelPlan[];
  /** The first sealed packet came: the connection is live. */
  opened(slot: number, resumes: number): void;
  /** A live connection is over for the user; half-open ones vanish silently. */
  closed(slot: number, reason: EndReason, text: string, remote: boolean): void;
  /** The place is nobody's any more: an ended connection has been settled, or one that never opened was given up. */
  freed?(slot: number): void;
  /** True = what is due in this connection may share the datagrams of a later flush. Default: nothing waits. */
  waits?(slot: number): boolean;
}

export interface HostOptions extends ConnectionTuning {
  readonly game: GameIdentity;
  readonly crypto: Crypto;
  readonly addresses: AddressBook;
  readonly sink: HostSink;
  /** Unix time, ms, as it is when asked: what tokens are judged by. A host that takes them must have it. */
  readonly wallClock?: (() => number) | undefined;
  /** What clients know the server by. Default: a new one. */
  readonly identity?: KeyPair | undefined;
  /** The way in. Default: open to everybody. */
  readonly access?: Access | undefined;
  /** How much is taken from clients, and from those who want to be some. */
  readonly limits?: LimitOptions | undefined;
  /** Slots, live and half-open together. Default 1024, at most 65535. */
  readonly maxConnections?: number;
  /** Text that goes with the refusal 'full', such as where else to try; cut to 200 bytes. Default none. */
  readonly fullText?: string | undefined;
}
