// The rest of SodiumCrypto: one for the process, injected randomness, keys of the wrong length, long ranges.
import { describe, expect, test } from 'vitest';
import { loadCrypto } from '../../src/sodium/sodium-crypto.ts';
import { COPY_BYTES_MAX, loadModule } from '../../src/sodium/sodium-module.ts';
import { HASH_BYTES, KEY_BYTES, TAG_BYTES, TOKEN_NONCE_BYTES } from '../../src/wire/crypto.ts';

const crypto = await loadCrypto();
const key = new Uint8Array(KEY_BYTES).fill(1);

test('it is loaded once, and says who it is', async () => {
  expect(await loadCrypto()).toBe(crypto);
  expect(crypto.provider).toBe('libsodium-wasm');
});

test('randomness fills all of the array, differently each time', () => {
  const [a, b] = [new Uint8Array(64), new Uint8Array(64)];
  crypto.randomBytes(a);
  crypto.randomBytes(b);
  expect(a).not.toEqual(b);
  expect(a.subarray(48).some((byte) => byte !== 0)).toBe(true);
});

test('with other randomness it is the same in all else, memory included', () => {
  const repeated = crypto.withRandomBytes((out) => out.fill(7));
  const out = new Uint8Array(3);
  repeated.randomBytes(out);
  expect([...out]).toEqual([7, 7, 7]);
  expect(repeated.memory).toBe(crypto.memory);
  const [a, b] = [new Uint8Array(HASH_BYTES), new Uint8Array(HASH_BYTES)];
  repeated.hash(key, key, 0, KEY_BYTES, a, 0);
  crypto.hash(key, key, 0, KEY_BYTES, b, 0);
  expect(a).toEqual(b);
});

describe('misuse', () => {
  const short = new Uint8Array(KEY_BYTES - 1);
  const out = new Uint8Array(KEY_BYTES);
  const bytes = new Uint8Array(64);
  test.each<[string, () => void]>([
    ['a sealer under a short key', () => crypto.sealer(short)],
    ['a hash under a short key', () => crypto.hash(short, bytes, 0, 1, out, 0)],
    ['a hash of more than there is', () => crypto.hash(key, bytes, 0, 65, out, 0)],
    ['a hash of less than nothing', () => crypto.hash(key, bytes, 5, 4, out, 0)],
    ['a hash without room', () => crypto.hash(key, bytes, 0, 1, out, 1)],
    ['a short secret key', () => crypto.publicKey(short, out)],
    ['a public key without room', () => crypto.publicKey(key, short)],
    ['a short public key', () => crypto.agree(key, short, out)],
    ['a short nonce', () => crypto.sealToken(key, new Uint8Array(23), bytes, 0, 0, 1)],
  ])('%s', (_name, misuse) => {
    expect(misuse).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});

test('the longest range that can be copied, and one byte more', () => {
  const out = new Uint8Array(HASH_BYTES);
  crypto.hash(key, new Uint8Array(COPY_BYTES_MAX), 0, COPY_BYTES_MAX, out, 0);
  expect(out.some((byte) => byte !== 0)).toBe(true);
  const long = new Uint8Array(COPY_BYTES_MAX + 1);
  expect(() => crypto.hash(key, long, 0, long.length, out, 0)).toThrow(/too long/);
});

test('an agreement leaves no secret behind in the memory that datagrams are sent from', async () => {
  const secret = Buffer.from('a secret that nobody else may see');
  const [out, range] = [new Uint8Array(KEY_BYTES), crypto.memory.reserve(1)!];
  const heap = Buffer.from(range.bytes.buffer);
  crypto.publicKey(secret.subarray(0, KEY_BYTES), out);
  crypto.agree(secret.subarray(0, KEY_BYTES), out.slice(), out);
  expect(heap.includes(secret.subarray(0, KEY_BYTES))).toBe(false);
  expect(heap.includes(Buffer.from(out))).toBe(false);
  crypto.memory.release(range);
});

test('a hash and a token leave neither key nor secret behind', () => {
  const range = crypto.memory.reserve(1024)!;
  const heap = Buffer.from(range.bytes.buffer);
  const secret = Uint8Array.from({ length: KEY_BYTES }, (_, i) => 0xa7 ^ (i * 11));
  const text = Buffer.from(
    'what is said in here, and what follows from it, is for nobody else to read',
  );
  const left = (what: Uint8Array) => heap.includes(Buffer.from(what));
  const out = new Uint8Array(HASH_BYTES);
  crypto.hash(secret, text, 0, text.length, out, 0);
  expect([left(secret), left(text)]).toEqual([false, false]);

  const nonce = new Uint8Array(TOKEN_NONCE_BYTES).fill(3);
  const sealed = new Uint8Array(text.length + TAG_BYTES);
  sealed.set(text);
  crypto.sealToken(secret, nonce, sealed, 0, 10, text.length);
  const forged = sealed.slice();
  forged[20]! ^= 1;
  expect([left(secret), left(text.subarray(10))]).toEqual([false, false]);
  expect(crypto.openToken(secret, nonce, forged, 0, 10, text.length)).toBe(false);
  expect(left(secret)).toBe(false);
  expect(crypto.openToken(secret, nonce, sealed, 0, 10, text.length)).toBe(true);
  expect(sealed.subarray(0, text.length)).toEqual(new Uint8Array(text));
  expect([left(secret), left(text.subarray(10))]).toEqual([false, false]);

  // What lies in there already is left alone.
  range.bytes.set(text);
  crypto.hash(secret, range.bytes, 0, text.length, out, 0);
  expect(Buffer.from(range.bytes.subarray(0, text.length)).equals(text)).toBe(true);
  crypto.memory.release(range);
});

test('a memory that has grown is noticed', async () => {
  const module = await loadModule();
  module.assertNotGrown();
  expect(module.raw._malloc(1024 * 1024)).toBeGreaterThan(0);
  expect(() => module.assertNotGrown()).toThrow(/has grown/);
});
