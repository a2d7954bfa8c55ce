// Whether a connect token that opened is good for this server, now. Only whoever has a token that its backend sealed
// hears these answers; strangers hear nothing.

import type { EndReason } from '../transport/end-reason.ts';
import { sameBytes } from '../wire/bytes.ts';
import { namesSameServer } from './server-list.ts';
import type { ConnectToken } from './token.ts';

/** How long a token may be good for, ms, if nobody says otherwise: a login and a download, not a day. */
export const TOKEN_LIFETIME_MS_MAX = 3_600_000;

/**
 * How far the backend's clock may be ahead of the server's, ms. Clocks that are kept at all are closer. More would let
 * a token from before a restart count as one from after it.
 */
export const TOKEN_CLOCK_AHEAD_MS_MAX = 5_000;

/** What a server judges tokens by. */
export interface TokenContext {
  /**
   * The server's clock, unix ms. It never goes backwards: `listen` takes it once at its start and adds monotonic time,
   * and moves it forward where the system's is ahead by more than it can have gone wrong: the process was suspended.
   */
  readonly wallMs: number;
  /**
   * When the server started, unix ms. It does not know which tokens were used before then, so it refuses them all. 0
   * where a shared store knows.
   */
  readonly startedWallMs: number;
  /** Longest lifetime that is allowed, ms; {@link TOKEN_LIFETIME_MS_MAX} if nobody says otherwise. */
  readonly maxLifetimeMs: number;
  readonly gameIdHash: number;
  readonly wireVersion: number;
  /** The server's public identity key. */
  readonly serverKey: Uint8Array;
  /** The server as tokens name it, "host:port". Left out: whoever has the identity that they name takes them. */
  readonly address?: string | undefined;
}

/** Why a token is refused; `text` is for the player's client. */
export interface TokenRefusal {
  readonly reason: EndReason;
  readonly text: string;
}

const invalid = (text: string): TokenRefusal => ({ reason: 'token-invalid', text });
const expired = (text: string): TokenRefusal => ({ reason: 'token-expired', text });

/** Every answer that there is, by what is wrong. */
export const tokenRefusals = {
  expired: expired('the connect token has expired'),
  beforeStart: expired('the connect token is from before this server started; get a new one'),
  tooLong: invalid('the connect token is good for longer than this server allows'),
  ahead: invalid(
    'the connect token is from the future; the clocks of its issuer and the server differ',
  ),
  version: invalid('the connect token is for another wire version'),
  game: invalid('the connect token is for another game'),
  identity: invalid('the connect token is for a server with another identity'),
  address: invalid('the connect token is for a server at another address'),
} as const;

/** Why the server of `context` does not take `token`; undefined = it does, unless it was used already. */
export function judgeToken(token: ConnectToken, context: TokenContext): TokenRefusal | undefined {
  const { issuedAtMs, expiresAtMs } = token;
  if (context.wallMs >= expiresAtMs) return tokenRefusals.expired;
  if (issuedAtMs < context.startedWallMs) return tokenRefusals.beforeStart;
  if (issuedAtMs - context.wallMs > TOKEN_CLOCK_AHEAD_MS_MAX) return tokenRefusals.ahead;
  if (expiresAtMs - issuedAtMs > context.maxLifetimeMs) return tokenRefusals.tooLong;
  if (token.wireVersion !== context.wireVersion) return tokenRefusals.version;
  if (token.gameIdHash !== context.gameIdHash) return tokenRefusals.game;
  if (!sameBytes(token.serverKey, context.serverKey)) return tokenRefusals.identity;
  const { address } = context;
  if (address === undefined) return undefined;
  const named = token.servers.some((server) => namesSameServer(server, address));
  return named ? undefined : tokenRefusals.address;
}
