// One direction of a network path as a machine: what goes in comes out late, twice, out of order or never,
// as a seed decides. A datagram passes, in this order: the queue for bandwidth, loss, delay.

import { type Carrier, InFlight } from './in-flight.ts';
import { type LinkOptions, type ResolvedLink, resolveLink } from './link-options.ts';
import { Prng } from './prng.ts';

/** Bytes of IPv4 and UDP headers that each datagram costs on a link of limited rate. */
export const HEADER_BYTES = 28;

/** What became of a datagram given to {@link Link.send}. */
export const Fate = {
  /** On its way. */
  carried: 0,
  /** Lost by chance, alone or in a burst. */
  lost: 1,
  /** The queue for bandwidth was full. */
  queueDropped: 2,
  /** The simulation's own storage was full, or the datagram larger than a slot of it. */
  overflowed: 3,
} as const;

/** One of the numbers in {@link Fate}. */
export type Fate = (typeof Fate)[keyof typeof Fate];

/** Counts of one link since it was made. Bytes are payload: add {@link HEADER_BYTES} a datagram for the wire. */
export interface LinkCounters {
  sent: number;
  sentBytes: number;
  /** Datagrams that came out, copies included. */
  delivered: number;
  deliveredBytes: number;
  lost: number;
  /** Copies made. */
  duplicated: number;
  /** Datagrams that came out after one sent later; copies do not count. */
  reordered: number;
  queueDropped: number;
  overflowed: number;
}

/** A datagram handed over by {@link Link.poll}; bytes[start, end) is valid until the link's next call. */
export interface Delivery {
  bytes: Uint8Array;
  start: number;
  end: number;
  from: number;
  to: number;
}

/** A seeded one-way link. Time is an argument; nothing is allocated per datagram. */
export class Link implements Carrier {
  readonly counters: LinkCounters = {
    sent: 0,
    sentBytes: 0,
    delivered: 0,
    deliveredBytes: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    queueDropped: 0,
    overflowed: 0,
  };

  readonly #inFlight: InFlight;
  // A stream for each question, so that changing one option leaves the other answers as they were.
  readonly #lossRandom: Prng;
  readonly #burstRandom: Prng;
  readonly #jitterRandom: Prng;
  readonly #duplicateRandom: Prng;
  readonly #reorderRandom: Prng;
  #options: ResolvedLink;
  #bad = false;
  #busyUntilMs = Number.NEGATIVE_INFINITY;
  #newestLanded = -1;
  #lent = -1;

  /**
   * @param seed decides every chance on this link.
   * @param inFlight storage, which links may share; who shares it takes datagrams from there, not by `poll`.
   * @throws TickwireError `option-invalid`.
   */
  constructor(options: LinkOptions, seed: number, inFlight: InFlight = new InFlight()) {
    this.#options = resolveLink(options);
    this.#inFlight = inFlight;
    const random = new Prng(seed);
    this.#lossRandom = random.fork('loss');
    this.#burstRandom = random.fork('burst');
    this.#jitterRandom = random.fork('jitter');
    this.#duplicateRandom = random.fork('duplicate');
    this.#reorderRandom = random.fork('reorder');
  }

  /** Replaces all options; what is on its way stays so. @throws TickwireError `option-invalid`. */
  configure(options: LinkOptions): void {
    this.#options = resolveLink(options);
  }

