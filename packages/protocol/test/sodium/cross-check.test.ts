// What is sealed here opens with node:crypto and with sodium-native, and theirs opens here: over all lengths and
// sequences, inside and outside of the module's memory.
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto';
import fc from 'fast-check';
import sodium from 'sodium-native';
import { describe, expect, test } from 'vitest';
import { loadCrypto } from '../../src/sodium/sodium-crypto.ts';
import { HASH_BYTES, KEY_BYTES, TAG_BYTES, TOKEN_NONCE_BYTES } from '../../src/wire/crypto.ts';
import { DATAGRAM_BYTES_MAX, HEADER_BYTES } from '../../src/wire/packet.ts';

const RUNS = 300;
const crypto = await loadCrypto();
const inside = crypto.memory.reserve(4096)!.bytes;

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const packets = fc.record({
  key: bytesOf(KEY_BYTES),
  header: fc.uint8Array({ maxLength: 120 }),
  body: fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.uint8Array({ maxLength: DATAGRAM_BYTES_MAX, size: 'max' }),
  ),
  sequence: fc.oneof(
    fc.maxSafeNat(),
    fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  ),
  /** Where in its array the packet begins. */
  start: fc.nat(40),
  inMemory: fc.boolean(),
});

type Packet = typeof packets extends fc.Arbitrary<infer T> ? T : never;

/** Four zero bytes, the sequence as 8 bytes little endian. */
function nonceOf(sequence: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(BigInt(sequence), 4);
  return nonce;
}

/** The array that a packet is worked on in, with header and body in place. */
function placed({ header, body, start, inMemory }: Packet): Uint8Array {
  const length = start + header.length + body.length + TAG_BYTES + 8;
  const bytes = inMemory ? inside.subarray(0, length) : new Uint8Array(length);
  bytes.fill(0xee);
  bytes.set(header, start);
  bytes.set(body, start + header.length);
  return bytes;
}

/** What another library makes of the packet: sealed body and tag. */
type Peer = {
  seal(packet: Packet): Buffer;
  /** Undefined: forged. */
  open(packet: Packet, sealed: Uint8Array): Uint8Array | undefined;
};

const options = { authTagLength: TAG_BYTES };

const node: Peer = {
  seal({ key, header, body, sequence }) {
    const cipher = createCipheriv('chacha20-poly1305', key, nonceOf(sequence), options);
    cipher.setAAD(header, { plaintextLength: body.length });
    return Buffer.concat([cipher.update(body), cipher.final(), cipher.getAuthTag()]);
  },
  open({ key, header, body, sequence }, sealed) {
    const decipher = createDecipheriv('chacha20-poly1305', key, nonceOf(sequence), options);
    decipher.setAAD(header, { plaintextLength: body.length });
    decipher.setAuthTag(sealed.subarray(body.length));
    const plain = decipher.update(sealed.subarray(0, body.length));
    decipher.final();
    return plain;
  },
};

const native: Peer = {
  seal({ key, header, body, sequence }) {
    const out = Buffer.alloc(body.length + TAG_BYTES);
    const [sealed, tag] = [out.subarray(0, body.length), out.subarray(body.length)];
    const seal = sodium.crypto_aead_chacha20poly1305_ietf_encrypt_detached;
    seal(sealed, tag, body, header, null, nonceOf(sequence), key);
    return out;
  },
  open({ key, header, body, sequence }, sealed) {
    const plain = new Uint8Array(body.length);
    const open = sodium.crypto_aead_chacha20poly1305_ietf_decrypt_detached;
    const tag = sealed.subarray(body.length);
    open(plain, null, sealed.subarray(0, body.length), tag, header, nonceOf(sequence), key);
    return plain;
  },
};

describe.each([
  ['node:crypto', node],
  ['sodium-native', native],
])('%s', (_name, peer) => {
  test('opens what is sealed here, and nothing around it is touched', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const { key, header, body, sequence, start } = packet;
        const bytes = placed(packet);
        const bodyStart = start + header.length;
        const end = bodyStart + body.length;
        crypto.sealer(key).seal(bytes, start, bodyStart, end, sequence);
        expect(bytes.subarray(0, start).every((byte) => byte === 0xee)).toBe(true);
        expect(bytes.subarray(end + TAG_BYTES).every((byte) => byte === 0xee)).toBe(true);
        expect(Buffer.from(bytes.subarray(start, bodyStart))).toEqual(Buffer.from(header));
        const opened = peer.open(packet, bytes.slice(bodyStart, end + TAG_BYTES));
        expect(Buffer.from(opened!)).toEqual(Buffer.from(body));
      }),
      { numRuns: RUNS },
    );
  });

  test('seals what opens here, byte for byte as it is sealed here', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const { key, header, body, sequence, start } = packet;
        const bytes = placed(packet);
        const bodyStart = start + header.length;
        const end = bodyStart + body.length;
        const sealed = peer.seal(packet);
        bytes.set(sealed, bodyStart);
        const sealer = crypto.sealer(key);
        expect(sealer.open(bytes, start, bodyStart, end, sequence)).toBe(true);
        expect(Buffer.from(bytes.subarray(bodyStart, end))).toEqual(Buffer.from(body));
        sealer.seal(bytes, start, bodyStart, end, sequence);
        expect(Buffer.from(bytes.subarray(bodyStart, end + TAG_BYTES))).toEqual(sealed);
      }),
      { numRuns: RUNS },
    );
  });
});

