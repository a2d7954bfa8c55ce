// The protocol's cryptography, done by libsodium: `loadCrypto` gives what shells inject into the machines.

import { randomFillSync } from 'node:crypto';
import {
  type Crypto,
  HASH_BYTES,
  KEY_BYTES,
  type Sealer,
  TAG_BYTES,
  TOKEN_NONCE_BYTES,
} from '../wire/crypto.ts';
import { assert } from '../wire/errors.ts';
import { PacketMemory } from './packet-memory.ts';
import { loadModule, type SodiumModule } from './sodium-module.ts';
import { assertRange, SodiumSealer } from './sodium-sealer.ts';

/** See {@link Crypto}. Ranges may lie anywhere; those in {@link memory} are worked on where they are. */
export class SodiumCrypto implements Crypto {
  readonly provider = 'libsodium-wasm';
  readonly randomBytes: (out: Uint8Array) => void;
  /** Memory for datagrams that are not to be copied. */
  readonly memory: PacketMemory;
  readonly #module: SodiumModule;

  /** For {@link loadCrypto}. */
  constructor(module: SodiumModule, memory: PacketMemory, randomBytes: (out: Uint8Array) => void) {
    this.#module = module;
    this.memory = memory;
    this.randomBytes = randomBytes;
  }

  /** The same with another source of randomness, for runs that can be repeated. */
  withRandomBytes(randomBytes: (out: Uint8Array) => void): SodiumCrypto {
    return new SodiumCrypto(this.#module, this.memory, randomBytes);
  }

  hash(
    key: Uint8Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    out: Uint8Array,
    outStart: number,
  ): void {
    const module = this.#module;
    assert(start >= 0 && end >= start && end <= bytes.length, 'a range within its array');
    assert(outStart + HASH_BYTES <= out.length, 'room for a hash');
    this.#setKey(key);
    const { resultAt, keyAt } = module;
    const place = module.place(bytes, start, end);
    module.raw._crypto_generichash(resultAt, HASH_BYTES, place, end - start, 0, keyAt, KEY_BYTES);
    module.copyOut(resultAt, out, outStart, outStart + HASH_BYTES);
    this.#wipe();
    if (!module.holds(bytes)) module.wipeCopy(end - start);
  }

  publicKey(secretKey: Uint8Array, out: Uint8Array): void {
    const { raw, resultAt, keyAt } = this.#module;
    this.#setKey(secretKey);
    raw._crypto_scalarmult_base(resultAt, keyAt);
    this.#takeResult(out);
  }

  agree(secretKey: Uint8Array, publicKey: Uint8Array, out: Uint8Array): boolean {
    const { raw, heap, resultAt, keyAt, publicKeyAt } = this.#module;
    assert(publicKey.length === KEY_BYTES, 'the length of a public key');
    this.#setKey(secretKey);
    heap.set(publicKey, publicKeyAt);
    const good = raw._crypto_scalarmult(resultAt, keyAt, publicKeyAt) === 0;
    this.#takeResult(out);
    return good;
  }

  sealer(key: Uint8Array): Sealer {
    return new SodiumSealer(this.#module, key);
  }

  sealToken(
    key: Uint8Array,
    nonce: Uint8Array,
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
  ): void {
    const module = this.#module;
    const { raw, keyAt, tokenNonceAt } = module;
    this.#setToken(key, nonce);
    assertRange(bytes, start, bodyStart, end);
    const place = module.place(bytes, start, end);
    const [body, bodyBytes] = [place + bodyStart - start, end - bodyStart];
    const [header, tag] = [bodyStart - start, body + bodyBytes];
    const seal = raw._crypto_aead_xchacha20poly1305_ietf_encrypt_detached;
    seal(body, tag, 0, body, bodyBytes, 0, place, header, 0, 0, tokenNonceAt, keyAt);
    this.#wipe();
    if (!module.holds(bytes)) module.copyOut(body, bytes, bodyStart, end + TAG_BYTES);
  }

  openToken(
    key: Uint8Array,
    nonce: Uint8Array,
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
  ): boolean {
    const module = this.#module;
    const { raw, keyAt, tokenNonceAt } = module;
    this.#setToken(key, nonce);
    assertRange(bytes, start, bodyStart, end);
    const place = module.place(bytes, start, end + TAG_BYTES);
    const [body, bodyBytes] = [place + bodyStart - start, end - bodyStart];
    const [header, tag] = [bodyStart - start, body + bodyBytes];
    const open = raw._crypto_aead_xchacha20poly1305_ietf_decrypt_detached;
    const nonceAt = tokenNonceAt;
    const good = open(body, 0, body, bodyBytes, 0, tag, place, header, 0, nonceAt, keyAt) === 0;
    this.#wipe();
    if (module.holds(bytes)) return good;
    if (good) module.copyOut(body, bytes, bodyStart, end);
    module.wipeCopy(end + TAG_BYTES - start);
    return good;
  }

  #setKey(key: Uint8Array): void {
    assert(key.length === KEY_BYTES, 'the length of a key');
    this.#module.heap.set(key, this.#module.keyAt);
  }

  #setToken(key: Uint8Array, nonce: Uint8Array): void {
    assert(nonce.length === TOKEN_NONCE_BYTES, 'the length of a nonce');
    this.#setKey(key);
    this.#module.heap.set(nonce, this.#module.tokenNonceAt);
  }

  /** Copies a key out. */
  #takeResult(out: Uint8Array): void {
    assert(out.length >= KEY_BYTES, 'room for a key');
    this.#module.copyOut(this.#module.resultAt, out, 0, KEY_BYTES);
    this.#wipe();
  }

  /** Leaves neither key nor result behind: datagrams are sent from the same memory. */
  #wipe(): void {
    const { heap, resultAt, keyAt } = this.#module;
    heap.fill(0, resultAt, resultAt + KEY_BYTES);
    heap.fill(0, keyAt, keyAt + KEY_BYTES);
  }
}

let loading: Promise<SodiumCrypto> | undefined;

/** The cryptography of this process, loaded once. Rejects with 'crypto-unavailable' where there is no WebAssembly. */
export function loadCrypto(): Promise<SodiumCrypto> {
  loading ??= loadModule().then(
    (module) =>
      new SodiumCrypto(module, new PacketMemory(module), (out) => {
        randomFillSync(out);
      }),
  );
  return loading;
}
