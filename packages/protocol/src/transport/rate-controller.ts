// How fast a connection may send: pure, rate-based, driven by delay. It keeps the queue of the narrowest link near
// empty, shares it with others like it, and takes neither random loss nor jitter for congestion.
//
// It grows while the application has more to say, and cuts when the queue (queue-delay.ts) is longer than noise
// explains:
//   start    by a twelfth a round trip or more, until the first sign of a queue or of loss.
//   growth   by so many bytes a second, the same for every flow, doubling each second once nothing happened for a
//            while, so that fast paths fill soon and slow ones gently (H-TCP, Leith and Shorten 2004). Far below the
//            most that arrived lately (as BBR remembers it) as at the start.
//   queue    to 0.85 to 0.93 of what arrived (delivery rate after BBR, draft-cardwell-iccrg-bbr), the less the smaller
//            the excess (Swift, SIGCOMM 2020), and for as long as it lasts to less than that, to drain. Once per
//            round trip: only packets sent after a cut can lead to the next one.
//   no help  a queue that stays whatever we do is a longer path, or not ours: it becomes the new base, the cuts are
//            taken back.
//   loss     well above the floor (loss-share.ts): to 0.9 of what arrived. So a policer without a queue is found.
//   silence  halves the rate at each timeout after the first; the next ack brings back most of it.
//   idle     an application that says less than it may keeps its rate: it does not grow, is not cut for queues that
//            are not its own, and never below a quarter more than it uses (RFC 7661).
// Equal additions and cuts in proportion make flows alike (Chiu and Jain 1989); that slow flows bear more queue than
// fast ones makes it quick.

import { LossShare } from './loss-share.ts';
import { FULL_PACKET_BYTES, QueueDelay } from './queue-delay.ts';
import { RateAt as At } from './rate-cells.ts';
import { type RateOptions, type RateReason, type RateState, resolveRate } from './rate-options.ts';
import type { RttEstimator } from './rtt.ts';
import { Sent, sentRecord, sentRecords } from './sent-packets.ts';
import { pathCells } from './state-cells.ts';

export type { RateOptions, RateReason, RateState } from './rate-options.ts';

/**
 * Share by which the rate grows in a round trip (acks' delay included) at the start, and at most ever after. On longer
 * ways, where that would take too long, by so much in a second, but no more than the third share in a round trip.
 */
const START_GROWTH = 0.08;
const START_GROWTH_PER_SECOND = 2;
const START_GROWTH_MAX = 0.5;
/** What was never seen to arrive is no ground to grow on: the rate stays below this many times what arrives. */
const GROWTH_AHEAD = 1.75;
/** Bytes a second by which it grows each second; for so long, then doubling each second. */
const GROWTH = 1200;
const STEADY_SECONDS = 2.5;

/** Below this share of the most that arrived of late it grows as at the start, unless it was cut just now. */
const REGAIN_SHARE = 0.5;
const REGAIN_QUIET_MS = 1000;

/** A cut takes this share for an excess of so many ms or more, and at least half of it. */
const CUT = 0.15;
const CUT_FULL_MS = 30;
/** What arrived is too noisy to cut to less than this share of the rate at once. */
const CUT_FLOOR = 0.5;
/** Round trips over which the arrivals are counted for a cut; 16 where jitter would lead astray. */
const ARRIVAL_SAMPLES = 8;
const ARRIVAL_SAMPLES_MAX = 16;
/** While the queue is above its limit the rate is this much lower for each ms, but no lower than this share. */
const DRAIN_PER_MS = 1 / 100;
const DRAIN_FLOOR = 0.4;
/** A queue that has fallen to this share since the last cut is draining: no further cut. */
const DRAINING = 0.8;
/** So many cuts over so long without any effect: the path has become longer. */
const VAIN_CUTS = 3;
const VAIN_MS = 2000;
/** A queue longer than at the last cut by this factor still grows: the cuts are not in vain but too small. */
const VAIN_GROWTH = 1.5;

/** After a loss cut, share of what arrived. */
const LOSS_CUT = 0.9;
/** A silence longer than this was more than a lost packet: so much of the rate comes back. */
const SILENCE_MS = 500;
const SILENCE_SHARE = 0.7;
/** An application that uses less than it may is not cut below this much of its use. */
const USE_MARGIN = 1.25;

/** Packets that take this much longer to arrive than they took to be sent fill a queue. */
const OWN_STRETCH = 1.1;

/** Weight of a flush in the share of flushes that were held back; from half of them on the rate is what limits. */
const HELD_WEIGHT = 1 / 8;
const HELD_SHARE = 0.5;
/** Acks further apart than this let the rate grow no more than this: there was no sign of anything meanwhile. */
const GROWTH_GAP_MS = 100;

