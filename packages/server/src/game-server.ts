// The whole server as one machine: connections, sessions, matches and the tick that drives them.
// Composition: what each part does stands in its own file.

import {
  type AddressBook,
  type Channel,
  type Connection,
  type Crypto,
  type Destination,
  type EndReason,
  type Game,
  type GameShape,
  type Machine,
  type MessageDeclarations,
  type MessageValue,
  TickwireError,
  type Verdict,
} from '@tickwire/protocol';
import { FixedStep } from './fixed-step.ts';
import { ConnectionHost, type HostSink } from './host.ts';
import { Match, type MatchOptions } from './match.ts';
import { type AnySession, Session, type SessionPort } from './session.ts';

/** Severity of a log line. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Called outside the packet path, with plain data. */
export type Log = (level: LogLevel, event: string, data: Readonly<Record<string, unknown>>) => void;
/**
 * `where`: 'simulate', 'onTick', 'onRequest', 'onSession', 'onEnter', 'onLeave', 'onMessage', 'onWritable', 'onEnd',
 * 'socket'.
 */
export type OnError = (error: Error, where: string) => void;

/** Options of {@link GameServer}. */
export interface GameServerOptions {
  readonly crypto: Crypto;
  readonly addresses: AddressBook;
  readonly nowMs: number;
  /** Connections, half-open ones included. Default 1024. */
  readonly maxConnections?: number;
  /** No packet for so long ends a session. Default 10 s. */
  readonly timeoutMs?: number;
  /** Checks on the use of cursors that cost a little. Default false. */
  readonly development?: boolean;
  /** Silent by default. */
  readonly log?: Log;
  /** Everything that user code throws. Default: to `log`. */
  readonly onError?: OnError;
  /** Told of every tick: how late it began. For measurement. */
  readonly onTick?: (lateMs: number) => void;
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

/** How {@link GameServer.close} ends. */
export interface CloseOptions {
  /** Text that clients get with the reason 'shutdown'. */
  readonly reason?: string;
  /** Messages under way have so long to arrive. Default 1000. */
  readonly graceMs?: number;
}

/** After the grace, closes have so long to be confirmed. */
const CLOSE_CONFIRM_MS = 1000;
const GRACE_MS = 1000;

type Handler<M extends MessageDeclarations, K extends keyof M> = (
  session: Session<M>,
  message: MessageValue<M[K]>,
) => void;

/** See the head of the file. */
export class GameServer<S extends GameShape, M extends MessageDeclarations> implements Machine {
  readonly game: Game<S, M>;
  readonly host: ConnectionHost;
  readonly #options: GameServerOptions;
  readonly #step: FixedStep;
  readonly #matches = new Set<Match<S, M>>();
  readonly #sessions = new Map<number, Session<M>>();
  readonly #waiting = new Map<number, Session<M>>();
  readonly #handlers = new Map<string, Handler<M, keyof M>>();
  readonly #port: SessionPort;
  #onRequest: (request: ConnectRequest) => void = (request) => request.accept();
  #onSession: (session: Session<M>) => void = () => {};
  #onEnd: (session: Session<M>, reason: EndReason, text: string) => void = () => {};
  #nextSessionId = 1;
  #nextMatchId = 1;
  #ticksRun = 0;
  #messagesMalformed = 0;
  #closing: { text: string; graceUntilMs: number; overAtMs: number } | undefined;
  #nowMs: number;

