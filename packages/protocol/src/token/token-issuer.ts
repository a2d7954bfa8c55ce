// Issues connect tokens: what a web backend does for each player that it lets in.

import { writeConnectToken } from '../session/connect-token.ts';
import { type GameIdentity, WIRE_VERSION } from '../session/handshake.ts';
import { type KeyText, readKey } from '../session/key-text.ts';
import { agreed, createKeyPair } from '../session/keys.ts';
import { TOKEN_BYTES_MAX, TOKEN_ID_BYTES, writeToken } from '../session/token.ts';
import { TOKEN_LIFETIME_MS_MAX } from '../session/token-verdict.ts';
import { loadCrypto } from '../sodium/index.ts';
import { sameBytes } from '../wire/bytes.ts';
import { type Crypto, KEY_BYTES } from '../wire/crypto.ts';
import { TickwireError } from '../wire/errors.ts';
import { checkId, hashText } from '../wire/name.ts';
import { checkNames, type OptionNames } from '../wire/option-names.ts';

/** What all tokens of an issuer have in common. */
export interface TokenIssuerOptions {
  /** The key that `createTokenKey` made: 32 bytes or their base64url; the game servers have the same. */
  readonly key: KeyText;
  /** The public half of the servers' identity: 32 bytes or their base64url. */
  readonly serverKey: KeyText;
  /** The game's id, or what `defineGame` or `defineMessages` gave: a backend need not have the game's code. */
  readonly game: string | Pick<GameIdentity, 'idHash'>;
  /** How long a token is good for, ms, 1000 to 3600000. Default 60000: it is used as soon as the player has it. */
  readonly lifetimeMs?: number | undefined;
  /** The clock, unix ms. Default Date.now; it should agree with the servers' to within seconds. */
  readonly now?: (() => number) | undefined;
}

/** What one token says. */
export interface TokenRequest {
  /** Whom the token lets in: from 1 to 64 bytes in UTF-8. */
  readonly userId: string;
  /**
   * Where to: "host:port" or "[v6]:port", 1 to 8, at most 332 bytes together; tried in this order. A server takes a token
   * that names its identity; give it `tokens.address` to take only those that name it here as well.
   */
  readonly servers: readonly string[];
  /** For the game server's own code, at most 512 bytes. The player cannot read or change it. */
  readonly userData?: Uint8Array | undefined;
  /**
   * After how long without a packet the *server* gives this client up, whole ms up to 3600000. Left out: the server's
   * own. The client's timeout is an option of its `connect`.
   */
  readonly timeoutMs?: number | undefined;
}

const LIFETIME_MS = 60_000;
const LIFETIME_MS_MIN = 1_000;

const optionNames = {
  key: true,
  serverKey: true,
  game: true,
  lifetimeMs: true,
  now: true,
} satisfies OptionNames<TokenIssuerOptions>;

const requestNames = {
  userId: true,
  servers: true,
  userData: true,
  timeoutMs: true,
} satisfies OptionNames<TokenRequest>;

/** Seals tokens. Made by {@link openTokenIssuer}. */
export class TokenIssuer {
  readonly #crypto: Crypto;
  readonly #key: Uint8Array;
  readonly #serverKey: Uint8Array;
  readonly #gameIdHash: number;
  readonly #lifetimeMs: number;
  readonly #now: () => number;

  constructor(crypto: Crypto, options: TokenIssuerOptions) {
    checkNames('openTokenIssuer', options, optionNames);
    this.#crypto = crypto;
    this.#key = readKey('key', options.key);
    this.#serverKey = readKey('serverKey', options.serverKey);
    this.#gameIdHash = idHashOf(options.game);
    this.#lifetimeMs = checkLifetime(options.lifetimeMs ?? LIFETIME_MS);
    this.#now = options.now ?? Date.now;
    this.#checkServerKey();
  }

  /**
   * The text of a new token: for this player alone, over HTTPS, into no log. Whoever has it connects as this user.
   * Throws 'token-field-invalid', naming the field, and 'option-invalid' for one that there is not.
   */
  issue(request: TokenRequest): string {
    checkNames('issue', request, requestNames);
    const { userId, servers, userData = new Uint8Array(0), timeoutMs = 0 } = request;
    if (userId === '') {
      throw new TickwireError('token-field-invalid', 'connect token, userId: it names nobody');
    }
    const issuedAtMs = Math.floor(this.#now());
    const expiresAtMs = issuedAtMs + this.#lifetimeMs;
    const id = this.#random(TOKEN_ID_BYTES);
    const secret = this.#random(KEY_BYTES);
    const serverKey = this.#serverKey;
    const terms = { issuedAtMs, expiresAtMs, wireVersion: WIRE_VERSION, timeoutMs };
    const body = { gameIdHash: this.#gameIdHash, serverKey, userId, servers, userData };
    const out = new Uint8Array(TOKEN_BYTES_MAX);
    const length = writeToken(this.#crypto, this.#key, { id, secret, ...terms, ...body }, out);
    const sealed = out.subarray(0, length);
    return writeConnectToken({ expiresAtMs, secret, serverKey, servers, sealed });
  }

  /** The public key travels in every token, so it had better be one. */
  #checkServerKey(): void {
    if (sameBytes(this.#key, this.#serverKey)) {
      throw new TickwireError(
        'option-invalid',
        'serverKey is the secret key; tokens would tell it',
      );
    }
    const { secretKey } = createKeyPair(this.#crypto);
    if (agreed(this.#crypto, secretKey, this.#serverKey) !== undefined) return;
    throw new TickwireError('option-invalid', 'serverKey is no public key of createIdentity');
  }

  #random(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    this.#crypto.randomBytes(bytes);
    return bytes;
  }
}

/** Opens an issuer; one serves a backend for its whole life. Throws 'option-invalid', naming the option. */
export async function openTokenIssuer(options: TokenIssuerOptions): Promise<TokenIssuer> {
  return new TokenIssuer(await loadCrypto(), options);
}

function idHashOf(game: string | Pick<GameIdentity, 'idHash'>): number {
  if (typeof game === 'string') {
    checkId(game, 'option-invalid');
    return hashText(game);
  }
  if (Number.isInteger(game?.idHash)) return game.idHash;
  throw new TickwireError('option-invalid', "game is neither a game's id nor a declared game");
}

function checkLifetime(lifetimeMs: number): number {
  const whole = Number.isInteger(lifetimeMs);
  if (whole && lifetimeMs >= LIFETIME_MS_MIN && lifetimeMs <= TOKEN_LIFETIME_MS_MAX) {
    return lifetimeMs;
  }
  const range = `${LIFETIME_MS_MIN} to ${TOKEN_LIFETIME_MS_MAX}`;
  throw new TickwireError('option-invalid', `lifetimeMs is ${lifetimeMs}; give ${range}`);
}
