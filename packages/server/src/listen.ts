// listen: a server on a UDP socket, in real time, of a game or of messages alone. The shell around GameServer and
// MessageServer.

import {
  type ConnectionTuning,
  type Game,
  type GameShape,
  type KeyPair,
  type Machine,
  type MessageDeclarations,
  MessageSet,
  TickwireError,
} from '@tickwire/protocol';
import {
  checkOptions,
  checkWhole,
  loadCrypto,
  MachineDriver,
  type OptionNames,
  tuningNames,
} from '@tickwire/protocol/udp';
import type { Access } from './access.ts';
import {
  type AccessOptions,
  accessNames,
  resolveAccess,
  resolveIdentity,
} from './access-options.ts';
import { GameServer } from './game-server.ts';
import type { LimitOptions } from './limits.ts';
import { ListeningServer, type MessagingServer, Server } from './listening-server.ts';
import { MessageServer } from './message-server.ts';
import { AWAY_MAX, RESUME_MS_MAX } from './resume-table.ts';
import { TickMeter } from './server-statistics.ts';
import type { Log, OnError, SessionServerOptions } from './session-server.ts';
import { steadyClock } from './wall-clock.ts';

/** Options of {@link listen}, with a game or without. */
export interface ListenOptions extends ConnectionTuning, AccessOptions {
  /** Literal IPv4 or IPv6 address; '::' takes both families. Default '::'. */
  readonly host?: string;
  /** 0 = any free port, see `server.address`. Default 0, at most 65535. */
  readonly port?: number;
  /** Connections, half-open ones included. Default 1024, from 1 to 65535. */
  readonly maxConnections?: number;
  /** Goes with the refusal 'full' to whoever finds no place, cut to 200 bytes. Default ''. */
  readonly fullText?: string;
  /** How much it takes from those who are, or want to be, its clients. */
  readonly limits?: LimitOptions;
  /** A client that was lost may take its seat again for so long, whole ms. Default 30000, 0 = never, at most 3600000. */
  readonly resumeMs?: number;
  /** Clients that may be lost at the same time; who is lost beyond that ends. Default as maxConnections, at most 65535. */
  readonly maxAway?: number;
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
  ...accessNames,
  host: true,
  port: true,
  maxConnections: true,
  fullText: true,
  limits: true,
  resumeMs: true,
  maxAway: true,
  log: true,
  onError: true,
  signal: true,
} satisfies OptionNames<ListenOptions>;

const messageNames = { ...commonNames, flushMs: true } satisfies OptionNames<MessageListenOptions>;

const gameNames = { ...commonNames, development: true } satisfies OptionNames<GameListenOptions>;

const PORT_MAX = 65_535;
const CONNECTIONS_MAX = 65_535;

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
  checkWhole('resumeMs', options.resumeMs, 0, RESUME_MS_MAX);
  checkWhole('maxAway', options.maxAway, 0, AWAY_MAX);
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
    messages.idHash,
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
    game.idHash,
    (parts) => new GameServer(game, { ...options, ...parts, development, onTick }),
    (busyMs) => meter.pumped(busyMs),
  );
  return new Server(core, driver, meter);
}

/** What a machine needs of the world around it. */
interface Parts extends Pick<SessionServerOptions, 'crypto' | 'addresses' | 'nowMs'> {
  readonly wallClock: () => number;
  readonly identity: KeyPair | undefined;
  readonly access: Access;
}

/** Binds a socket and runs on it the machine that `make` makes. */
async function run<C extends Machine & { report(error: Error, where: string): void }>(
  options: ListenOptions,
  gameIdHash: number,
  make: (parts: Parts, driver: MachineDriver) => C,
  onPump: (busyMs: number) => void = () => {},
): Promise<{ core: C; driver: MachineDriver }> {
  const { host = '::', port = 0 } = options;
  let core: C | undefined;
  let driver: MachineDriver | undefined;
  const crypto = await loadCrypto();
  const identity = resolveIdentity(crypto, options.identity);
  const report = (where: string) => (error: Error) => core?.report(error, where);
  const access = await resolveAccess(options, gameIdHash, {
    failed: report('tokens.consume'),
    answered: () => driver?.pump(),
  });
  const { memory } = crypto;
  driver = await MachineDriver.open({
    host,
    port,
    memory,
    onError: report('socket'),
    onPump,
  });
  const { addresses } = driver.socket;
  const nowMs = driver.nowMs();
  try {
    const wallClock = steadyClock(Date.now, driver.nowMs);
    core = make({ crypto, addresses, nowMs, wallClock, identity, access }, driver);
  } catch (error) {
    await driver.close();
    throw error;
  }
  driver.attach(core);
  return { core, driver };
}
