import { simulatedCrypto } from '@tickwire/netsim';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COOKIE_BYTES } from '../src/session/cookie.ts';
import {
  binderFits,
  type Credential,
  type OpenedProof,
  openProof,
  SEALED_TOKEN_BYTES_MAX,
  secretOf,
  Way,
  writeProof,
} from '../src/session/credential.ts';
import {
  CREDENTIAL_BYTES_MAX,
  Hello,
  NONCE_BYTES,
  PADDED_BYTES,
  PROOF_HEAD_BYTES,
  type ProofFields,
  writeProofHead,
} from '../src/session/handshake.ts';
import {
  agreed,
  createKeyPair,
  keyPairOf,
  NO_SECRET,
  type ProofSecrets,
} from '../src/session/keys.ts';
import { HASH_BYTES, KEY_BYTES, TAG_BYTES } from '../src/wire/crypto.ts';

const crypto = simulatedCrypto(5);
const identity = createKeyPair(crypto);
const client = createKeyPair(crypto);
const secret = new Uint8Array(KEY_BYTES).fill(0x61);
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const fields: ProofFields = {
  game: { idHash: 0x11223344, digest: 0x55667788 },
  nonce: new Uint8Array(NONCE_BYTES).fill(0xaa),
  version: 2,
  cookie: new Uint8Array(COOKIE_BYTES).fill(0xcc),
  clientId: 0x99,
  clientKey: client.publicKey,
};

const byWay = {
  open: { way: Way.open },
  key: { way: Way.key, secret },
  token: { way: Way.token, secret, sealed: new Uint8Array(200).fill(7) },
  resume: { way: Way.resume, secret, id: new Uint8Array(16).fill(8) },
} satisfies Record<string, Credential>;
const credentials: readonly Credential[] = Object.values(byWay);

/** A proof, and what its maker knows. */
function prove(credential: Credential, serverKey = identity.publicKey, offered = fields) {
  const bytes = new Uint8Array(PADDED_BYTES);
  const { secretKey } = client;
  const made = writeProof(crypto, bytes, 0, offered, secretKey, serverKey, credential);
  return { bytes, secrets: made as ProofSecrets };
}

/** As a server sees it; undefined = malformed or forged. The bytes stay as they are. */
function open(bytes: Uint8Array, server = identity): OpenedProof | undefined {
  const own = bytes.slice();
  const hello = new Hello();
  if (!hello.readProof(own, 0, own.length)) return undefined;
  return openProof(crypto, own, 0, hello, server);
}

/** H(key, parts), from the primitive alone. */
function hash(key: Uint8Array, ...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const input = Uint8Array.from(parts.flatMap((part) => [...part]));
  const out = new Uint8Array(HASH_BYTES);
  crypto.hash(key, input, 0, input.length, out, 0);
  return out;
}

/** A proof around a credential that no client writes. */
function proveRaw(body: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(PADDED_BYTES);
  writeProofHead(bytes, 0, fields, body.length);
  const es = agreed(crypto, client.secretKey, identity.publicKey)!;
  const proofHash = hash(NO_SECRET, bytes.subarray(0, 90), identity.publicKey);
  bytes.set(body, 90);
  crypto.sealer(hash(es, [1], proofHash)).seal(bytes, 0, 90, 90 + body.length, 0);
  return bytes;
}

/** All bytes of a proof that mean something: the rest is padding. */
function meaningful(bytes: Uint8Array): number {
  return PROOF_HEAD_BYTES + (bytes[88]! | (bytes[89]! << 8)) + TAG_BYTES;
}

