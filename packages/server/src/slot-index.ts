// Finds slots by the nonce of the proof that took them, whatever their number: a table of twice as many places as there
// can be slots, probed one after the other.
//
// Clients choose their nonces. Where one comes to stand depends on a secret besides, drawn at the start, so that nobody
// can choose nonces that all stand in one place: the sum of eight products, half a word of the nonce by a word of the
// secret, of which the highest bits count (Dietzfelbinger, "Universal hashing and k-wise independent random variables
// via integer arithmetic without primes", 1996).

import { type Crypto, NONCE_BYTES } from '@tickwire/protocol';

const HALF_WORDS = NONCE_BYTES / 2;

/** See the head of the file. Slots are numbers. */
export class SlotIndex {
  readonly #secret = new Uint32Array(HALF_WORDS);
  readonly #shift: number;
  readonly #mask: number;
  /** 0 = empty, else a slot and 1. */
  readonly #places: Int32Array;
  /** By slot: where it would stand if all places were empty. */
  readonly #homes: Int32Array;

  /** @param capacity slots that there can be, at most 65536. */
  constructor(crypto: Crypto, capacity: number) {
    crypto.randomBytes(new Uint8Array(this.#secret.buffer));
    // Bits that count: there are never fewer than two places, so that a shift is below 32.
    const bits = Math.max(1, Math.ceil(Math.log2(2 * capacity)));
    this.#shift = 32 - bits;
    this.#mask = 2 ** bits - 1;
    this.#places = new Int32Array(2 ** bits);
    this.#homes = new Int32Array(capacity);
  }

  /** Where the search for a nonce begins. */
  home(nonce: Uint8Array): number {
    const secret = this.#secret;
    let sum = 0;
    for (let i = 0; i < HALF_WORDS; i++) {
      sum = (sum + Math.imul(nonce[2 * i]! | (nonce[2 * i + 1]! << 8), secret[i]!)) | 0;
    }
    return sum >>> this.#shift;
  }

  /** The slot at a place; -1 = none, and none of the searched home stands beyond. */
  at(place: number): number {
    return this.#places[place]! - 1;
  }

  /** The place after this one; behind the last is the first. */
  next(place: number): number {
    return (place + 1) & this.#mask;
  }

  /** Enters a slot, which is not in here. */
  add(nonce: Uint8Array, slot: number): void {
    let place = this.home(nonce);
    this.#homes[slot] = place;
    while (this.#places[place] !== 0) place = this.next(place);
    this.#places[place] = slot + 1;
  }

  /** Takes out a slot, which is in here. What stands behind it moves up, so that no search ends too early. */
  remove(slot: number): void {
    const places = this.#places;
    let gap = this.#homes[slot]!;
    while (places[gap] !== slot + 1) gap = this.next(gap);
    for (let place = this.next(gap); places[place] !== 0; place = this.next(place)) {
      // Whose home lies behind the gap stays: the search for it does not pass there.
      const fromHome = (place - this.#homes[places[place]! - 1]!) & this.#mask;
      if (fromHome < ((place - gap) & this.#mask)) continue;
      places[gap] = places[place]!;
      gap = place;
    }
    places[gap] = 0;
  }
}
