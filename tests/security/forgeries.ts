// What somebody hostile makes by hand in a handshake: refusals, accepts of a server that is none, binders of others,
// packets under keys that he came by.

import {
  agreed,
  type Credential,
  type Crypto,
  createKeyPair,
  deriveKey,
  type EndReason,
  HEADER_BYTES,
  Hello,
  hashOf,
  KEY_BYTES,
  type KeyPair,
  KeyPurpose,
  NO_SECRET,
  openProof,
  PROOF_HEAD_BYTES,
  type Sealer,
  sealAccept,
  sessionKeys,
  TAG_BYTES,
  Verdict,
  WIRE_VERSION,
  writeAcceptHead,
  writeChallenge,
  writeHeader,
  writeRefusal,
} from '@tickwire/protocol';
import { dialing, nonceIn, said } from './dialing.ts';

const WAY_BYTES = 1;

/** A refusal without text, as the server would send it. */
export function refusalOf(nonce: Uint8Array, reason: EndReason = 'refused'): Uint8Array {
  const out = new Uint8Array(18);
  writeRefusal(out, 0, nonce, reason, '');
  return out;
}

/** The proof with another binder: `change` writes over the one that is there. Its client's own keys seal it again. */
export function rebind(
  crypto: Crypto,
  proof: Uint8Array,
  { secretKey }: KeyPair,
  serverKey: Uint8Array,
  change: (binder: Uint8Array) => void,
): Uint8Array {
  const own = proof.slice();
  const es = agreed(crypto, secretKey, serverKey)!;
  const proofHash = hashOf(crypto, NO_SECRET, own.subarray(0, PROOF_HEAD_BYTES), serverKey);
  const sealer = crypto.sealer(deriveKey(crypto, es, KeyPurpose.credential, proofHash));
  const end = PROOF_HEAD_BYTES + (own[PROOF_HEAD_BYTES - 2]! | (own[PROOF_HEAD_BYTES - 1]! << 8));
  if (!sealer.open(own, 0, PROOF_HEAD_BYTES, end, 0)) throw new Error('not of this client');
  const binderAt = PROOF_HEAD_BYTES + WAY_BYTES;
  change(own.subarray(binderAt, binderAt + KEY_BYTES));
  sealer.seal(own, 0, PROOF_HEAD_BYTES, end, 0);
  return own;
}

/** What a man in the middle may differ in. */
interface Pretence {
  readonly cryptoOf: (seed: number) => Crypto;
  /** What the client shows. */
  readonly credential: Credential;
  /** What he takes for its secret. */
  readonly guess: Uint8Array;
  /** A fresh key on which everybody agrees to zeros. */
  readonly point?: Uint8Array;
}

/** Somebody with an identity of his own answers a client that knows none; whether it takes him for its server. */
export function pretend({ cryptoOf, credential, guess, point }: Pretence): boolean {
  const crypto = cryptoOf(20);
  const identity = createKeyPair(crypto);
  const { dialer, hear } = dialing({ credential, crypto: cryptoOf(21) });
  const challenge = new Uint8Array(70);
  const terms = { version: WIRE_VERSION, cookie: new Uint8Array(20) };
  const serverKey = identity.publicKey;
  writeChallenge(challenge, 0, nonceIn(said(dialer)), { ...terms, serverKey });
  if (hear(challenge) !== Verdict.accepted) return false;
  const proof = said(dialer);
  const hello = new Hello();
  hello.readProof(proof, 0, proof.length);
  const opened = openProof(crypto, proof, 0, hello, identity)!;
  const fresh = createKeyPair(crypto);
  const ee = point === undefined ? agreed(crypto, fresh.secretKey, hello.clientKey)! : NO_SECRET;
  const accept = new Uint8Array(69);
  const headEnd = writeAcceptHead(accept, 0, hello.nonce, 7, point ?? fresh.publicKey);
  const keys = sessionKeys(crypto, guess, opened, ee, accept.subarray(0, headEnd));
  sealAccept(crypto, keys.accept, accept, 0, headEnd);
  return hear(accept) === Verdict.accepted && dialer.connection !== undefined;
}

/** The same cryptography for somebody who takes zeros for what any two keys agree on. */
export function agreeingOnZeros(crypto: Crypto): Crypto {
  return {
    provider: crypto.provider,
    randomBytes: (out) => crypto.randomBytes(out),
    hash: (...call) => crypto.hash(...call),
    publicKey: (...call) => crypto.publicKey(...call),
    agree: (_secretKey, _publicKey, out) => {
      out.fill(0, 0, KEY_BYTES);
      return true;
    },
    sealer: (key) => crypto.sealer(key),
    sealToken: (...call) => crypto.sealToken(...call),
    openToken: (...call) => crypto.openToken(...call),
  };
}

/** Seven encodings of points of small order, little endian: 0, 1, two of order 8, p - 1, p and p + 1. */
export function pointsOfSmallOrder(): Uint8Array[] {
  const edge = (low: number) => `${low.toString(16)}${'ff'.repeat(30)}7f`;
  return [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    edge(0xec),
    edge(0xed),
    edge(0xee),
  ].map((text) => Uint8Array.from(Buffer.from(text, 'hex')));
}

/** A client that says what it likes: it has its keys, and no code of ours. */
export class SealedHand {
  readonly #sealer: Sealer;
  readonly #serverId: number;
  #sequence = 0;

  constructor(sealer: Sealer, serverId: number) {
    this.#sealer = sealer;
    this.#serverId = serverId;
  }

  /** The next packet, with this body. */
  packet(body: readonly number[]): Uint8Array {
    const end = HEADER_BYTES + body.length;
    const packet = new Uint8Array(end + TAG_BYTES);
    writeHeader(packet, 0, this.#serverId, this.#sequence);
    packet.set(body, HEADER_BYTES);
    this.#sealer.seal(packet, 0, HEADER_BYTES, end, this.#sequence++);
    return packet;
  }
}