describe('a proof', () => {
  test('is sealed and bound as documented, whichever way', () => {
    for (const credential of credentials) {
      const { bytes, secrets } = prove(credential);
      const head = bytes.subarray(0, 90);
      const es = agreed(crypto, client.secretKey, identity.publicKey)!;
      const proofHash = hash(NO_SECRET, head, identity.publicKey);
      const { way } = credential;
      const binder = way === Way.open ? [] : [...hash(secret, [2, way], es, proofHash)];
      const rest = credential.way === Way.token ? credential.sealed : [];
      const id = credential.way === Way.resume ? credential.id : [];
      const body = [credential.way, ...binder, ...rest, ...id];
      // The simulated seal hides nothing, so the places can be looked at.
      expect([...bytes.subarray(90, 90 + body.length)]).toEqual(body);
      expect(meaningful(bytes)).toBe(90 + body.length + 16);
      const sealed = bytes.subarray(90, meaningful(bytes));
      expect(secrets).toEqual({ es, transcript: hash(NO_SECRET, proofHash, sealed) });
      expect(proveRaw(body)).toEqual(bytes);
      expect(bytes.subarray(meaningful(bytes)).every((byte) => byte === 0)).toBe(true);
    }
  });

  test('whatever was written is read, wherever it stands', () => {
    const arbitrary: fc.Arbitrary<Credential> = fc.oneof(
      fc.constant(byWay.open),
      fc.record({ way: fc.constant(Way.key), secret: bytesOf(KEY_BYTES) }),
      fc.record({
        way: fc.constant(Way.token),
        secret: bytesOf(KEY_BYTES),
        sealed: fc.uint8Array({ maxLength: SEALED_TOKEN_BYTES_MAX }),
      }),
      fc.record({
        way: fc.constant(Way.resume),
        secret: bytesOf(KEY_BYTES),
        id: bytesOf(16),
      }),
    );
    fc.assert(
      fc.property(
        arbitrary,
        bytesOf(KEY_BYTES),
        bytesOf(KEY_BYTES),
        fc.nat(9),
        (credential, clientSecret, serverSecret, start) => {
          const pair = keyPairOf(crypto, clientSecret);
          const server = keyPairOf(crypto, serverSecret);
          const offered = { ...fields, clientKey: pair.publicKey };
          const bytes = new Uint8Array(PADDED_BYTES + 9).fill(3);
          const { secretKey } = pair;
          const key = server.publicKey;
          const made = writeProof(crypto, bytes, start, offered, secretKey, key, credential)!;
          const hello = new Hello();
          expect(hello.readProof(bytes, start, start + PADDED_BYTES)).toBe(true);
          const opened = openProof(crypto, bytes, start, hello, server)!;
          expect([opened.es, opened.transcript]).toEqual([made.es, made.transcript]);
          expect(opened.way).toBe(credential.way);
          expect([...opened.rest]).toEqual([...restOf(credential)]);
          expect(opened.binder.length).toBe(credential.way === Way.open ? 0 : KEY_BYTES);
          if (credential.way !== Way.open) {
            expect(binderFits(crypto, credential.secret, opened)).toBe(true);
          }
          expect([...bytes.subarray(start + PADDED_BYTES)]).toEqual(new Array(9 - start).fill(3));
        },
      ),
      { numRuns: 80 },
    );
  });

  test('has room for the longest token, and not for one byte more', () => {
    expect(SEALED_TOKEN_BYTES_MAX).toBe(CREDENTIAL_BYTES_MAX - 33);
    const sealed = new Uint8Array(SEALED_TOKEN_BYTES_MAX).fill(5);
    const { bytes } = prove({ way: Way.token, secret, sealed });
    expect(meaningful(bytes)).toBe(PADDED_BYTES);
    expect(open(bytes)?.rest).toEqual(sealed);
    const { bytes: wrong } = prove({ way: Way.token, secret, sealed: sealed.subarray(1) });
    wrong[88]! += 2;
    expect(new Hello().readProof(wrong, 0, PADDED_BYTES)).toBe(false);
  });

  test('with any bit wrong is malformed or forged, and its padding is ignored', () => {
    for (const credential of credentials) {
      const { bytes } = prove(credential);
      const end = meaningful(bytes);
      for (let at = 0; at < end; at++) {
        for (const bit of [1, 0x80]) {
          const wrong = bytes.slice();
          wrong[at]! ^= bit;
          expect(open(wrong), `way ${credential.way}, byte ${at}`).toBeUndefined();
        }
      }
      const padded = bytes.slice();
      padded.fill(0xee, end);
      expect(open(padded)?.way).toBe(credential.way);
    }
  });

  test('cut off, or longer than it is, is none', () => {
    const { bytes } = prove(byWay.key);
    for (const length of [0, 1, 90, meaningful(bytes), PADDED_BYTES - 1]) {
      expect(open(bytes.slice(0, length)), `${length} bytes`).toBeUndefined();
    }
    expect(open(Uint8Array.of(...bytes, 0))).toBeUndefined();
    // The length says where the tag stands: one less or more, and it stands elsewhere.
    for (const by of [-1, 1]) {
      const wrong = bytes.slice();
      wrong[88]! += by;
      expect(open(wrong)).toBeUndefined();
    }
  });

  test('is for one server: with another identity it cannot be opened, nor by a client who took another for it', () => {
    const other = createKeyPair(crypto);
    expect(open(prove(byWay.open).bytes, other)).toBeUndefined();
    expect(open(prove(byWay.open, other.publicKey).bytes)).toBeUndefined();
    expect(open(prove(byWay.open, other.publicKey).bytes, other)).toBeDefined();
    // Somebody who shows the server's public key, but has another secret.
    const posing = { secretKey: other.secretKey, publicKey: identity.publicKey };
    expect(open(prove(byWay.open).bytes, posing)).toBeUndefined();
  });

  test('is not built on a key that everybody agrees on', () => {
    const low = new Uint8Array(KEY_BYTES);
    const bytes = new Uint8Array(PADDED_BYTES);
    const made = writeProof(crypto, bytes, 0, fields, client.secretKey, low, byWay.key);
    expect(made).toBeUndefined();
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    expect(open(prove(byWay.open, identity.publicKey, { ...fields, clientKey: low }).bytes)).toBe(
      undefined,
    );
  });

  test('is another one with another nonce, cookie, id, version or key', () => {
    const one = prove(byWay.key);
    const others: ProofFields[] = [
      { ...fields, nonce: new Uint8Array(NONCE_BYTES) },
      { ...fields, cookie: new Uint8Array(COOKIE_BYTES) },
      { ...fields, clientId: 1 },
      { ...fields, version: 3 },
      { ...fields, game: { ...fields.game, digest: 1 } },
      { ...fields, clientKey: new Uint8Array(KEY_BYTES).fill(1) },
    ];
    for (const other of others) {
      const { bytes, secrets } = prove(byWay.key, identity.publicKey, other);
      expect(secrets.transcript).not.toEqual(one.secrets.transcript);
      // The sealed part of one proof behind the head of another.
      const mixed = bytes.slice();
      mixed.set(one.bytes.subarray(90), 90);
      expect(open(mixed)).toBeUndefined();
    }
    for (const other of [byWay.open, byWay.token, byWay.resume]) {
      expect(prove(other).secrets.transcript).not.toEqual(one.secrets.transcript);
    }
  });
});

