// The sending half of acknowledgement: every ack-eliciting packet gets exactly one verdict (acked, lost or
// abandoned), told to whoever wrote into it. It reports; it never resends.

import { expandSequence } from '../wire/sequence.ts';
import { SequenceRing } from '../wire/sequence-ring.ts';
import { type AckBlock, DELAY_MS_MAX } from './ack-block.ts';
import type { RateController } from './rate-controller.ts';
import { RttEstimator } from './rtt.ts';
import { SENT_WINDOW } from './sent-slot.ts';

/** Slots that data leaves free, so that acks and pings, which need slots as well, cannot push anything out. */
const RESERVE = 32;

/** IP and UDP headers: what a datagram costs on the path beside its payload. IPv6 has 20 more. */
export const PATH_HEADER_BYTES = 28;

/** Receives the verdicts. `low` and `high` are the masks that were given when the packet was sent. */
export interface VerdictSink {
  acked(sequence: number, low: number, high: number): void;
  lost(sequence: number, low: number, high: number): void;
}

/** `overdue` = lost as well: nothing was heard of it nor of any later one. */
const State = { none: 0, inFlight: 1, quiet: 2, acked: 3, lost: 4, overdue: 5 } as const;

/** Bound of the backoff of the wait for any sign of life before in-flight packets are called lost. */
const TAIL_DELAY_MAX_MS = 2000;
const TAIL_BACKOFF_MAX = 64;
/** The peer may hold an ack this long for a packet to carry it: its ack timer and a tick of 40 Hz; longer if it was seen to. */
const PEER_ACK_DELAY_MS = 50;
/** How slowly a delay that was seen is forgotten, a sample. */
const PEER_DELAY_DECAY = 63 / 64;

/**
 * A late ack shows that losses are called too early: paths reorder, and on slow ones a large packet takes longer than
 * the small ones whose round trips are known. So much of that is learned at most, and forgotten with each ack by so much
 * (as RACK widens its reordering window, RFC 8985).
 */
const MARGIN_MAX_MS = 500;
const MARGIN_DECAY = 0.998;

/** Weight of one verdict in the recent loss: about the last second of a game. */
const LOSS_SMOOTHING = 1 / 64;

/** What acks have shown so far. */
export interface SentStatistics {
  readonly acked: number;
  readonly lost: number;
  /** Lost packets that an ack named after all. */
  readonly spuriousLosses: number;
  /** In flight when the connection ended. */
  readonly abandoned: number;
}

/** Sent packets of one connection. */
export class SentWindow {
  readonly rtt = new RttEstimator();
  readonly #sink: VerdictSink;
  readonly #rate: RateController;
  readonly #ring = new SequenceRing(SENT_WINDOW);
  readonly #state = new Uint8Array(SENT_WINDOW);
  readonly #low = new Int32Array(SENT_WINDOW);
  readonly #high = new Int32Array(SENT_WINDOW);
  readonly #sizes = new Int32Array(SENT_WINDOW);
  readonly #sentAtMs = new Float64Array(SENT_WINDOW);
  readonly #lossShare = new Float64Array(1);
  /** The longest ack delay of late. */
  readonly #peerDelayMs = new Float64Array(1);
  /** Added to the delay after which an overtaken packet is lost, and to that of one of which nothing was heard. */
  readonly #marginsMs = new Float64Array(2);
  #next = 0;
  #oldest = 0;
  #inFlight = 0;
  #newestAcked = -1;
  /** The last probe. */
  #probe = -1;
  #tailBackoff = 1;
  readonly #statistics = { acked: 0, lost: 0, spuriousLosses: 0, abandoned: 0 };

  constructor(sink: VerdictSink, rate: RateController) {
    this.#sink = sink;
    this.#rate = rate;
  }

  get statistics(): SentStatistics {
    return this.#statistics;
  }

  /** Share of recent packets that were lost, 0 to 1. */
  get lossShare(): number {
    return this.#lossShare[0]!;
  }

  /** Sequence of the next packet. */
  get next(): number {
    return this.#next;
  }

