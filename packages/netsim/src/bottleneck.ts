// The queue of a link for bandwidth: when a datagram has left it, and whom it drops when it is full.
//
//   left | being sent | waits | waits | ... | waits | newcomer
//                       ^ 'head' drops this one       ^ 'tail' drops this one
//
// Everything leaves in the order it came, so the time at which the last one leaves is all that 'tail' needs.
// With 'head' those that wait stand in a ring; when one is dropped, all behind it leave earlier by the time that it
// would have taken. What the link has lost by chance stands there too, since it takes bandwidth.

import type { Carrier, InFlight } from './in-flight.ts';
import type { LinkCounters } from './link-counters.ts';
import type { ResolvedLink } from './link-options.ts';

/** Places in the ring at first. It doubles as needed, up to what `queueBytes` holds of empty datagrams. */
const RING_START = 64;
const NOBODY = -1;

// Where a time stands in Bottleneck.timesMs.
/** When the last bit of the newcomer leaves. */
export const DEPARTS = 0;
/** When the newcomer comes out. */
export const DUE = 1;
const STARTS = 2;
const BUSY_UNTIL = 3;
/** When the latest one comes out of those whose order is kept; and before the newcomer. */
const LATEST_DUE = 4;
const FLOOR = 5;
/** Until when a newcomer would have to wait, as {@link Bottleneck.depart} weighs it. */
const WAITS_UNTIL = 6;

/** The queue before one link. */
export class Bottleneck {
  /** Times in ms, at {@link DEPARTS} and so on: numbers passed through calls would be made anew for each datagram. */
  readonly timesMs = new Float64Array(7);

  readonly #inFlight: InFlight;
  readonly #carrier: Carrier;
  readonly #counters: LinkCounters;
  #ring: Ring | undefined;
  #head = 0;
  #count = 0;

  /** @param carrier names the datagrams of the link in the storage. */
  constructor(inFlight: InFlight, carrier: Carrier, counters: LinkCounters) {
    this.#inFlight = inFlight;
    this.#carrier = carrier;
    this.#counters = counters;
    this.timesMs[BUSY_UNTIL] = Number.NEGATIVE_INFINITY;
    this.timesMs[LATEST_DUE] = Number.NEGATIVE_INFINITY;
  }

  /** How long a datagram sent now would wait for bandwidth, in ms. */
  queueMs(nowMs: number): number {
    return Math.max(0, this.timesMs[BUSY_UNTIL]! - nowMs);
  }