describe('a binder', () => {
  test('fits the secret it was made with, and no other', () => {
    for (const credential of [byWay.key, byWay.token, byWay.resume]) {
      const opened = open(prove(credential).bytes)!;
      expect(binderFits(crypto, secret, opened)).toBe(true);
      for (let at = 0; at < KEY_BYTES; at++) {
        const other = secret.slice();
        other[at]! ^= 1;
        expect(binderFits(crypto, other, opened), `byte ${at}`).toBe(false);
      }
      expect(binderFits(crypto, NO_SECRET, opened)).toBe(false);
    }
  });

  test('is for one proof: in another it fits nothing', () => {
    const opened = open(prove(byWay.key).bytes)!;
    const nonce = new Uint8Array(NONCE_BYTES).fill(1);
    const other = open(prove(byWay.key, identity.publicKey, { ...fields, nonce }).bytes)!;
    expect(binderFits(crypto, secret, { ...other, binder: opened.binder })).toBe(false);
    expect(binderFits(crypto, secret, { ...opened, es: other.proofHash })).toBe(false);
    expect(binderFits(crypto, secret, { ...opened, proofHash: other.proofHash })).toBe(false);
  });

  test('is for one way: a password that is also a token’s secret does not stand for the token', () => {
    const opened = open(prove(byWay.key).bytes)!;
    for (const way of [Way.open, Way.token, Way.resume]) {
      expect(binderFits(crypto, secret, { ...opened, way })).toBe(false);
    }
  });

  test('that is missing, cut off or too long fits nothing', () => {
    const opened = open(prove(byWay.key).bytes)!;
    for (const length of [0, KEY_BYTES - 1]) {
      const binder = opened.binder.slice(0, length);
      expect(binderFits(crypto, secret, { ...opened, binder })).toBe(false);
    }
    const binder = Uint8Array.of(...opened.binder, 0);
    expect(binderFits(crypto, secret, { ...opened, binder })).toBe(false);
    expect(binderFits(crypto, secret, open(prove(byWay.open).bytes)!)).toBe(false);
  });

  test('any bit of it counts', () => {
    const opened = open(prove(byWay.key).bytes)!;
    for (let bit = 0; bit < KEY_BYTES * 8; bit++) {
      const binder = opened.binder.slice();
      binder[bit >> 3]! ^= 1 << (bit & 7);
      expect(binderFits(crypto, secret, { ...opened, binder }), `bit ${bit}`).toBe(false);
    }
  });
});

