// Whose turn it is: channels of higher priority first; those of one priority share by weight. Within a priority each
// channel has a virtual time that moves by bytes / weight as it writes, and the one that is furthest behind goes first
// (start-time fair queueing, Goyal, Vin and Cheng 1996, with the packet as the unit). Who was idle does not save up.

import { assert } from '../wire/errors.ts';
import { CHANNELS_MAX, type Channel, type ChannelPlan } from './channel.ts';

/** The numbers of a channel, one behind the other: those of a few channels fill a cache line or two. */
const Share = { virtual: 0, weight: 1, group: 2, idle: 3, bytesOut: 4, bytesIn: 5 } as const;
/**
 * Beside them, by place: virtual time of the last channel served, of each priority that there is; of each note of who
 * wrote into the packet under way who it was and how many bytes.
 */
const Place = { served: 6, writtenBy: 7, writtenBytes: 8 } as const;
const SHARE_CELLS = 9;

/** The channels of one connection in the order in which they write. */
export class ChannelSchedule {
  /** By place in the order: {@link count} entries. Changes with {@link settle}. */
  readonly order: Int32Array;
  /** By channel id. */
  readonly channels: readonly (Channel | undefined)[];
  readonly count: number;
  /** Masks of the ids that exist, 0 to 31 and 32 to 63. */
  readonly low: number;
  readonly high: number;
  /** A record for each id up to the highest. */
  readonly #shares: Float64Array;
  readonly #lowest: number;
  /** Notes of who wrote into the packet under way. */
  #written = 0;

  constructor(plans: readonly ChannelPlan[]) {
    const channels: (Channel | undefined)[] = new Array(CHANNELS_MAX).fill(undefined);
    let low = 0;
    let high = 0;
    let records = 0;
    for (const { id, channel, weight = 1 } of plans) {
      assert(id >= 0 && id < CHANNELS_MAX && !channels[id], 'channel ids are unique');
      assert(weight > 0, 'a channel has a weight');
      channels[id] = channel;
      records = Math.max(records, id + 1);
      if (id < 32) low |= 1 << id;
      else high |= 1 << (id - 32);
    }
    this.channels = channels;
    this.count = plans.length;
    this.low = low;
    this.high = high;
    const sorted = [...plans].sort((a, b) => (b.priority ?? 0) - (a.priority ?? 0));
    this.order = Int32Array.from(sorted, (plan) => plan.id);
    const ranks = [...new Set(sorted.map((plan) => plan.priority ?? 0))];
    this.#shares = new Float64Array(records * SHARE_CELLS);
    for (const { id, priority = 0, weight = 1 } of sorted) {
      const share = id * SHARE_CELLS;
      this.#shares[share + Share.weight] = weight;
      this.#shares[share + Share.group] = ranks.indexOf(priority);
      this.#shares[share + Share.idle] = 1;
    }
    this.#lowest = ranks.length > 1 ? ranks.length - 1 : -1;
  }

  /** Whether the channel is of the lowest of several priorities: what it says can wait. */
  background(id: number): boolean {
    return this.#shares[id * SHARE_CELLS + Share.group] === this.#lowest;
  }

  /** Whether any channel has something to say. */
  pending(nowMs: number): boolean {
    for (let i = 0; i < this.count; i++) {
      if (this.channels[this.order[i]!]!.pending(nowMs)) return true;
    }
    return false;
  }

  /** The same; who has nothing to say, of those before the first that has, has {@link rested}. */
  restOrPending(nowMs: number): boolean {
    for (let i = 0; i < this.count; i++) {
      const id = this.order[i]!;
      if (this.channels[id]!.pending(nowMs)) return true;
      this.rested(id);
    }
    return false;
  }

  /** The channel has nothing to say: its share goes to the others, and is not owed to it. */
  rested(id: number): void {
    this.#shares[id * SHARE_CELLS + Share.idle] = 1;
  }

  /** Bytes that the channel wrote, since the start; 0 = there is no such channel. */
  bytesOut(id: number): number {
    return this.#shares[id * SHARE_CELLS + Share.bytesOut] ?? 0;
  }

  /** Bytes of it that were read and kept, likewise. */
  bytesIn(id: number): number {
    return this.#shares[id * SHARE_CELLS + Share.bytesIn] ?? 0;
  }

  /** So many bytes of the channel were read and kept. */
  read(id: number, sizeBytes: number): void {
    this.#shares[id * SHARE_CELLS + Share.bytesIn]! += sizeBytes;
  }

  /** The channel has written so many bytes into the packet under way. */
  wrote(id: number, sizeBytes: number): void {
    const shares = this.#shares;
    const note = this.#written++ * SHARE_CELLS;
    shares[note + Place.writtenBy] = id;
    shares[note + Place.writtenBytes] = sizeBytes;
    shares[id * SHARE_CELLS + Share.bytesOut]! += sizeBytes;
  }

  /** The packet is done: who wrote into it stands in `masks`, and has had that much of its share. */
  settle(masks: Int32Array): void {
    const shares = this.#shares;
    masks[0] = 0;
    masks[1] = 0;
    for (let i = 0; i < this.#written; i++) {
      const note = i * SHARE_CELLS;
      const id = shares[note + Place.writtenBy]!;
      masks[id >> 5]! |= 1 << (id & 31);
      this.#charge(id, shares[note + Place.writtenBytes]!);
    }
    this.#written = 0;
  }

  /** Every channel of the masks learns the fate of what it wrote under `sequence`. */
  tell(sequence: number, low: number, high: number, acked: boolean): void {
    for (let rest = low; rest !== 0; rest &= rest - 1) this.#tell(sequence, lowest(rest), acked);
    for (let rest = high; rest !== 0; rest &= rest - 1) {
      this.#tell(sequence, 32 + lowest(rest), acked);
    }
  }

  /** The connection is over for all channels. */
  close(): void {
    for (let i = 0; i < this.count; i++) this.channels[this.order[i]!]!.close();
  }

  #tell(sequence: number, id: number, acked: boolean): void {
    const channel = this.channels[id]!;
    if (acked) channel.acked(sequence);
    else channel.lost(sequence);
  }

  #charge(id: number, sizeBytes: number): void {
    const shares = this.#shares;
    const share = id * SHARE_CELLS;
    const served = shares[share + Share.group]! * SHARE_CELLS + Place.served;
    if (shares[share + Share.idle] === 1) {
      shares[share + Share.idle] = 0;
      shares[share + Share.virtual] = Math.max(shares[share + Share.virtual]!, shares[served]!);
    }
    shares[served] = Math.max(shares[served]!, shares[share + Share.virtual]!);
    shares[share + Share.virtual]! += sizeBytes / shares[share + Share.weight]!;
    if (this.count > 1) this.#moveBack(id);
  }

  /** Moves the channel back behind those of its priority that have had less, or as much: they take turns. */
  #moveBack(id: number): void {
    const order = this.order;
    let at = order.indexOf(id);
    while (at + 1 < this.count && this.#after(id, order[at + 1]!)) {
      order[at] = order[at + 1]!;
      at++;
    }
    order[at] = id;
  }

  #after(id: number, other: number): boolean {
    const shares = this.#shares;
    const own = id * SHARE_CELLS;
    const others = other * SHARE_CELLS;
    if (shares[others + Share.group] !== shares[own + Share.group]) return false;
    return shares[own + Share.virtual]! >= shares[others + Share.virtual]!;
  }
}

function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
