// How a client says who it is: the sealed part of the proof, and the keys that both sides draw from the exchange.
// Nobody but the holder of the server's identity key can read it; nobody but the holder of the secret can make its
// binder.
//
//   size  field
//   1     way: 0 = open, 1 = pre-shared key, 2 = connect token, 3 = resume
//   32    binder      not if open
//   ..    way 2: the token as its backend sealed it (token.ts); way 3: 16 bytes, the resume id

import { sameBytes } from '../wire/bytes.ts';
import { type Crypto, KEY_BYTES, TAG_BYTES } from '../wire/crypto.ts';
import { assert, TickwireError } from '../wire/errors.ts';
import {
  CREDENTIAL_BYTES_MAX,
  type Hello,
  PROOF_HEAD_BYTES,
  type ProofFields,
  writeProofHead,
} from './handshake.ts';
import {
  agreed,
  deriveKey,
  hashOf,
  type KeyPair,
  KeyPurpose,
  NO_SECRET,
  type ProofSecrets,
  RESUME_ID_BYTES,
} from './keys.ts';

/** The first byte of a credential. */
export const Way = { open: 0, key: 1, token: 2, resume: 3 } as const;

/** What a client brings. Secrets have {@link KEY_BYTES}. */
export type Credential =
  | { readonly way: typeof Way.open }
  | { readonly way: typeof Way.key; readonly secret: Uint8Array }
  /** `sealed` = the token as its backend sealed it. */
  | { readonly way: typeof Way.token; readonly secret: Uint8Array; readonly sealed: Uint8Array }
  | { readonly way: typeof Way.resume; readonly secret: Uint8Array; readonly id: Uint8Array };

/** Longest token that fits into a proof. */
export const SEALED_TOKEN_BYTES_MAX = CREDENTIAL_BYTES_MAX - 1 - KEY_BYTES;

