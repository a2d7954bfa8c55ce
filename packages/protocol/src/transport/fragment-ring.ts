// Where the fragments of the unreliable kinds become messages again: all or nothing, in memory of a fixed size.
//
// A ring of slots by fragment id. A message is known by the id of its first fragment, which every fragment tells
// (id - index), and its bytes stand at that slot, one behind the other, so a complete message is one range. A slot
// that a newer id takes ends the message that began there, and silence ends all of them: counted `incomplete`.
//
// Only 16 bits of an id travel. A fragment in a newer packet than all before has a newer id, one in an older packet an
// older id. Nothing is allocated or copied before a fragment has been checked; whoever lies about ids harms at most
// the messages that are in the ring, all of them his own.

import { type ChannelLimits, FRAGMENT_BYTES } from '../wire/channel-options.ts';
import { SequenceRing } from '../wire/sequence-ring.ts';
import { fragmentCount, type RecordHead } from './fragment.ts';
import type { MessageChannelStatistics } from './message-channel.ts';

/** Fragments before the newest that are kept, at least: late by that much, they still complete their message. */
export const FRAGMENT_SLOTS_MIN = 32;

/**
 * After so many packets without a fragment of the channel, its ids may have gone round: a packet has at most three
 * (of two fragments of a message one is full, and no packet holds two full ones). Older messages are given up then.
 */
export const FRAGMENT_SILENCE_PACKETS = 16_384;

/** After so long without a fragment of the channel nothing is missing that could still come: the rest is given up. */
export const FRAGMENT_SILENCE_MS = 5_000;

const WIRE_IDS = 0x10000;

/** See the head of the file. Keeps `incomplete` and `heldBytes` of the channel's statistics. */
export class FragmentRing {
  readonly #statistics: MessageChannelStatistics;
  readonly #fragments: number;
  readonly #ids: SequenceRing;
  /** Messages of which something is held, by the id of their first fragment, and their columns. */
  readonly #messages: SequenceRing;
  readonly #counts: Uint16Array;
  /** One more than the highest index that came. */
  readonly #reaches: Uint16Array;
  /** Fragments of the message; 0 = its last one has not come. */
  readonly #totals: Uint16Array;
  readonly #lengths: Int32Array;
  /** Packet that carried the first fragment. */
  readonly #orders: Float64Array;
  #store: Uint8Array | undefined;
  /** When a fragment was kept last. */
  readonly #keptAtMs = new Float64Array(1);
  #newest = -1;
  #newestSequence = -1;
  /** The section that is read: its packet, and what its next fragment must be; id -1 = anything. */
  #sequence = 0;
  #nextId = -1;
  #nextIndex = 0;
  #start = 0;
  #end = 0;
  #order = 0;

