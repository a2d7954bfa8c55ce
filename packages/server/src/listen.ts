// listen: a server on a UDP socket, in real time, of a game or of messages alone. The shell around GameServer and
// MessageServer.

import {
  type ConnectionTuning,
  type EndReason,
  type Game,
  type GameShape,
  type Machine,
  type MessageDeclarations,
  MessageSet,
  type MessageValue,
  TickwireError,
  Verdict,
  verdictNames,
} from '@tickwire/protocol';
import {
  checkOptions,
  checkWhole,
  MachineDriver,
  nodeCrypto,
  type OptionNames,
  type SocketAddress,
  tuningNames,
} from '@tickwire/protocol/udp';
import { GameServer } from './game-server.ts';
import type { GameSession } from './game-session.ts';
import type { Match, MatchOptions } from './match.ts';
import { MessageServer } from './message-server.ts';
import { type ServerStatistics, TickMeter, type TickStatistics } from './server-statistics.ts';
import type { Session } from './session.ts';
import type {
  CloseOptions,
  Log,
  OnError,
  SessionServer,
  SessionServerOptions,
} from './session-server.ts';

/** Options of {@link listen}, with a game or without. */
export interface ListenOptions extends ConnectionTuning {
  /** Literal IPv4 or IPv6 address; '::' takes both families. Default '::'. */
  readonly host?: string;
  /** 0 = any free port, see `server.address`. Default 0, at most 65535. */
  readonly port?: number;
  /** Connections, half-open ones included. Default 1024, from 1 to 65535. */
  readonly maxConnections?: number;
  /** Goes with the refusal 'full' to whoever finds no place, cut to 200 bytes. Default ''. */
  readonly fullText?: string;
  /** Events worth a line; silent by default. */
  readonly log?: Log;
  /** Everything that user code throws, and socket errors. Default: to `log`. */
  readonly onError?: OnError;
  /** Closes the server when it fires. */
  readonly signal?: AbortSignal;
}

/** Options of {@link listen} with messages alone. */
export interface MessageListenOptions extends ListenOptions {
  /** Least time between two flushes, ms: what is queued meanwhile shares datagrams. Default 10. */
  readonly flushMs?: number;
}

/** Options of {@link listen} with a game. */
export interface GameListenOptions extends ListenOptions {
  /** Extra checks on the use of rows. Default: on unless NODE_ENV is 'production'. */
  readonly development?: boolean;
}

const commonNames = {
  ...tuningNames,
  host: true,
  port: true,
  maxConnections: true,
  fullText: true,
  log: true,
  onError: true,
  signal: true,
} satisfies OptionNames<ListenOptions>;

const messageNames = { ...commonNames, flushMs: true } satisfies OptionNames<MessageListenOptions>;

const gameNames = { ...commonNames, development: true } satisfies OptionNames<GameListenOptions>;

const PORT_MAX = 65_535;
const CONNECTIONS_MAX = 65_535;

/** Where a request to connect comes from. */
export interface RequestInfo {
  readonly host: string;
  readonly port: number;
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
      sessions: this.core.sessions.size,
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
      const ask = async () => decide(await handler(this.#driver.socket.describe(request.from)));
      ask().catch(fail);
    });
  }

  /** Called with each new session; in a game it usually puts it into a match. */
  onSession(handler: (session: S) => void): void {
    this.core.onSession(handler);
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

/**
 * Starts a server of typed messages, without a game: see docs/messages.md. Rejects with a TickwireError: 'option-invalid',
 * 'bind-failed' when the address cannot be had, 'aborted' when the signal fired before.
 *
 * @example
 * const server = await listen(chat, { port: 7777 });
 * server.onMessage('say', (session, { line }) => server.broadcast('said', { who: session.id, line }));
 */
export function listen<M extends MessageDeclarations>(
  messages: MessageSet<M>,
  options?: MessageListenOptions,
): Promise<MessagingServer<M>>;
/**
 * Starts a game server. Rejects with a TickwireError: 'option-invalid', 'bind-failed' when the address cannot be had,
 * 'aborted' when the signal fired before.
 *
 * @example
 * const server = await listen(arena, { port: 7777 });
 * const match = server.createMatch({ seed: 7 });
 * server.onSession((session) => match.add(session));
 */
export function listen<S extends GameShape, M extends MessageDeclarations>(
  game: Game<S, M>,
  options?: GameListenOptions,
): Promise<Server<S, M>>;
export async function listen<S extends GameShape, M extends MessageDeclarations>(
  what: MessageSet<M> | Game<S, M>,
  options: MessageListenOptions & GameListenOptions = {},
): Promise<MessagingServer<M> | Server<S, M>> {
  const { log, signal, port, maxConnections } = options;
  checkOptions('listen', options, what instanceof MessageSet ? messageNames : gameNames);
  checkWhole('port', port, 0, PORT_MAX);
  checkWhole('maxConnections', maxConnections, 1, CONNECTIONS_MAX);
  if (signal?.aborted) throw new TickwireError('aborted', 'the signal had fired before listen');
  const server =
    what instanceof MessageSet ? await listenTo(what, options) : await listenToGame(what, options);
  log?.('info', 'listening', { ...server.address });
  signal?.addEventListener('abort', () => void server.close({ reason: 'aborted' }), { once: true });
  return server;
}

async function listenTo<M extends MessageDeclarations>(
  messages: MessageSet<M>,
  options: MessageListenOptions,
): Promise<MessagingServer<M>> {
  // Not at once: whoever sends may send more.
  const soon = (driver: MachineDriver) => () => setImmediate(() => driver.pump());
  const { core, driver } = await run(
    options,
    (parts, driver) =>
      new MessageServer(messages, { ...options, ...parts, onQueued: soon(driver) }),
  );
  return new ListeningServer(core, driver);
}

async function listenToGame<S extends GameShape, M extends MessageDeclarations>(
  game: Game<S, M>,
  options: GameListenOptions,
): Promise<Server<S, M>> {
  const meter = new TickMeter();
  const development = options.development ?? process.env.NODE_ENV !== 'production';
  const onTick = (lateMs: number) => meter.ticked(lateMs);
  const { core, driver } = await run(
    options,
    (parts) => new GameServer(game, { ...options, ...parts, development, onTick }),
    (busyMs) => meter.pumped(busyMs),
  );
  return new Server(core, driver, meter);
}

/** What a machine needs of the world around it. */
type Parts = Pick<SessionServerOptions, 'crypto' | 'addresses' | 'nowMs'>;

/** Binds a socket and runs on it the machine that `make` makes. */
async function run<C extends Machine & { report(error: Error, where: string): void }>(
  { host = '::', port = 0 }: ListenOptions,
  make: (parts: Parts, driver: MachineDriver) => C,
  onPump: (busyMs: number) => void = () => {},
): Promise<{ core: C; driver: MachineDriver }> {
  let core: C | undefined;
  const onError = (error: Error) => core?.report(error, 'socket');
  const driver = await MachineDriver.open({ host, port, onError, onPump });
  const { addresses } = driver.socket;
  try {
    core = make({ crypto: nodeCrypto, addresses, nowMs: driver.nowMs() }, driver);
  } catch (error) {
    await driver.close();
    throw error;
  }
  driver.attach(core);
  return { core, driver };
}
