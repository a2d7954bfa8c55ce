// The keys of a connection's two directions, generation after generation. A packet's header tells in one bit whether its
// generation is odd (packet.ts); sequences go on across generations, so a sequence is never sealed twice.
//
//   sender    turns to the next generation once it has sealed so many packets under a key and one of them was acked: the
//             peer has a generation before the next begins, and is never more than one behind.
//   receiver  has three keys: the present one, the next, made in advance, and for a while the one before. Bit and sequence
//             say which of them a packet is for, and it is tried with that one only, because opening in place
//             destroys what it cannot open. What is forged changes nothing and makes no key.

import { type Sealer, type SealerChain, TAG_BYTES } from '../wire/crypto.ts';
import { assert } from '../wire/errors.ts';
import { HEADER_BYTES, readPhase } from '../wire/packet.ts';
import { Verdict } from '../wire/verdict.ts';
import type { RttEstimator } from './rtt.ts';
import { Cells, connectionCells } from './state-cells.ts';

/**
 * Packets that may follow those after which a key is due to change, while none of the whole generation is acked. With
 * more of them under way 16 bits of sequence do not say which packet an ack means, so there is nothing left to save.
 */
export const UNACKED_PACKETS_MAX = 0x8000;

/** The key before is kept for so many round trips, and at least so long: what comes later was given up by its sender. */
const KEPT_ROUND_TRIPS = 3;
export const KEPT_MIN_MS = 500;

/** The keys of what leaves. */
export class OutgoingKeys {
  readonly #chain: SealerChain;
  readonly #rotateAfterPackets: number;
  #sealer: Sealer;
  #generation = 0;
  /** First sequence of this generation. */
  #first = 0;

  constructor(chain: SealerChain, rotateAfterPackets: number) {
    this.#chain = chain;
    this.#rotateAfterPackets = rotateAfterPackets;
    this.#sealer = chain.next();
  }

  /** How many keys came before the present one. */
  get generation(): number {
    return this.#generation;
  }

  get sealer(): Sealer {
    return this.#sealer;
  }

  /** Packet `next` is about to be written: turns to the next generation if it is time. */
  turn(next: number, newestAcked: number): void {
    if (next - this.#first < this.#rotateAfterPackets || newestAcked < this.#first) return;
    this.#sealer = this.#chain.next();
    this.#generation++;
    this.#first = next;
  }

  /** The key should have been changed long ago, and cannot be, because the peer acks nothing. */
  worn(next: number, newestAcked: number): boolean {
    const sealed = next - this.#first;
    return newestAcked < this.#first && sealed >= this.#rotateAfterPackets + UNACKED_PACKETS_MAX;
  }
}

/** Which key a packet is for, seen from the present generation. */
const Turn = { back: -1, none: 0, on: 1 } as const;

/** The keys of what comes. */
export class IncomingKeys {
  readonly #chain: SealerChain;
  readonly #rtt: RttEstimator;
  #previous: Sealer | undefined;
  #current: Sealer;
  #next: Sealer;
  #generation = 0;
  /** Sequences that turned to this generation and to the one before. */
  #first = 0;
  #previousFirst = 0;
  /** Highest sequence kept under the present key. */
  #newest = -1;
  readonly #keptUntilMs: Float64Array;
  /** Of the packet that was opened, until it is kept; its sequence, -1 = there is none. */
  #turn: number = Turn.none;
  #opened = -1;

  /** @param rtt the path's: it says how long the key before is kept. */
  constructor(chain: SealerChain, rtt: RttEstimator, cells = connectionCells()) {
    this.#keptUntilMs = cells;
    this.#chain = chain;
    this.#rtt = rtt;
    this.#current = chain.next();
    this.#next = chain.next();
  }

  /** How many keys came before the present one. */
  get generation(): number {
    return this.#generation;
  }

  /** Opens the packet bytes[start, end) in place; on success `keep` is the next call, if the packet is well formed. */
  open(nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    this.advance(nowMs);
    const verdict = this.#choose(readPhase(bytes, start), sequence);
    if (verdict !== Verdict.accepted) return verdict;
    this.#opened = sequence;
    const sealer = this.#turn === Turn.none ? this.#current : this.#other();
    const opened = sealer.open(bytes, start, start + HEADER_BYTES, end - TAG_BYTES, sequence);
    return opened ? Verdict.accepted : Verdict.forged;
  }

  /**
   * The packet last opened is to be believed: a first one of the next generation turns to it. Since `open` channels, and
   * user code through them, have heard of its acks. That code may close, send and drain, but no packet of this connection
   * comes in between: whoever drives a machine hands it one datagram after another. Were it otherwise the keys would turn
   * for a packet twice, or for another one's bit.
   */
  keep(nowMs: number, sequence: number): void {
    assert(sequence === this.#opened, 'a connection received inside of its own receive');
    this.#opened = -1;
    if (this.#turn === Turn.on) this.#turnOn(nowMs, sequence);
    if (this.#turn !== Turn.back && sequence > this.#newest) this.#newest = sequence;
  }

  /** Forgets the key before when its time is over. */
  advance(nowMs: number): void {
    if (this.#previous !== undefined && nowMs >= this.#keptUntilMs[Cells.incomingKeys]!)
      this.#previous = undefined;
  }

  /** Decides by bit and sequence alone, before anything is opened. */
  #choose(phase: number, sequence: number): Verdict {
    this.#turn = Turn.none;
    if (phase === (this.#generation & 1)) {
      // From before the generation before: the same bit, another key, long gone.
      return sequence < this.#previousFirst ? Verdict.stale : Verdict.accepted;
    }
    if (sequence < this.#first) {
      this.#turn = Turn.back;
      return this.#previous === undefined ? Verdict.stale : Verdict.accepted;
    }
    // In the midst of the present generation the other bit is a lie.
    if (sequence <= this.#newest) return Verdict.forged;
    this.#turn = Turn.on;
    return Verdict.accepted;
  }

  #other(): Sealer {
    return this.#turn === Turn.on ? this.#next : this.#previous!;
  }

  #turnOn(nowMs: number, sequence: number): void {
    const roundTripsMs = KEPT_ROUND_TRIPS * this.#rtt.smoothedMs;
    this.#keptUntilMs[Cells.incomingKeys] = nowMs + Math.max(KEPT_MIN_MS, roundTripsMs);
    this.#previous = this.#current;
    this.#current = this.#next;
    this.#next = this.#chain.next();
    this.#generation++;
    this.#previousFirst = this.#first;
    this.#first = sequence;
    this.#newest = sequence;
  }
}
