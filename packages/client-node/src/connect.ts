// connect: a client, or a bot, on a UDP socket, in real time, of a game or of messages alone. The shell around
// GameClient and MessageClient.

import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import {
  type ConnectionTuning,
  type EndReason,
  type FieldValues,
  type Game,
  type GameShape,
  type Machine,
  type MessageDeclarations,
  MessageSet,
  type MessageValue,
  type SendResult,
  TickwireError,
  type ViewFace,
} from '@tickwire/protocol';
import {
  checkOptions,
  checkWhole,
  MachineDriver,
  nodeCrypto,
  type OptionNames,
  tuningNames,
} from '@tickwire/protocol/udp';
import type { EffectPhase } from './effect-ledger.ts';
import { GameClient } from './game-client.ts';
import { MessageClient } from './message-client.ts';
import type { Rollback } from './prediction.ts';
import type {
  CloseOptions,
  SessionClient,
  SessionClientOptions,
  SessionHandlers,
} from './session-client.ts';

/** Options of {@link connect}, with a game or without. */
export interface ConnectOptions extends ConnectionTuning {
  /** What user code throws, and socket errors. By default user errors end the connection silently. */
  readonly onError?: (error: Error, where: string) => void;
  /** Gives up the attempt, or ends the connection, when it fires. */
  readonly signal?: AbortSignal;
  /** No accept for so many whole ms: 'unreachable'. Default 5000, from 1 to 3600000. */
  readonly connectTimeoutMs?: number;
}

/** Options of {@link connect} with messages alone. */
export interface MessageConnectOptions extends ConnectOptions {
  /** Least time between two flushes, ms: what is queued meanwhile shares datagrams. Default 10, from 1 to 1000. */
  readonly flushMs?: number;
}

/** Options of {@link connect} with a game. */
export interface GameConnectOptions<I> extends ConnectOptions {
  /** Fills in the input of a tick, in place; see {@link GameClient.input}. */
  readonly sampleInput?: (tick: number, out: I) => void;
  /** Extra checks on the use of rows. Default: on unless NODE_ENV is 'production'. */
  readonly development?: boolean;
}

const commonNames = {
  ...tuningNames,
  onError: true,
  signal: true,
  connectTimeoutMs: true,
} satisfies OptionNames<ConnectOptions>;

const messageNames = { ...commonNames, flushMs: true } satisfies OptionNames<MessageConnectOptions>;

const gameNames = {
  ...commonNames,
  sampleInput: true,
  development: true,
} satisfies OptionNames<GameConnectOptions<never>>;

const CONNECT_TIMEOUT_MS_MAX = 3_600_000;

/** A connected client, as far as it is the same with a game and without. */
export class ConnectedClient<
  M extends MessageDeclarations,
  // biome-ignore lint/suspicious/noExplicitAny: whatever else can be listened to
  C extends SessionClient<M, any> & Machine,
