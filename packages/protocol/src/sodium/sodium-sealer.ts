// Seals and opens packets with libsodium. Its key is kept here and written into the module's memory for each call, so
// there are no key slots to run out of, and nothing to free when a connection ends.

import { KEY_BYTES, type Sealer, TAG_BYTES } from '../wire/crypto.ts';
import { assert } from '../wire/errors.ts';
import type { SodiumModule } from './sodium-module.ts';

const KEY_WORDS = KEY_BYTES / 4;
const WORD = 0x1_0000_0000;

/** ChaCha20-Poly1305; allocates nothing a packet. */
export class SodiumSealer implements Sealer {
  readonly #module: SodiumModule;
  readonly #key = new Int32Array(KEY_WORDS);

  constructor(module: SodiumModule, key: Uint8Array) {
    assert(key.length === KEY_BYTES, 'the length of a key');
    this.#module = module;
    new Uint8Array(this.#key.buffer).set(key);
  }

  seal(bytes: Uint8Array, start: number, bodyStart: number, end: number, sequence: number): void {
    const module = this.#module;
    assertRange(bytes, start, bodyStart, end);
    this.#prepare(sequence);
    const place = module.place(bytes, start, end);
    const body = place + bodyStart - start;
    const bodyBytes = end - bodyStart;
    module.raw._crypto_aead_chacha20poly1305_ietf_encrypt_detached(
      body,
      body + bodyBytes,
      0,
      body,
      bodyBytes,
      0,
      place,
      bodyStart - start,
      0,
      0,
      module.nonceAt,
      module.keyAt,
    );
    if (!module.holds(bytes)) module.copyOut(body, bytes, bodyStart, end + TAG_BYTES);
  }

  /** A forged packet's body is zeros afterwards, where it lies in the module's memory. */
  open(
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
    sequence: number,
  ): boolean {
    const module = this.#module;
    assertRange(bytes, start, bodyStart, end);
    this.#prepare(sequence);
    const place = module.place(bytes, start, end + TAG_BYTES);
    const body = place + bodyStart - start;
    const bodyBytes = end - bodyStart;
    const verdict = module.raw._crypto_aead_chacha20poly1305_ietf_decrypt_detached(
      body,
      0,
      body,
      bodyBytes,
      0,
      body + bodyBytes,
      place,
      bodyStart - start,
      0,
      module.nonceAt,
      module.keyAt,
    );
    if (verdict !== 0) return false;
    if (!module.holds(bytes)) module.copyOut(body, bytes, bodyStart, end);
    return true;
  }

  /** Writes key and nonce to where the call reads them; the nonce's first word is zero for ever. */
  #prepare(sequence: number): void {
    const { words, keyAt, nonceAt } = this.#module;
    const key = this.#key;
    const at = keyAt >> 2;
    for (let i = 0; i < KEY_WORDS; i++) words[at + i] = key[i]!;
    const low = (nonceAt >> 2) + 1;
    words[low] = sequence;
    words[low + 1] = sequence / WORD;
  }
}

/** WebAssembly knows nothing of the array's bounds: a wrong range would reach into memory of others. */
export function assertRange(
  bytes: Uint8Array,
  start: number,
  bodyStart: number,
  end: number,
): void {
  const holds =
    start >= 0 && bodyStart >= start && end >= bodyStart && end + TAG_BYTES <= bytes.length;
  assert(holds, 'a packet within its array');
}