  constructor(game: Game<S, M>, options: GameServerOptions) {
    this.game = game;
    this.#options = options;
    this.#nowMs = options.nowMs;
    this.#step = new FixedStep(game.tickHz, options.nowMs);
    this.#port = this.#createPort();
    const { crypto, addresses, maxConnections, timeoutMs } = options;
    this.host = new ConnectionHost({
      game,
      crypto,
      addresses,
      sink: this.#createHostSink(),
      ...(maxConnections === undefined ? {} : { maxConnections }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  get sessions(): ReadonlyMap<number, Session<M>> {
    return this.#sessions;
  }

  get matches(): ReadonlySet<Match<S, M>> {
    return this.#matches;
  }

  get ticksRun(): number {
    return this.#ticksRun;
  }

  /** Ticks that were due and never run, because the process was too far behind. */
  get ticksDropped(): number {
    return this.#step.dropped;
  }

  /** Messages that did not fit their declaration; they were ignored. */
  get messagesMalformed(): number {
    return this.#messagesMalformed;
  }

  /** Closed, and every session confirmed or given up: nothing more will be sent. */
  get over(): boolean {
    if (this.#closing === undefined) return false;
    return this.host.unsettled === 0 || this.#nowMs >= this.#closing.overAtMs;
  }

  createMatch(options: MatchOptions = {}): Match<S, M> {
    const seed = new Uint8Array(4);
    this.#options.crypto.randomBytes(seed);
    const match = new Match<S, M>(this.#nextMatchId++, this.game, options, {
      secretSeed: (seed[0]! | (seed[1]! << 8) | (seed[2]! << 16) | (seed[3]! << 24)) >>> 0,
      development: this.#options.development ?? false,
      guard: (session, where, call) => this.#guard(session as never, where, call),
      tooSlow: (session) => this.#port.end(session, 'overflow', ''),
      observe: (where, call) => this.#observe(where, call),
      stopped: (stopped, error) => {
        this.#log('error', 'match-stopped', { match: stopped.id, error: error.message });
        this.report(error, 'simulate');
      },
    });
    this.#matches.add(match);
    return match;
  }

  /** Ends a match; its sessions stay connected. */
  removeMatch(match: Match<S, M>): void {
    for (const session of [...match.sessions]) match.remove(session);
    this.#matches.delete(match);
  }

  /** Decides who may come in; by default everybody. Undecided after 5 s is forgotten. */
  onRequest(handler: (request: ConnectRequest) => void): void {
    this.#onRequest = handler;
  }

  onSession(handler: (session: Session<M>) => void): void {
    this.#onSession = handler;
  }

  onEnd(handler: (session: Session<M>, reason: EndReason, text: string) => void): void {
    this.#onEnd = handler;
  }

  /** One handler a message name; the last one counts. */
  onMessage<K extends keyof M & string>(name: K, handler: Handler<M, K>): void {
    if (this.game.messages.kindOf(name) < 0) {
      throw new TickwireError('message-invalid', `the game has no message '${name}'`);
    }
    this.#handlers.set(name, handler as unknown as Handler<M, keyof M>);
  }

  /** Starts closing: no new sessions; see `over`. */
  close(nowMs: number, options: CloseOptions = {}): void {
    if (this.#closing !== undefined) return;
    const graceUntilMs = nowMs + (options.graceMs ?? GRACE_MS);
    const overAtMs = graceUntilMs + CLOSE_CONFIRM_MS;
    this.#closing = { text: options.reason ?? '', graceUntilMs, overAtMs };
    this.#log('info', 'closing', { sessions: this.#sessions.size });
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    return this.host.receive(nowMs, bytes, start, end, from);
  }

  advance(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    const due = this.#step.due(nowMs);
    if (due === 0) return;
    this.host.advance(nowMs);
    for (let i = 0; i < due; i++) this.#tick(nowMs);
    if (this.#closing !== undefined) this.#closeSessions(nowMs);
    for (const match of this.#matches) match.prepare();
    this.host.flush(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    return this.host.poll(nowMs, out, start, to);
  }

  wakeAt(): number {
    if (this.over) return Number.POSITIVE_INFINITY;
    return Math.min(this.#step.nextMs, this.host.wakeAt());
  }

  #tick(nowMs: number): void {
    const lateMs = this.#step.take(nowMs);
    this.#ticksRun++;
    for (const match of this.#matches) match.step();
    this.#options.onTick?.(lateMs);
  }

  #closeSessions(nowMs: number): void {
    const { text, graceUntilMs } = this.#closing!;
    for (const session of [...this.#sessions.values()]) {
      if (session.unacked === 0 || nowMs >= graceUntilMs) this.#port.end(session, 'shutdown', text);
    }
  }

  #createPort(): SessionPort {
    const server = this;
    return {
      messageReceived: (session, bytes, start, end) =>
        this.#message(session as Session<M>, bytes, start, end),
      end: (session, reason, text) => {
        if (this.#live(session)) this.host.close(session.slot, reason, text);
      },
      guard: (session, where, call) => this.#guard(session as Session<M>, where, call),
      rtt: (session) => this.#live(session)?.rtt,
      sent: (session) => this.#live(session)?.statistics,
      get nextTickMs() {
        return server.#step.nextMs;
      },
      tickMs: this.#step.tickMs,
    };
  }

  /** The session's connection; an ended session's slot may be somebody else's by now. */
  #live(session: AnySession): Connection | undefined {
    const live = this.#sessions.get(session.slot) === session;
    return live ? this.host.connection(session.slot) : undefined;
  }

  #createHostSink(): HostSink {
    return {
      requested: (slot, ticket) => this.#requested(slot, ticket),
      channels: (slot) => this.#channels(slot),
      opened: (slot) => this.#opened(slot),
      closed: (slot, reason, text) => this.#closed(slot, reason, text),
      waits: (slot) => this.#sessions.get(slot)?.seat?.waits ?? false,
    };
  }

  #requested(slot: number, ticket: number): void {
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

  #channels(slot: number): readonly (readonly [id: number, channel: Channel])[] {
    const from = this.host.address(slot);
    const id = this.#nextSessionId++;
    const session = new Session<M>(id, slot, from, this.game.messages, this.#port);
    this.#waiting.set(slot, session);
    return session.channels();
  }

  #opened(slot: number): void {
    const session = this.#waiting.get(slot)!;
    this.#waiting.delete(slot);
    this.#sessions.set(slot, session);
    this.#log('info', 'session', { session: session.id });
    this.#guard(session, 'onSession', () => this.#onSession(session));
  }

  #closed(slot: number, reason: EndReason, text: string): void {
    const session = this.#sessions.get(slot);
    if (session === undefined) return;
    this.#sessions.delete(slot);
    session.markEnded(reason);
    session.match?.remove(session);
    this.#log('info', 'session-end', { session: session.id, reason, text });
    this.#guard(session, 'onEnd', () => this.#onEnd(session, reason, text));
  }

  #message(session: Session<M>, bytes: Uint8Array, start: number, end: number): void {
    if (session.ended !== undefined) return;
    const message = this.game.messages.decode(bytes, start, end);
    if (message === undefined) {
      this.#messagesMalformed++;
      return;
    }
    const handler = this.#handlers.get(message.name);
    if (handler === undefined) return;
    this.#guard(session, 'onMessage', () => handler(session, message.value as never));
  }

  /** User code on behalf of a session: a throw ends the session, not the server. */
  #guard(session: Session<M>, where: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      if (session.ended === undefined) this.#port.end(session, 'error', '');
      this.report(error as Error, where);
    }
  }

  #observe(where: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.report(error as Error, where);
    }
  }

  /** Hands an error to `onError`, or to the log. For the shell. */
  report(error: Error, where: string): void {
    const { onError } = this.#options;
    if (onError === undefined) this.#log('error', 'user-error', { where, error: `${error}` });
    else onError(error, where);
  }

  #log(level: LogLevel, event: string, data: Readonly<Record<string, unknown>>): void {
    this.#options.log?.(level, event, data);
  }
}