  /** Lets a newcomer in and writes {@link DEPARTS}; may drop others for it. False: the queue cannot take it. */
  depart(nowMs: number, wireBytes: number, options: ResolvedLink): boolean {
    const { rateKbps, queuePolicy } = options;
    const times = this.timesMs;
    times[DEPARTS] = nowMs;
    if (rateKbps === Number.POSITIVE_INFINITY) return true;
    if (queuePolicy === 'head') this.#makeRoom(nowMs, wireBytes, options);
    times[WAITS_UNTIL] = times[BUSY_UNTIL]!;
    if (!this.#fits(nowMs, wireBytes, options)) return false;
    times[STARTS] = Math.max(nowMs, times[BUSY_UNTIL]!);
    // kbit/s are bits per ms.
    times[DEPARTS] = times[STARTS]! + (wireBytes * 8) / rateKbps;
    times[BUSY_UNTIL] = times[DEPARTS]!;
    return true;
  }

  /** Puts off {@link DUE} if the newcomer would overtake. */
  keepOrder(): void {
    const times = this.timesMs;
    times[FLOOR] = times[LATEST_DUE]!;
    times[DUE] = Math.max(times[DUE]!, times[FLOOR]!);
    times[LATEST_DUE] = times[DUE]!;
  }

  /**
   * Remembers the newcomer that {@link depart} has let in, so that it can be dropped later.
   * @param slot where it is stored, -1 = it was lost; @param copySlot where its copy is, -1 = it has none.
   */
  remember(slot: number, copySlot: number, order: number, options: ResolvedLink): void {
    if (options.queuePolicy !== 'head' || options.rateKbps === Number.POSITIVE_INFINITY) return;
    this.#ring ??= new Ring(RING_START);
    if (this.#count === this.#ring.size) this.#grow();
    const ring = this.#ring;
    const at = (this.#head + this.#count++) % ring.size;
    ring.slot[at] = slot;
    ring.copySlot[at] = copySlot;
    ring.order[at] = order;
    ring.startMs[at] = this.timesMs[STARTS]!;
    ring.departsMs[at] = this.timesMs[DEPARTS]!;
    ring.floorMs[at] = options.inOrder ? this.timesMs[FLOOR]! : Number.NEGATIVE_INFINITY;
  }

  /** Lets go of all that waits: it leaves when it was to leave, and can no longer be dropped. */
  forget(): void {
    this.#count = 0;
  }

  /** Drops the oldest that wait until the newcomer fits; nobody if that would not help. */
  #makeRoom(nowMs: number, wireBytes: number, options: ResolvedLink): void {
    const ring = this.#ring;
    if (ring === undefined) return;
    this.#forgetSent(ring, nowMs);
    if (this.#count === 0) return;
    const times = this.timesMs;
    times[WAITS_UNTIL] = ring.startMs[this.#head]!;
    if (!this.#fits(nowMs, wireBytes, options)) return;
    while (this.#count > 0) {
      times[WAITS_UNTIL] = times[BUSY_UNTIL]!;
      if (this.#fits(nowMs, wireBytes, options)) return;
      this.#dropOldest(ring);
    }
  }

  /** Whether there is room for a newcomer that waits until {@link WAITS_UNTIL}. */
  #fits(nowMs: number, wireBytes: number, options: ResolvedLink): boolean {
    const waitMs = Math.max(0, this.timesMs[WAITS_UNTIL]! - nowMs);
    // Half a byte of tolerance, since the backlog is a rounded difference of times.
    return (waitMs * options.rateKbps) / 8 + wireBytes <= options.queueBytes + 0.5;
  }

  /** Forgets those that no longer wait: their first bit has left, or whoever takes datagrams out took them early. */
  #forgetSent(ring: Ring, nowMs: number): void {
    while (this.#count > 0) {
      const at = this.#head;
      const slot = ring.slot[at]!;
      const isThere = slot === NOBODY || this.#waits(slot, ring.order[at]!);
      if (ring.startMs[at]! > nowMs && isThere) return;
      this.#forgetOldest(ring);
    }
  }

  #forgetOldest(ring: Ring): void {
    this.#head = (this.#head + 1) % ring.size;
    this.#count--;
  }

  /** Drops the oldest and lets those behind it leave earlier. */
  #dropOldest(ring: Ring): void {
    const at = this.#head;
    this.#forgetOldest(ring);
    this.#moveUp(ring, at);
    // Last, since whoever hears of the drop may meddle with the link.
    this.#end(ring.slot[at]!, ring.copySlot[at]!, ring.order[at]!);
  }

  /** Lets all that wait leave earlier by the time of the one that stood at `gap`. */
  #moveUp(ring: Ring, gap: number): void {
    const byMs = ring.departsMs[gap]! - ring.startMs[gap]!;
    const floorMs = ring.floorMs[gap]!;
    const times = this.timesMs;
    const { dueMs } = this.#inFlight;
    for (let i = 0; i < this.#count; i++) {
      const at = (this.#head + i) % ring.size;
      const slot = ring.slot[at]!;
      const copySlot = ring.copySlot[at]!;
      ring.startMs[at]! -= byMs;
      ring.departsMs[at]! -= byMs;
      ring.floorMs[at] = Math.max(ring.floorMs[at]! - byMs, floorMs);
      if (this.#waits(slot, ring.order[at]!)) {
        dueMs[slot] = Math.max(dueMs[slot]! - byMs, floorMs);
        this.#inFlight.settle(slot);
      }
      if (this.#waits(copySlot, ring.order[at]!)) {
        dueMs[copySlot]! -= byMs;
        this.#inFlight.settle(copySlot);
      }
    }
    times[BUSY_UNTIL]! -= byMs;
    times[LATEST_DUE] = Math.max(times[LATEST_DUE]! - byMs, floorMs);
  }

  /** What was lost by chance has its count already. A copy is made behind the queue, so there was none. */
  #end(slot: number, copySlot: number, order: number): void {
    if (this.#waits(copySlot, order)) {
      this.#counters.duplicated--;
      this.#inFlight.cancel(copySlot);
    }
    if (this.#waits(slot, order)) {
      this.#counters.queueDropped++;
      this.#inFlight.drop(slot, 'link-queue');
    }
  }

  #waits(slot: number, order: number): boolean {
    return slot !== NOBODY && this.#inFlight.waits(slot, this.#carrier, order);
  }

  #grow(): void {
    const before = this.#ring!;
    const after = new Ring(before.size * 2);
    for (let i = 0; i < this.#count; i++) {
      after.copyFrom(before, (this.#head + i) % before.size, i);
    }
    this.#ring = after;
    this.#head = 0;
  }
}

/** Those that wait, in columns. */
class Ring {
  readonly size: number;
  readonly slot: Int32Array;
  readonly copySlot: Int32Array;
  readonly order: Float64Array;
  readonly startMs: Float64Array;
  readonly departsMs: Float64Array;
  /** When the datagram may come out at the earliest, however early it leaves. */
  readonly floorMs: Float64Array;

  constructor(size: number) {
    this.size = size;
    this.slot = new Int32Array(size);
    this.copySlot = new Int32Array(size);
    this.order = new Float64Array(size);
    this.startMs = new Float64Array(size);
    this.departsMs = new Float64Array(size);
    this.floorMs = new Float64Array(size);
  }

  copyFrom(other: Ring, from: number, to: number): void {
    this.slot[to] = other.slot[from]!;
    this.copySlot[to] = other.copySlot[from]!;
    this.order[to] = other.order[from]!;
    this.startMs[to] = other.startMs[from]!;
    this.departsMs[to] = other.departsMs[from]!;
    this.floorMs[to] = other.floorMs[from]!;
  }
}