/** Bursts of ours are taken to leave the bottleneck a little faster than we send, or they would never end. */
const BURST_DRAIN = 1.25;

/** Unused credit is kept for one and a half flushes, which lie so far apart at first, and count so much at most. */
const CREDIT_FLUSHES = 1.5;
const FLUSH_GAP_MS = 1000 / 60;
const FLUSH_GAP_MS_MAX = 100;
const FLUSH_WEIGHT = 1 / 8;
/** Acks and pings leave without credit; data behind them must not wait for more than this. */
const DEBT_BYTES_MAX = 2 * FULL_PACKET_BYTES;

/** The rate of one direction of a connection. Time is monotonic milliseconds. No call allocates. */
export class RateController {
  readonly #min: number;
  readonly #max: number;
  readonly #queue: QueueDelay;
  /** Those of sent packets: see sent-packets.ts. */
  readonly records: Float64Array;
  readonly #loss: LossShare;
  readonly #values: Float64Array;
  #reason: RateReason = 'starting';
  #newest = -1;
  #starting = true;
  #startingBefore = true;
  #vainCuts = 0;
  #silences = 0;

  /**
   * @param records those of sent packets, which whoever sends may share.
   * @throws TickwireError `option-invalid`.
   */
  constructor(
    nowMs: number,
    options: RateOptions = {},
    records = sentRecords(),
    cells = pathCells(),
  ) {
    const { initialBytesPerSecond, minBytesPerSecond, maxBytesPerSecond } = resolveRate(options);
    this.#min = minBytesPerSecond;
    this.#max = maxBytesPerSecond;
    const values = cells;
    this.#values = cells;
    this.records = records;
    values[At.rate] = initialBytesPerSecond;
    values[At.credit] = FULL_PACKET_BYTES;
    values[At.flushGap] = FLUSH_GAP_MS;
    values[At.roundTrip] = 250;
    for (const at of [At.creditAt, At.flushAt, At.grownAt, At.cutAt]) values[at] = nowMs;
    this.#loss = new LossShare(cells);
    this.#queue = new QueueDelay(nowMs, cells);
  }

