// The receiving half of acknowledgement: which sequences came (refuses replays), which of them were kept
// (tells the peer). Received but not kept means: authentic, yet refused; the peer will see it lost.

import { expandSequence } from '../wire/sequence.ts';
import { SequenceRing } from '../wire/sequence-ring.ts';
import { Verdict } from '../wire/verdict.ts';

/** Sequences remembered for telling replays; at 240 packets a second more than a second. */
export const REPLAY_WINDOW = 256;

/** Sequences before the newest whose fate an ack block tells. */
export const ACK_HISTORY = 64;

/** Received and kept sequences of one connection. */
export class ReceivedWindow {
  readonly #ring = new SequenceRing(REPLAY_WINDOW);
  readonly #history = new Uint8Array(ACK_HISTORY / 8);
  #newest = -1;
  #newestKept = -1;
  /** Bit n of low, then of high: newestKept - 1 - n was kept. Before the first sequence everything was. */
  #low = -1;
  #high = -1;

  /** Newest kept sequence, -1 = none: what `ack` names. */
  get newestKept(): number {
    return this.#newestKept;
  }

  /** Newest received sequence, -1 = none. */
  get newest(): number {
    return this.#newest;
  }

  /** Full sequence for 16 wire bits; negative when it lies before the first one. */
  expand(wireSequence: number): number {
    return expandSequence(wireSequence, this.#newest + 1);
  }

  /** Whether `sequence` may still be received; changes nothing. */
  check(sequence: number): Verdict {
    if (sequence < 0 || sequence <= this.#newest - REPLAY_WINDOW) return Verdict.stale;
    return this.#ring.has(sequence) ? Verdict.duplicate : Verdict.accepted;
  }

  /** Notes an authentic packet that passed `check`. */
  received(sequence: number, kept: boolean): void {
    this.#ring.put(sequence);
    if (sequence > this.#newest) this.#newest = sequence;
    if (!kept) return;
    if (sequence > this.#newestKept) this.#advance(sequence - this.#newestKept);
    else this.#mark(this.#newestKept - 1 - sequence);
  }

  /** Whether `sequence` was kept, as far as the history reaches. Everything before the first one counts as kept. */
  kept(sequence: number): boolean {
    const n = this.#newestKept - 1 - sequence;
    if (n < 0 || n >= ACK_HISTORY) return sequence < 0 || n === -1;
    return (((n < 32 ? this.#low : this.#high) >>> (n & 31)) & 1) === 1;
  }

  /** History bytes: bit n (byte n / 8, low bit first) = sequence newestKept - 1 - n was kept. Valid until the next call. */
  history(): Uint8Array {
    const history = this.#history;
    for (let at = 0; at < 4; at++) {
      history[at] = this.#low >>> (8 * at);
      history[4 + at] = this.#high >>> (8 * at);
    }
    return history;
  }

  /** The newest kept sequence is so many further on; what was the newest becomes part of the history. */
  #advance(distance: number): void {
    this.#newestKept += distance;
    if (distance >= 64) {
      this.#low = 0;
      this.#high = 0;
    } else if (distance >= 32) {
      this.#high = this.#low << (distance - 32);
      this.#low = 0;
    } else {
      this.#high = (this.#high << distance) | (this.#low >>> (32 - distance));
      this.#low <<= distance;
    }
    this.#mark(distance - 1);
  }

  #mark(n: number): void {
    if (n < 32) this.#low |= 1 << n;
    else if (n < ACK_HISTORY) this.#high |= 1 << (n & 31);
  }
}