describe('a credential', () => {
  const some = (count: number) => new Array<number>(count).fill(1);

  test('of no known way, or of another length than its way has, is none', () => {
    const wrong: readonly number[][] = [
      [],
      [Way.open, 0],
      [Way.key],
      [Way.key, ...some(31)],
      [Way.key, ...some(33)],
      [Way.token],
      [Way.token, ...some(31)],
      [Way.resume, ...some(32)],
      [Way.resume, ...some(32 + 15)],
      [Way.resume, ...some(32 + 17)],
      [4],
      [4, ...some(32)],
      [255, ...some(48)],
    ];
    for (const body of wrong) expect(open(proveRaw(body)), `${body}`).toBeUndefined();
    const right: readonly number[][] = [
      [Way.open],
      [Way.key, ...some(32)],
      // Whether the token is one is not for this layer to say.
      [Way.token, ...some(32)],
      [Way.token, ...some(33)],
      [Way.resume, ...some(48)],
    ];
    for (const body of right) expect(open(proveRaw(body)), `${body}`).toBeDefined();
  });

  test('is kept apart from the datagram, which is overwritten by the next one', () => {
    const { bytes } = prove(byWay.token);
    const hello = new Hello();
    hello.readProof(bytes, 0, PADDED_BYTES);
    const opened = openProof(crypto, bytes, 0, hello, identity)!;
    bytes.fill(0);
    expect([...opened.rest]).toEqual([...byWay.token.sealed]);
    expect(binderFits(crypto, secret, opened)).toBe(true);
  });

  test('has a secret for the keys of the session, unless it is open', () => {
    expect(secretOf(byWay.open)).toEqual(NO_SECRET);
    for (const credential of [byWay.key, byWay.token, byWay.resume]) {
      expect(secretOf(credential)).toBe(secret);
    }
  });

  test('random bytes behind a good head are forged', () => {
    const { bytes } = prove(byWay.open);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 17, maxLength: 1110 }), fc.nat(1200), (tail, n) => {
        const wrong = bytes.slice();
        wrong.set(tail, 90);
        wrong[88] = n;
        wrong[89] = n >> 8;
        expect(open(wrong)).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });
});

function restOf(credential: Credential): Uint8Array {
  if (credential.way === Way.token) return credential.sealed;
  return credential.way === Way.resume ? credential.id : new Uint8Array(0);
}