  /** Takes a copy of bytes[start, end). Returns its {@link Fate}. */
  send(
    nowMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
    to: number,
  ): Fate {
    const counters = this.counters;
    const order = counters.sent++;
    counters.sentBytes += end - start;
    if (!this.#inFlight.hasRoom(end - start)) {
      counters.overflowed++;
      return Fate.overflowed;
    }
    // Everything is drawn before anything is decided, so that datagram n meets the same chances whatever
    // became of those before it.
    const { reorder, reorderMs, duplicate } = this.#options;
    const delayMs = this.#delayMs(this.#jitterRandom);
    const heldMs = this.#chance(this.#reorderRandom, reorder) ? reorderMs : 0;
    const twice = this.#chance(this.#duplicateRandom, duplicate);
    const lost = this.#loses();
    const departsMs = this.#depart(nowMs, end - start + HEADER_BYTES);
    if (departsMs < 0) {
      counters.queueDropped++;
      return Fate.queueDropped;
    }
    if (lost) {
      counters.lost++;
      return Fate.lost;
    }
    const dueMs = departsMs + delayMs + heldMs;
    this.#inFlight.push(dueMs, bytes, start, end, from, to, this, order, false);
    if (twice) {
      const copyDueMs = departsMs + this.#delayMs(this.#duplicateRandom);
      this.#copy(copyDueMs, bytes, start, end, from, to, order);
    }
    return Fate.carried;
  }

  /** When the next datagram is due; Infinity = nothing is on its way. */
  wakeAt(): number {
    return this.#inFlight.wakeAt();
  }

  /** Hands over the next datagram due by `nowMs`. False: none; `delivery` is unchanged. */
  poll(nowMs: number, delivery: Delivery): boolean {
    const inFlight = this.#inFlight;
    if (this.#lent >= 0) inFlight.release(this.#lent);
    const slot = inFlight.pop(nowMs);
    this.#lent = slot;
    if (slot < 0) return false;
    delivery.bytes = inFlight.storage;
    delivery.start = inFlight.startOf(slot);
    delivery.end = inFlight.endOf(slot);
    delivery.from = inFlight.from[slot]!;
    delivery.to = inFlight.to[slot]!;
    return true;
  }

  /** How long a datagram sent now would wait for bandwidth, in ms. */
  queueMs(nowMs: number): number {
    return Math.max(0, this.#busyUntilMs - nowMs);
  }

  /** Counts a datagram that came out. Called by the storage. */
  landed(order: number, copy: boolean, sizeBytes: number): void {
    this.counters.delivered++;
    this.counters.deliveredBytes += sizeBytes;
    if (copy) return;
    if (order < this.#newestLanded) this.counters.reordered++;
    else this.#newestLanded = order;
  }

  #copy(
    dueMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
    to: number,
    order: number,
  ): void {
    if (this.#inFlight.push(dueMs, bytes, start, end, from, to, this, order, true)) {
      this.counters.duplicated++;
    } else {
      this.counters.overflowed++;
    }
  }

  /** When the last bit has left the queue, or -1 when the queue cannot take it. */
  #depart(nowMs: number, wireBytes: number): number {
    const { rateKbps, queueBytes } = this.#options;
    if (rateKbps === Number.POSITIVE_INFINITY) return nowMs;
    // kbit/s are bits per ms. Half a byte of tolerance, since the backlog is a rounded difference of times.
    const backlogBytes = (this.queueMs(nowMs) * rateKbps) / 8;
    if (backlogBytes + wireBytes > queueBytes + 0.5) return -1;
    this.#busyUntilMs = Math.max(nowMs, this.#busyUntilMs) + (wireBytes * 8) / rateKbps;
    return this.#busyUntilMs;
  }

  #loses(): boolean {
    const { loss, burstEnter, burstLeave, burstLoss } = this.#options;
    const alone = this.#chance(this.#lossRandom, loss);
    if (burstEnter === 0) return alone;
    const flips = this.#burstRandom.next() < (this.#bad ? burstLeave : burstEnter);
    if (flips) this.#bad = !this.#bad;
    return (this.#bad && this.#chance(this.#burstRandom, burstLoss)) || alone;
  }

  #delayMs(random: Prng): number {
    const { latencyMs, jitterMs } = this.#options;
    if (jitterMs === 0) return latencyMs;
    return Math.max(0, latencyMs + (random.next() * 2 - 1) * jitterMs);
  }

  #chance(random: Prng, fraction: number): boolean {
    return fraction > 0 && random.next() < fraction;
  }
}
