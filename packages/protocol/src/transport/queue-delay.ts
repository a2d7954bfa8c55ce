// How long packets wait in queues on the way, from round trips alone: a robust mean of the last few of them less
// the shortest of the last ten seconds, and how much of that may be noise. Knows nothing of rates but the present one.

import type { RttEstimator } from './rtt.ts';

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

const At = {
  change: 0,
  last: 1,
  mean: 2,
  meanBurst: 3,
  queue: 4,
  limit: 5,
  acked: 6,
  since: 7,
  reached: 8,
  base: 9,
  burstOfBase: 10,
  excess: 11,
} as const;

/** The queueing delay of one direction, as its sender sees it. */
export class QueueDelay {
  // Columns of the ring: round trip, sending, arrival, bytes acked by then, bytes of its burst up to and with it.
  readonly #rttMs = new Float64Array(SAMPLES);
  readonly #sentMs = new Float64Array(SAMPLES);
  readonly #arrivedMs = new Float64Array(SAMPLES);
  readonly #ackedBytes = new Float64Array(SAMPLES);
  readonly #burstBytes = new Float64Array(SAMPLES);
  readonly #sortedMs = new Float64Array(SAMPLES);
  readonly #sortedBurst = new Float64Array(SAMPLES);
  // For each of the last seconds the shortest round trip, the burst it was measured with, the least excess, and the most
  // bytes a second that arrived.
  readonly #baseMs = new Float64Array(BASE_SECONDS);
  readonly #baseBurst = new Float64Array(BASE_SECONDS);
  readonly #excessMs = new Float64Array(BASE_SECONDS);
  readonly #reached = new Float64Array(BASE_SECONDS);
  readonly #values = new Float64Array(12);
  #second: number;
  #next = 0;
  #held = 0;
  #fresh = 0;
  #taken = 0;