/** A proof that the server could open. */
export interface OpenedProof extends ProofSecrets {
  readonly proofHash: Uint8Array;
  /** One of {@link Way}. */
  readonly way: number;
  /** Empty if the way is open. */
  readonly binder: Uint8Array;
  /** Token or resume id, or empty. */
  readonly rest: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/**
 * Writes a whole proof of PADDED_BYTES to out[start..]. Undefined: the server's identity key is not one to build on.
 */
export function writeProof(
  crypto: Crypto,
  out: Uint8Array,
  start: number,
  fields: ProofFields,
  secretKey: Uint8Array,
  serverKey: Uint8Array,
  credential: Credential,
): ProofSecrets | undefined {
  const es = agreed(crypto, secretKey, serverKey);
  if (es === undefined) return undefined;
  const rest = restOf(credential);
  const binderBytes = credential.way === Way.open ? 0 : KEY_BYTES;
  const length = 1 + binderBytes + rest.length;
  assert(length <= CREDENTIAL_BYTES_MAX, 'a credential fits into a proof');
  writeProofHead(out, start, fields, length);
  const bodyStart = start + PROOF_HEAD_BYTES;
  const proofHash = hashProof(crypto, out, start, serverKey);
  out[bodyStart] = credential.way;
  if (credential.way !== Way.open) {
    const { way, secret } = credential;
    out.set(binderOf(crypto, secret, { way, es, proofHash }), bodyStart + 1);
  }
  out.set(rest, bodyStart + 1 + binderBytes);
  const sealer = crypto.sealer(deriveKey(crypto, es, KeyPurpose.credential, proofHash));
  const bodyEnd = bodyStart + length;
  sealer.seal(out, start, bodyStart, bodyEnd, 0);
  return { es, transcript: hashTranscript(crypto, proofHash, out, bodyStart, bodyEnd) };
}

/** The server's end: opens, in place, the proof that `hello` has read. Undefined: forged, or no credential. */
export function openProof(
  crypto: Crypto,
  bytes: Uint8Array,
  start: number,
  hello: Hello,
  identity: KeyPair,
): OpenedProof | undefined {
  const es = agreed(crypto, identity.secretKey, hello.clientKey);
  if (es === undefined) return undefined;
  const proofHash = hashProof(crypto, bytes, start, identity.publicKey);
  const sealer = crypto.sealer(deriveKey(crypto, es, KeyPurpose.credential, proofHash));
  const bodyStart = start + PROOF_HEAD_BYTES;
  const bodyEnd = bodyStart + hello.credentialBytes;
  const transcript = hashTranscript(crypto, proofHash, bytes, bodyStart, bodyEnd);
  if (!sealer.open(bytes, start, bodyStart, bodyEnd, 0)) return undefined;
  return readCredential(bytes.slice(bodyStart, bodyEnd), { es, proofHash, transcript });
}

/** Whether the binder was made by somebody who has `secret`, for this very proof. */
export function binderFits(crypto: Crypto, secret: Uint8Array, proof: OpenedProof): boolean {
  const expected = binderOf(crypto, secret, proof);
  return sameBytes(expected, proof.binder);
}

/** Throws 'option-invalid' unless what a client is to bring can be brought. */
export function checkCredential(credential: Credential): void {
  if (credential.way === Way.open) return;
  checkKey('the secret of the credential', credential.secret);
  const longest = credential.way === Way.token ? SEALED_TOKEN_BYTES_MAX : RESUME_ID_BYTES;
  if (restOf(credential).length <= longest) return;
  throw new TickwireError('option-invalid', `the credential is longer than ${longest} bytes`);
}

/** Throws 'option-invalid' unless `key` has the length of a key and stands for one: all zeros are {@link NO_SECRET}. */
export function checkKey(name: string, key: Uint8Array): void {
  const { length } = key;
  if (length !== KEY_BYTES) {
    throw new TickwireError(
      'option-invalid',
      `${name} has ${length} bytes instead of ${KEY_BYTES}`,
    );
  }
  if (!sameBytes(key, NO_SECRET)) return;
  throw new TickwireError('option-invalid', `${name} is all zero, which stands for no key`);
}

/** The secret that goes into the root of the session. */
export function secretOf(credential: Credential): Uint8Array {
  return credential.way === Way.open ? NO_SECRET : credential.secret;
}

/** Bytes in front of the token, or of the id. */
const REST_AT = 1 + KEY_BYTES;

function readCredential(
  bytes: Uint8Array,
  secrets: Pick<OpenedProof, 'es' | 'proofHash' | 'transcript'>,
): OpenedProof | undefined {
  const way = bytes[0];
  if (way === undefined || way > Way.resume) return undefined;
  if (way === Way.open) {
    return bytes.length === 1 ? { ...secrets, way, binder: NOTHING, rest: NOTHING } : undefined;
  }
  if (bytes.length < REST_AT) return undefined;
  const rest = bytes.subarray(REST_AT);
  if (way === Way.key && rest.length !== 0) return undefined;
  if (way === Way.resume && rest.length !== RESUME_ID_BYTES) return undefined;
  return { ...secrets, way, binder: bytes.subarray(1, REST_AT), rest };
}

function restOf(credential: Credential): Uint8Array {
  if (credential.way === Way.token) return credential.sealed;
  return credential.way === Way.resume ? credential.id : NOTHING;
}

function hashProof(
  crypto: Crypto,
  bytes: Uint8Array,
  start: number,
  serverKey: Uint8Array,
): Uint8Array {
  return hashOf(crypto, NO_SECRET, bytes.subarray(start, start + PROOF_HEAD_BYTES), serverKey);
}

function hashTranscript(
  crypto: Crypto,
  proofHash: Uint8Array,
  bytes: Uint8Array,
  bodyStart: number,
  bodyEnd: number,
): Uint8Array {
  return hashOf(crypto, NO_SECRET, proofHash, bytes.subarray(bodyStart, bodyEnd + TAG_BYTES));
}

function binderOf(
  crypto: Crypto,
  secret: Uint8Array,
  { way, es, proofHash }: Pick<OpenedProof, 'way' | 'es' | 'proofHash'>,
): Uint8Array {
  return deriveKey(crypto, secret, KeyPurpose.binder, Uint8Array.of(way), es, proofHash);
}

/** Seals an accept: `end` is where its head ends and its tag is written. */
export function sealAccept(
  crypto: Crypto,
  acceptKey: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  crypto.sealer(acceptKey).seal(bytes, start, end, end, 0);
  return end + TAG_BYTES - start;
}

/** Whether the tag at `end` is that of the accept's head before it. */
export function acceptFits(
  crypto: Crypto,
  acceptKey: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  return crypto.sealer(acceptKey).open(bytes, start, end, end, 0);
}
