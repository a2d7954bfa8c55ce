// One client as the server sees it: the messages it exchanges, and what user code may do with it.

import {
  type ChannelPlan,
  type ChannelStatistics,
  type Connection,
  type EncodedMessage,
  type EndReason,
  MessageChannels,
  type MessageDeclarations,
  type MessageReceiver,
  type MessageSet,
  type MessageValue,
  type RateLimit,
  type SendResult,
} from '@tickwire/protocol';
import type { User } from './slot-table.ts';

/** What a session needs of its server. */
export interface SessionPort {
  /** Messages that a client may send in each channel. */
  readonly messageRate: RateLimit;
  message(session: AnySession, name: string, value: unknown): void;
  forgotten(session: AnySession, name: string, key: number): void;
  /** Something was queued, or somebody waits for room: the next flush should come soon. */
  stirred(): void;
  end(session: AnySession, reason: EndReason, text: string): void;
  /** Ends it as soon as what is queued has been acknowledged, or after `graceMs`. */
  leave(session: AnySession, text: string, graceMs: number): void;
  /** Calls user code on behalf of the session: a throw ends it. */
  guard(session: AnySession, where: string, call: () => void): void;
  /** Undefined while the session is away, and once it has ended. */
  connection(session: AnySession): Connection | undefined;
  /** Where the session's connection leads to at the moment; undefined if it has none. */
  address(session: AnySession): number | undefined;
}

/** Which session it is. */
export interface SessionPlace {
  /** Counts up from 1 over the life of the server. */
  readonly id: number;
  /** Who it is, by its connect token. */
  readonly user: User | undefined;
}

/** Where a connection of a session is. */
export interface LinkPlace {
  /** Of the host; somebody else's once the connection is over. */
  readonly slot: number;
  /** Opaque address. */
  readonly from: number;
}

/** What travels in one connection of a session. Resumed, a session has another one, and all of this starts anew. */
export interface SessionLink<M extends MessageDeclarations> extends LinkPlace {
  readonly messages: MessageChannels<M>;
  readonly plans: readonly ChannelPlan[];
}

/** How {@link Session.close} ends. */
export interface SessionCloseOptions {
  /** What is queued has so long to leave, and on reliable channels to be acknowledged. Default 1000. */
  readonly graceMs?: number;
}

/** How long what is queued may take before a close gives up on it, unless told otherwise. */
export const GRACE_MS = 1000;

// biome-ignore lint/suspicious/noExplicitAny: a session of whatever messages
export type AnySession = Session<any>;

/**
 * One client. Its connection may be lost: then the session is away until the client has resumed it, or until it ends.
 * What was under way at that moment is lost on both sides, and channels start anew with the next connection.
 */
export class Session<M extends MessageDeclarations = MessageDeclarations> {
  /** Counts up from 1 over the life of the server. */
  readonly id: number;
  /** Who it is, by the connect token it came with; undefined where clients need none. */
  readonly user: User | undefined;
  /** For user code: whatever belongs to this client. */
  data: unknown;
  readonly #set: MessageSet<M>;
  readonly #port: SessionPort;
  #link: SessionLink<M> | undefined;
  #connected = false;
  #malformedBefore = 0;
  #ended: EndReason | undefined;

  constructor({ id, user }: SessionPlace, set: MessageSet<M>, port: SessionPort) {
    this.id = id;
    this.user = user;
    this.#set = set;
    this.#port = port;
  }

  /** Why it ended, undefined while it is connected or away. */
  get ended(): EndReason | undefined {
    return this.#ended;
  }

  /** False while it is away, and once it has ended. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Where its client is: an opaque address. Without a connection, where the last one began. */
  get from(): number {
    return this.#port.address(this) ?? this.#link!.from;
  }

  /** For the server only: of the host, and of somebody else while it has no connection. */
  get slot(): number {
    return this.#link!.slot;
  }

  /** Its connection, whose `statistics` tell loss, rate and so on. Undefined while it is away and once it has ended. */
  get connection(): Connection | undefined {
    return this.#port.connection(this);
  }

  /**
   * Counts of every channel of messages, by name; up to date whenever they are read. They are of the newest connection:
   * a session that is resumed has others.
   */
  get channels(): ChannelStatistics {
    return this.#messages.statistics;
  }

  /** Smoothed round trip, milliseconds; before the first measurement a guess, 0 without a connection. */
  get rttMs(): number {
    return this.connection?.rtt.smoothedMs ?? 0;
  }