  /** As a fresh reading. */
  get state(): RateState {
    const queueMs = Math.round(this.#queue.queueMs);
    return { bytesPerSecond: this.bytesPerSecond, queueMs, reason: this.#reason };
  }

  /** Allowed rate, headers included. */
  get bytesPerSecond(): number {
    return Math.round(this.#allowed());
  }

  /** Whole bytes that may leave now; 0 or less = wait. A packet may leave while it is above 0, and put it into debt. */
  credit(nowMs: number): number {
    this.#earn(nowMs);
    return Math.floor(this.#values[At.credit]!);
  }

  /**
   * A packet leaves: `sizeBytes` = UDP payload and headers; `slot` = its sequence modulo SENT_WINDOW, under which
   * it is acked or lost if it is `eliciting`.
   */
  sent(nowMs: number, slot: number, sizeBytes: number, _eliciting: boolean): void {
    this.#earn(nowMs);
    const values = this.#values;
    values[At.credit] = Math.max(-DEBT_BYTES_MAX, values[At.credit]! - sizeBytes);
    values[At.burst] = this.#remaining(nowMs) + sizeBytes;
    values[At.burstAt] = nowMs;
    const record = sentRecord(slot);
    this.records[record + Sent.atMs] = nowMs;
    this.records[record + Sent.sizeBytes] = sizeBytes;
    this.records[record + Sent.burstBytes] = Math.trunc(values[At.burst]!);
  }

  /** It arrived. The packets of one ack block come newest first. */
  acked(_nowMs: number, slot: number): void {
    if (this.#newest < 0) this.#newest = slot;
    const record = sentRecord(slot);
    this.#queue.acked(this.records[record + Sent.sizeBytes]!);
    this.#loss.settle(this.records, record + Sent.atMs, false);
  }

  /** It is taken for lost. */
  lost(_nowMs: number, slot: number): void {
    this.#loss.settle(this.records, sentRecord(slot) + Sent.atMs, true);
  }

  /** It was taken for lost, and an ack names it after all. Without this call jitter looks like loss. */
  late(_nowMs: number, slot: number): void {
    if (this.#newest < 0) this.#newest = slot;
    const record = sentRecord(slot);
    this.#queue.acked(this.records[record + Sent.sizeBytes]!);
    this.#loss.correct(this.records, record + Sent.atMs);
  }

  /** An ack block was applied: decides. `sampled` = `rtt.latestMs` is new, and of the newest packet it named. */
  acknowledged(nowMs: number, rtt: RttEstimator, sampled: boolean): void {
    const slot = this.#newest;
    this.#newest = -1;
    if (slot >= 0) {
      if (this.#silences > 0) this.#hear(nowMs);
      if (sampled) this.#sample(nowMs, rtt, slot);
    }
    if (this.#loss.judge(nowMs)) this.#cutForLoss(nowMs);
    this.#grow(nowMs);
  }

  /** Packets are on their way, and nothing was heard for longer than a round trip. */
  silent(nowMs: number): void {
    const values = this.#values;
    this.#loss.restart(nowMs);
    if (this.#silences++ === 0) {
      values[At.silentSince] = nowMs;
      values[At.rateBeforeSilence] = values[At.rate]!;
      return;
    }
    values[At.rate] = Math.max(this.#min, values[At.rate]! / 2);
    this.#reason = 'silence';
  }

  /** A flush is over; `starved` = there was more to say than the credit allowed. */
  flushed(nowMs: number, starved: boolean): void {
    const values = this.#values;
    const gapMs = Math.min(FLUSH_GAP_MS_MAX, nowMs - values[At.flushAt]!);
    values[At.flushAt] = nowMs;
    values[At.flushGap]! += (gapMs - values[At.flushGap]!) * FLUSH_WEIGHT;
    values[At.held]! += ((starved ? 1 : 0) - values[At.held]!) * HELD_WEIGHT;
  }

  /** Bytes of what left before that a path no faster than we send has still to carry: its own queue, and no sign. */
  #remaining(nowMs: number): number {
    const values = this.#values;
    const carriedBytes = (nowMs - values[At.burstAt]!) * (values[At.rate]! / 1000) * BURST_DRAIN;
    return Math.max(0, values[At.burst]! - carriedBytes);
  }

  /** The rate less what the queue takes off to drain. */
  #allowed(): number {
    const values = this.#values;
    const drain = Math.max(DRAIN_FLOOR, 1 - values[At.excess]! * DRAIN_PER_MS);
    return Math.max(this.#min, values[At.rate]! * drain);
  }

  #earn(nowMs: number): void {
    const values = this.#values;
    const passedMs = nowMs - values[At.creditAt]!;
    if (passedMs <= 0) return;
    values[At.creditAt] = nowMs;
    const bytesPerMs = this.#allowed() / 1000;
    const most = Math.max(FULL_PACKET_BYTES, bytesPerMs * CREDIT_FLUSHES * values[At.flushGap]!);
    values[At.credit] = Math.min(most, values[At.credit]! + bytesPerMs * passedMs);
  }

  #limitedByRate(): boolean {
    return this.#values[At.held]! >= HELD_SHARE;
  }

  #sample(nowMs: number, rtt: RttEstimator, slot: number): void {
    const values = this.#values;
    const queue = this.#queue;
    const record = sentRecord(slot);
    values[At.roundTrip] = nowMs - this.records[record + Sent.atMs]!;
    const burstBytes = this.records[record + Sent.burstBytes]!;
    if (!queue.sample(nowMs, rtt, this.records, record + Sent.atMs, burstBytes)) return;
    const enough = queue.estimate(values[At.rate]!, this.#starting);
    const excessMs = this.#blameless() ? 0 : Math.max(0, queue.queueMs - queue.limitMs);
    if (enough || excessMs < values[At.excess]!) values[At.excess] = excessMs;
    if (!enough) return;
    if (excessMs === 0) this.#vainCuts = 0;
    else this.#congested(nowMs);
  }

  /** The application is not held back, and all that it says passes as fast as it is said: the queue is not ours. */
  #blameless(): boolean {
    return !this.#limitedByRate() && this.#queue.stretch < OWN_STRETCH;
  }

  /** The queue is longer than it may be, and that is known from packets sent since the last decision. */
  #congested(nowMs: number): void {
    const values = this.#values;
    const queueMs = this.#queue.queueMs;
    const draining = this.#vainCuts > 0 && queueMs < DRAINING * values[At.cutQueue]!;
    if (!draining) {
      if (this.#inVain(nowMs, queueMs)) return this.#acceptPath(nowMs);
      this.#cutForQueue(nowMs);
    }
    values[At.cutQueue] = queueMs;
    this.#queue.clear(nowMs);
  }

  #inVain(nowMs: number, queueMs: number): boolean {
    const values = this.#values;
    if (this.#vainCuts < VAIN_CUTS || nowMs < values[At.firstCutAt]! + VAIN_MS) return false;
    return queueMs < VAIN_GROWTH * values[At.cutQueue]!;
  }

  /** The path has become longer, or others keep its queue long: this is its base now, and the cuts were for nothing. */
  #acceptPath(nowMs: number): void {
    const values = this.#values;
    this.#queue.forget();
    this.#queue.clear(nowMs);
    this.#vainCuts = 0;
    this.#starting = this.#startingBefore;
    values[At.excess] = 0;
    values[At.rate] = Math.max(values[At.rate]!, values[At.rateBefore]!);
  }

  #cutForQueue(nowMs: number): void {
    const values = this.#values;
    const rate = values[At.rate]!;
    if (this.#vainCuts++ === 0) {
      values[At.firstCutAt] = nowMs;
      values[At.rateBefore] = rate;
      this.#startingBefore = this.#starting;
    }
    const depth = Math.min(1, Math.max(0.5, values[At.excess]! / CUT_FULL_MS));
    const arrived = Math.min(rate, this.#arrived(ARRIVAL_SAMPLES));
    const cut = Math.max(CUT_FLOOR * rate, arrived * (1 - CUT * depth));
    this.#cutTo(nowMs, Math.max(cut, this.#used()), 'queue');
  }

  #cutForLoss(nowMs: number): void {
    const arrived = this.#arrived(ARRIVAL_SAMPLES_MAX);
    this.#cutTo(nowMs, Math.max(LOSS_CUT * arrived, this.#used()), 'loss');
  }

  #cutTo(nowMs: number, bytesPerSecond: number, reason: RateReason): void {
    const values = this.#values;
    values[At.rate] = Math.max(this.#min, Math.min(values[At.rate]!, bytesPerSecond));
    values[At.cutAt] = nowMs;
    this.#starting = false;
    this.#reason = reason;
  }

  /** What the bottleneck let pass, bytes a second: what arrived, and what the path loses anyway. */
  #arrived(samples: number): number {
    return this.#queue.arrivedBytesPerSecond(samples) / (1 - this.#loss.floor);
  }

  /** What an application that is not held back needs, with a margin; 0 = it is held back. */
  #used(): number {
    return this.#limitedByRate() ? 0 : USE_MARGIN * this.#arrived(ARRIVAL_SAMPLES_MAX);
  }

  /** The silence is over. What was sent before it says nothing of the path as it is now. */
  #hear(nowMs: number): void {
    const values = this.#values;
    const long = nowMs >= values[At.silentSince]! + SILENCE_MS;
    const back = values[At.rateBeforeSilence]! * (long ? SILENCE_SHARE : 1);
    values[At.rate] = Math.max(values[At.rate]!, back);
    values[At.excess] = 0;
    values[At.cutAt] = nowMs;
    values[At.grownAt] = nowMs;
    this.#silences = 0;
    this.#vainCuts = 0;
    this.#queue.clear(nowMs);
  }

