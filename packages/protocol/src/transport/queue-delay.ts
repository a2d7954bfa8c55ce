// How long packets wait in queues on the way, from round trips alone: a robust mean of the last few of them less
// the shortest of the last ten seconds, and how much of that may be noise. Knows nothing of rates but the present one.

import type { RttEstimator } from './rtt.ts';
import { PathCells, pathCells } from './state-cells.ts';

/** Round trips remembered. More than any estimate uses; a second of acks at least. */
const SAMPLES = 16;
/** Used for an estimate while nothing is known of the noise, then while starting, then afterwards: a start must end soon. */
const USED_FIRST = 5;
const USED_STARTING = 3;
const USED_MIN = 5;
const USED_MAX = 15;
/** More noise needs more samples: this many, and so many for each ms of it. */
const USED_BASE = 3;
const USED_PER_NOISE_MS = 0.3;
/** The share of samples that counts, shortest first: one stalled packet must not pass for a queue. */
const COUNTED_SHARE = 0.75;

/**
 * The shortest round trip counts for so many seconds (RFC 6817 calls it base delay): long enough that each flow
 * meets an empty queue meanwhile, short enough to follow a route that became longer.
 */
const BASE_SECONDS = 10;
/** Mean excess over the shortest round trip that is put down to others' bursts: one tick at 60 Hz ... */
const STEADY_MS = 16;
/** ... and so much for each ms of noise: the mean of jittered round trips lies above their minimum. */
const STEADY_PER_NOISE = 2;

/** Weight of one round trip in the mean change from one to the next. */
const CHANGE_WEIGHT = 1 / 24;
/**
 * Change that packets of others explain: a quarter of the time that a full packet takes at the best rate of late, at
 * most 20 ms. Hardly any while starting: the rate says nothing of the path yet, and jitter that is explained away there
 * passes for a queue and ends the start at a hundredth of the link.
 */
const EXPLAINED_PACKETS = 0.25;
const EXPLAINED_STARTING = 0.06;
const EXPLAINED_MS_MAX = 20;

/** Queue that is let be: clocks and schedulers are no better than this. */
const LIMIT_MS = 4;
/** Noise raises the limit by this, and by 4.6 standard errors of the mean, so that jitter alone hardly ever passes it. */
const LIMIT_PER_NOISE = 1.2;
const LIMIT_PER_NOISE_ERROR = 4.6;
/**
 * Slow flows may see more queue than fast ones: that is what makes flows alike (Swift, SIGCOMM 2020). At this rate
 * so many ms more, falling with the square root of the rate above it, and rising with its square below, where
 * a single packet of another flow is tens of ms.
 */
const SCALE_BYTES_PER_SECOND = 32_000;
const SCALE_MS = 6;

/** A full packet with its headers. */
export const FULL_PACKET_BYTES = 1178;

const FROM = PathCells.queue;
const At = {
  change: FROM,
  last: FROM + 1,
  mean: FROM + 2,
  meanBurst: FROM + 3,
  queue: FROM + 4,
  limit: FROM + 5,
  acked: FROM + 6,
  since: FROM + 7,
  reached: FROM + 8,
  base: FROM + 9,
  burstOfBase: FROM + 10,
  excess: FROM + 11,
  /** Of all seconds: the least excess, and the most that arrived. */
  leastExcess: FROM + 12,
  mostReached: FROM + 13,
  seconds: FROM + 14,
  samples: FROM + 54,
} as const;

/**
 * What is kept of each of the last seconds, a record each: the shortest round trip, the burst it was measured with, the
 * least excess, and the most bytes a second that arrived. What all of them say together is kept beside them, since a
 * packet changes only the present one.
 */
const Second = { base: 0, burst: 1, excess: 2, reached: 3 } as const;
const SECOND_CELLS = 4;

/**
 * What is kept of each sample, a record each: round trip, bytes of its burst up to and with it, sending, arrival, bytes
 * acked by then.
 */
const Sample = { rttMs: 0, burstBytes: 1, sentMs: 2, arrivedMs: 3, ackedBytes: 4 } as const;
const SAMPLE_CELLS = 5;

