// connect: a client, or a bot, on a UDP socket, in real time, of a game or of messages alone. The shell around
// GameClient and MessageClient.

import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import {
  type ClientToken,
  type ConnectionTuning,
  type Credential,
  type FieldValues,
  type Game,
  type GameShape,
  type Machine,
  type MessageDeclarations,
  MessageSet,
  readConnectToken,
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
import { Client, ConnectedClient, type MessagingClient, type Running } from './connected-client.ts';
import {
  type CredentialOptions,
  credentialNames,
  resolveCredential,
  resolveServerKey,
} from './credential-options.ts';
import { GameClient } from './game-client.ts';
import { MessageClient } from './message-client.ts';
import type { SessionClient, SessionClientOptions, SessionHandlers } from './session-client.ts';

/** Options of {@link connect}, with a game or without. */
export interface ConnectOptions extends ConnectionTuning, CredentialOptions {
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
  ...credentialNames,
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

/**
 * Connects to a server of typed messages, without a game: see docs/messages.md. `target` is `udp://HOST:PORT`, or a
 * connect token of the server's backend, which says where to connect: the client tries its servers one after the other,
 * see docs/security.md. Resolves when a server has accepted. Rejects with a TickwireError of one of these codes:
 *
 * - 'option-invalid', 'url-invalid' (no URL and no token), 'token-unreadable' (cut off, or damaged), 'host-unknown',
 *   'bind-failed' (the system gives no socket);
 * - nobody was there: 'connect-unreachable', 'connect-timeout', 'connect-identity' (it has another key than expected);
 * - the server says no: 'connect-refused', 'connect-full', 'connect-shutdown', 'connect-error', 'connect-version',
 *   'connect-game' (other messages, or a game, were declared), 'connect-kicked' and 'connect-closed' (at once);
 * - to who it is: 'connect-credentials', 'connect-token-invalid', 'connect-token-expired', 'connect-token-used',
 *   'connect-resume-invalid', 'connect-replaced' (the same session was resumed by another client meanwhile);
 * - 'connect-aborted': the signal fired.
 *
 * @example
 * const client = await connect(chat, 'udp://127.0.0.1:7777');
 * client.onMessage('said', ({ who, line }) => console.log(who, line));
 * client.send('say', { line: 'hello' });
 */
export function connect<M extends MessageDeclarations>(
  messages: MessageSet<M>,
  target: string,
  options?: MessageConnectOptions,
): Promise<MessagingClient<M>>;
/**
 * Connects to a game server. `target` is `udp://HOST:PORT`, or a connect token of the server's backend, which says where
 * to connect: the client tries its servers one after the other, see docs/security.md. Resolves when a server has
 * accepted. Rejects with a TickwireError of one of these codes:
 *
 * - 'option-invalid', 'url-invalid' (no URL and no token), 'token-unreadable' (cut off, or damaged), 'host-unknown',
 *   'bind-failed' (the system gives no socket);
 * - nobody was there: 'connect-unreachable', 'connect-timeout', 'connect-identity' (it has another key than expected);
 * - the server says no: 'connect-refused', 'connect-full', 'connect-shutdown', 'connect-error', 'connect-version',
 *   'connect-game' (another game, or another version of it), 'connect-kicked' and 'connect-closed' (at once);
 * - to who it is: 'connect-credentials', 'connect-token-invalid', 'connect-token-expired', 'connect-token-used',
 *   'connect-resume-invalid', 'connect-replaced' (the same session was resumed by another client meanwhile);
 * - 'connect-aborted': the signal fired.
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
  target: string,
  options?: GameConnectOptions<FieldValues<S['input']>>,
): Promise<Client<S, M>>;
export async function connect<S extends GameShape, M extends MessageDeclarations>(
  what: MessageSet<M> | Game<S, M>,
  target: string,
  options: MessageConnectOptions & GameConnectOptions<FieldValues<S['input']>> = {},
): Promise<MessagingClient<M> | Client<S, M>> {
  checkOptions('connect', options, what instanceof MessageSet ? messageNames : gameNames);
  checkWhole('connectTimeoutMs', options.connectTimeoutMs, 1, CONNECT_TIMEOUT_MS_MAX);
  if (what instanceof MessageSet) {
    return new ConnectedClient(
      await reach(target, what.idHash, options, (parts, driver) => {
        // Not at once: whoever sends may send more.
        const onQueued = () => setImmediate(() => driver.pump());
        return new MessageClient(what, { ...options, ...parts, onQueued });
      }),
    );
  }
  const development = options.development ?? process.env.NODE_ENV !== 'production';
  return new Client<S, M>(
    await reach(
      target,
      what.idHash,
      options,
      (parts) => new GameClient(what, { ...options, ...parts, development }),
    ),
  );
}

/** What a machine needs of the world around it. */
interface Parts extends Pick<SessionClientOptions, 'crypto' | 'server' | 'nowMs'> {
  readonly credential: Credential;
  readonly serverKey: Uint8Array | undefined;
}

type AnyClient = SessionClient<MessageDeclarations, SessionHandlers> & Machine;
type RunnableClient = Pick<AnyClient, 'abort' | 'on' | 'over'> & Machine;

/** Makes a client's machine around what it is given. */
type Make<C> = (parts: Parts, driver: MachineDriver) => C;

/**
 * What is wrong with one server of a token, and may be right with the next: the others are tried. All else would be the
 * same there, or is an answer: the server's no, the token's end, another game. A session is known to the server that it
 * was lost by, so the next may know what can be resumed. A machine without IPv6 gives no socket for such an address.
 */
const TRY_NEXT: ReadonlySet<string> = new Set([
  'bind-failed',
  'host-unknown',
  'connect-error',
  'connect-full',
  'connect-identity',
  'connect-resume-invalid',
  'connect-shutdown',
  'connect-unreachable',
]);

/** Connects to the server that a URL names, or to the first of a token's servers that takes the client. */
async function reach<C extends RunnableClient>(
  target: string,
  gameIdHash: number,
  options: ConnectOptions,
  make: Make<C>,
): Promise<Running<C>> {
  const { url, token } = readTarget(target);
  const credential = await resolveCredential(options, token, gameIdHash);
  const serverKey = resolveServerKey(options, token);
  const makeWith = (parts: Omit<Parts, 'credential' | 'serverKey'>, driver: MachineDriver) =>
    make({ ...parts, credential, serverKey }, driver);
  const urls = token?.servers.map((server) => `udp://${server}`) ?? [url];
  for (const url of urls.slice(0, -1)) {
    try {
      return await run(url, options, makeWith);
    } catch (error) {
      if (!TRY_NEXT.has((error as TickwireError).code)) throw error;
    }
  }
  return await run(urls.at(-1)!, options, makeWith);
}

/** The URL, or the token. Throws 'url-invalid' or 'token-unreadable'. */
function readTarget(target: string): { url: string; token: ClientToken | undefined } {
  const text = typeof target === 'string' ? target.trim() : '';
  if (text.startsWith('twc')) return { url: '', token: readConnectToken(text) };
  if (text.startsWith('udp://')) return { url: text, token: undefined };
  throw invalidTarget(text);
}

/** Shows nothing but what was meant as a URL: a token is a secret, whatever stands around it. */
function invalidTarget(text: string): TickwireError {
  const form = 'of the form udp://HOST:PORT';
  if (text.includes('twc2.')) {
    const what = `the target is not ${form}, and there is a connect token in it`;
    return new TickwireError('url-invalid', `${what}: give it alone, without quotes or a scheme`);
  }
  if (text.startsWith('udp://'))
    return new TickwireError('url-invalid', `'${text}' is not ${form}`);
  return new TickwireError('url-invalid', `the target is neither ${form} nor a connect token`);
}

/** Runs the machine that `make` makes until it is connected. */
async function run<C extends RunnableClient>(
  url: string,
  { signal, onError }: ConnectOptions,
  make: (parts: Omit<Parts, 'credential' | 'serverKey'>, driver: MachineDriver) => C,
): Promise<Running<C>> {
  if (signal?.aborted) throw new TickwireError('connect-aborted', 'the signal had fired before');
  const { host, port } = await resolveUrl(url);
  const crypto = await loadCrypto();
  const driver = await MachineDriver.open({
    host: isIPv6(host) ? '::' : '0.0.0.0',
    memory: crypto.memory,
    sendTogether: true,
    onError: (error) => onError?.(error, 'socket'),
  });
  const core = await made(driver, () => {
    const server = driver.socket.resolve(host, port);
    return make({ crypto, server, nowMs: driver.nowMs() }, driver);
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
    throw invalidTarget(url);
  }
  if (isIP(name) !== 0) return { host: name, port };
  try {
    return { host: (await lookup(name)).address, port };
  } catch (cause) {
    throw new TickwireError('host-unknown', `there is no address for '${name}'`, { cause });
  }
}