> {
  /** The machine inside, for what this class does not offer. */
  readonly core: C;
  readonly #driver: MachineDriver;
  readonly #closed: Promise<void>;

  constructor({ core, driver, closed }: Running<C>) {
    this.core = core;
    this.#driver = driver;
    this.#closed = closed;
  }

  /** What it measures. */
  get statistics(): C['statistics'] {
    return this.core.statistics;
  }

  /**
   * Sends a message through the channel that carries it. 'full': the server is behind, see {@link onWritable};
   * 'too-large': it will never fit; 'closed': the connection has ended or is about to.
   */
  send<K extends keyof M & string>(name: K, value: MessageValue<M[K]>): SendResult {
    return this.core.send(name, value);
  }

  /** Takes back a value of a reliable-latest channel; the server's `onForget` hears of it. */
  forget(name: keyof M & string, key: number): SendResult {
    return this.core.forget(name, key);
  }

  /** Calls once, when after a 'full' at most half of the channel's queue is in use again. */
  onWritable(callback: () => void, channel = 'main'): void {
    this.core.onWritable(callback, channel);
  }

  /** One handler for each name. What came before there was one is handed over at once, up to 64 messages. */
  onMessage<K extends keyof M & string>(name: K, handler: (m: MessageValue<M[K]>) => void): void {
    this.core.onMessage(name, handler);
  }

  /** Called when the server has taken back a value of a reliable-latest channel. */
  onForget(name: keyof M & string, handler: (key: number) => void): void {
    this.core.onForget(name, handler);
  }

  /** Called once when the connection is over; at once, if it is. */
  onEnd(handler: (reason: EndReason, text: string) => void): void {
    this.core.on('end', handler);
    if (this.core.ended !== undefined) handler(this.core.ended, this.core.endText);
  }

  /**
   * Ends the connection once what is queued on reliable channels has arrived, or the grace is over; the server is told
   * 'closed' and the text. Resolves when it knows, or has been given up.
   */
  close(text = '', options: CloseOptions = {}): Promise<void> {
    this.core.close(this.#driver.nowMs(), text, options);
    this.#driver.pump();
    return this.#closed;
  }
}

/** A client of messages alone. */
export type MessagingClient<M extends MessageDeclarations> = ConnectedClient<M, MessageClient<M>>;

/** A client of a game. */
export class Client<S extends GameShape, M extends MessageDeclarations> extends ConnectedClient<
  M,
  GameClient<S, M>
> {
  /** The input that the next tick will sample; set edges here when keys are pressed. */
  get input(): FieldValues<S['input']> {
    return this.core.input;
  }

  /** Ids of its own rows. */
  get owned(): readonly number[] {
    return this.core.owned;
  }

  /**
   * Everything as it should be shown at `nowMs` (performance.now()): others interpolated, own rows predicted and
   * smoothed. Rows are good until the next call. Empty outside of a match.
   */
  view(nowMs: number): ViewFace<S['archetypes']> {
    return this.core.view(nowMs);
  }

  /** Own effects come as 'predicted', then 'confirmed' or 'cancelled'; those of others as 'confirmed'. */
  onEffect<K extends keyof S['effects'] & string>(
    name: K,
    handler: (
      entity: number,
      payload: FieldValues<S['effects'][K]>,
      phase: EffectPhase,
      tick: number,
    ) => void,
  ): void {
    this.core.onEffect(name, handler);
  }

  /** Called with every rollback: where prediction and server differed. */
  onRollback(handler: (rollback: Rollback) => void): void {
    this.core.on('rollback', handler);
  }

  /** Called after a tick was predicted for the first time. */
  onTick(handler: (tick: number) => void): void {
    this.core.on('tick', handler);
  }

  /** Called when it has a place in a match; at once, if it has one already. */
  onEnter(handler: () => void): void {
    this.core.on('enter', handler);
    if (this.core.match !== undefined) handler();
  }

  onLeave(handler: () => void): void {
    this.core.on('leave', handler);
  }
}

/**
 * Connects to a server of typed messages at `udp://HOST:PORT`, without a game: see docs/messages.md. Resolves when it
 * has accepted. Rejects with a TickwireError whose code is 'option-invalid', 'url-invalid', 'host-unknown' or 'connect-'
 * and the reason: unreachable, refused, full, version, game (other messages were declared), aborted.
 *
 * @example
 * const client = await connect(chat, 'udp://127.0.0.1:7777');
 * client.onMessage('said', ({ who, line }) => console.log(who, line));
 * client.send('say', { line: 'hello' });
 */
export function connect<M extends MessageDeclarations>(
  messages: MessageSet<M>,
  url: string,
  options?: MessageConnectOptions,
): Promise<MessagingClient<M>>;
/**
 * Connects to a game server at `udp://HOST:PORT`; resolves when it has accepted. Rejects with a TickwireError whose
 * code is 'option-invalid', 'url-invalid', 'host-unknown' or 'connect-' and the reason: unreachable, refused, full,
 * version, game, aborted.
 *
 * @example
 * const client = await connect(arena, 'udp://127.0.0.1:7777', {
 *   sampleInput(tick, out) {
 *     out.dx = tick % 120 < 60 ? 1 : -1;
 *   },
 * });
 */
export function connect<S extends GameShape, M extends MessageDeclarations>(
  game: Game<S, M>,
  url: string,
  options?: GameConnectOptions<FieldValues<S['input']>>,
): Promise<Client<S, M>>;
export async function connect<S extends GameShape, M extends MessageDeclarations>(
  what: MessageSet<M> | Game<S, M>,
  url: string,
  options: MessageConnectOptions & GameConnectOptions<FieldValues<S['input']>> = {},
): Promise<MessagingClient<M> | Client<S, M>> {
  checkOptions('connect', options, what instanceof MessageSet ? messageNames : gameNames);
  checkWhole('connectTimeoutMs', options.connectTimeoutMs, 1, CONNECT_TIMEOUT_MS_MAX);
  if (what instanceof MessageSet) {
    return new ConnectedClient(
      await run(url, options, (parts, driver) => {
        // Not at once: whoever sends may send more.
        const onQueued = () => setImmediate(() => driver.pump());
        return new MessageClient(what, { ...options, ...parts, onQueued });
      }),
    );
  }
  const development = options.development ?? process.env.NODE_ENV !== 'production';
  return new Client<S, M>(
    await run(url, options, (parts) => new GameClient(what, { ...options, ...parts, development })),
  );
}

/** A machine on its socket. `closed` resolves when the connection is over and the socket closed. */
interface Running<C> {
  readonly core: C;
  readonly driver: MachineDriver;
  readonly closed: Promise<void>;
}

/** What a machine needs of the world around it. */
type Parts = Pick<SessionClientOptions, 'crypto' | 'server' | 'nowMs'>;

type AnyClient = SessionClient<MessageDeclarations, SessionHandlers> & Machine;

/** Runs the machine that `make` makes until it is connected. */
async function run<C extends Pick<AnyClient, 'abort' | 'on' | 'over'> & Machine>(
  url: string,
  { signal, onError }: ConnectOptions,
  make: (parts: Parts, driver: MachineDriver) => C,
): Promise<Running<C>> {
  if (signal?.aborted) throw new TickwireError('connect-aborted', 'the signal had fired before');
  const { host, port } = await resolveUrl(url);
  const driver = await MachineDriver.open({
    host: isIPv6(host) ? '::' : '0.0.0.0',
    sendTogether: true,
    onError: (error) => onError?.(error, 'socket'),
  });
  const core = await made(driver, () => {
    const server = driver.socket.resolve(host, port);
    return make({ crypto: nodeCrypto, server, nowMs: driver.nowMs() }, driver);
  });
  const abort = () => {
    core.abort(driver.nowMs(), 'aborted');
    driver.pump();
  };
  signal?.addEventListener('abort', abort, { once: true });
  const closed = driver
    .runUntil(() => core.over)
    .then(() => {
      signal?.removeEventListener('abort', abort);
      return driver.close();
    });
  await new Promise<void>((resolve, reject) => {
    core.on('connected', resolve);
    core.on('end', (reason, text) => {
      const why = text === '' ? reason : `${reason}: ${text}`;
      reject(new TickwireError(`connect-${reason}`, `cannot connect to ${url}: ${why}`));
    });
    driver.attach(core);
    // It may have fired while the name was looked up.
    if (signal?.aborted) abort();
  });
  core.on('end', () => {});
  return { core, driver, closed };
}

/** What `make` gives; if it throws, the socket is closed first. */
async function made<C>(driver: MachineDriver, make: () => C): Promise<C> {
  try {
    return make();
  } catch (error) {
    await driver.close();
    throw error;
  }
}

/** Host, as a literal address, and port of a udp:// URL. */
async function resolveUrl(url: string): Promise<{ host: string; port: number }> {
  const match = /^udp:\/\/(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(url);
  const port = Number(match?.[3]);
  const name = match?.[1] ?? match?.[2];
  if (name === undefined || port < 1 || port > 65535) {
    throw new TickwireError('url-invalid', `'${url}' is not of the form udp://HOST:PORT`);
  }
  if (isIP(name) !== 0) return { host: name, port };
  try {
    return { host: (await lookup(name)).address, port };
  } catch (cause) {
    throw new TickwireError('host-unknown', `there is no address for '${name}'`, { cause });
  }
}
