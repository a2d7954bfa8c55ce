// The sending half of acknowledgement: every ack-eliciting packet gets exactly one verdict (acked, lost or
// abandoned), told to whoever wrote into it. It reports; it never resends.

import { expandSequence } from '../wire/sequence.ts';
import { type AckBlock, DELAY_MS_MAX } from './ack-block.ts';
import type { RateController } from './rate-controller.ts';
import { RttEstimator } from './rtt.ts';
import { SENT_WINDOW, Sent, sentRecord } from './sent-packets.ts';
import { Cells, connectionCells } from './state-cells.ts';

/** Slots that data leaves free, so that acks and pings, which need slots as well, cannot push anything out. */
const RESERVE = 32;

/** IP and UDP headers: what a datagram costs on the path beside its payload. IPv6 has 20 more. */
export const PATH_HEADER_BYTES = 28;

/** Receives the verdicts. `low` and `high` are the masks that were given when the packet was sent. */
export interface VerdictSink {
  acked(sequence: number, low: number, high: number): void;
  lost(sequence: number, low: number, high: number): void;
}

/** Whether a packet tells of the path: all; that it was so long on its way, but not that it was lost; nothing. */
const Tells = { all: 0, roundTrip: 1, nothing: 2 } as const;

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

const FROM = Cells.sent;
const At = {
  lossShare: FROM,
  /** The longest ack delay of late. */
  peerDelay: FROM + 1,
  /** Added to the delay after which an overtaken packet is lost, and to that of one of which nothing was heard. */
  margin: FROM + 2,
  tailMargin: FROM + 3,
  acked: FROM + 4,
  lost: FROM + 5,
  spuriousLosses: FROM + 6,
  abandoned: FROM + 7,
} as const;

/** Sent packets of one connection. */
export class SentWindow {
  readonly rtt: RttEstimator;
  readonly #sink: VerdictSink;
  #rate: RateController;
  readonly #records: Float64Array;
  readonly #values: Float64Array;
  #next = 0;
  /** First packet in flight, or `#next`. */
  #oldest = 0;
  /** All before it were named by acks, so that there is nothing to be learned of them. */
  #unnamed = 0;
  #inFlight = 0;
  #newestAcked = -1;
  #tailBackoff = 1;

  /** The controller keeps the records of packets; one that comes after it must share them. */
  constructor(sink: VerdictSink, rate: RateController, cells = connectionCells()) {
    this.#sink = sink;
    this.#records = rate.records;
    this.#values = cells;
    this.rtt = new RttEstimator(cells);
    this.#rate = rate;
  }

  /** As a fresh reading. */
  get statistics(): SentStatistics {
    const values = this.#values;
    return {
      acked: values[At.acked]!,
      lost: values[At.lost]!,
      spuriousLosses: values[At.spuriousLosses]!,
      abandoned: values[At.abandoned]!,
    };
  }

  /** Share of recent packets that were lost, 0 to 1. */
  get lossShare(): number {
    return this.#values[At.lossShare]!;
  }

  /** Sequence of the next packet. */
  get next(): number {
    return this.#next;
  }

  /** Newest packet of which the peer said that it has it, -1 = none. */
  get newestAcked(): number {
    return this.#newestAcked;
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
    return this.#records[sentRecord(sequence) + Sent.sizeBytes]! - PATH_HEADER_BYTES;
  }

  /** The path is another one, under a new controller. Packets under way get their verdicts, but say nothing of it. */
  restart(rate: RateController): void {
    this.#rate = rate;
    this.rtt.restart();
    for (let slot = 0; slot < SENT_WINDOW; slot++) {
      this.#records[sentRecord(slot) + Sent.tells] = Tells.nothing;
    }
    this.#values[At.lossShare] = 0;
    this.#values[At.peerDelay] = 0;
    this.#values[At.margin] = 0;
    this.#values[At.tailMargin] = 0;
    this.#tailBackoff = 1;
  }

  /**
   * Takes the next sequence for a packet that leaves to see whether it arrives. It gets a verdict, but its loss says
   * nothing of the path: no rate, no loss share and no timer learns of it.
   */
  sentProbe(nowMs: number, sizeBytes: number): void {
    const sequence = this.#take(nowMs, sizeBytes, 0, 0, true, Tells.roundTrip);
    this.#rate.sent(nowMs, slotOf(sequence), sizeBytes + PATH_HEADER_BYTES, false);
  }

