// What the clients of a lab show of themselves: good, bad, used, and of other ways in than the server's.

import {
  type Credential,
  type Crypto,
  KEY_BYTES,
  RESUME_ID_BYTES,
  type ResumeKeys,
  TOKEN_BYTES_MAX,
  Way,
  WIRE_VERSION,
  writeToken,
} from '@tickwire/protocol';
import type { Access } from '@tickwire/server/core';

/** Unix time at the lab's time 0: tokens are judged by it. */
export const WALL_MS = 1_700_000_000_000;

const TOKEN_KEY = new Uint8Array(KEY_BYTES).fill(3);
const PRE_SHARED = new Uint8Array(KEY_BYTES).fill(4);

/** What they are made with. */
export interface LabCredentialOptions {
  readonly crypto: Crypto;
  readonly gameIdHash: number;
  readonly serverKey: Uint8Array;
  readonly below: (n: number) => number;
}

/** See the head of the file. */
export class LabCredentials {
  readonly access: Access;
  /** What resumed, or resumes, sessions. */
  readonly states: ResumeKeys[] = [];
  /** Otherwise the store of used tokens says no now and then. */
  storeIsWell = false;
  readonly #options: LabCredentialOptions;
  readonly #tokens: Credential[] = [];

  constructor(access: number, options: LabCredentialOptions) {
    this.#options = options;
    this.access = this.#accessOf(access % 4);
  }

  /** One that the server takes. */
  good(nowMs: number): Credential {
    if (this.access.way === 'open') return { way: Way.open };
    return this.access.way === 'key'
      ? { way: Way.key, secret: PRE_SHARED }
      : this.#issue(nowMs, true);
  }

  /** 0 to 3: good; then a session to resume, and what is not good. */
  any(choice: number, nowMs: number): Credential {
    const secret = new Uint8Array(KEY_BYTES).fill(choice);
    const nobody = { id: new Uint8Array(RESUME_ID_BYTES), secret };
    switch (choice % 10) {
      case 4:
        return { way: Way.resume, ...(this.states.at(-1) ?? nobody) };
      case 5:
        return { way: Way.resume, ...nobody };
      case 6:
        return (
          this.#tokens[this.#options.below(this.#tokens.length + 1)] ?? this.#issue(nowMs, true)
        );
      case 7:
        return this.#issue(nowMs, false);
      case 8:
        return { way: Way.key, secret };
      case 9:
        return { way: Way.open };
      default:
        return this.good(nowMs);
    }
  }

  #accessOf(choice: number): Access {
    if (choice === 0) return { way: 'open' };
    if (choice === 1) return { way: 'key', key: PRE_SHARED };
    if (choice === 2) return { way: 'token', key: TOKEN_KEY };
    const { below } = this.#options;
    const isFresh = () => this.storeIsWell || below(5) !== 0;
    return { way: 'token', key: TOKEN_KEY, consume: (_id, done) => done(isFresh()) };
  }

  #issue(nowMs: number, good: boolean): Credential {
    const { crypto, gameIdHash, serverKey } = this.#options;
    const secret = new Uint8Array(KEY_BYTES);
    const id = new Uint8Array(16);
    crypto.randomBytes(secret);
    crypto.randomBytes(id);
    const issuedAtMs = WALL_MS + Math.floor(nowMs);
    const times = { issuedAtMs, expiresAtMs: issuedAtMs + (good ? 600_000 : 1), timeoutMs: 0 };
    const terms = { wireVersion: WIRE_VERSION, gameIdHash, serverKey };
    const user = { userId: 'ada', servers: ['127.0.0.1:1'], userData: new Uint8Array(0) };
    const out = new Uint8Array(TOKEN_BYTES_MAX);
    const length = writeToken(crypto, TOKEN_KEY, { id, secret, ...times, ...terms, ...user }, out);
    const token = { way: Way.token, secret, sealed: out.slice(0, length) };
    if (good) this.#tokens.push(token);
    return token;
  }
}
