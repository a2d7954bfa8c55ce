// Who may come in, as far as a proof can show it: the three ways in, and the fourth, back in.

import {
  binderFits,
  type Crypto,
  checkKey,
  checkServer,
  type EndReason,
  type GameIdentity,
  judgeToken,
  NO_SECRET,
  type OpenedProof,
  readToken,
  TickwireError,
  TOKEN_LIFETIME_MS_MAX,
  Way,
  WIRE_VERSION,
} from '@tickwire/protocol';
import type { Admission } from './slot-table.ts';
import type { WallClock } from './wall-clock.ts';

/** Asks a shared store about a token's id, and calls back once; undefined = the store could not be asked. */
export type ConsumeToken = (id: Uint8Array, done: (fresh: boolean | undefined) => void) => void;

/** Connect tokens, as a server takes them. */
export interface TokenAccess {
  /** The key that it shares with the backend, 32 bytes. */
  readonly key: Uint8Array;
  /**
   * "host:port" or "[v6]:port" that tokens must name. Default: every server that has the identity key that a token names
   * takes it, so without `consume` it lets in once at each of them.
   */
  readonly address?: string | undefined;
  /** Tokens that were to live longer are not taken, ms. Default an hour. */
  readonly maxLifetimeMs?: number | undefined;
  /**
   * Marks a token as used in a store that all servers share, and tells whether it was not before; undefined = the store
   * could not be asked. Without it tokens that were issued before this server's start are refused: they may have been
   * used.
   */
  readonly consume?: ConsumeToken | undefined;
}

/** What a server asks of its clients. */
export type Access =
  | { readonly way: 'open' }
  /** A pre-shared key of 32 bytes. */
  | { readonly way: 'key'; readonly key: Uint8Array }
  | ({ readonly way: 'token' } & TokenAccess);

/** A session that can be resumed. */
export interface Resumable {
  readonly session: number;
  readonly secret: Uint8Array;
  /** Of the token that it began with; undefined = the server's own. */
  readonly timeoutMs?: number | undefined;
}

/** What the check needs to know of its server. */
export interface AccessCheckOptions {
  readonly crypto: Crypto;
  readonly access: Access;
  readonly game: GameIdentity;
  /** Public half of the identity key. */
  readonly serverKey: Uint8Array;
  readonly wall: WallClock;
  resumable(id: Uint8Array): Resumable | undefined;
}

/** Why not. */
export interface Refusal {
  readonly reason: EndReason;
  readonly text: string;
}

/** A good proof, and when its token is over. */
export interface Admitted extends Admission {
  readonly expiresWallMs: number;
}

/** Wrong, not wanted, and wanted: the same words whichever of them, so that nobody learns more than the way in. */
const WANTED = {
  open: 'this server takes no password, key or token',
  key: 'the right password or pre-shared key is needed',
  token: 'a connect token is needed',
} as const;

/** Throws 'option-invalid' where tokens are taken without a clock: those of before the start would be good again. */
export function checkClock(access: Access, wallClock: (() => number) | undefined): void {
  if (access.way !== 'token' || wallClock !== undefined) return;
  throw new TickwireError('option-invalid', 'wallClock is missing; tokens are judged by unix time');
}

/** Text of the reason 'resume-invalid'. */
export const NOTHING_TO_RESUME = 'too late, used before, or left: connect anew';

/** See the head of the file. */
export class AccessCheck {
  readonly #options: AccessCheckOptions;

  /** Throws 'option-invalid' for a key that is none, or an address that is none. */
  constructor(options: AccessCheckOptions) {
    const { access } = options;
    if (access.way !== 'open') checkKey('the key of access', access.key);
    if (access.way === 'token' && access.address !== undefined) {
      checkServer('the address of access', access.address);
    }
    this.#options = options;
  }

  /** Judges a proof that could be opened. */
  judge(proof: OpenedProof): Admitted | Refusal {
    const { access } = this.#options;
    if (proof.way === Way.resume) return this.#judgeResume(proof);
    if (access.way === 'open' && proof.way === Way.open) return admitted(NO_SECRET);
    if (access.way === 'key' && proof.way === Way.key && this.#binds(access.key, proof)) {
      return admitted(access.key);
    }
    if (access.way === 'token' && proof.way === Way.token) {
      return this.#judgeToken(access, proof);
    }
    return { reason: 'credentials', text: WANTED[access.way] };
  }

  #judgeResume(proof: OpenedProof): Admitted | Refusal {
    const found = this.#options.resumable(proof.rest);
    if (found === undefined || !this.#binds(found.secret, proof)) {
      return { reason: 'resume-invalid', text: NOTHING_TO_RESUME };
    }
    const { secret, session: resumes, timeoutMs } = found;
    return { ...admitted(secret), resumes, timeoutMs };
  }

  #judgeToken(access: TokenAccess, proof: OpenedProof): Admitted | Refusal {
    const { crypto, game, serverKey, wall } = this.#options;
    const token = readToken(crypto, access.key, proof.rest, 0, proof.rest.length);
    if (token === undefined || !this.#binds(token.secret, proof)) {
      return { reason: 'token-invalid', text: 'damaged, or not sealed for this server' };
    }
    const refusal = judgeToken(token, {
      wallMs: wall.nowMs,
      startedWallMs: access.consume === undefined ? wall.startedMs : 0,
      maxLifetimeMs: access.maxLifetimeMs ?? TOKEN_LIFETIME_MS_MAX,
      gameIdHash: game.idHash,
      wireVersion: WIRE_VERSION,
      serverKey,
      address: access.address,
    });
    if (refusal !== undefined) return refusal;
    return {
      secret: token.secret,
      resumes: 0,
      user: { id: token.userId, data: token.userData },
      tokenId: token.id,
      timeoutMs: token.timeoutMs === 0 ? undefined : token.timeoutMs,
      expiresWallMs: token.expiresAtMs,
    };
  }

  #binds(secret: Uint8Array, proof: OpenedProof): boolean {
    return binderFits(this.#options.crypto, secret, proof);
  }
}

function admitted(secret: Uint8Array): Admitted {
  return { secret, resumes: 0, expiresWallMs: 0 };
}
