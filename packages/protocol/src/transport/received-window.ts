// The receiving half of acknowledgement: which sequences came (refuses replays), which of them were kept
// (tells the peer). Received but not kept means: authentic, yet refused; the peer will see it lost.

import { expandSequence } from '../wire/sequence.ts';
import { Verdict } from '../wire/verdict.ts';
import { Cells, connectionCells } from './state-cells.ts';

/** Sequences remembered for telling replays; at 240 packets a second more than a second. */
export const REPLAY_WINDOW = 256;

/** Sequences before the newest whose fate an ack block can tell: all that are remembered. */
export const ACK_HISTORY = 256;

/** An ack block tells of so many sequences, or of a whole multiple: a second of a game. */
export const ACK_REACH_STEP = 64;

/** Acks must still tell the truth after this much of them was lost in a row; MARKS intervals make it up. */
const MARK_INTERVAL_MS = 100;
const MARKS = 4;

/** A sequence that has not come when so many later ones have is counted as lost; late ones are rarer than the noise. */
const LOSS_HORIZON = 64;
/** Weight of one sequence in the loss: about the last second of a game. */
const LOSS_SMOOTHING = 1 / 64;

const KEPT_WORDS = ACK_HISTORY / 32;
const RECEIVED_WORDS = REPLAY_WINDOW / 32;

const At = {
  markedAt: Cells.received,
  lossShare: Cells.received + 1,
  /** The newest kept sequence at the last moments that lay MARK_INTERVAL_MS apart, latest first. */
  marks: Cells.received + 2,
} as const;

/** Received and kept sequences of one connection. */
export class ReceivedWindow {
  #newest = -1;
  #newestKept = -1;
  /**
   * First what was kept: bit n & 31 of word n >> 5: newestKept - 1 - n was; before the first sequence everything was.
   * Behind it what was received: bit s & 31 of word (s >> 5) % 8, for the last REPLAY_WINDOW sequences s.
   */
  readonly #words = new Int32Array(KEPT_WORDS + RECEIVED_WORDS).fill(-1, 0, KEPT_WORDS);
  readonly #values: Float64Array;
  #judged = -1;

  constructor(cells = connectionCells()) {
    this.#values = cells;
    cells.fill(-1, At.marks, At.marks + MARKS);
  }

  /** Newest kept sequence, -1 = none: what `ack` names. */
  get newestKept(): number {
    return this.#newestKept;
  }

  /** Newest received sequence, -1 = none. */
  get newest(): number {
    return this.#newest;
  }

  /** Share of the peer's recent packets that never came, 0 to 1: exponential average over their sequences. */
  get lossShare(): number {
    return this.#values[At.lossShare]!;
  }

  /** What was lost so far says nothing of the path as it is now. */
  forgetLosses(): void {
    this.#values[At.lossShare] = 0;
  }

  /** Full sequence for 16 wire bits; negative when it lies before the first one. */
  expand(wireSequence: number): number {
    return expandSequence(wireSequence, this.#newest + 1);
  }

  /** Whether `sequence` may still be received; changes nothing. */
  check(sequence: number): Verdict {
    if (sequence < 0 || sequence <= this.#newest - REPLAY_WINDOW) return Verdict.stale;
    return this.#came(sequence) ? Verdict.duplicate : Verdict.accepted;
  }

  /** Notes an authentic packet that passed `check`. True = it left a gap before it, or fell into one. */
  received(nowMs: number, sequence: number, kept: boolean): boolean {
    const outOfOrder = sequence !== this.#newest + 1;
    this.#note(sequence);
    this.#judge();
    if (!kept) return outOfOrder;
    if (sequence > this.#newestKept) this.#advance(sequence - this.#newestKept);
    else this.#mark(this.#newestKept - 1 - sequence);
    if (nowMs >= this.#values[At.markedAt]! + MARK_INTERVAL_MS) this.#pass(nowMs);
    return outOfOrder;
  }

  /** Whether `sequence` was kept, as far as the history reaches. Everything before the first one counts as kept. */
  kept(sequence: number): boolean {
    const n = this.#newestKept - 1 - sequence;
    if (n < 0 || n >= ACK_HISTORY) return sequence < 0 || n === -1;
    return ((this.#words[n >> 5]! >>> (n & 31)) & 1) === 1;
  }

  /** 32 bits of the history: bit n of word w = sequence newestKept - 1 - (32 w + n) was kept. */
  word(index: number): number {
    return this.#words[index]!;
  }

  /** How many sequences before the newest kept an ack block should tell of: what came in the last 300 to 400 ms. */
  get reach(): number {
    const recent = this.#newestKept - this.#values[At.marks + MARKS - 1]!;
    const steps = Math.ceil(recent / ACK_REACH_STEP);
    return ACK_REACH_STEP * Math.min(ACK_HISTORY / ACK_REACH_STEP, Math.max(1, steps));
  }

  /** An interval is over: the marks move on. */
  #pass(nowMs: number): void {
    const values = this.#values;
    for (let i = At.marks + MARKS - 1; i > At.marks; i--) values[i] = values[i - 1]!;
    values[At.marks] = this.#newestKept;
    this.#values[At.markedAt] = nowMs;
  }

  /** The newest kept sequence is so many further on; what was the newest becomes part of the history. */
  #advance(distance: number): void {
    this.#newestKept += distance;
    const words = this.#words;
    const skip = Math.min(distance >> 5, KEPT_WORDS);
    if (skip > 0) {
      for (let w = KEPT_WORDS - 1; w >= 0; w--) words[w] = w >= skip ? words[w - skip]! : 0;
    }
    const shift = distance & 31;
    if (shift > 0) {
      for (let w = KEPT_WORDS - 1; w > 0; w--) {
        words[w] = (words[w]! << shift) | (words[w - 1]! >>> (32 - shift));
      }
      words[0] = words[0]! << shift;
    }
    this.#mark(distance - 1);
  }

  #mark(n: number): void {
    if (n < ACK_HISTORY) this.#words[n >> 5]! |= 1 << (n & 31);
  }

  /** Whether one of the last REPLAY_WINDOW sequences was received. */
  #came(sequence: number): boolean {
    if (sequence > this.#newest) return false;
    return ((this.#words[receivedWord(sequence)]! >>> (sequence & 31)) & 1) === 1;
  }

  /** It was received; what it skipped was not. */
  #note(sequence: number): void {
    const words = this.#words;
    for (let s = Math.max(this.#newest + 1, sequence - REPLAY_WINDOW + 1); s < sequence; s++) {
      words[receivedWord(s)]! &= ~(1 << (s & 31));
    }
    words[receivedWord(sequence)]! |= 1 << (sequence & 31);
    if (sequence > this.#newest) this.#newest = sequence;
  }

  /** Counts the sequences that have passed the horizon since the last call. */
  #judge(): void {
    const until = this.#newest - LOSS_HORIZON;
    if (until <= this.#judged) return;
    let share = this.#values[At.lossShare]!;
    // Further back nothing is remembered; a peer that jumps ahead counts as having lost the last of what it skipped.
    const from = Math.max(this.#judged + 1, this.#newest - REPLAY_WINDOW + 1);
    for (let s = from; s <= until; s++) {
      share += ((this.#came(s) ? 0 : 1) - share) * LOSS_SMOOTHING;
    }
    this.#values[At.lossShare] = share;
    this.#judged = until;
  }
}

function receivedWord(sequence: number): number {
  // The low bits of any safe integer survive the cut to 32 bits.
  return KEPT_WORDS + ((sequence >> 5) & (RECEIVED_WORDS - 1));
}
