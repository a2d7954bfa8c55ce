// The key schedule: what both sides derive from the handshake, step by step. H(key, bytes) is the injected keyed
// hash; every derived key has one purpose, named by the byte that is hashed.
//
//   es         X25519(client's fresh key, server's identity key)
//   ee         X25519(client's fresh key, server's fresh key)
//   proofHash  H(zeros, proof up to the credential ++ server's identity key)
//   credential sealed under H(es, [1] ++ proofHash)
//   binder     H(secret, [2] ++ way ++ es ++ proofHash): whoever has a secret shows it without telling it
//   transcript H(zeros, proofHash ++ credential as it travels, its tag included)
//   root       H(secret or zeros, es ++ ee ++ transcript ++ accept up to its tag)
//   then       H(root, [purpose]), and for the next generation of a packet key H(key, [6])

import {
  type Crypto,
  HASH_BYTES,
  KEY_BYTES,
  type Sealer,
  type SealerChain,
} from '../wire/crypto.ts';

/** What a derived key is for; each gets its own. */
export const KeyPurpose = {
  credential: 1,
  binder: 2,
  accept: 3,
  clientToServer: 4,
  serverToClient: 5,
  nextGeneration: 6,
  resumeId: 7,
  resumeSecret: 8,
} as const;

/** Stands in for a secret where there is none. */
export const NO_SECRET = new Uint8Array(KEY_BYTES);

/** A pair of X25519 keys. */
export interface KeyPair {
  readonly secretKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** H(key, all parts one after the other). For the handshake, not for packets: it allocates. */
export function hashOf(
  crypto: Crypto,
  key: Uint8Array,
  ...parts: readonly Uint8Array[]
): Uint8Array {
  const input = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    input.set(part, at);
    at += part.length;
  }
  const out = new Uint8Array(HASH_BYTES);
  crypto.hash(key, input, 0, input.length, out, 0);
  return out;
}

/** The key for one purpose that follows from `key`, mixed with what else it depends on. */
export function deriveKey(
  crypto: Crypto,
  key: Uint8Array,
  purpose: number,
  ...context: readonly Uint8Array[]
): Uint8Array {
  return hashOf(crypto, key, Uint8Array.of(purpose), ...context);
}

/** A fresh pair. */
export function createKeyPair(crypto: Crypto): KeyPair {
  const secretKey = new Uint8Array(KEY_BYTES);
  crypto.randomBytes(secretKey);
  return keyPairOf(crypto, secretKey);
}

/** The pair that a secret key belongs to. */
export function keyPairOf(crypto: Crypto, secretKey: Uint8Array): KeyPair {
  const publicKey = new Uint8Array(KEY_BYTES);
  crypto.publicKey(secretKey, publicKey);
  return { secretKey, publicKey };
}

/** What two keys agree on; undefined = the public key is not one to build on. */
export function agreed(
  crypto: Crypto,
  secretKey: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array | undefined {
  const out = new Uint8Array(KEY_BYTES);
  return crypto.agree(secretKey, publicKey, out) ? out : undefined;
}

/** The sealers of one direction, from the key of its first generation. A key is forgotten once its successor is made. */
export class KeyChain implements SealerChain {
  readonly #crypto: Crypto;
  #key: Uint8Array;

  constructor(crypto: Crypto, key: Uint8Array) {
    this.#crypto = crypto;
    this.#key = key;
  }

  next(): Sealer {
    const sealer = this.#crypto.sealer(this.#key);
    this.#key = deriveKey(this.#crypto, this.#key, KeyPurpose.nextGeneration);
    return sealer;
  }
}

/** What resumes a session: both sides have it, and it never travels. Each connection has its own. */
export interface ResumeKeys {
  /** {@link RESUME_ID_BYTES} that name it. */
  readonly id: Uint8Array;
  readonly secret: Uint8Array;
}

/** Everything that follows from the root of a session. */
export interface SessionKeys {
  readonly accept: Uint8Array;
  readonly clientToServer: Uint8Array;
  readonly serverToClient: Uint8Array;
  readonly resume: ResumeKeys;
}

/** Bytes of {@link ResumeKeys.id}. */
export const RESUME_ID_BYTES = 16;

/** What both sides have in common once the proof is made, or opened. */
export interface ProofSecrets {
  readonly es: Uint8Array;
  readonly transcript: Uint8Array;
}

/** All keys of a session; `secret` is {@link NO_SECRET} when the client brought none. */
export function sessionKeys(
  crypto: Crypto,
  secret: Uint8Array,
  { es, transcript }: ProofSecrets,
  ee: Uint8Array,
  acceptHead: Uint8Array,
): SessionKeys {
  const root = hashOf(crypto, secret, es, ee, transcript, acceptHead);
  const key = (purpose: number) => deriveKey(crypto, root, purpose);
  return {
    accept: key(KeyPurpose.accept),
    clientToServer: key(KeyPurpose.clientToServer),
    serverToClient: key(KeyPurpose.serverToClient),
    resume: {
      id: key(KeyPurpose.resumeId).slice(0, RESUME_ID_BYTES),
      secret: key(KeyPurpose.resumeSecret),
    },
  };
}
