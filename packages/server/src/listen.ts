// listen: a game server on a UDP socket, in real time. The shell around GameServer.

import {
  type EndReason,
  type Game,
  type GameShape,
  type MessageDeclarations,
  type MessageValue,
  TickwireError,
  Verdict,
  verdictNames,
} from '@tickwire/protocol';
import { MachineDriver, nodeCrypto, type SocketAddress } from '@tickwire/protocol/udp';
import { type CloseOptions, GameServer, type Log, type OnError } from './game-server.ts';
import type { Match, MatchOptions } from './match.ts';
import { type ServerStatistics, TickMeter } from './server-statistics.ts';
import type { Session } from './session.ts';

/** Options of {@link listen}. */
export interface ListenOptions {
  /** Literal IPv4 or IPv6 address; '::' takes both families. Default '::'. */
  readonly host?: string;
  /** 0 = any free port, see `server.address`. Default 0. */
  readonly port?: number;
  /** Connections, half-open ones included. Default 1024. */
  readonly maxConnections?: number;
  /** No packet for so long ends a session. Default 10 s. */
  readonly timeoutMs?: number;
  /** Extra checks on the use of rows. Default: on unless NODE_ENV is 'production'. */
  readonly development?: boolean;
  /** Events worth a line; silent by default. */
  readonly log?: Log;
  /** Everything that user code throws, and socket errors. Default: to `log`. */
  readonly onError?: OnError;
  /** Closes the server when it fires. */
  readonly signal?: AbortSignal;
}

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

/** A listening game server. */
export class Server<S extends GameShape, M extends MessageDeclarations> {
  /** The machine inside, for what this class does not offer. */
  readonly core: GameServer<S, M>;
  readonly #driver: MachineDriver;
  readonly #meter: TickMeter;
  #closing: Promise<void> | undefined;

  constructor(core: GameServer<S, M>, driver: MachineDriver, meter: TickMeter) {
    this.core = core;
    this.#driver = driver;
    this.#meter = meter;
  }

  /** Where it listens; `port` is the real one when 0 was asked for. */
  get address(): SocketAddress {
    return this.#driver.socket.address;
  }

  /** Connected clients. */
  get sessions(): Iterable<Session<M>> {
    return this.core.sessions.values();
  }

  /** Tick times, lateness, datagrams and verdicts since the start. */
  get statistics(): ServerStatistics {
    const { socket } = this.#driver;
    const verdicts: Record<string, number> = {};
    for (const name of verdictNames) verdicts[name] = this.core.host.verdicts(Verdict[name]);
    return this.#meter.read(this.core, socket.statistics, socket.receiveBufferBytes, verdicts);
  }

  /** Makes a match; a server runs many, a session is in one at a time. */
  createMatch(options: MatchOptions = {}): Match<S, M> {
    return this.core.createMatch(options);
  }

  /** Ends a match; its sessions stay connected. */
  removeMatch(match: Match<S, M>): void {
    this.core.removeMatch(match);
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

  /** Called with each new session; usually puts it into a match. */
  onSession(handler: (session: Session<M>) => void): void {
    this.core.onSession(handler);
  }

  /** Called when a session has ended, for whatever reason. */
  onEnd(handler: (session: Session<M>, reason: EndReason, text: string) => void): void {
    this.core.onEnd(handler);
  }

  /** One handler for each message name. A throw ends that session. */
  onMessage<K extends keyof M & string>(
    name: K,
    handler: (session: Session<M>, message: MessageValue<M[K]>) => void,
  ): void {
    this.core.onMessage(name, handler);
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
    await this.#driver.runUntil(() => this.core.over);
    await this.#driver.close();
  }
}

/**
 * Starts a game server. Rejects with a TickwireError: 'bind-failed' when the address cannot be had, 'aborted'
 * when the signal fired before.
 */
export async function listen<S extends GameShape, M extends MessageDeclarations>(
  game: Game<S, M>,
  options: ListenOptions = {},
): Promise<Server<S, M>> {
  const { host = '::', port = 0, log, onError, signal, maxConnections, timeoutMs } = options;
  if (signal?.aborted) throw new TickwireError('aborted', 'the signal had fired before listen');
  const meter = new TickMeter();
  let core: GameServer<S, M> | undefined;
  const driver = await MachineDriver.open({
    host,
    port,
    onError: (error) => core?.report(error, 'socket'),
    onPump: (busyMs) => meter.pumped(busyMs),
  });
  core = new GameServer(game, {
    crypto: nodeCrypto,
    addresses: driver.socket.addresses,
    nowMs: driver.nowMs(),
    development: options.development ?? process.env.NODE_ENV !== 'production',
    onTick: (lateMs) => meter.ticked(lateMs),
    ...(log && { log }),
    ...(onError && { onError }),
    ...(maxConnections !== undefined && { maxConnections }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  driver.attach(core);
  const server = new Server(core, driver, meter);
  log?.('info', 'listening', { ...server.address });
  signal?.addEventListener('abort', () => void server.close({ reason: 'aborted' }), { once: true });
  return server;
}
