// What `listen` gives: a server that runs on its socket, with all that may be done to it from outside.

import {
  type EndReason,
  encodeBase64url,
  type GameShape,
  type Machine,
  type MessageDeclarations,
  type MessageValue,
  Verdict,
  verdictNames,
} from '@tickwire/protocol';
import type { MachineDriver, SocketAddress } from '@tickwire/protocol/udp';
import type { GameServer } from './game-server.ts';
import type { GameSession } from './game-session.ts';
import type { Match, MatchOptions } from './match.ts';
import type { MessageServer } from './message-server.ts';
import type { ServerStatistics, TickMeter, TickStatistics } from './server-statistics.ts';
import type { Session } from './session.ts';
import type { CloseOptions, SessionServer } from './session-server.ts';
import type { User } from './slot-table.ts';

/** Who wants to connect, and from where. */
export interface RequestInfo {
  readonly host: string;
  readonly port: number;
  /** Whom its connect token names; undefined on a server that takes none. */
  readonly user: User | undefined;
}

/** An answer to a request; make it with {@link accept} or {@link refuse}. */
export type Decision = { readonly accepted: true } | { readonly accepted: false; text: string };

/** Lets the client in. */
export function accept(): Decision {
  return { accepted: true };
}

/** Keeps the client out; the text reaches it, cut to 200 bytes. */
export function refuse(text = ''): Decision {
  return { accepted: false, text };
}

/** A listening server, as far as it is the same with a game and without. */
export class ListeningServer<
  M extends MessageDeclarations,
  S extends Session<M>,
  C extends SessionServer<M, S> & Machine,
> {
  /** The machine inside, for what this class does not offer. */
  readonly core: C;
  readonly #driver: MachineDriver;
  #closing: Promise<void> | undefined;

  constructor(core: C, driver: MachineDriver) {
    this.core = core;
    this.#driver = driver;
  }

  /** Where it listens; `port` is the real one when 0 was asked for. */
  get address(): SocketAddress {
    return this.#driver.socket.address;
  }

  /** Public half of the identity key, base64url: what clients pin as `serverKey`, and backends put into tokens. */
  get identityKey(): string {
    return encodeBase64url(this.core.host.identity.publicKey);
  }

  /** Connected clients. */
  get sessions(): Iterable<S> {
    return this.core.sessions.values();
  }

  /** Datagrams and verdicts since the start. */
  get statistics(): ServerStatistics {
    const { socket } = this.#driver;
    const verdicts: Record<string, number> = {};
    for (const name of verdictNames) verdicts[name] = this.core.host.verdicts(Verdict[name]);
    return {
      ...socket.statistics,
      ...this.core.host.statistics,
      sessions: this.core.sessions.size,
      away: this.core.away.size,
      messagesMalformed: this.core.messagesMalformed,
      messagesUnheard: this.core.messagesUnheard,
      receiveBufferBytes: socket.receiveBufferBytes,
      verdicts,
    };
  }

  /** Decides who may come in, now or later; undecided after 5 s the request is forgotten. Default: everybody. */
  onRequest(handler: (info: RequestInfo) => Decision | Promise<Decision>): void {
    this.core.onRequest((request) => {
      const decide = (decision: Decision) => {
        if (decision.accepted) request.accept();
        else request.refuse(decision.text);
        this.#driver.pump();
      };
      const fail = (error: unknown) => {
        request.fail(error as Error);
        this.#driver.pump();
      };
      const { from, user } = request;
      const info = { ...this.#driver.socket.describe(from), user };
      const ask = async () => decide(await handler(info));
      ask().catch(fail);
    });
  }

  /** Called with each new session; in a game it usually puts it into a match. */
  onSession(handler: (session: S) => void): void {
    this.core.onSession(handler);
  }

  /**
   * Called when a session has lost its connection; for `resumeMs` its seat waits for its client. Then comes onResumed,
   * or onEnd. What is sent to it meanwhile is 'closed'.
   */
  onLeft(handler: (session: S) => void): void {
    this.core.onLeft(handler);
  }

  /**
   * Called when a session's client is back: the same session, through a new connection. Messages that were not
   * acknowledged when the old one broke are gone: send again what the client must know.
   */
  onResumed(handler: (session: S) => void): void {
    this.core.onResumed(handler);
  }

  /** Called when a session has ended, for whatever reason. */
  onEnd(handler: (session: S, reason: EndReason, text: string) => void): void {
    this.core.onEnd(handler);
  }

  /** One handler for each message name. A throw ends that session. */
  onMessage<K extends keyof M & string>(
    name: K,
    handler: (session: S, message: MessageValue<M[K]>) => void,
  ): void {
    this.core.onMessage(name, handler);
  }

  /** Called when a client has taken back a value of a reliable-latest channel. */
  onForget(name: keyof M & string, handler: (session: S, key: number) => void): void {
    this.core.onForget(name, handler);
  }

  /**
   * Sends a message to every session, but for `except`; it is encoded once. Returns to how many: the queues of the
   * others are full.
   */
  broadcast<K extends keyof M & string>(name: K, value: MessageValue<M[K]>, except?: S): number {
    return this.core.broadcast(name, value, except);
  }

  /**
   * Closes: nobody new, messages under way get `graceMs` to arrive, everybody is told 'shutdown' and `reason`.
   * Resolves when that is done and the socket is closed; a second call gives the same promise.
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: CloseOptions): Promise<void> {
    this.core.close(this.#driver.nowMs(), options);
    const done = this.#driver.runUntil(() => this.core.over);
    this.#driver.pump();
    await done;
    await this.#driver.close();
  }
}

/** A listening game server. */
export class Server<S extends GameShape, M extends MessageDeclarations> extends ListeningServer<
  M,
  GameSession<M>,
  GameServer<S, M>
> {
  readonly #meter: TickMeter;

  constructor(core: GameServer<S, M>, driver: MachineDriver, meter: TickMeter) {
    super(core, driver);
    this.#meter = meter;
  }

  /** Tick times, lateness, datagrams and verdicts since the start. */
  override get statistics(): ServerStatistics & TickStatistics {
    return { ...super.statistics, ...this.#meter.read(this.core) };
  }

  /** Makes a match; a server runs many, a session is in one at a time. */
  createMatch(options: MatchOptions = {}): Match<S, M> {
    return this.core.createMatch(options);
  }

  /** Ends a match; its sessions stay connected. */
  removeMatch(match: Match<S, M>): void {
    this.core.removeMatch(match);
  }
}

/** A listening server of messages alone. */
export type MessagingServer<M extends MessageDeclarations> = ListeningServer<
  M,
  Session<M>,
  MessageServer<M>
>;
