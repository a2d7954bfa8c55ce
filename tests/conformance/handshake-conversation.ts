// The handshakes whose datagrams PROTOCOL.md prints as test vectors, made by the real code from fixed numbers: one for
// each way in.

import {
  ACCEPT_HEAD_BYTES,
  agreed,
  COOKIE_BYTES,
  type Credential,
  deriveKey,
  type GameIdentity,
  KEY_BYTES,
  KeyPurpose,
  keyPairOf,
  NONCE_BYTES,
  PADDED_BYTES,
  type ProofSecrets,
  type SessionKeys,
  sealAccept,
  secretOf,
  sessionKeys,
  TAG_BYTES,
  TOKEN_BYTES_MAX,
  TOKEN_NONCE_BYTES,
  Way,
  WIRE_VERSION,
  writeAcceptHead,
  writeChallenge,
  writeConnectToken,
  writeProof,
  writeRefusal,
  writeRequest,
  writeToken,
} from '@tickwire/protocol';
import { loadCrypto } from '@tickwire/protocol/udp';

export const crypto = await loadCrypto();

export const CLIENT_ID = 0x11223344;
export const SERVER_ID = 0xabcd0000;

const counting = (length: number, first: number) =>
  Uint8Array.from({ length }, (_, i) => first + i);
const nonce = counting(NONCE_BYTES, 0x10);
const cookie = counting(COOKIE_BYTES, 0x30);
/** (si, SI), (ce, CE) and (se, SE). */
export const pairs = {
  identity: keyPairOf(crypto, counting(KEY_BYTES, 0x60)),
  client: keyPairOf(crypto, counting(KEY_BYTES, 0x80)),
  server: keyPairOf(crypto, counting(KEY_BYTES, 0xa0)),
};

/** A proof, and what both sides know by it. */
export interface Proof {
  readonly bytes: Uint8Array;
  readonly secrets: ProofSecrets;
  readonly credential: Credential;
}

export function written(sizeBytes: number, write: (out: Uint8Array) => number): Uint8Array {
  const out = new Uint8Array(sizeBytes);
  return out.slice(0, write(out));
}

export const request = (game: GameIdentity) =>
  written(PADDED_BYTES, (out) => writeRequest(out, 0, { game, nonce }));

export function challenge(): Uint8Array {
  const said = { version: WIRE_VERSION, serverKey: pairs.identity.publicKey, cookie };
  return written(PADDED_BYTES, (out) => writeChallenge(out, 0, nonce, said));
}

export function prove(game: GameIdentity, credential: Credential): Proof {
  const { client, identity } = pairs;
  const hello = { game, nonce, version: WIRE_VERSION, cookie };
  const fields = { ...hello, clientId: CLIENT_ID, clientKey: client.publicKey };
  const bytes = new Uint8Array(PADDED_BYTES);
  const { secretKey } = client;
  const secrets = writeProof(crypto, bytes, 0, fields, secretKey, identity.publicKey, credential);
  return { bytes, secrets: secrets!, credential };
}

/** The accept that answers a proof, and the keys of the session that it opens. */
export function accept({ secrets, credential }: Proof): { bytes: Uint8Array; keys: SessionKeys } {
  const bytes = new Uint8Array(ACCEPT_HEAD_BYTES + TAG_BYTES);
  writeAcceptHead(bytes, 0, nonce, SERVER_ID, pairs.server.publicKey);
  const ee = agreed(crypto, pairs.client.secretKey, pairs.server.publicKey)!;
  const head = bytes.subarray(0, ACCEPT_HEAD_BYTES);
  const keys = sessionKeys(crypto, secretOf(credential), secrets, ee, head);
  sealAccept(crypto, keys.accept, bytes, 0, ACCEPT_HEAD_BYTES);
  return { bytes, keys };
}

export const refuse = () =>
  written(PADDED_BYTES, (out) => writeRefusal(out, 0, nonce, 'refused', 'später'));

/** Generations 0, 1 and 2 of a packet key. */
export function generations(first: Uint8Array): Uint8Array[] {
  const second = deriveKey(crypto, first, KeyPurpose.nextGeneration);
  return [first, second, deriveKey(crypto, second, KeyPurpose.nextGeneration)];
}

export const tokenKey = counting(KEY_BYTES, 0xc0);

/** A token as it is sealed, and as a client is given it. */
export function makeToken(game: GameIdentity): {
  credential: Extract<Credential, { way: typeof Way.token }>;
  text: string;
} {
  const shared = {
    expiresAtMs: 1_800_000_060_000,
    serverKey: pairs.identity.publicKey,
    secret: counting(KEY_BYTES, 0x40),
    servers: ['10.0.0.1:7777', '[::1]:7777'],
  };
  const token = {
    ...shared,
    id: counting(16, 0x90),
    issuedAtMs: 1_800_000_000_000,
    wireVersion: WIRE_VERSION,
    gameIdHash: game.idHash,
    timeoutMs: 5000,
    userId: 'ada',
    userData: Uint8Array.of(1, 2, 3),
  };
  const fixed = crypto.withRandomBytes((out) => out.set(counting(TOKEN_NONCE_BYTES, 0xe0)));
  const sealed = written(TOKEN_BYTES_MAX, (out) => writeToken(fixed, tokenKey, token, out));
  return {
    credential: { way: Way.token, secret: shared.secret, sealed },
    text: writeConnectToken({ ...shared, sealed }),
  };
}
