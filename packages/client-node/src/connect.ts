// connect: a client, or a bot, on a UDP socket, in real time. The shell around GameClient.

import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import {
  type EndReason,
  type FieldValues,
  type Game,
  type GameShape,
  type MessageDeclarations,
  type MessageValue,
  type SendResult,
  TickwireError,
  type ViewFace,
} from '@tickwire/protocol';
import { MachineDriver, nodeCrypto } from '@tickwire/protocol/udp';
import type { ClientStatistics } from './client-statistics.ts';
import type { EffectPhase } from './effect-ledger.ts';
import { GameClient } from './game-client.ts';
import type { Rollback } from './prediction.ts';

/** Options of {@link connect}. */
export interface ConnectOptions<I> {
  /** Fills in the input of a tick, in place; see {@link GameClient.input}. */
  readonly sampleInput?: (tick: number, out: I) => void;
  /** Extra checks on the use of rows. Default: on unless NODE_ENV is 'production'. */
  readonly development?: boolean;
  /** What user code throws, and socket errors. By default user errors end the connection silently. */
  readonly onError?: (error: Error, where: string) => void;
  /** Gives up the attempt, or ends the connection, when it fires. */
  readonly signal?: AbortSignal;
  /** No accept for so long: 'unreachable'. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** No packet for so long ends the connection. Default 10 s. */
  readonly timeoutMs?: number;
}

/** A connected client. */
export class Client<S extends GameShape, M extends MessageDeclarations> {
  /** The machine inside, for what this class does not offer. */
  readonly core: GameClient<S, M>;
  readonly #driver: MachineDriver;
  readonly #closed: Promise<void>;

  constructor(core: GameClient<S, M>, driver: MachineDriver, closed: Promise<void>) {
    this.core = core;
    this.#driver = driver;
    this.#closed = closed;
  }

  /** The input that the next tick will sample; set edges here when keys are pressed. */
  get input(): FieldValues<S['input']> {
    return this.core.input;
  }

  /** Ids of its own rows. */
  get owned(): readonly number[] {
    return this.core.owned;
  }

  get statistics(): ClientStatistics {
    return this.core.statistics;
  }

  /**
   * Everything as it should be shown at `nowMs` (performance.now()): others interpolated, own rows predicted and
   * smoothed. Rows are good until the next call. Empty outside of a match.
   */
  view(nowMs: number): ViewFace<S['archetypes']> {
    return this.core.view(nowMs);
  }

  /** Sends a message, reliably and in order; see {@link GameClient.send}. */
  send<K extends keyof M & string>(name: K, value: MessageValue<M[K]>): SendResult {
    return this.core.send(name, value);
  }

  onWritable(callback: () => void): void {
    this.core.onWritable(callback);
  }

  onMessage<K extends keyof M & string>(name: K, handler: (m: MessageValue<M[K]>) => void): void {
    this.core.onMessage(name, handler);
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

  /** Called once when the connection is over. */
  onEnd(handler: (reason: EndReason, text: string) => void): void {
    this.core.on('end', handler);
    if (this.core.ended !== undefined) handler(this.core.ended, '');
  }

  /** Ends the connection; resolves when the server knows, or has been given up. */
  close(text = ''): Promise<void> {
    this.core.close(this.#driver.nowMs(), text);
    this.#driver.pump();
    return this.#closed;
  }
}

/**
 * Connects to `udp://HOST:PORT`; resolves when the server has accepted. Rejects with a TickwireError whose code is
 * 'url-invalid', 'host-unknown' or 'connect-' and the reason: unreachable, refused, full, version, game, aborted.
 */
export async function connect<S extends GameShape, M extends MessageDeclarations>(
  game: Game<S, M>,
  url: string,
  options: ConnectOptions<FieldValues<S['input']>> = {},
): Promise<Client<S, M>> {
  const { signal, onError, ...rest } = options;
  if (signal?.aborted) throw new TickwireError('connect-aborted', 'the signal had fired before');
  const { host, port } = await resolveUrl(url);
  const driver = await MachineDriver.open({
    host: isIPv6(host) ? '::' : '0.0.0.0',
    sendTogether: true,
    onError: (error) => onError?.(error, 'socket'),
  });
  const core = new GameClient(game, {
    ...rest,
    ...(onError && { onError }),
    development: options.development ?? process.env.NODE_ENV !== 'production',
    crypto: nodeCrypto,
    server: driver.socket.resolve(host, port),
    nowMs: driver.nowMs(),
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
  return new Client(core, driver, closed);
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