/** Where samples are sorted; needed within one call only, so one is enough for all. */
const sortedMs = new Float64Array(SAMPLES);
const sortedBurst = new Float64Array(SAMPLES);

/** The queueing delay of one direction, as its sender sees it. */
export class QueueDelay {
  readonly #values: Float64Array;
  #second: number;
  /** The record with the shortest round trip, the first of them. */
  #base: number = At.seconds;
  #next = 0;
  #held = 0;
  #fresh = 0;
  #taken = 0;

  constructor(nowMs: number, cells = pathCells()) {
    this.#values = cells;
    this.#second = Math.floor(nowMs / 1000);
    this.#values[At.since] = Number.NEGATIVE_INFINITY;
    this.forget();
  }

  /** Estimated wait in queues, ms; 0 before the first estimate. */
  get queueMs(): number {
    return this.#values[At.queue]!;
  }

  /** What noise and other flows' packets can explain, ms: a queue longer than this is ours to shorten. */
  get limitMs(): number {
    return this.#values[At.limit]!;
  }

  /** The most that arrived in the last ten seconds, bytes a second; no less than the present rate. */
  get reachedBytesPerSecond(): number {
    return this.#values[At.reached]!;
  }

  /** Whether enough round trips were seen to know the noise. */
  get settled(): boolean {
    return this.#taken >= USED_FIRST;
  }

  /** So many bytes arrived. */
  acked(sizeBytes: number): void {
    this.#values[At.acked]! += sizeBytes;
  }

