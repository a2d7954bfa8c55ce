// What every server is around its connections, with a game or without: who may come in, sessions, their absences and
// their ends, messages, user code in a guard, closing with a grace. When it runs and flushes is for who extends it.
//
//   a session is      until                                             and then
//   connected         no authentic packet came for the timeout          away, if it may be resumed
//                     its client has resumed it                         away, and connected again at once
//                     anything else ended its connection                ended
//   away              its client has resumed it                         connected
//                     resumeMs are over, somebody ended it, close       ended
//
// A client resumes with what its connection was given; until it has acked something there also with what it came with.

import {
  type Destination,
  EncodedMessage,
  type EndReason,
  type GameIdentity,
  type MessageDeclarations,
  type MessageSet,
  type MessageValue,
  type RateLimit,
  type Verdict,
} from '@tickwire/protocol';
import { NOTHING_TO_RESUME } from './access.ts';
import { askFor } from './connect-request.ts';
import { Departures } from './departures.ts';
import { reportTo } from './error-report.ts';
import { ConnectionHost } from './host.ts';
import { resolveLimits } from './limits.ts';
import { MessageHandlers } from './message-handlers.ts';
import { ResumeTable } from './resume-table.ts';
import {
  GRACE_MS,
  isHeard,
  type Session,
  type SessionLink,
  type SessionPlace,
  type SessionPort,
} from './session.ts';
import type {
  CloseOptions,
  ConnectRequest,
  LogLevel,
  SessionServerOptions,
} from './session-server-options.ts';

export type * from './session-server-options.ts';

/** After the grace, closes have so long to be confirmed. */
const CLOSE_CONFIRM_MS = 1000;

/** As many as a host has places, unless told otherwise. */
const MAX_CONNECTIONS = 1024;

/** A connection that is not live yet, and the session that it is going to be of. */
interface Waiting<M extends MessageDeclarations, S> {
  readonly session: S;
  readonly link: SessionLink<M>;
}

/** See the head of the file. */
export abstract class SessionServer<M extends MessageDeclarations, S extends Session<M>> {
  readonly messages: MessageSet<M>;
  readonly host: ConnectionHost;
  readonly #options: SessionServerOptions;
  readonly #sessions = new Map<number, S>();
  readonly #waiting = new Map<number, Waiting<M, S>>();
  readonly #leaving = new Departures<S>();
  readonly #resumes: ResumeTable<S>;
  readonly #handlers: MessageHandlers<S>;
  readonly #encoded = new EncodedMessage();
  readonly #port: SessionPort;
  #onRequest: (request: ConnectRequest) => void = (request) => request.accept();
  #onSession: (session: S) => void = () => {};
  #onLeft: (session: S) => void = () => {};
  #onResumed: (session: S) => void = () => {};
  #onEnd: (session: S, reason: EndReason, text: string) => void = () => {};
  #nextSessionId = 1;
  #places = 0;
  #malformedBefore = 0;
  #closing: { text: string; untilMs: number; overAtMs: number } | undefined;
  #nowMs: number;

  constructor(identity: GameIdentity, messages: MessageSet<M>, options: SessionServerOptions) {
    this.messages = messages;
    this.#options = options;
    this.#nowMs = options.nowMs;
    const { maxConnections = MAX_CONNECTIONS, limits = {}, resumeMs } = options;
    const { maxAway = maxConnections } = options;
    this.#port = this.#createPort(resolveLimits(limits, maxConnections).messages);
    const confirmed = ({ connected, slot }: S) => connected && isHeard(this.host.connection(slot));
    this.#resumes = new ResumeTable({ resumeMs, maxAway }, confirmed);
    this.#handlers = new MessageHandlers(messages as MessageSet<MessageDeclarations>, (...call) =>
      this.guard(...call),
    );
    this.host = new ConnectionHost({
      ...options,
      game: identity,
      sink: {
        requested: (slot, ticket) => this.#requested(slot, ticket),
        resumable: (id) => this.#resumes.find(id),
        channels: (slot, resumes) => this.#createLink(slot, resumes).plans,
        opened: (slot, resumes) => this.#opened(slot, resumes),
        closed: (slot, reason, text, remote) => this.#closed(slot, reason, text, remote),
        freed: (slot) => this.#waiting.delete(slot),
        waits: (slot) => this.waits(this.#sessions.get(slot)),
      },
    });
  }