  /** Takes the next sequence for a packet that leaves on another path. It gets a verdict, and tells nothing else. */
  sentElsewhere(nowMs: number, sizeBytes: number): void {
    this.#take(nowMs, sizeBytes, 0, 0, true, Tells.nothing);
  }

  /**
   * Takes the next sequence for a packet of `sizeBytes` that leaves now. `low` and `high` = mask of the channels that
   * wrote, ids 0 to 31 and 32 to 63; eliciting = wants a verdict.
   */
  sent(nowMs: number, sizeBytes: number, low: number, high: number, eliciting: boolean): void {
    const sequence = this.#take(nowMs, sizeBytes, low, high, eliciting, Tells.all);
    this.#rate.sent(nowMs, slotOf(sequence), sizeBytes + PATH_HEADER_BYTES, eliciting);
  }

  /** Takes the next sequence, and returns it. */
  #take(
    nowMs: number,
    sizeBytes: number,
    low: number,
    high: number,
    eliciting: boolean,
    tells: number,
  ): number {
    const sequence = this.#next++;
    const records = this.#records;
    const record = sentRecord(sequence);
    if (records[record + Sent.state] === State.inFlight) {
      this.#lose(nowMs, sequence - SENT_WINDOW, State.lost);
    }
    records[record + Sent.atMs] = nowMs;
    records[record + Sent.sizeBytes] = sizeBytes + PATH_HEADER_BYTES;
    records[record + Sent.state] = eliciting ? State.inFlight : State.quiet;
    records[record + Sent.tells] = tells;
    records[record + Sent.low] = low;
    records[record + Sent.high] = high;
    if (eliciting) this.#inFlight++;
    return sequence;
  }

  /** Applies an ack block; false = it names a packet that was never sent, so it is a lie. */
  receive(nowMs: number, block: AckBlock): boolean {
    if (!block.present) return true;
    const ack = expandSequence(block.wireAck, this.#next - 1);
    if (ack < 0 || ack >= this.#next) return false;
    const sampled = this.#sampleRtt(nowMs, ack, block);
    if (ack > this.#newestAcked) this.#newestAcked = ack;
    this.#ack(nowMs, ack);
    const reach = Math.min(block.reach, ack - this.#firstUnnamed());
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
    const lossDelayMs = this.rtt.lossDelayMs + this.#values[At.margin]!;
    const tailDelayMs = this.#tailDelayMs();
    let silent = false;
    for (let sequence = this.#oldest; sequence < this.#next; sequence++) {
      const record = sentRecord(sequence);
      if (this.#records[record + Sent.state] !== State.inFlight) continue;
      const overtaken = sequence < this.#newestAcked;
      // The same sum as in wakeAt, so that rounding cannot let one of them see it earlier than the other.
      const delayMs = overtaken ? lossDelayMs : tailDelayMs;
      if (nowMs < this.#records[record + Sent.atMs]! + delayMs) {
        if (overtaken) continue;
        break;
      }
      silent ||= !overtaken && this.#records[record + Sent.tells] === Tells.all;
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
    this.#values[At.abandoned]! += this.#inFlight;
    this.#inFlight = 0;
    for (let slot = 0; slot < SENT_WINDOW; slot++) {
      this.#records[sentRecord(slot) + Sent.state] = State.none;
    }
  }

  /** When `detectLosses` next has something to do. */
  wakeAt(): number {
    if (this.#inFlight === 0) return Number.POSITIVE_INFINITY;
    const sentAtMs = this.#records[sentRecord(this.#oldest) + Sent.atMs]!;
    const overtaken = this.#oldest < this.#newestAcked;
    const lossDelayMs = this.rtt.lossDelayMs + this.#values[At.margin]!;
    return sentAtMs + (overtaken ? lossDelayMs : this.#tailDelayMs());
  }

  #tailDelayMs(): number {
    const lossDelayMs = this.rtt.lossDelayMs + this.#values[At.tailMargin]!;
    const onceMs = lossDelayMs + Math.max(PEER_ACK_DELAY_MS, this.#values[At.peerDelay]!);
    return Math.max(onceMs, Math.min(onceMs * this.#tailBackoff, TAIL_DELAY_MAX_MS));
  }

  /** True = the round trip was measured. */
  #sampleRtt(nowMs: number, ack: number, block: AckBlock): boolean {
    const record = sentRecord(ack);
    if (!this.#remembers(ack) || this.#records[record + Sent.tells] === Tells.nothing) return false;
    const state = this.#records[record + Sent.state];
    // A late ack counts as well: each packet has a sequence of its own, so there is no doubt which was acked,
    // and without it a path slower than the first guess would stay unknown for ever.
    if (state === State.none || state === State.acked) return false;
    // Nobody hurries to ack a packet that asks for none: where the delay is cut off, the rest would count as way.
    if (state === State.quiet && block.delayMs >= DELAY_MS_MAX) return false;
    this.rtt.sample(nowMs, this.#records, record + Sent.atMs, block);
    const seen = this.#values[At.peerDelay]! * PEER_DELAY_DECAY;
    this.#values[At.peerDelay] = Math.max(seen, state === State.quiet ? 0 : block.delayMs);
    return true;
  }

  #ack(nowMs: number, sequence: number): void {
    if (!this.#remembers(sequence)) return;
    const records = this.#records;
    const record = sentRecord(sequence);
    const state = records[record + Sent.state]!;
    const tellsAll = records[record + Sent.tells] === Tells.all;
    // Settled before anybody is told: whatever the sink does, there is no second verdict.
    records[record + Sent.state] = State.acked;
    const lost = state === State.lost || state === State.overdue;
    if (lost && tellsAll) this.#late(nowMs, sequence, state);
    if (state === State.inFlight) {
      this.#values[At.margin]! *= MARGIN_DECAY;
      this.#values[At.tailMargin]! *= MARGIN_DECAY;
      this.#inFlight--;
      this.#tailBackoff = 1;
      this.#values[At.acked]!++;
      if (tellsAll) {
        this.#values[At.lossShare]! *= 1 - LOSS_SMOOTHING;
        this.#rate.acked(nowMs, slotOf(sequence));
      }
      this.#sink.acked(sequence, records[record + Sent.low]!, records[record + Sent.high]!);
    }
  }

  /** The packet had been called lost too early. */
  #late(nowMs: number, sequence: number, state: number): void {
    this.#values[At.spuriousLosses]!++;
    const values = this.#values;
    const margin = state === State.overdue ? At.tailMargin : At.margin;
    const sentAtMs = this.#records[sentRecord(sequence) + Sent.atMs]!;
    const over = nowMs - sentAtMs - this.rtt.lossDelayMs;
    values[margin] = Math.max(values[margin]!, Math.min(MARGIN_MAX_MS, over));
    this.#rate.late(nowMs, slotOf(sequence));
  }

  #lose(nowMs: number, sequence: number, how: number): void {
    const records = this.#records;
    const record = sentRecord(sequence);
    records[record + Sent.state] = how;
    this.#inFlight--;
    this.#values[At.lost]!++;
    if (records[record + Sent.tells] === Tells.all) {
      this.#values[At.lossShare]! += (1 - this.#values[At.lossShare]!) * LOSS_SMOOTHING;
      this.#rate.lost(nowMs, slotOf(sequence));
    }
    this.#sink.lost(sequence, records[record + Sent.low]!, records[record + Sent.high]!);
  }

  /** Moves `#oldest` to the first packet in flight, or to `#next`. */
  #skipResolved(): void {
    if (this.#next - this.#oldest > SENT_WINDOW) this.#oldest = this.#next - SENT_WINDOW;
    while (
      this.#oldest < this.#next &&
      this.#records[sentRecord(this.#oldest) + Sent.state] !== State.inFlight
    ) {
      this.#oldest++;
    }
  }

  /** Moves `#unnamed` on, and returns it: mostly a packet or two behind the newest, so that few bits are looked at. */
  #firstUnnamed(): number {
    if (this.#next - this.#unnamed > SENT_WINDOW) this.#unnamed = this.#next - SENT_WINDOW;
    while (
      this.#unnamed < this.#next &&
      this.#records[sentRecord(this.#unnamed) + Sent.state] === State.acked
    ) {
      this.#unnamed++;
    }
    return this.#unnamed;
  }

  /** Whether a packet that was sent is not too long ago. */
  #remembers(sequence: number): boolean {
    return sequence >= this.#next - SENT_WINDOW;
  }
}

/** What the rate controller knows a packet by. */
function slotOf(sequence: number): number {
  return sequence & (SENT_WINDOW - 1);
}