  constructor(nowMs: number) {
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
    const second = this.#second % BASE_SECONDS;
    if (rttMs < this.#baseMs[second]!) {
      this.#baseMs[second] = rttMs;
      this.#baseBurst[second] = burstBytes;
    }
    const at = this.#next;
    this.#next = (at + 1) % SAMPLES;
    this.#rttMs[at] = rttMs;
    this.#sentMs[at] = sentAtMs[slot]!;
    this.#arrivedMs[at] = sentAtMs[slot]! + rttMs;
    this.#ackedBytes[at] = values[At.acked]!;
    this.#burstBytes[at] = burstBytes;
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
    const second = this.#second % BASE_SECONDS;
    if (enough && excessMs < this.#excessMs[second]!) this.#excessMs[second] = excessMs;
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
    this.#baseMs.fill(Number.POSITIVE_INFINITY);
    this.#excessMs.fill(Number.POSITIVE_INFINITY);
    this.#values[At.queue] = 0;
  }

  /**
   * Bytes a second that arrived over the last `samples` round trips, at most 16; Infinity = unknown. Exact on a
   * saturated path: arrivals are told apart by send time and round trip, not by when the acks came.
   */
  arrivedBytesPerSecond(samples: number): number {
    const last = (this.#next + SAMPLES - 1) % SAMPLES;
    const first = (this.#next + SAMPLES - Math.min(samples, this.#held)) % SAMPLES;
    const spanMs = this.#arrivedMs[last]! - this.#arrivedMs[first]!;
    if (spanMs <= 0) return Number.POSITIVE_INFINITY;
    return ((this.#ackedBytes[last]! - this.#ackedBytes[first]!) * 1000) / spanMs;
  }

  /**
   * Over the round trips remembered, how much longer the packets took to arrive than to be sent: above 1 we send
   * more than the path carries. Infinity = unknown.
   */
  get stretch(): number {
    const last = (this.#next + SAMPLES - 1) % SAMPLES;
    const first = (this.#next + SAMPLES - this.#held) % SAMPLES;
    const sentMs = this.#sentMs[last]! - this.#sentMs[first]!;
    if (sentMs <= 0) return Number.POSITIVE_INFINITY;
    return (this.#arrivedMs[last]! - this.#arrivedMs[first]!) / sentMs;
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
    const last = (this.#next + SAMPLES - 1) % SAMPLES;
    const first = (this.#next + SAMPLES - this.#held) % SAMPLES;
    const spanMs = this.#arrivedMs[last]! - this.#arrivedMs[first]!;
    const bytes = this.#ackedBytes[last]! - this.#ackedBytes[first]!;
    const arrived = spanMs > 0 ? (bytes * 1000) / spanMs : values[At.reached]!;
    const second = this.#second % BASE_SECONDS;
    const most = Math.max(this.#reached[second]!, Math.min(values[At.reached]!, arrived));
    this.#reached[second] = most;
    for (let i = 0; i < BASE_SECONDS; i++) {
      if (this.#reached[i]! > values[At.reached]!) values[At.reached] = this.#reached[i]!;
    }
  }

  #wanted(noiseMs: number, starting: boolean): number {
    const least = this.settled ? (starting ? USED_STARTING : USED_MIN) : USED_FIRST;
    const noisy = Math.round(USED_BASE + USED_PER_NOISE_MS * noiseMs);
    return Math.min(USED_MAX, Math.max(least, noisy));
  }

  /** Mean of the shortest of the last `samples` round trips, sorted by insertion; and of their bursts. */
  #average(samples: number): void {
    const sorted = this.#sortedMs;
    const bursts = this.#sortedBurst;
    for (let k = 0; k < samples; k++) {
      const from = (this.#next + SAMPLES - 1 - k) % SAMPLES;
      const rttMs = this.#rttMs[from]!;
      let at = k;
      for (; at > 0 && sorted[at - 1]! > rttMs; at--) {
        sorted[at] = sorted[at - 1]!;
        bursts[at] = bursts[at - 1]!;
      }
      sorted[at] = rttMs;
      bursts[at] = this.#burstBytes[from]!;
    }
    const counted = Math.ceil(samples * COUNTED_SHARE);
    let sumMs = 0;
    let sumBytes = 0;
    for (let k = 0; k < counted; k++) {
      sumMs += sorted[k]!;
      sumBytes += bursts[k]!;
    }
    this.#values[At.mean] = sumMs / counted;
    this.#values[At.meanBurst] = sumBytes / counted;
  }

  /**
   * The mean less the base. A packet waits for itself and for those that left with it or just before: as far as the
   * bursts are longer than that of the base, the difference is no queue.
   */
  #exceed(bytesPerSecond: number): void {
    let at = 0;
    for (let i = 1; i < BASE_SECONDS; i++) if (this.#baseMs[i]! < this.#baseMs[at]!) at = i;
    this.#rebase(at, bytesPerSecond);
    const longerBytes = Math.max(0, this.#values[At.meanBurst]! - this.#baseBurst[at]!);
    const ownMs = (longerBytes * 1000) / bytesPerSecond;
    const excessMs = this.#values[At.mean]! - this.#baseMs[at]! - ownMs;
    this.#values[At.excess] = excessMs > 0 ? excessMs : 0;
  }

  /**
   * With a shorter base the same mean is a longer excess. So the least ones of before become longer too, or on a noisy
   * path each lucky packet would make a queue of all others. What its shorter burst explains does not count.
   */
  #rebase(second: number, bytesPerSecond: number): void {
    const values = this.#values;
    const baseMs = this.#baseMs[second]!;
    const burstBytes = this.#baseBurst[second]!;
    const fewerBytes = Math.max(0, values[At.burstOfBase]! - burstBytes);
    const shorterMs = values[At.base]! - baseMs - (fewerBytes * 1000) / bytesPerSecond;
    values[At.base] = baseMs;
    values[At.burstOfBase] = burstBytes;
    if (shorterMs <= 0) return;
    for (let i = 0; i < BASE_SECONDS; i++) this.#excessMs[i]! += shorterMs;
  }

  #leastExcessMs(): number {
    let least = this.#excessMs[0]!;
    for (let i = 1; i < BASE_SECONDS; i++)
      if (this.#excessMs[i]! < least) least = this.#excessMs[i]!;
    return least === Number.POSITIVE_INFINITY ? 0 : least;
  }

  /** Forgets the seconds that are too long ago. */
  #renew(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const passed = Math.min(BASE_SECONDS, second - this.#second);
    for (let i = 0; i < passed; i++) {
      this.#baseMs[(second - i) % BASE_SECONDS] = Number.POSITIVE_INFINITY;
      this.#excessMs[(second - i) % BASE_SECONDS] = Number.POSITIVE_INFINITY;
      this.#reached[(second - i) % BASE_SECONDS] = 0;
    }
    if (passed > 0) this.#second = second;
  }
}
