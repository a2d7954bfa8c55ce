// What users of `listen` say about who may come in, and as whom the server is known, turned into what the host takes.

import {
  type Crypto,
  checkServer,
  type KeyPair,
  keyPairOf,
  TickwireError,
} from '@tickwire/protocol';
import {
  checkNames,
  checkWhole,
  type KeyText,
  type OptionNames,
  readKey,
  stretchPassword,
} from '@tickwire/protocol/udp';
import type { Access, ConsumeToken } from './access.ts';

/** How a server takes connect tokens, which '@tickwire/protocol/token' makes. */
export interface TokenOptions {
  /** The key that the backend seals tokens with: 32 bytes or their base64url, from `createTokenKey()`. */
  readonly key: KeyText;
  /**
   * "host:port" or "[v6]:port" of this server, as tokens name it: only those that do are taken. Default: every server with
   * the identity that a token names takes it, so servers that share an identity need this or `consume`: without either,
   * a token lets in once at each of them, whichever it names by address.
   */
  readonly address?: string;
  /** Tokens that were made to live longer are refused, whole ms. Default 3600000, at most 86400000. */
  readonly maxLifetimeMs?: number;
  /**
   * Marks a token's id, in hexadecimal, as used in a store that outlives this process, and tells whether it was unused:
   * one atomic step. Without it a server refuses tokens from before its start, as it cannot know which were used. One
   * that rejects, or has said nothing after 5 s, makes the client's attempt end with 'error'.
   */
  readonly consume?: (id: string) => Promise<boolean>;
}

/** Who may come in: at most one of `password`, `presharedKey` and `tokens`; with none of them everybody may. */
export interface AccessOptions {
  /**
   * The server's secret identity key: 32 bytes or their base64url, from `createIdentity()`. Clients that know its public
   * half cannot be fooled by whoever sits in between. Default: a new one at every start; see `server.identityKey`.
   */
  readonly identity?: KeyText;
  /** What clients must know. Stretched once; a key is safer, as it cannot be guessed. */
  readonly password?: string;
  /** What clients must have: 32 random bytes, or their base64url. */
  readonly presharedKey?: KeyText;
  /** Connect tokens from a backend of yours: each lets one user in, once. */
  readonly tokens?: TokenOptions;
}

/** Names of the options, for the check of all options. */
export const accessNames = {
  identity: true,
  password: true,
  presharedKey: true,
  tokens: true,
} satisfies OptionNames<AccessOptions>;

const tokenNames = {
  key: true,
  address: true,
  maxLifetimeMs: true,
  consume: true,
} satisfies OptionNames<TokenOptions>;

const LIFETIME_MS_MAX = 86_400_000;

/** A store has so long to answer: as long as the place of the client that waits for it is kept. */
const STORE_MS = 5000;

/** Who is told of what a store does. */
export interface StoreListener {
  /** It failed. */
  failed(error: Error): void;
  /** It has answered, or failed: there may be something to send. */
  answered(): void;
}

/** What the host takes. Rejects with 'option-invalid'. */
export async function resolveAccess(
  options: AccessOptions,
  gameIdHash: number,
  listener: StoreListener,
): Promise<Access> {
  const { password, presharedKey, tokens } = options;
  const given = [password, presharedKey, tokens].filter((way) => way !== undefined);
  if (given.length > 1) {
    const text = 'password, presharedKey and tokens exclude each other; give at most one';
    throw new TickwireError('option-invalid', text);
  }
  if (password !== undefined)
    return { way: 'key', key: await stretchPassword(password, gameIdHash) };
  if (presharedKey !== undefined) return { way: 'key', key: readKey('presharedKey', presharedKey) };
  return tokens === undefined ? { way: 'open' } : resolveTokens(tokens, listener);
}

/** The server's identity; undefined = a new one. Throws 'option-invalid'. */
export function resolveIdentity(
  crypto: Crypto,
  identity: KeyText | undefined,
): KeyPair | undefined {
  return identity === undefined ? undefined : keyPairOf(crypto, readKey('identity', identity));
}

function resolveTokens(tokens: TokenOptions, listener: StoreListener): Access {
  checkNames('tokens', tokens, tokenNames);
  const { key, address, maxLifetimeMs, consume } = tokens;
  checkWhole('tokens.maxLifetimeMs', maxLifetimeMs, 1, LIFETIME_MS_MAX);
  if (address !== undefined) checkServer('tokens.address', address);
  return {
    way: 'token',
    key: readKey('tokens.key', key),
    address,
    maxLifetimeMs,
    consume: consume && askStore(consume, listener),
  };
}

/** Asks a user's store, and answers once: what it says, or undefined when it fails or is silent for too long. */
function askStore(
  consume: NonNullable<TokenOptions['consume']>,
  listener: StoreListener,
): ConsumeToken {
  return (id, done) => {
    let waiting = true;
    const settle = (fresh: boolean | undefined, error?: Error) => {
      if (!waiting) return;
      waiting = false;
      clearTimeout(timer);
      // First, so that the token can be tried again whatever the listener does.
      done(fresh);
      if (error !== undefined) listener.failed(error);
      listener.answered();
    };
    const silent = () => settle(undefined, new Error(`no answer within ${STORE_MS} ms`));
    const timer = setTimeout(silent, STORE_MS).unref();
    // A store that throws at once fails like one that rejects.
    const ask = async () => (await consume(Buffer.from(id).toString('hex'))) === true;
    const asked = ask().then(settle, (error) => settle(undefined, error as Error));
    // What the answer leads to may throw as well.
    asked.catch((error) => listener.failed(error as Error));
  };
}