  /**
   * Takes the newest round trip, that of the packet sent at sentAtMs[slot] as the last of a burst of `burstBytes`: it
   * may have waited for all of them.
   * True = it was sent after {@link clear}, so it tells of what was decided then.
   */
  sample(
    nowMs: number,
    rtt: RttEstimator,
    sentAtMs: Float64Array,
    slot: number,
    burstBytes: number,
  ): boolean {
    const rttMs = rtt.latestMs;
    const values = this.#values;
    if (this.#taken > 0) {
      const weight = Math.max(CHANGE_WEIGHT, 1 / this.#taken);
      values[At.change]! += (Math.abs(rttMs - values[At.last]!) - values[At.change]!) * weight;
    }
    values[At.last] = rttMs;
    this.#taken++;
    this.#renew(nowMs);
    const second = secondAt(this.#second);
    if (rttMs < values[second + Second.base]!) {
      values[second + Second.base] = rttMs;
      values[second + Second.burst] = burstBytes;
      const shortestMs = values[this.#base + Second.base]!;
      if (rttMs < shortestMs || (rttMs === shortestMs && second < this.#base)) this.#base = second;
    }
    const at = sampleAt(this.#next);
    this.#next = (this.#next + 1) % SAMPLES;
    values[at + Sample.rttMs] = rttMs;
    values[at + Sample.burstBytes] = burstBytes;
    values[at + Sample.sentMs] = sentAtMs[slot]!;
    values[at + Sample.arrivedMs] = sentAtMs[slot]! + rttMs;
    values[at + Sample.ackedBytes] = values[At.acked]!;
    if (this.#held < SAMPLES) this.#held++;
    if (sentAtMs[slot]! < values[At.since]!) return false;
    if (this.#fresh < SAMPLES) this.#fresh++;
    return true;
  }

  /** Estimates anew, for a flow of this rate. True = from enough samples to act on. */
  estimate(bytesPerSecond: number, starting: boolean): boolean {
    const values = this.#values;
    values[At.reached] = bytesPerSecond;
    this.#reach();
    const noiseMs = this.#noiseMs(starting);
    const wanted = this.#wanted(noiseMs, starting);
    this.#average(Math.min(wanted, this.#fresh));
    const enough = this.#fresh >= wanted;
    this.#exceed(bytesPerSecond);
    const excessMs = values[At.excess]!;
    const second = secondAt(this.#second);
    if (enough && excessMs < values[second + Second.excess]!) {
      values[second + Second.excess] = excessMs;
      values[At.leastExcess] = Math.min(values[At.leastExcess]!, excessMs);
    }
    const steadyMs = Math.min(this.#leastExcessMs(), STEADY_MS + STEADY_PER_NOISE * noiseMs);
    values[At.queue] = Math.max(0, excessMs - steadyMs);
    const scale = SCALE_BYTES_PER_SECOND / bytesPerSecond;
    values[At.limit] =
      LIMIT_MS +
      SCALE_MS * (scale > 1 ? scale * scale : Math.sqrt(scale)) +
      noiseMs * (LIMIT_PER_NOISE + LIMIT_PER_NOISE_ERROR / Math.sqrt(wanted));
    return enough;
  }

  /** From now on only packets that are yet to be sent count: something was changed. */
  clear(nowMs: number): void {
    this.#fresh = 0;
    this.#values[At.since] = nowMs;
  }

  /** The path is another one: what is measured from now on is its shortest round trip. */
  forget(): void {
    const values = this.#values;
    for (let second = 0; second < BASE_SECONDS; second++) {
      values[secondAt(second) + Second.base] = Number.POSITIVE_INFINITY;
      values[secondAt(second) + Second.excess] = Number.POSITIVE_INFINITY;
    }
    values[At.queue] = 0;
    this.#summarize();
  }

  /**
   * Bytes a second that arrived over the last `samples` round trips, at most 16; Infinity = unknown. Exact on a
   * saturated path: arrivals are told apart by send time and round trip, not by when the acks came.
   */
  arrivedBytesPerSecond(samples: number): number {
    const values = this.#values;
    const last = this.#sample(1);
    const first = this.#sample(Math.min(samples, this.#held));
    const spanMs = values[last + Sample.arrivedMs]! - values[first + Sample.arrivedMs]!;
    if (spanMs <= 0) return Number.POSITIVE_INFINITY;
    const bytes = values[last + Sample.ackedBytes]! - values[first + Sample.ackedBytes]!;
    return (bytes * 1000) / spanMs;
  }

  /**
   * Over the round trips remembered, how much longer the packets took to arrive than to be sent: above 1 we send
   * more than the path carries. Infinity = unknown.
   */
  get stretch(): number {
    const values = this.#values;
    const last = this.#sample(1);
    const first = this.#sample(this.#held);
    const sentMs = values[last + Sample.sentMs]! - values[first + Sample.sentMs]!;
    if (sentMs <= 0) return Number.POSITIVE_INFINITY;
    return (values[last + Sample.arrivedMs]! - values[first + Sample.arrivedMs]!) / sentMs;
  }

  /** Round trips change by so much from one to the next, more than packets of other flows explain. */
  #noiseMs(starting: boolean): number {
    const packetMs = (FULL_PACKET_BYTES * 1000) / this.#values[At.reached]!;
    const packets = starting ? EXPLAINED_STARTING : EXPLAINED_PACKETS;
    const explainedMs = Math.min(EXPLAINED_MS_MAX, packets * packetMs);
    return Math.max(0, this.#values[At.change]! - explainedMs);
  }

  /**
   * Keeps the most that arrived of late; acks that come in bunches must not pass for more than was sent. The rate comes
   * in and the most goes out by the column: numbers passed through calls would be boxed.
   */
  #reach(): void {
    const values = this.#values;
    const last = this.#sample(1);
    const first = this.#sample(this.#held);
    const spanMs = values[last + Sample.arrivedMs]! - values[first + Sample.arrivedMs]!;
    const bytes = values[last + Sample.ackedBytes]! - values[first + Sample.ackedBytes]!;
    const arrived = spanMs > 0 ? (bytes * 1000) / spanMs : values[At.reached]!;
    const second = secondAt(this.#second) + Second.reached;
    values[second] = Math.max(values[second]!, Math.min(values[At.reached]!, arrived));
    values[At.mostReached] = Math.max(values[At.mostReached]!, values[second]!);
    values[At.reached] = Math.max(values[At.reached]!, values[At.mostReached]!);
  }

  #wanted(noiseMs: number, starting: boolean): number {
    const least = this.settled ? (starting ? USED_STARTING : USED_MIN) : USED_FIRST;
    const noisy = Math.round(USED_BASE + USED_PER_NOISE_MS * noiseMs);
    return Math.min(USED_MAX, Math.max(least, noisy));
  }

  /** Mean of the shortest of the last `samples` round trips, sorted by insertion; and of their bursts. */
  #average(samples: number): void {
    const values = this.#values;
    for (let k = 0; k < samples; k++) {
      const from = this.#sample(1 + k);
      const rttMs = values[from + Sample.rttMs]!;
      let at = k;
      for (; at > 0 && sortedMs[at - 1]! > rttMs; at--) {
        sortedMs[at] = sortedMs[at - 1]!;
        sortedBurst[at] = sortedBurst[at - 1]!;
      }
      sortedMs[at] = rttMs;
      sortedBurst[at] = values[from + Sample.burstBytes]!;
    }
    const counted = Math.ceil(samples * COUNTED_SHARE);
    let sumMs = 0;
    let sumBytes = 0;
    for (let k = 0; k < counted; k++) {
      sumMs += sortedMs[k]!;
      sumBytes += sortedBurst[k]!;
    }
    values[At.mean] = sumMs / counted;
    values[At.meanBurst] = sumBytes / counted;
  }

  /**
   * The mean less the base. A packet waits for itself and for those that left with it or just before: as far as the
   * bursts are longer than that of the base, the difference is no queue.
   */
  #exceed(bytesPerSecond: number): void {
    const values = this.#values;
    const base = this.#base;
    this.#rebase(base, bytesPerSecond);
    const longerBytes = Math.max(0, values[At.meanBurst]! - values[base + Second.burst]!);
    const ownMs = (longerBytes * 1000) / bytesPerSecond;
    const excessMs = values[At.mean]! - values[base + Second.base]! - ownMs;
    values[At.excess] = excessMs > 0 ? excessMs : 0;
  }

  /**
   * With a shorter base the same mean is a longer excess. So the least ones of before become longer too, or on a noisy
   * path each lucky packet would make a queue of all others. What its shorter burst explains does not count.
   */
  #rebase(second: number, bytesPerSecond: number): void {
    const values = this.#values;
    const baseMs = values[second + Second.base]!;
    const burstBytes = values[second + Second.burst]!;
    const fewerBytes = Math.max(0, values[At.burstOfBase]! - burstBytes);
    const shorterMs = values[At.base]! - baseMs - (fewerBytes * 1000) / bytesPerSecond;
    values[At.base] = baseMs;
    values[At.burstOfBase] = burstBytes;
    if (shorterMs <= 0) return;
    for (let i = 0; i < BASE_SECONDS; i++) values[secondAt(i) + Second.excess]! += shorterMs;
    values[At.leastExcess]! += shorterMs;
  }

  #leastExcessMs(): number {
    const least = this.#values[At.leastExcess]!;
    return least === Number.POSITIVE_INFINITY ? 0 : least;
  }

  /** Forgets the seconds that are too long ago. */
  #renew(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const passed = Math.min(BASE_SECONDS, second - this.#second);
    const values = this.#values;
    for (let i = 0; i < passed; i++) {
      const at = secondAt(second - i);
      values[at + Second.base] = Number.POSITIVE_INFINITY;
      values[at + Second.excess] = Number.POSITIVE_INFINITY;
      values[at + Second.reached] = 0;
    }
    if (passed <= 0) return;
    this.#second = second;
    this.#summarize();
  }

  /** What all seconds say together. */
  #summarize(): void {
    const values = this.#values;
    this.#base = At.seconds;
    values[At.leastExcess] = Number.POSITIVE_INFINITY;
    values[At.mostReached] = 0;
    for (let i = 0; i < BASE_SECONDS; i++) {
      const at = secondAt(i);
      if (values[at + Second.base]! < values[this.#base + Second.base]!) this.#base = at;
      values[At.leastExcess] = Math.min(values[At.leastExcess]!, values[at + Second.excess]!);
      values[At.mostReached] = Math.max(values[At.mostReached]!, values[at + Second.reached]!);
    }
  }

  /** Where the sample begins that was taken as the last but `ago` - 1. */
  #sample(ago: number): number {
    return sampleAt((this.#next + SAMPLES - ago) % SAMPLES);
  }
}

/** Where the record of a second begins. */
function secondAt(second: number): number {
  return At.seconds + (second % BASE_SECONDS) * SECOND_CELLS;
}

function sampleAt(place: number): number {
  return At.samples + place * SAMPLE_CELLS;
}