  /** Reliable messages that the client has not acknowledged. */
  get unsettled(): number {
    return this.#messages.unsettled;
  }

  /**
   * Messages of all channels together that wait to be sent; of reliable channels also those that the client has not
   * acknowledged. Counts as {@link ChannelStatistics} does for each.
   */
  get queued(): number {
    return this.#messages.queued;
  }

  /** Bytes of those messages. */
  get queuedBytes(): number {
    return this.#messages.queuedBytes;
  }

  /**
   * Bytes that a channel's messages took in packets so far, both ways: with heads, and with what was said again. Zeros
   * without a connection. Throws 'channel-invalid' for a channel that does not exist.
   */
  wireBytes(channel = 'main'): { readonly out: number; readonly in: number } {
    return this.#messages.wireBytes(this.connection, channel);
  }

  /** Messages from the client that did not fit their declaration; they were ignored. */
  get messagesMalformed(): number {
    return this.#malformedBefore + this.#messages.malformed;
  }

  /**
   * Sends a message through the channel that carries it. 'full': the client is behind, see {@link onWritable};
   * 'too-large': it will never fit; 'closed': the session is away, has ended or is about to.
   * Throws 'message-invalid' when the value does not fit the declaration.
   */
  send<K extends keyof M & string>(name: K, value: MessageValue<M[K]>): SendResult {
    return this.#sent(this.#messages.send(name, value));
  }

  /** For the server only: {@link send} of what was encoded once for many. */
  sendEncoded(message: EncodedMessage): SendResult {
    return this.#sent(this.#messages.sendEncoded(message));
  }

  /**
   * Takes back a value of a reliable-latest channel; the client's `onForget` hears of it.
   * Throws 'channel-invalid' for a message of any other channel.
   */
  forget(name: keyof M & string, key: number): SendResult {
    return this.#sent(this.#messages.forget(name, key));
  }

  /**
   * Calls once, when after a 'full' at most half of the channel's queue is in use again; if it is already, at the next
   * flush. Up to 64 callbacks may wait for a channel, and are called in the order in which they asked as long as there
   * is room; one more throws 'handlers-full', an unknown channel 'channel-invalid'. Who waits when the connection is lost
   * is not called.
   */
  onWritable(callback: () => void, channel = 'main'): void {
    this.#messages.onWritable(() => this.#port.guard(this, 'onWritable', callback), channel);
    this.#port.stirred();
  }

  /**
   * Ends it once what is queued has arrived (on unreliable channels: has left), or the grace is over; it is told
   * 'closed' and the text. One that is away ends at once.
   */
  close(text = '', { graceMs = GRACE_MS }: SessionCloseOptions = {}): void {
    this.#port.leave(this, text, graceMs);
  }

  /** Puts the client out at once; it is told 'kicked' and the text. */
  kick(text = ''): void {
    this.#port.end(this, 'kicked', text);
  }

  /** For the server only: takes no more messages; what is queued still leaves. */
  finish(): void {
    this.#messages.finish();
  }

  /** For the server only: what is to travel in a connection that may become this session's. */
  createLink(place: LinkPlace): SessionLink<M> {
    const receiver: MessageReceiver<M> = {
      message: (name, value) => this.#port.message(this, name, value),
      forgotten: (name, key) => this.#port.forgotten(this, name, key),
    };
    const messages = new MessageChannels(this.#set, receiver, this.#port.messageRate);
    return { slot: place.slot, from: place.from, messages, plans: messages.plans() };
  }

  /** For the server only: from now on it has this connection. */
  attach(link: SessionLink<M>): void {
    this.#malformedBefore += this.#link?.messages.malformed ?? 0;
    this.#link = link;
    this.#connected = true;
  }

  /** For the server only: it has no connection any more. */
  detach(): void {
    this.#connected = false;
    this.finish();
  }

  /** For the server only. */
  markEnded(reason: EndReason): void {
    this.#ended = reason;
    this.detach();
  }

  /** Nobody sees a session before its first connection is there. */
  get #messages(): MessageChannels<M> {
    return this.#link!.messages;
  }

  #sent(result: SendResult): SendResult {
    if (result === 'queued') this.#port.stirred();
    return result;
  }
}

/** Whether the peer has acked anything: it has heard this side. */
export function isHeard(connection: Connection | undefined): boolean {
  if (connection === undefined) return false;
  const { acked, spuriousLosses } = connection.statistics;
  return acked + spuriousLosses > 0;
}