  constructor(limits: ChannelLimits, statistics: MessageChannelStatistics) {
    this.#statistics = statistics;
    this.#fragments = fragmentCount(limits.messageBytes);
    // Twice the longest message: the next one may begin while a piece of it is still missing.
    let size = FRAGMENT_SLOTS_MIN;
    while (size < 2 * this.#fragments) size *= 2;
    this.#ids = new SequenceRing(size);
    this.#messages = new SequenceRing(size);
    this.#counts = new Uint16Array(size);
    this.#reaches = new Uint16Array(size);
    this.#totals = new Uint16Array(size);
    this.#lengths = new Int32Array(size);
    this.#orders = new Float64Array(size);
  }

  /** The message that `keep` just completed is bytes[start, end); valid until the next `keep`. */
  get bytes(): Uint8Array {
    return this.#store!;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** Sequence of the packet that carried the first fragment of that message. */
  get order(): number {
    return this.#order;
  }

  /** Nothing is kept any more. */
  close(): void {
    this.#store = undefined;
  }

  /** A section of packet `sequence` is read from its beginning. */
  begin(sequence: number): void {
    this.#sequence = sequence;
    this.#nextId = -1;
  }

  /** Whether the next fragment of the section may be what it says; false = malformed. Keeps nothing. */
  check(head: RecordHead): boolean {
    const id = this.#locate(head);
    return id >= head.index && (this.#outdated(id - head.index) || this.#consistent(id, head));
  }

  /** Gives up what is held if nothing has come for too long. */
  expire(nowMs: number): void {
    if (this.#statistics.heldBytes === 0) return;
    if (nowMs - this.#keptAtMs[0]! <= FRAGMENT_SILENCE_MS) return;
    for (let slot = 0; slot < this.#messages.size; slot++) this.#giveUp(slot);
  }

  /** Keeps the next fragment of a section that was checked: bytes[at..]. True = its message is complete. */
  keep(nowMs: number, head: RecordHead, bytes: Uint8Array, at: number): boolean {
    const id = this.#locate(head);
    const first = id - head.index;
    if (id > this.#newest) this.#advance(id);
    // Checked again: what came before it in the same section may contradict it.
    if (this.#outdated(first) || !this.#consistent(id, head)) return false;
    if (!this.#messages.has(first)) this.#open(first);
    this.#ids.put(id);
    this.#keptAtMs[0] = nowMs;
    this.#copy(first, head, bytes, at);
    return this.#complete(first);
  }

  /** Full id of the section's next fragment; -1 = a section has its fragments one behind the other, this has not. */
  #locate(head: RecordHead): number {
    const follows = this.#nextId >= 0;
    const id = follows ? this.#nextId : this.#expand(head.wireId);
    if (follows && (id % WIRE_IDS !== head.wireId || head.index !== this.#nextIndex)) return -1;
    this.#nextId = id + 1;
    this.#nextIndex = head.last ? 0 : head.index + 1;
    return id;
  }

  #expand(wireId: number): number {
    const newest = this.#newest;
    const packets = this.#sequence - this.#newestSequence;
    if (packets < 0) return newest - ((newest - wireId) & (WIRE_IDS - 1));
    const id = newest + ((wireId - newest) & (WIRE_IDS - 1));
    return packets > FRAGMENT_SILENCE_PACKETS ? id + WIRE_IDS : id;
  }

  /** Whether a message that began there has left the ring. */
  #outdated(first: number): boolean {
    return first <= this.#newest - this.#ids.size;
  }

  /** Whether the fragment agrees with what is known of its message. No fragment is said twice. */
  #consistent(id: number, head: RecordHead): boolean {
    if (this.#ids.has(id)) return false;
    const first = id - head.index;
    if (!this.#messages.has(first)) return true;
    const slot = this.#messages.slot(first);
    const total = this.#totals[slot]!;
    if (total > 0) return !head.last && head.index < total;
    return !head.last || head.index >= this.#reaches[slot]!;
  }

  /** `id` is the newest from now on: what began a whole ring before it, or before those between, is given up. */
  #advance(id: number): void {
    const { size } = this.#messages;
    for (let at = Math.max(this.#newest + 1, id - size + 1); at <= id; at++) {
      this.#giveUp(this.#messages.slot(at));
    }
    this.#newest = id;
    if (this.#sequence > this.#newestSequence) this.#newestSequence = this.#sequence;
  }

  #giveUp(slot: number): void {
    const first = this.#messages.tag(slot);
    if (first < 0) return;
    this.#messages.remove(first);
    this.#statistics.incomplete++;
    this.#statistics.heldBytes -= this.#lengths[slot]!;
  }

  #open(first: number): void {
    const slot = this.#messages.put(first);
    this.#counts[slot] = 0;
    this.#reaches[slot] = 0;
    this.#totals[slot] = 0;
    this.#lengths[slot] = 0;
  }

  #copy(first: number, head: RecordHead, bytes: Uint8Array, at: number): void {
    const slot = this.#messages.slot(first);
    const { index, length } = head;
    this.#counts[slot]!++;
    this.#lengths[slot]! += length;
    this.#statistics.heldBytes += length;
    if (index >= this.#reaches[slot]!) this.#reaches[slot] = index + 1;
    if (head.last) this.#totals[slot] = index + 1;
    if (index === 0) this.#orders[slot] = this.#sequence;
    // A message that begins in the last slot reaches beyond the ring: nobody else uses that part at the same time.
    const slots = this.#ids.size + this.#fragments - 1;
    this.#store ??= new Uint8Array(slots * FRAGMENT_BYTES);
    const to = (slot + index) * FRAGMENT_BYTES;
    for (let i = 0; i < length; i++) this.#store[to + i] = bytes[at + i]!;
  }

  #complete(first: number): boolean {
    const slot = this.#messages.slot(first);
    if (this.#counts[slot] !== this.#totals[slot]) return false;
    this.#messages.remove(first);
    this.#statistics.heldBytes -= this.#lengths[slot]!;
    this.#start = slot * FRAGMENT_BYTES;
    this.#end = this.#start + this.#lengths[slot]!;
    this.#order = this.#orders[slot]!;
    return true;
  }
}