  /** Ack-eliciting packets without a verdict. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** No place for more data until verdicts come. */
  get full(): boolean {
    return this.#inFlight > 0 && this.#next - this.#oldest >= SENT_WINDOW - RESERVE;
  }

  /** UDP payload of a packet that has its verdict or waits for it, as long as the window reaches. */
  sizeBytes(sequence: number): number {
    return this.#sizes[this.#ring.slot(sequence)]!;
  }

  /**
   * Takes the next sequence for a packet that leaves to see whether it arrives, one at a time. It gets a verdict, but its
   * loss says nothing of the path: no rate, no loss share and no timer learns of it.
   */
  sentProbe(nowMs: number, sizeBytes: number): void {
    this.#probe = this.#next;
    this.sent(nowMs, sizeBytes, 0, 0, true);
  }

  /**
   * Takes the next sequence for a packet of `sizeBytes` that leaves now. `low` and `high` = mask of the channels that
   * wrote, ids 0 to 31 and 32 to 63; eliciting = wants a verdict.
   */
  sent(nowMs: number, sizeBytes: number, low: number, high: number, eliciting: boolean): void {
    const sequence = this.#next++;
    const slot = this.#ring.slot(sequence);
    if (this.#state[slot] === State.inFlight) this.#lose(nowMs, this.#ring.tag(slot), State.lost);
    this.#ring.put(sequence);
    this.#state[slot] = eliciting ? State.inFlight : State.quiet;
    this.#low[slot] = low;
    this.#high[slot] = high;
    this.#sizes[slot] = sizeBytes;
    this.#sentAtMs[slot] = nowMs;
    const toldOf = eliciting && sequence !== this.#probe;
    this.#rate.sent(nowMs, slot, sizeBytes + PATH_HEADER_BYTES, toldOf);
    if (eliciting) this.#inFlight++;
  }

  /** Applies an ack block; false = it names a packet that was never sent, so it is a lie. */
  receive(nowMs: number, block: AckBlock): boolean {
    if (!block.present) return true;
    const ack = expandSequence(block.wireAck, this.#next - 1);
    if (ack < 0 || ack >= this.#next) return false;
    const sampled = this.#sampleRtt(nowMs, ack, block);
    if (ack > this.#newestAcked) this.#newestAcked = ack;
    this.#ack(nowMs, ack);
    const reach = Math.min(block.reach, ack);
    for (let n = 0; n < reach; n++) {
      if (((block.history[n >> 3]! >> (n & 7)) & 1) === 1) this.#ack(nowMs, ack - 1 - n);
    }
    this.#rate.acknowledged(nowMs, this.rtt, sampled);
    this.detectLosses(nowMs);
    return true;
  }

  /** Declares lost what is overdue. Called on acks and from the connection's `advance`. */
  detectLosses(nowMs: number): void {
    this.#skipResolved();
    if (this.#inFlight === 0) return;
    const lossDelayMs = this.rtt.lossDelayMs + this.#marginsMs[0]!;
    const tailDelayMs = this.#tailDelayMs();
    let silent = false;
    for (let sequence = this.#oldest; sequence < this.#next; sequence++) {
      const slot = this.#ring.slot(sequence);
      if (this.#state[slot] !== State.inFlight) continue;
      const overtaken = sequence < this.#newestAcked;
      // The same sum as in wakeAt, so that rounding cannot let one of them see it earlier than the other.
      if (nowMs < this.#sentAtMs[slot]! + (overtaken ? lossDelayMs : tailDelayMs)) {
        if (overtaken) continue;
        break;
      }
      silent ||= !overtaken && sequence !== this.#probe;
      this.#lose(nowMs, sequence, overtaken ? State.lost : State.overdue);
    }
    if (silent) {
      this.#tailBackoff = Math.min(this.#tailBackoff * 2, TAIL_BACKOFF_MAX);
      this.#rate.silent(nowMs);
    }
    this.#skipResolved();
  }

  /** Everything still in flight is abandoned: the connection is over. */
  abandon(): void {
    this.#statistics.abandoned += this.#inFlight;
    this.#inFlight = 0;
    this.#state.fill(State.none);
  }

  /** When `detectLosses` next has something to do. */
  wakeAt(): number {
    if (this.#inFlight === 0) return Number.POSITIVE_INFINITY;
    const slot = this.#ring.slot(this.#oldest);
    const overtaken = this.#oldest < this.#newestAcked;
    const lossDelayMs = this.rtt.lossDelayMs + this.#marginsMs[0]!;
    return this.#sentAtMs[slot]! + (overtaken ? lossDelayMs : this.#tailDelayMs());
  }

  #tailDelayMs(): number {
    const lossDelayMs = this.rtt.lossDelayMs + this.#marginsMs[1]!;
    const onceMs = lossDelayMs + Math.max(PEER_ACK_DELAY_MS, this.#peerDelayMs[0]!);
    return Math.max(onceMs, Math.min(onceMs * this.#tailBackoff, TAIL_DELAY_MAX_MS));
  }

  /** True = the round trip was measured. */
  #sampleRtt(nowMs: number, ack: number, block: AckBlock): boolean {
    const slot = this.#ring.slot(ack);
    if (!this.#ring.has(ack)) return false;
    const state = this.#state[slot];
    // A late ack counts as well: each packet has a sequence of its own, so there is no doubt which was acked,
    // and without it a path slower than the first guess would stay unknown for ever.
    if (state === State.none || state === State.acked) return false;
    // Nobody hurries to ack a packet that asks for none: where the delay is cut off, the rest would count as way.
    if (state === State.quiet && block.delayMs >= DELAY_MS_MAX) return false;
    this.rtt.sample(nowMs, this.#sentAtMs, slot, block);
    const seen = this.#peerDelayMs[0]! * PEER_DELAY_DECAY;
    this.#peerDelayMs[0] = Math.max(seen, state === State.quiet ? 0 : block.delayMs);
    return true;
  }

  #ack(nowMs: number, sequence: number): void {
    if (!this.#ring.has(sequence)) return;
    const slot = this.#ring.slot(sequence);
    const state = this.#state[slot];
    // Settled before anybody is told: whatever the sink does, there is no second verdict.
    this.#state[slot] = State.acked;
    const lost = state === State.lost || state === State.overdue;
    if (lost && sequence !== this.#probe) this.#late(nowMs, slot, state);
    if (state === State.inFlight) {
      this.#marginsMs[0]! *= MARGIN_DECAY;
      this.#marginsMs[1]! *= MARGIN_DECAY;
      this.#inFlight--;
      this.#tailBackoff = 1;
      this.#statistics.acked++;
      if (sequence !== this.#probe) {
        this.#lossShare[0]! *= 1 - LOSS_SMOOTHING;
        this.#rate.acked(nowMs, slot);
      }
      this.#sink.acked(sequence, this.#low[slot]!, this.#high[slot]!);
    }
  }

  /** The packet had been called lost too early. */
  #late(nowMs: number, slot: number, state: number): void {
    this.#statistics.spuriousLosses++;
    const kind = state === State.overdue ? 1 : 0;
    const over = nowMs - this.#sentAtMs[slot]! - this.rtt.lossDelayMs;
    this.#marginsMs[kind] = Math.max(this.#marginsMs[kind]!, Math.min(MARGIN_MAX_MS, over));
    this.#rate.late(nowMs, slot);
  }

  #lose(nowMs: number, sequence: number, how: number): void {
    const slot = this.#ring.slot(sequence);
    this.#state[slot] = how;
    this.#inFlight--;
    this.#statistics.lost++;
    if (sequence !== this.#probe) {
      this.#lossShare[0]! += (1 - this.#lossShare[0]!) * LOSS_SMOOTHING;
      this.#rate.lost(nowMs, slot);
    }
    this.#sink.lost(sequence, this.#low[slot]!, this.#high[slot]!);
  }

  /** Moves `#oldest` to the first packet in flight, or to `#next`. */
  #skipResolved(): void {
    if (this.#next - this.#oldest > SENT_WINDOW) this.#oldest = this.#next - SENT_WINDOW;
    while (
      this.#oldest < this.#next &&
      this.#state[this.#ring.slot(this.#oldest)] !== State.inFlight
    ) {
      this.#oldest++;
    }
  }
}
