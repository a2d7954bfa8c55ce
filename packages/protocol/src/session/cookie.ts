// The stateless cookie: proves that whoever sends it back receives at the address it claims, while the server
// keeps nothing for strangers.
//
//   size  field
//   4     time slice in which it was made
//   16    first half of the hash, keyed with a secret of this process, of slice ++ client nonce ++ address

import { type Crypto, HASH_BYTES, KEY_BYTES } from '../wire/crypto.ts';
import { ADDRESS_BYTES_MAX, type AddressBook } from '../wire/machine.ts';

export const COOKIE_BYTES = 20;

const SLICE_BYTES = 4;
const NONCE_BYTES = 16;
const SLICE_MS = 2048;
/** So many slices, the current one included: a cookie is good for six to eight seconds. */
const SLICES_MAX = 4;

/** When a cookie was made, in slices of some seconds: of two attempts of a client, the later one has the later slice. */
export function cookieSlice(cookie: Uint8Array): number {
  return (cookie[0]! | (cookie[1]! << 8) | (cookie[2]! << 16) | (cookie[3]! << 24)) >>> 0;
}

/** Makes and checks cookies under a secret that only this process has. */
export class CookieJar {
  readonly #crypto: Crypto;
  readonly #addresses: AddressBook;
  readonly #secret = new Uint8Array(KEY_BYTES);
  readonly #input = new Uint8Array(SLICE_BYTES + NONCE_BYTES + ADDRESS_BYTES_MAX);
  readonly #expected = new Uint8Array(COOKIE_BYTES);
  readonly #hash = new Uint8Array(HASH_BYTES);

  constructor(crypto: Crypto, addresses: AddressBook) {
    this.#crypto = crypto;
    this.#addresses = addresses;
    crypto.randomBytes(this.#secret);
  }

  /** Writes the cookie for this address and nonce to out[0, COOKIE_BYTES). */
  make(nowMs: number, nonce: Uint8Array, address: number, out: Uint8Array): void {
    this.#makeFor(Math.floor(nowMs / SLICE_MS), nonce, address, out);
  }

  /** Whether `cookie` was made here for this address and nonce, recently. */
  check(nowMs: number, nonce: Uint8Array, address: number, cookie: Uint8Array): boolean {
    const slice = cookieSlice(cookie);
    const age = (Math.floor(nowMs / SLICE_MS) >>> 0) - slice;
    if (age < 0 || age >= SLICES_MAX) return false;
    this.#makeFor(slice, nonce, address, this.#expected);
    let difference = 0;
    for (let i = 0; i < COOKIE_BYTES; i++) difference |= cookie[i]! ^ this.#expected[i]!;
    return difference === 0;
  }

  #makeFor(slice: number, nonce: Uint8Array, address: number, out: Uint8Array): void {
    const input = this.#input;
    for (let i = 0; i < SLICE_BYTES; i++) input[i] = out[i] = slice >>> (8 * i);
    input.set(nonce, SLICE_BYTES);
    const addressAt = SLICE_BYTES + NONCE_BYTES;
    const end = addressAt + this.#addresses.describe(address, input, addressAt);
    this.#crypto.hash(this.#secret, input, 0, end, this.#hash, 0);
    for (let i = SLICE_BYTES; i < COOKIE_BYTES; i++) out[i] = this.#hash[i - SLICE_BYTES]!;
  }
}
