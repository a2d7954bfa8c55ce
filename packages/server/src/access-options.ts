// What users of `listen` say about who may come in, and as whom the server is known, turned into what the host takes.

import { type Crypto, type KeyPair, keyPairOf, TickwireError } from '@tickwire/protocol';
import {
  checkNames,
  checkWhole,
  type KeyText,
  type OptionNames,
  readKey,
  stretchPassword,
} from '@tickwire/protocol/udp';
import type { Access } from './access.ts';

/** How a server takes connect tokens, which '@tickwire/protocol/token' makes. */
export interface TokenOptions {
  /** The key that the backend seals tokens with: 32 bytes or their base64url, from `createTokenKey()`. */
  readonly key: KeyText;
  /** "host:port" that tokens must name. Default: the server's identity key alone tells whom a token is for. */
  readonly address?: string;
  /** Tokens that were made to live longer are refused, whole ms. Default 3600000, at most 86400000. */
  readonly maxLifetimeMs?: number;
  /**
   * Marks a token's id, in hexadecimal, as used in a store that outlives this process, and tells whether it was unused:
   * one atomic step. Without it a server refuses tokens from before its start, as it cannot know which were used.
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

/** What the host takes. Rejects with 'option-invalid'. `report` is told when a store fails. */
export async function resolveAccess(
  options: AccessOptions,
  gameIdHash: number,
  report: (error: Error) => void,
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
  return tokens === undefined ? { way: 'open' } : resolveTokens(tokens, report);
}

/** The server's identity; undefined = a new one. Throws 'option-invalid'. */
export function resolveIdentity(
  crypto: Crypto,
  identity: KeyText | undefined,
): KeyPair | undefined {
  return identity === undefined ? undefined : keyPairOf(crypto, readKey('identity', identity));
}

function resolveTokens(tokens: TokenOptions, report: (error: Error) => void): Access {
  checkNames('tokens', tokens, tokenNames);
  const { key, address, maxLifetimeMs, consume } = tokens;
  checkWhole('tokens.maxLifetimeMs', maxLifetimeMs, 1, LIFETIME_MS_MAX);
  return {
    way: 'token',
    key: readKey('tokens.key', key),
    address,
    maxLifetimeMs,
    consume:
      consume &&
      ((id, done) => {
        // A store that throws at once fails like one that rejects.
        const ask = async () => (await consume(Buffer.from(id).toString('hex'))) === true;
        ask().then(done, (error) => {
          report(error as Error);
          done(undefined);
        });
      }),
  };
}