test('every length of a datagram, in memory and elsewhere', () => {
  const key = new Uint8Array(KEY_BYTES).fill(5);
  const header = new Uint8Array(HEADER_BYTES).fill(6);
  const sealer = crypto.sealer(key);
  for (let length = 0; length <= DATAGRAM_BYTES_MAX; length++) {
    const body = new Uint8Array(length).fill(length);
    const base = { key, header, body, sequence: length, start: 1 };
    const expected = node.seal({ ...base, inMemory: true });
    for (const inMemory of [true, false]) {
      const bytes = placed({ ...base, inMemory });
      const [bodyStart, end] = [1 + HEADER_BYTES, 1 + HEADER_BYTES + length];
      sealer.seal(bytes, 1, bodyStart, end, length);
      const sealed = Buffer.from(bytes.subarray(bodyStart, end + TAG_BYTES));
      if (!sealed.equals(expected)) expect.fail(`${length} bytes, in memory: ${inMemory}`);
      if (!sealer.open(bytes, 1, bodyStart, end, length)) expect.fail(`${length} bytes`);
    }
  }
});

test('tokens: sodium-native opens ours, ours opens its', () => {
  fc.assert(
    fc.property(packets, bytesOf(TOKEN_NONCE_BYTES), (packet, nonce) => {
      const { key, header, body, start } = packet;
      const bytes = placed(packet);
      const [bodyStart, end] = [start + header.length, start + header.length + body.length];
      crypto.sealToken(key, nonce, bytes, start, bodyStart, end);
      const plain = new Uint8Array(body.length);
      const [sealed, tag] = [bytes.subarray(bodyStart, end), bytes.subarray(end, end + TAG_BYTES)];
      const open = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt_detached;
      open(plain, null, sealed, tag, header, nonce, key);
      expect(Buffer.from(plain)).toEqual(Buffer.from(body));
      const seal = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt_detached;
      seal(sealed, tag, body, header, null, nonce, key);
      expect(crypto.openToken(key, nonce, bytes, start, bodyStart, end)).toBe(true);
      expect(Buffer.from(bytes.subarray(bodyStart, end))).toEqual(Buffer.from(body));
    }),
    { numRuns: RUNS },
  );
});

test('the keyed hash is that of sodium-native, wherever the range lies', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      const { key, header, body, start } = packet;
      const bytes = placed(packet);
      const end = start + header.length + body.length;
      const [ours, theirs] = [new Uint8Array(2 + HASH_BYTES + 2), new Uint8Array(HASH_BYTES)];
      crypto.hash(key, bytes, start, end, ours, 2);
      sodium.crypto_generichash(theirs, bytes.slice(start, end), key);
      expect([...ours]).toEqual([0, 0, ...theirs, 0, 0]);
    }),
    { numRuns: RUNS },
  );
});

/** Raw keys in the wrapping that node:crypto reads. */
const wrapSecret = Buffer.from('302e020100300506032b656e04220420', 'hex');
const wrapPublic = Buffer.from('302a300506032b656e032100', 'hex');

test('X25519 agrees with node:crypto and with sodium-native', () => {
  fc.assert(
    fc.property(bytesOf(KEY_BYTES), bytesOf(KEY_BYTES), (mine, theirs) => {
      const [publicKey, shared] = [new Uint8Array(KEY_BYTES), new Uint8Array(KEY_BYTES)];
      const [nativePublic, nativeShared] = [new Uint8Array(KEY_BYTES), new Uint8Array(KEY_BYTES)];
      crypto.publicKey(theirs, publicKey);
      sodium.crypto_scalarmult_base(nativePublic, theirs);
      expect(publicKey).toEqual(nativePublic);
      expect(crypto.agree(mine, publicKey, shared)).toBe(true);
      sodium.crypto_scalarmult(nativeShared, mine, publicKey);
      expect(shared).toEqual(nativeShared);
      const der = { format: 'der' } as const;
      const privateKey = createPrivateKey({
        ...der,
        type: 'pkcs8',
        key: Buffer.concat([wrapSecret, mine]),
      });
      const other = createPublicKey({
        ...der,
        type: 'spki',
        key: Buffer.concat([wrapPublic, publicKey]),
      });
      const agreed = diffieHellman({ privateKey, publicKey: other });
      expect(Buffer.from(shared)).toEqual(agreed);
    }),
    { numRuns: 50 },
  );
});