  #grow(nowMs: number): void {
    const values = this.#values;
    const seconds = Math.min(GROWTH_GAP_MS, nowMs - values[At.grownAt]!) / 1000;
    values[At.grownAt] = nowMs;
    if (this.#silences > 0 || !this.#queue.settled) return;
    if (!this.#limitedByRate()) {
      this.#reason = 'application';
      return;
    }
    const rate = values[At.rate]!;
    if (rate > GROWTH_AHEAD * this.#arrived(ARRIVAL_SAMPLES_MAX)) return;
    const fastest = rate * this.#fastestShare();
    const eager = this.#starting || this.#regaining(nowMs);
    const growth = eager ? fastest : Math.min(fastest, this.#growth(nowMs));
    values[At.rate] = Math.min(this.#max, rate + growth * seconds * this.#room());
    if (values[At.excess] === 0) this.#reason = this.#starting ? 'starting' : 'probing';
  }

  /** It is far below what arrived lately, and was not cut for a while. */
  #regaining(nowMs: number): boolean {
    const values = this.#values;
    if (nowMs < values[At.cutAt]! + REGAIN_QUIET_MS) return false;
    return values[At.rate]! < REGAIN_SHARE * this.#queue.reachedBytesPerSecond;
  }

  /** Share of itself by which the rate may grow each second. */
  #fastestShare(): number {
    const roundTripsPerSecond = 1000 / Math.max(1, this.#values[At.roundTrip]!);
    const long = Math.min(START_GROWTH_PER_SECOND, START_GROWTH_MAX * roundTripsPerSecond);
    return Math.max(START_GROWTH * roundTripsPerSecond, long);
  }

  /** Bytes a second by which the rate grows each second. */
  #growth(nowMs: number): number {
    const quietSeconds = (nowMs - this.#values[At.cutAt]!) / 1000;
    return GROWTH * 2 ** Math.max(0, quietSeconds - STEADY_SECONDS);
  }

  /** 1 = grow as usual, from half the limit of the queue on less, at the limit 0. */
  #room(): number {
    const filled = this.#queue.queueMs / Math.max(1, this.#queue.limitMs);
    return Math.min(1, Math.max(0, 2 - 2 * filled));
  }
}
