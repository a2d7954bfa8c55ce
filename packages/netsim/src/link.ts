// One direction of a network path as a machine: what goes in comes out late, twice, out of order, damaged or never,
// as a seed decides. A datagram passes, in this order: the MTU, the queue for bandwidth, loss, corruption, delay, and
// what stalls do to those that come out.

import { TickwireError } from '@tickwire/protocol';
import { Bottleneck, DEPARTS, DUE } from './bottleneck.ts';
import { type Carrier, InFlight, type Stall } from './in-flight.ts';
import { type LinkCounters, zeroCounters } from './link-counters.ts';
import { HEADER_BYTES, type LinkOptions, type ResolvedLink, resolveLink } from './link-options.ts';
import { Prng } from './prng.ts';

/** What became of a datagram given to {@link Link.send}. */
export const Fate = {
  /** On its way. A full queue that drops at its head and a stall may end it yet. */
  carried: 0,
  /** Lost by chance, alone or in a burst. */
  lost: 1,
  /** The queue for bandwidth was full. */
  queueDropped: 2,
  /** The simulation's own storage was full, or the datagram larger than a slot of it. */
  overflowed: 3,
  /** Larger than the path's MTU. */
  mtuDropped: 4,
} as const;

/** One of the numbers in {@link Fate}. */
export type Fate = (typeof Fate)[keyof typeof Fate];

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
  readonly counters: LinkCounters = zeroCounters();
  /** The latest stall, past ones included; undefined = there was none. */
  latestStall: Stall | undefined;

  readonly #inFlight: InFlight;
  readonly #queue: Bottleneck;
  // A stream for each question, so that changing one option leaves the other answers as they were.
  readonly #lossRandom: Prng;
  readonly #burstRandom: Prng;
  readonly #jitterRandom: Prng;
  readonly #duplicateRandom: Prng;
  readonly #reorderRandom: Prng;
  readonly #corruptRandom: Prng;
  readonly #copyCorruptRandom: Prng;
  #options: ResolvedLink;
  #bad = false;
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
    this.#queue = new Bottleneck(inFlight, this, this.counters);
    const random = new Prng(seed);
    this.#lossRandom = random.fork('loss');
    this.#burstRandom = random.fork('burst');
    this.#jitterRandom = random.fork('jitter');
    this.#duplicateRandom = random.fork('duplicate');
    this.#reorderRandom = random.fork('reorder');
    this.#corruptRandom = random.fork('corrupt');
    this.#copyCorruptRandom = random.fork('corrupt copy');
  }

  /** Replaces all options; what is on its way stays so. @throws TickwireError `option-invalid`. */
  configure(options: LinkOptions): void {
    this.#options = resolveLink(options);
    if (this.#options.queuePolicy !== 'head') this.#queue.forget();
  }

  /**
   * Lets nothing come out from `nowMs` until `untilMs`: what falls due meanwhile all comes out then, in order ('hold',
   * as a radio that has lost its base for a moment), or never ('drop'). A link has one stall at a time; a new one
   * takes the place of the last. @throws TickwireError `option-invalid`.
   */
  stall(nowMs: number, untilMs: number, outcome: Stall['outcome'] = 'hold'): void {
    const known = outcome === 'hold' || outcome === 'drop';
    if (!known || !(untilMs >= nowMs) || !Number.isFinite(untilMs)) {
      throw new TickwireError(
        'option-invalid',
        `a stall from ${nowMs} to ${untilMs} that does '${outcome}'; give finite times in order, and hold or drop`,
      );
    }
    this.latestStall = { fromMs: nowMs, untilMs, outcome };
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
    const options = this.#options;
    const delayMs = this.#delayMs(this.#jitterRandom);
    const heldMs = this.#chance(this.#reorderRandom, options.reorder) ? options.reorderMs : 0;
    const twice = this.#chance(this.#duplicateRandom, options.duplicate);
    const damage = this.#damage(this.#corruptRandom);
    const lost = this.#loses();
    const wireBytes = end - start + HEADER_BYTES;
    if (wireBytes > options.mtuBytes) {
      counters.mtuDropped++;
      return Fate.mtuDropped;
    }
    if (!this.#queue.depart(nowMs, wireBytes, options)) {
      counters.queueDropped++;
      return Fate.queueDropped;
    }
    const times = this.#queue.timesMs;
    times[DUE] = times[DEPARTS]! + delayMs;
    if (options.inOrder) this.#queue.keepOrder();
    let slot = -1;
    let copySlot = -1;
    if (lost) counters.lost++;
    else {
      this.#inFlight.nextDueMs[0] = times[DUE]! + heldMs;
      slot = this.#push(bytes, start, end, from, to, order, false, damage);
      if (twice) copySlot = this.#copy(bytes, start, end, from, to, order);
    }
    this.#queue.remember(slot, copySlot, order, options);
    return lost ? Fate.lost : Fate.carried;
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
    return this.#queue.queueMs(nowMs);
  }

  /** Counts a datagram that came out. Called by the storage. */
  landed(order: number, copy: boolean, sizeBytes: number): void {
    this.counters.delivered++;
    this.counters.deliveredBytes += sizeBytes;
    if (copy) return;
    if (order < this.#newestLanded) this.counters.reordered++;
    else this.#newestLanded = order;
  }

  /** Counts a datagram that fell due in a stall. Called by the storage. */
  cutOff(): void {
    this.counters.stallDropped++;
  }

  /** Puts one under way; returns its slot, -1 = the storage is full. */
  #push(
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
    to: number,
    order: number,
    copy: boolean,
    damage: number,
  ): number {
    const inFlight = this.#inFlight;
    if (!inFlight.pushNext(bytes, start, end, from, to, this, order, copy)) return -1;
    if (damage !== 0 && inFlight.corrupt(inFlight.newest, damage)) this.counters.corrupted++;
    return inFlight.newest;
  }

  #copy(
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
    to: number,
    order: number,
  ): number {
    const delayMs = this.#delayMs(this.#duplicateRandom);
    const damage = this.#damage(this.#copyCorruptRandom);
    this.#inFlight.nextDueMs[0] = this.#queue.timesMs[DEPARTS]! + delayMs;
    const slot = this.#push(bytes, start, end, from, to, order, true, damage);
    if (slot < 0) this.counters.overflowed++;
    else this.counters.duplicated++;
    return slot;
  }

  #loses(): boolean {
    const { loss, burstEnter, burstLeave, burstLoss } = this.#options;
    const alone = this.#chance(this.#lossRandom, loss);
    if (burstEnter === 0) return alone;
    const flips = this.#burstRandom.next() < (this.#bad ? burstLeave : burstEnter);
    if (flips) this.#bad = !this.#bad;
    return (this.#bad && this.#chance(this.#burstRandom, burstLoss)) || alone;
  }

  /** What decides which bits are flipped; 0 = none. */
  #damage(random: Prng): number {
    return this.#chance(random, this.#options.corrupt) ? random.u32() | 1 : 0;
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
