// Whose turn it is: channels of higher priority first; those of one priority share by weight. Within a priority each
// channel has a virtual time that moves by bytes / weight as it writes, and the one that is furthest behind goes first
// (start-time fair queueing, Goyal, Vin and Cheng 1996, with the packet as the unit). Who was idle does not save up.

import { assert } from '../wire/errors.ts';
import { CHANNELS_MAX, type Channel, type ChannelPlan } from './channel.ts';

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
  readonly #priorities = new Int32Array(CHANNELS_MAX);
  readonly #weights = new Float64Array(CHANNELS_MAX);
  readonly #virtual = new Float64Array(CHANNELS_MAX);
  /** By priority as given, for those that exist: virtual time of the last one served. */
  readonly #served = new Float64Array(CHANNELS_MAX);
  readonly #group = new Int32Array(CHANNELS_MAX);
  readonly #idle = new Uint8Array(CHANNELS_MAX).fill(1);
  readonly #lowest: number;
  /** Bytes that each channel wrote into the packet under way, by place of the note; and whose they are. */
  readonly #writtenBytes = new Int32Array(CHANNELS_MAX);
  readonly #writtenBy = new Int32Array(CHANNELS_MAX);
  #written = 0;

  constructor(plans: readonly ChannelPlan[]) {
    const channels: (Channel | undefined)[] = new Array(CHANNELS_MAX).fill(undefined);
    let low = 0;
    let high = 0;
    for (const { id, channel, priority = 0, weight = 1 } of plans) {
      assert(id >= 0 && id < CHANNELS_MAX && !channels[id], 'channel ids are unique');
      assert(weight > 0, 'a channel has a weight');
      channels[id] = channel;
      this.#priorities[id] = priority;
      this.#weights[id] = weight;
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
    for (const { id } of sorted) this.#group[id] = ranks.indexOf(this.#priorities[id]!);
    this.#lowest = ranks.length > 1 ? ranks.length - 1 : -1;
  }

  /** Whether the channel is of the lowest of several priorities: what it says can wait. */
  background(id: number): boolean {
    return this.#group[id] === this.#lowest;
  }

  /** Whether any channel has something to say. */
  pending(nowMs: number): boolean {
    for (let i = 0; i < this.count; i++) {
      if (this.channels[this.order[i]!]!.pending(nowMs)) return true;
    }
    return false;
  }

  /** The channel has nothing to say: its share goes to the others, and is not owed to it. */
  rested(id: number): void {
    this.#idle[id] = 1;
  }

  /** The channel has written so many bytes into the packet under way. */
  wrote(id: number, sizeBytes: number): void {
    this.#writtenBy[this.#written] = id;
    this.#writtenBytes[this.#written++] = sizeBytes;
  }

  /** The packet is done: who wrote into it stands in `masks`, and has had that much of its share. */
  settle(masks: Int32Array): void {
    masks.fill(0);
    for (let i = 0; i < this.#written; i++) {
      const id = this.#writtenBy[i]!;
      masks[id >> 5]! |= 1 << (id & 31);
      this.#charge(id, this.#writtenBytes[i]!);
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
    const group = this.#group[id]!;
    if (this.#idle[id] === 1) {
      this.#idle[id] = 0;
      this.#virtual[id] = Math.max(this.#virtual[id]!, this.#served[group]!);
    }
    this.#served[group] = Math.max(this.#served[group]!, this.#virtual[id]!);
    this.#virtual[id]! += sizeBytes / this.#weights[id]!;
    this.#moveBack(id);
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
    return this.#group[other] === this.#group[id] && this.#virtual[id]! >= this.#virtual[other]!;
  }
}

function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