  /** Connected clients by slot. */
  get sessions(): ReadonlyMap<number, S> {
    return this.#sessions;
  }

  /** Sessions without a connection that wait for their clients, those first that left first. */
  get away(): Iterable<S> & { readonly size: number } {
    return this.#resumes.away;
  }

  /** Messages that did not fit their declaration; they were ignored. */
  get messagesMalformed(): number {
    let count = this.#malformedBefore;
    for (const session of this.#sessions.values()) count += session.messagesMalformed;
    for (const session of this.away) count += session.messagesMalformed;
    return count;
  }

  /** Messages, and values taken back, for which no handler was set; they are gone. */
  get messagesUnheard(): number {
    return this.#handlers.unheard;
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

  /**
   * Called when a session has lost its connection and waits for its client, for `resumeMs` at most: then comes either
   * onResumed or onEnd. Its data, its place in a match and its rows stay; what is sent to it meanwhile is 'closed'.
   */
  onLeft(handler: (session: S) => void): void {
    this.#onLeft = handler;
  }

  /**
   * Called when the client of a session that was left has resumed it. Messages that were under way when the connection
   * broke are lost in both directions, reliable ones too, and no value of a reliable-latest channel is known to the
   * client any more: send again what it must know.
   */
  onResumed(handler: (session: S) => void): void {
    this.#onResumed = handler;
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
    this.#handlers.onValue(name, handler);
  }

  /** Called when a client has taken back a value of a reliable-latest channel. One handler a message name. */
  onForget(name: keyof M & string, handler: (session: S, key: number) => void): void {
    this.#handlers.onForgotten(name, handler);
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
    this.note(nowMs);
    const untilMs = nowMs + graceMs;
    this.#closing = { text: reason, untilMs, overAtMs: untilMs + CLOSE_CONFIRM_MS };
    this.log('info', 'closing', { sessions: this.#sessions.size, away: this.away.size });
    for (const session of [...this.away]) this.#end(session, 'shutdown', reason);
    for (const session of this.#sessions.values()) this.#shutDown(session);
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    this.note(nowMs);
    return this.host.receive(nowMs, bytes, start, end, from);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    return this.host.poll(nowMs, out, start, to);
  }

  /** Hands an error to `onError`, or to the log; never throws. For the shell. */
  report(error: Error, where: string): void {
    reportTo(this.#options, error, where);
  }

  protected abstract createSession(place: SessionPlace, port: SessionPort): S;

  /** Slots that ever had a connection: 0 to this, exclusive. */
  protected get places(): number {
    return this.#places;
  }

  /** Something is to be sent to a session, or somebody waits for room: the next flush should come soon. */
  protected stirred(): void {}

  /** Whether what is due for a session may share the datagrams of a later flush. */
  protected waits(_session: S | undefined): boolean {
    return false;
  }

  /** A session has another connection; its user hears of it next. */
  protected resumed(_session: S): void {}

  /** A session has ended; its user hears of it next. */
  protected ended(_session: S): void {}

  /** The time as of now. Before anything that may take it. */
  protected note(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
  }

  /** Who is leaving goes if it can, and who was away too long ends. In each `advance`. */
  protected settle(nowMs: number): void {
    this.note(nowMs);
    this.#resumes.expire(nowMs, (session) => this.#end(session, 'timeout', ''));
    this.#leaving.settle(nowMs, (session, reason, text) => this.endSession(session, reason, text));
  }

  /** When {@link settle} has work, as far as is known now: each ack and each flush may bring more. */
  protected settlesAt(): number {
    const atMs = Math.min(this.#resumes.nextEndMs, this.#leaving.settlesAt(this.#nowMs));
    return Math.min(atMs, this.#closing?.overAtMs ?? atMs);
  }

  protected endSession(session: S, reason: EndReason, text: string): void {
    if (this.#resumes.isAway(session)) this.#end(session, reason, text);
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

  #createPort(messageRate: RateLimit): SessionPort {
    return {
      messageRate,
      message: (session, name, value) => this.#handlers.value(session as S, name, value),
      forgotten: (session, name, key) => this.#handlers.forgotten(session as S, name, key),
      stirred: () => this.stirred(),
      end: (session, reason, text) => this.endSession(session as S, reason, text),
      leave: (session, text, graceMs) => this.#leave(session as S, 'closed', text, graceMs),
      guard: (session, where, call) => this.guard(session as S, where, call),
      connection: (session) =>
        this.#isLive(session as S) ? this.host.connection(session.slot) : undefined,
      address: (session) =>
        this.#isLive(session as S) ? this.host.address(session.slot) : undefined,
    };
  }

  /** The slot of a session that has ended, or is away, may be somebody else's by now. */
  #isLive(session: S): boolean {
    return session.connected && this.#sessions.get(session.slot) === session;
  }

  #requested(slot: number, ticket: number): void {
    const report = (error: Error, where: string) => this.report(error, where);
    if (this.#closing === undefined) askFor(this.host, slot, ticket, this.#onRequest, report);
    else this.host.refuse(slot, ticket, 'shutdown', this.#closing.text);
  }

  /** `resumes`: the number of a secret. If it is void, a session that nobody will see stands in until `opened`. */
  #createLink(slot: number, resumes: number): SessionLink<M> {
    this.#places = Math.max(this.#places, slot + 1);
    const session = this.#resumes.holder(resumes) ?? this.#create(slot, resumes);
    const link = session.createLink({ slot, from: this.host.address(slot) });
    this.#waiting.set(slot, { session, link });
    return link;
  }

  #create(slot: number, resumes: number): S {
    const id = resumes === 0 ? this.#nextSessionId++ : 0;
    return this.createSession({ id, user: this.host.user(slot) }, this.#port);
  }

  #opened(slot: number, resumes: number): void {
    const { session, link } = this.#waiting.get(slot)!;
    this.#waiting.delete(slot);
    if (resumes === 0) this.#enter(session, link);
    else if (this.#resumes.holder(resumes) === session) this.#resume(session, link, resumes);
    else this.host.close(slot, 'resume-invalid', NOTHING_TO_RESUME);
  }

  #enter(session: S, link: SessionLink<M>): void {
    this.#attach(session, link, 0);
    this.log('info', 'session', { session: session.id });
    this.guard(session, 'onSession', () => this.#onSession(session));
    if (this.#closing !== undefined) this.#shutDown(session);
  }

  #resume(session: S, link: SessionLink<M>, resumes: number): void {
    if (this.#isLive(session)) this.host.close(session.slot, 'replaced', '');
    // The user, who was told of the loss just now, may have ended it.
    if (session.ended !== undefined) return this.host.close(link.slot, session.ended, '');
    this.#resumes.return(session);
    this.#attach(session, link, resumes);
    this.resumed(session);
    this.log('info', 'session-resumed', { session: session.id });
    this.guard(session, 'onResumed', () => this.#onResumed(session));
  }

  #attach(session: S, link: SessionLink<M>, resumes: number): void {
    session.attach(link);
    this.#sessions.set(link.slot, session);
    const [keys, timeoutMs] = [this.host.resumeKeys(link.slot), this.host.timeoutMs(link.slot)];
    if (keys !== undefined) this.#resumes.issue(session, keys, { resumes, timeoutMs });
  }

  #closed(slot: number, reason: EndReason, text: string, remote: boolean): void {
    const session = this.#sessions.get(slot);
    if (session === undefined) return;
    this.#sessions.delete(slot);
    this.#leaving.delete(session);
    if (!remote && this.#resumes.outlives(session, reason)) this.#left(session, reason);
    else this.#end(session, reason, text);
  }

  #left(session: S, reason: EndReason): void {
    this.#resumes.leave(session, this.#nowMs);
    session.detach();
    this.log('info', 'session-left', { session: session.id, reason });
    this.guard(session, 'onLeft', () => this.#onLeft(session));
  }

  /** It has no connection any more, and will have none. */
  #end(session: S, reason: EndReason, text: string): void {
    this.#resumes.revoke(session);
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

  #leave(session: S, reason: EndReason, text: string, graceMs: number): void {
    if (this.#resumes.isAway(session)) this.#end(session, reason, text);
    if (!this.#isLive(session)) return;
    this.#resumes.revoke(session);
    this.#leaving.add(session, reason, text, graceMs);
    session.finish();
    this.stirred();
  }
}
