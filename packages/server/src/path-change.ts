// The address that a connection may be moving to. An authentic packet from there, the newest so far, starts one
// challenge that is no longer than the packet; until the answer comes back, everything else goes to the old address.
// After RFC 9000, section 9.

import {
  type AddressBook,
  type Connection,
  type Crypto,
  PATH_CHALLENGE_BYTES,
  randomU32,
} from '@tickwire/protocol';

/** So long neither another address nor the same one again starts a challenge: the answer is still under way. */
const CHALLENGE_GAP_MS = 100;

/**
 * Wrong answers that a candidate may give. An address that was a candidate before still answers what it was asked then,
 * once in each gap for a round trip: enough for one of 1.6 s, and far too few to guess 32 bits.
 */
const WRONG_ANSWERS_MAX = 16;

/** No address. */
const NONE = -1;

/** See the head of the file. One for a slot; `clear` before the slot is somebody else's. */
export class PathChange {
  /** Held, until it is the connection's or given up. */
  #candidate = NONE;
  /** The same for as long as the candidate is: an answer may come late, and then to an earlier challenge. */
  #data = 0;
  #wrongAnswers = 0;
  #sizeBytesMax = 0;
  #due = false;
  readonly #challengedMs = new Float64Array([Number.NEGATIVE_INFINITY]);

  /** A challenge waits to be written. */
  get due(): boolean {
    return this.#due;
  }

  /** Where the challenge goes; -1 = nowhere. */
  get candidate(): number {
    return this.#candidate;
  }

  /** An authentic packet of `sizeBytes`, the newest so far, came from `from`, which is not the connection's address. */
  noticed(
    nowMs: number,
    from: number,
    sizeBytes: number,
    crypto: Crypto,
    addresses: AddressBook,
  ): void {
    if (sizeBytes < PATH_CHALLENGE_BYTES || nowMs < this.#challengedMs[0]! + CHALLENGE_GAP_MS)
      return;
    this.#challengedMs[0] = nowMs;
    if (from !== this.#candidate) {
      this.clear(addresses);
      this.#candidate = addresses.hold(from);
      this.#data = randomU32(crypto);
      this.#wrongAnswers = 0;
    }
    this.#sizeBytesMax = sizeBytes;
    this.#due = true;
  }

  /** Writes the challenge that is due; returns its length, 0 = the packet that caused it was too short for one. */
  write(nowMs: number, connection: Connection, out: Uint8Array, start: number): number {
    this.#due = false;
    return connection.writePathChallenge(nowMs, out, start, this.#sizeBytesMax, this.#data);
  }

  /**
   * An answer came from `from`. True = it is proven, and the caller's to hold from now on. Too many wrong answers from
   * there end its candidacy.
   */
  answered(from: number, data: number, addresses: AddressBook): boolean {
    if (this.#candidate === NONE || from !== this.#candidate) return false;
    if (data !== this.#data) {
      if (++this.#wrongAnswers >= WRONG_ANSWERS_MAX) this.clear(addresses);
      return false;
    }
    this.#candidate = NONE;
    this.#due = false;
    return true;
  }

  /** Gives the candidate up: also when the newest packet comes from the old address again. */
  clear(addresses: AddressBook): void {
    if (this.#candidate !== NONE) addresses.release(this.#candidate);
    this.#candidate = NONE;
    this.#due = false;
  }
}
