// The sending half of acknowledgement: every ack-eliciting packet gets exactly one verdict (acked, lost or
// abandoned), told to whoever wrote into it. It reports; it never resends.

import { expandSequence } from '../wire/sequence.ts';
import { SequenceRing } from '../wire/sequence-ring.ts';
import { type AckBlock, DELAY_MS_MAX } from './ack-block.ts';
import { ACK_HISTORY } from './received-window.ts';
import { RttEstimator } from './rtt.ts';

/** Packets in flight whose fate can still be told; the oldest is declared lost when a newer one needs its place. */
export const SENT_WINDOW = 512;

/** Receives the verdicts. `channels` is the mask that was given when the packet was sent. */
export interface VerdictSink {
  acked(sequence: number, channels: number): void;
  lost(sequence: number, channels: number): void;
}

const State = { none: 0, inFlight: 1, quiet: 2, acked: 3, lost: 4 } as const;

/** Bound of the backoff of the wait for any sign of life before in-flight packets are called lost. */
const TAIL_DELAY_MAX_MS = 2000;
const TAIL_BACKOFF_MAX = 64;
/** The peer may hold an ack this long for a packet to carry it. */
const PEER_ACK_DELAY_MS = 50;

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
  readonly #ring = new SequenceRing(SENT_WINDOW);
  readonly #state = new Uint8Array(SENT_WINDOW);
  readonly #channels = new Int32Array(SENT_WINDOW);
  readonly #sentAtMs = new Float64Array(SENT_WINDOW);
  readonly #lossShare = new Float64Array(1);
  #next = 0;
  #oldest = 0;
  #inFlight = 0;
  #newestAcked = -1;
  #tailBackoff = 1;
  readonly #statistics = { acked: 0, lost: 0, spuriousLosses: 0, abandoned: 0 };

  constructor(sink: VerdictSink) {
    this.#sink = sink;
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

  /** Takes the next sequence for a packet that leaves now. `channels` = mask of who wrote; eliciting = wants a verdict. */
  sent(nowMs: number, channels: number, eliciting: boolean): void {
    const sequence = this.#next++;
    const slot = this.#ring.slot(sequence);
    if (this.#state[slot] === State.inFlight) this.#lose(this.#ring.tag(slot));
    this.#ring.put(sequence);
    this.#state[slot] = eliciting ? State.inFlight : State.quiet;
    this.#channels[slot] = channels;
    this.#sentAtMs[slot] = nowMs;
    if (eliciting) this.#inFlight++;
  }

  /** Applies an ack block; false = it names a packet that was never sent, so it is a lie. */
  receive(nowMs: number, block: AckBlock): boolean {
    if (!block.present) return true;
    const ack = expandSequence(block.wireAck, this.#next - 1);
    if (ack < 0 || ack >= this.#next) return false;
    this.#sampleRtt(nowMs, ack, block);
    if (ack > this.#newestAcked) this.#newestAcked = ack;
    this.#ack(ack);
    for (let n = 0; n < ACK_HISTORY; n++) {
      if (((block.history[n >> 3]! >> (n & 7)) & 1) === 1) this.#ack(ack - 1 - n);
    }
    this.detectLosses(nowMs);
    return true;
  }

  /** Declares lost what is overdue. Called on acks and from the connection's `advance`. */
  detectLosses(nowMs: number): void {
    this.#skipResolved();
    if (this.#inFlight === 0) return;
    const lossDelayMs = this.rtt.lossDelayMs;
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
      silent ||= !overtaken;
      this.#lose(sequence);
    }
    if (silent) this.#tailBackoff = Math.min(this.#tailBackoff * 2, TAIL_BACKOFF_MAX);
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
    return this.#sentAtMs[slot]! + (overtaken ? this.rtt.lossDelayMs : this.#tailDelayMs());
  }

  #tailDelayMs(): number {
    const onceMs = this.rtt.lossDelayMs + PEER_ACK_DELAY_MS;
    return Math.max(onceMs, Math.min(onceMs * this.#tailBackoff, TAIL_DELAY_MAX_MS));
  }

  #sampleRtt(nowMs: number, ack: number, block: AckBlock): void {
    const slot = this.#ring.slot(ack);
    if (!this.#ring.has(ack)) return;
    const state = this.#state[slot];
    // A late ack counts as well: each packet has a sequence of its own, so there is no doubt which was acked,
    // and without it a path slower than the first guess would stay unknown for ever.
    if (state === State.none || state === State.acked) return;
    // Nobody hurries to ack a packet that asks for none: where the delay is cut off, the rest would count as way.
    if (state === State.quiet && block.delayMs >= DELAY_MS_MAX) return;
    this.rtt.sample(nowMs, this.#sentAtMs, slot, block);
  }

  #ack(sequence: number): void {
    if (sequence < 0 || !this.#ring.has(sequence)) return;
    const slot = this.#ring.slot(sequence);
    const state = this.#state[slot];
    // Settled before anybody is told: whatever the sink does, there is no second verdict.
    this.#state[slot] = State.acked;
    if (state === State.lost) this.#statistics.spuriousLosses++;
    if (state === State.inFlight) {
      this.#inFlight--;
      this.#tailBackoff = 1;
      this.#statistics.acked++;
      this.#lossShare[0]! *= 1 - LOSS_SMOOTHING;
      this.#sink.acked(sequence, this.#channels[slot]!);
    }
  }

  #lose(sequence: number): void {
    const slot = this.#ring.slot(sequence);
    this.#state[slot] = State.lost;
    this.#inFlight--;
    this.#statistics.lost++;
    this.#lossShare[0]! += (1 - this.#lossShare[0]!) * LOSS_SMOOTHING;
    this.#sink.lost(sequence, this.#channels[slot]!);
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
