// Answers to senders without a live connection wait here for the next poll: a small fixed ring, so that no
// flood of strangers can make anything grow. Strangers cannot fill it: a part is for those who have returned a cookie.

import { type Destination, REPLY_BYTES_MAX } from '@tickwire/protocol';

const REPLIES_MAX = 64;
/** Of these for strangers; the rest is for proven addresses, whose number the limits bound. */
const STRANGERS_MAX = 48;

/**
 * Who a reply goes to. `stranger`: an address that need not be anybody's. `held`: one that is held for this reply only;
 * the caller lets go of it when the reply was polled.
 */
export const ReplyTo = { stranger: 0, proven: 1, held: 2 } as const;

/** At most 64 short datagrams, first in, first out. */
export class ReplyRing {
  readonly #bytes = new Uint8Array(REPLIES_MAX * REPLY_BYTES_MAX);
  readonly #lengths = new Int32Array(REPLIES_MAX);
  readonly #addresses = new Float64Array(REPLIES_MAX);
  readonly #kinds = new Uint8Array(REPLIES_MAX);
  #first = 0;
  #count = 0;
  #strangers = 0;
  #dropped = 0;
  #polledHeld = false;

  /** Answers dropped because there was no room for their kind. */
  get dropped(): number {
    return this.#dropped;
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  /** Memory for one reply: write it at `offset` of `bytes`, then `push` its length. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get offset(): number {
    return ((this.#first + this.#count) % REPLIES_MAX) * REPLY_BYTES_MAX;
  }

  /** Room for one more of this {@link ReplyTo}; a no is counted. */
  hasRoom(kind: number): boolean {
    const strangersFit = kind !== ReplyTo.stranger || this.#strangers < STRANGERS_MAX;
    if (strangersFit && this.#count < REPLIES_MAX) return true;
    this.#dropped++;
    return false;
  }

  /** The reply that was written leaves when it is its turn; `kind` is one of {@link ReplyTo}. */
  push(length: number, address: number, kind: number): void {
    const at = (this.#first + this.#count++) % REPLIES_MAX;
    this.#lengths[at] = length;
    this.#addresses[at] = address;
    this.#kinds[at] = kind;
    if (kind === ReplyTo.stranger) this.#strangers++;
  }

  /** Whether the address of the reply that was polled last is to be let go of. */
  get polledHeld(): boolean {
    return this.#polledHeld;
  }

  /** Moves the oldest reply to out[start..]; returns its length, 0 = none. */
  poll(out: Uint8Array, start: number, to: Destination): number {
    if (this.#count === 0) return 0;
    const from = this.#first * REPLY_BYTES_MAX;
    const length = this.#lengths[this.#first]!;
    for (let i = 0; i < length; i++) out[start + i] = this.#bytes[from + i]!;
    to.address = this.#addresses[this.#first]!;
    const kind = this.#kinds[this.#first];
    this.#polledHeld = kind === ReplyTo.held;
    if (kind === ReplyTo.stranger) this.#strangers--;
    this.#first = (this.#first + 1) % REPLIES_MAX;
    this.#count--;
    return length;
  }
}
