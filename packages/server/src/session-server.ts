// What every server is around its connections, with a game or without: who may come in, sessions and their ends,
// messages, user code in a guard, closing with a grace. When it runs and when it flushes is for who extends it.

import {
  type AddressBook,
  type ConnectionTuning,
  type Crypto,
  type Destination,
  EncodedMessage,
  type EndReason,
  type GameIdentity,
  type MessageDeclarations,
  type MessageSet,
  type MessageValue,
  TickwireError,
  type Verdict,
} from '@tickwire/protocol';
import { ConnectionHost } from './host.ts';
import {
  type AnySession,
  GRACE_MS,
  type Session,
  type SessionPlace,
  type SessionPort,
} from './session.ts';

/** Severity of a log line. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Called outside the packet path, with plain data. */
export type Log = (level: LogLevel, event: string, data: Readonly<Record<string, unknown>>) => void;
/**
 * `where`: 'simulate', 'onTick', 'onRequest', 'onSession', 'onEnter', 'onLeave', 'onMessage', 'onForget', 'onWritable',
 * 'onEnd', 'socket'.
 */
export type OnError = (error: Error, where: string) => void;

/** Options of every server. */
export interface SessionServerOptions extends ConnectionTuning {
  readonly crypto: Crypto;
  readonly addresses: AddressBook;
  readonly nowMs: number;
  /** Connections, half-open ones included. Default 1024. */
  readonly maxConnections?: number;
  /** Goes with the refusal 'full' to whoever finds no place, cut to 200 bytes. Default ''. */
  readonly fullText?: string;
  /** Silent by default. */
  readonly log?: Log;
  /** Everything that user code throws. Default: to `log`. */
  readonly onError?: OnError;
}

/** Somebody with a proven address who wants a session. */
export interface ConnectRequest {
  /** Opaque address. */
  readonly from: number;
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

/** After the grace, closes have so long to be confirmed. */
const CLOSE_CONFIRM_MS = 1000;

/** A session that ends as soon as all has arrived, or at a moment. */
interface Leaving {
  readonly reason: EndReason;
  readonly text: string;
  /** Counts from the next time that is known: who says that a session leaves need not know one. */
  readonly graceMs: number;
  /** NaN = not known yet. */
  untilMs: number;
}

type Handler<S> = (session: S, value: never) => void;

/** See the head of the file. */
export abstract class SessionServer<M extends MessageDeclarations, S extends Session<M>> {
  readonly messages: MessageSet<M>;
  readonly host: ConnectionHost;
  readonly #options: SessionServerOptions;
  readonly #sessions = new Map<number, S>();
  readonly #waiting = new Map<number, S>();
  readonly #leaving = new Map<S, Leaving>();
  readonly #handlers = new Map<string, Handler<S>>();
  readonly #forgetHandlers = new Map<string, (session: S, key: number) => void>();
  readonly #encoded = new EncodedMessage();
  readonly #port: SessionPort;
  #onRequest: (request: ConnectRequest) => void = (request) => request.accept();
  #onSession: (session: S) => void = () => {};
  #onEnd: (session: S, reason: EndReason, text: string) => void = () => {};
  #nextSessionId = 1;
  #places = 0;
  #malformedBefore = 0;
  #messagesUnheard = 0;
  #closing: { text: string; untilMs: number; overAtMs: number } | undefined;
  #nowMs: number;

