// The cryptography of a Node process: HMAC-SHA-256 cut to 16 bytes as keyed checksum, and the system's randomness.

import { createHmac, randomFillSync } from 'node:crypto';
import { type Crypto, type Sealer, TAG_BYTES } from '../wire/crypto.ts';

/** Keyed checksum over header, body and the full sequence. Authenticates; hides nothing. */
class HmacSealer implements Sealer {
  readonly #key: Uint8Array;
  readonly #sequence = Buffer.alloc(8);

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(bytes: Uint8Array, start: number, _bodyStart: number, end: number, sequence: number): void {
    const tag = this.#tag(bytes, start, end, sequence);
    for (let i = 0; i < TAG_BYTES; i++) bytes[end + i] = tag[i]!;
  }

  open(
    bytes: Uint8Array,
    start: number,
    _bodyStart: number,
    end: number,
    sequence: number,
  ): boolean {
    const tag = this.#tag(bytes, start, end, sequence);
    let difference = 0;
    for (let i = 0; i < TAG_BYTES; i++) difference |= tag[i]! ^ bytes[end + i]!;
    return difference === 0;
  }

  #tag(bytes: Uint8Array, start: number, end: number, sequence: number): Uint8Array {
    this.#sequence.writeDoubleLE(sequence, 0);
    const hmac = createHmac('sha256', this.#key);
    return hmac.update(bytes.subarray(start, end)).update(this.#sequence).digest();
  }
}

/** What shells inject as {@link Crypto}. */
export const nodeCrypto: Crypto = {
  randomBytes(out) {
    randomFillSync(out);
  },
  mac(key, bytes, start, end, out, outStart) {
    const digest = createHmac('sha256', key).update(bytes.subarray(start, end)).digest();
    for (let i = 0; i < TAG_BYTES; i++) out[outStart + i] = digest[i]!;
  },
  sealer(key) {
    return new HmacSealer(key);
  },
};
