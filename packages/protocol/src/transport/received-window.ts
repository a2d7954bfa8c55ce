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
  readonly #kept = new Uint8Array(REPLAY_WINDOW);
  readonly #history = new Uint8Array(ACK_HISTORY / 8);
  #newest = -1;
  #newestKept = -1;

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
    this.#kept[this.#ring.put(sequence)] = kept ? 1 : 0;
    if (sequence > this.#newest) this.#newest = sequence;
    if (kept && sequence > this.#newestKept) this.#newestKept = sequence;
  }

  /** Whether `sequence` was kept. Everything before the first sequence counts as kept. */
  kept(sequence: number): boolean {
    return (
      sequence < 0 || (this.#ring.has(sequence) && this.#kept[this.#ring.slot(sequence)] === 1)
    );
  }

  /** History bytes: bit n (byte n / 8, low bit first) = sequence newestKept - 1 - n was kept. Valid until the next call. */
  history(): Uint8Array {
    const history = this.#history;
    let sequence = this.#newestKept - 1;
    for (let at = 0; at < history.length; at++) {
      let byte = 0;
      for (let bit = 0; bit < 8; bit++) if (this.kept(sequence--)) byte |= 1 << bit;
      history[at] = byte;
    }
    return history;
  }
}