  constructor(identity: GameIdentity, messages: MessageSet<M>, options: SessionServerOptions) {
    this.messages = messages;
    this.#options = options;
    this.#nowMs = options.nowMs;
    this.#port = this.#createPort();
    this.host = new ConnectionHost({
      ...options,
      game: identity,
      sink: {
        requested: (slot, ticket) => this.#requested(slot, ticket),
        channels: (slot) => this.#create(slot).plans(),
        opened: (slot) => this.#opened(slot),
        closed: (slot, reason, text) => this.#closed(slot, reason, text),
        freed: (slot) => this.#waiting.delete(slot),
        waits: (slot) => this.waits(this.#sessions.get(slot)),
      },
    });
  }

  /** Connected clients by slot. */
  get sessions(): ReadonlyMap<number, S> {
    return this.#sessions;
  }

  /** Messages that did not fit their declaration; they were ignored. */
  get messagesMalformed(): number {
    let count = this.#malformedBefore;
    for (const session of this.#sessions.values()) count += session.messagesMalformed;
    return count;
  }

  /** Messages, and values taken back, for which no handler was set; they are gone. */
  get messagesUnheard(): number {
    return this.#messagesUnheard;
  }

  /** Closed, and every session confirmed or given up: nothing more will be sent. */
  get over(): boolean {
    if (this.#closing === undefined) return false;
    return this.host.unsettled === 0 || this.#nowMs >= this.#closing.overAtMs;
  }

  /** Decides who may come in; by default everybody. Undecided after 5 s is forgotten. */
  onRequest(handler: (request: ConnectRequest) => void): void {
    this.#onRequest = handler;
  }

  /** Called with each new session. */
  onSession(handler: (session: S) => void): void {
    this.#onSession = handler;
  }

  /** Called when a session has ended, for whatever reason. */
  onEnd(handler: (session: S, reason: EndReason, text: string) => void): void {
    this.#onEnd = handler;
  }

  /** One handler a message name; the last one counts. A throw ends that session. */
  onMessage<K extends keyof M & string>(
    name: K,
    handler: (session: S, value: MessageValue<M[K]>) => void,
  ): void {
    this.#checkMessage(name);
    this.#handlers.set(name, handler as Handler<S>);
  }

  /** Called when a client has taken back a value of a reliable-latest channel. One handler a message name. */
  onForget(name: keyof M & string, handler: (session: S, key: number) => void): void {
    this.#checkMessage(name);
    this.#forgetHandlers.set(name, handler);
  }

  /**
   * Sends a message to every session, but for `except`; it is encoded once. Returns to how many: the others' queues
   * are full. Throws 'message-invalid' when the value does not fit the declaration.
   */
  broadcast<K extends keyof M & string>(name: K, value: MessageValue<M[K]>, except?: S): number {
    this.#encoded.encode(this.messages, name, value);
    let queued = 0;
    for (const session of this.#sessions.values()) {
      if (session !== except && session.sendEncoded(this.#encoded) === 'queued') queued++;
    }
    return queued;
  }

  /** Starts closing: no new sessions, and what is queued has the grace to arrive; see `over`. */
  close(nowMs: number, { reason = '', graceMs = GRACE_MS }: CloseOptions = {}): void {
    if (this.#closing !== undefined) return;
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    const untilMs = nowMs + graceMs;
    this.#closing = { text: reason, untilMs, overAtMs: untilMs + CLOSE_CONFIRM_MS };
    this.log('info', 'closing', { sessions: this.#sessions.size });
    for (const session of this.#sessions.values()) this.#shutDown(session);
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    return this.host.receive(nowMs, bytes, start, end, from);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    return this.host.poll(nowMs, out, start, to);
  }

  /** Hands an error to `onError`, or to the log. For the shell. */
  report(error: Error, where: string): void {
    const { onError } = this.#options;
    if (onError === undefined) this.log('error', 'user-error', { where, error: `${error}` });
    else onError(error, where);
  }

  protected abstract createSession(place: SessionPlace, port: SessionPort): S;

  /** Slots that were ever in use: 0 to this, exclusive. */
  protected get places(): number {
    return this.#places;
  }

  /** Something is to be sent to a session, or somebody waits for room: the next flush should come soon. */
  protected stirred(): void {}

  /** Whether what is due for a session may share the datagrams of a later flush. */
  protected waits(_session: S | undefined): boolean {
    return false;
  }

  /** A session has ended; its user hears of it next. */
  protected ended(_session: S): void {}

  /** The time as of now, and who is leaving goes if it can. First thing in `advance`. */
  protected settle(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    for (const [session, leaving] of this.#leaving) {
      if (Number.isNaN(leaving.untilMs)) leaving.untilMs = nowMs + leaving.graceMs;
      if (!isSettled(session) && nowMs < leaving.untilMs) continue;
      this.endSession(session, leaving.reason, leaving.text);
    }
  }

  /** When {@link settle} has work, as far as is known now: each ack and each flush may bring more. */
  protected settlesAt(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const [session, { untilMs }] of this.#leaving) {
      if (isSettled(session)) return this.#nowMs;
      if (untilMs < atMs) atMs = untilMs;
    }
    return Math.min(atMs, this.#closing?.overAtMs ?? atMs);
  }

  protected endSession(session: S, reason: EndReason, text: string): void {
    if (!this.#isLive(session)) return;
    this.host.close(session.slot, reason, text);
    this.stirred();
  }

  /** User code on behalf of a session: a throw ends the session, not the server. */
  protected guard(session: S, where: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      if (session.ended === undefined) this.endSession(session, 'error', '');
      this.report(error as Error, where);
    }
  }

  protected log(level: LogLevel, event: string, data: Readonly<Record<string, unknown>>): void {
    this.#options.log?.(level, event, data);
  }

  #createPort(): SessionPort {
    return {
      message: (session, name, value) => this.#message(session as S, name, value),
      forgotten: (session, name, key) => this.#forgotten(session as S, name, key),
      stirred: () => this.stirred(),
      end: (session, reason, text) => this.endSession(session as S, reason, text),
      leave: (session, text, graceMs) => this.#leave(session as S, 'closed', text, graceMs),
      guard: (session, where, call) => this.guard(session as S, where, call),
      connection: (session) =>
        this.#isLive(session as S) ? this.host.connection(session.slot) : undefined,
    };
  }

  /** An ended session's slot may be somebody else's by now. */
  #isLive(session: S): boolean {
    return this.#sessions.get(session.slot) === session;
  }

  #requested(slot: number, ticket: number): void {
    this.#places = Math.max(this.#places, slot + 1);
    if (this.#closing !== undefined) {
      this.host.refuse(slot, ticket, 'shutdown', this.#closing.text);
      return;
    }
    const fail = (error: Error) => {
      this.host.refuse(slot, ticket, 'error', '');
      this.report(error, 'onRequest');
    };
    try {
      this.#onRequest({
        from: this.host.address(slot),
        accept: () => this.host.accept(slot, ticket),
        refuse: (text = '') => this.host.refuse(slot, ticket, 'refused', text),
        fail,
      });
    } catch (error) {
      fail(error as Error);
    }
  }

  #create(slot: number): S {
    const place = { id: this.#nextSessionId++, slot, from: this.host.address(slot) };
    const session = this.createSession(place, this.#port);
    this.#waiting.set(slot, session);
    return session;
  }

  #opened(slot: number): void {
    const session = this.#waiting.get(slot)!;
    this.#waiting.delete(slot);
    this.#sessions.set(slot, session);
    this.log('info', 'session', { session: session.id });
    this.guard(session, 'onSession', () => this.#onSession(session));
    if (this.#closing !== undefined) this.#shutDown(session);
  }

  #closed(slot: number, reason: EndReason, text: string): void {
    const session = this.#sessions.get(slot);
    if (session === undefined) return;
    this.#sessions.delete(slot);
    this.#leaving.delete(session);
    this.#malformedBefore += session.messagesMalformed;
    session.markEnded(reason);
    this.ended(session);
    this.log('info', 'session-end', { session: session.id, reason, text });
    this.guard(session, 'onEnd', () => this.#onEnd(session, reason, text));
  }

  #shutDown(session: S): void {
    const { text, untilMs } = this.#closing!;
    this.#leave(session, 'shutdown', text, untilMs - this.#nowMs);
  }

  /** Who is leaving already keeps its reason, and goes at the earlier of both moments. */
  #leave(session: S, reason: EndReason, text: string, graceMs: number): void {
    if (!this.#isLive(session)) return;
    const before = this.#leaving.get(session) ?? { reason, text, graceMs };
    const soonestMs = Math.min(before.graceMs, graceMs);
    this.#leaving.set(session, { ...before, graceMs: soonestMs, untilMs: Number.NaN });
    session.finish();
    this.stirred();
  }

  #message(session: S, name: string, value: unknown): void {
    const handler = this.#handlers.get(name);
    if (handler === undefined) this.#messagesUnheard++;
    else if (session.ended === undefined) {
      this.guard(session, 'onMessage', () => handler(session, value as never));
    }
  }

  #forgotten(session: S, name: string, key: number): void {
    const handler = this.#forgetHandlers.get(name);
    if (handler === undefined) this.#messagesUnheard++;
    else if (session.ended === undefined) {
      this.guard(session, 'onForget', () => handler(session, key));
    }
  }

  #checkMessage(name: string): void {
    if (this.messages.kindOf(name) >= 0) return;
    throw new TickwireError('message-invalid', `there is no message '${name}'`);
  }
}

/** Nothing waits to be sent, and nothing reliable to be acknowledged. */
function isSettled(session: AnySession): boolean {
  return session.queued === 0 && session.unsettled === 0;
}
