// The receiving half of reliable-latest: what the newest packet said of each key.
//
// A deleted key leaves a tombstone, so that a value from an older packet does not bring it back. Tombstones go when no
// older packet can come any more, and the oldest goes sooner when a new key needs its place. Then a packet older than
// the deletion cannot be judged if it has a key that is not known: it is refused, and what is still true of it comes
// again. So values and tombstones together never take more than `keys`. A sender within its own bound always fits: what
// has a value here has a slot there, and so has everything that a newest packet speaks of.

import { ByteReader } from '../wire/bytes.ts';
import type { ChannelLimits } from '../wire/channel-options.ts';
import { Verdict } from '../wire/verdict.ts';
import { grown, KeySlots, NONE } from './key-slots.ts';
import { type MessageChannelStatistics, SinkErrors } from './message-channel.ts';
import { REPLAY_WINDOW } from './received-window.ts';

/** Gets what is new; the range is valid only during the call. When it throws: see {@link MessageSink}. */
export interface LatestSink {
  /** bytes[start, end) is the value of `key`. */
  set(key: number, bytes: Uint8Array, start: number, end: number): void;
  /** `key` had a value here and has none any more. */
  deleted(key: number): void;
}

/** The list of deleted keys, longest known first. Keys that have a value are in no list. */
const TOMBSTONES = 1;
const DELETED = -1;
/** How many the wire tells apart. */
const WIRE_REVISIONS = 0x10000;

/** See the head of the file. Keeps the receiver's share of the channel's statistics. */
export class LatestIncoming {
  readonly #limits: ChannelLimits;
  readonly #statistics: MessageChannelStatistics;
  readonly #sink: LatestSink;
  readonly #errors = new SinkErrors();
  readonly #slots: KeySlots;
  readonly #reader = new ByteReader();
  /** Columns by slot: packet and revision of what was applied last. */
  #sequences: Float64Array;
  #revisions: Uint16Array;
  #tombstones = 0;
  #newest = -1;
  #newestDeletion = -1;
  /** Newest deletion that left no tombstone. */
  #forgotten = -1;
  #closed = false;
  /** The section that was read and waits for its commit. */
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #sequence = 0;
  /** The record that was read last. */
  #key = 0;
  #revision = 0;
  #length = 0;

  constructor(limits: ChannelLimits, statistics: MessageChannelStatistics, sink: LatestSink) {
    this.#limits = limits;
    this.#statistics = statistics;
    this.#sink = sink;
    this.#slots = new KeySlots(limits.keys, TOMBSTONES);
    this.#sequences = new Float64Array(this.#slots.capacity);
    this.#revisions = new Uint16Array(this.#slots.capacity);
  }

  /** Checks the section and whether its keys have room; keeps nothing. */
  stage(bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    if (this.#closed) return Verdict.refused;
    this.#sequence = sequence;
    const verdict = this.#check(bytes, start, end);
    this.#bytes = bytes;
    this.#start = start;
    this.#end = verdict === Verdict.accepted ? end : start;
    return verdict;
  }

  /** Applies the section that was staged last; then throws what the sink threw first. */
  commit(): void {
    if (this.#sequence > this.#newest) this.#newest = this.#sequence;
    this.#forgetOutdated();
    this.#reader.reset(this.#bytes, this.#start, this.#end);
    while (this.#reader.remaining > 0 && !this.#closed) {
      this.#readRecord();
      this.#applyCarefully();
    }
    this.#end = this.#start;
    this.#errors.release();
  }

  close(): void {
    this.#closed = true;
  }

  #check(bytes: Uint8Array, start: number, end: number): Verdict {
    if (start === end) return Verdict.malformed;
    let unknown = 0;
    let buried = 0;
    this.#reader.reset(bytes, start, end);
    while (this.#reader.remaining > 0) {
      if (!this.#readRecord()) return Verdict.malformed;
      const slot = this.#slots.find(this.#key);
      if (slot === NONE) unknown++;
      else if (this.#slots.list(slot) === TOMBSTONES) buried++;
    }
    return this.#hasRoom(unknown, buried) ? Verdict.accepted : Verdict.refused;
  }

  /** Reads a record and walks over its bytes; false = malformed. */
  #readRecord(): boolean {
    const reader = this.#reader;
    this.#key = reader.varint();
    this.#revision = reader.u16();
    this.#length = reader.varint() - 1;
    if (this.#length > 0) reader.skip(this.#length);
    return !reader.failed && this.#length <= this.#limits.messageBytes;
  }

  /**
   * Whether so many keys can be added, while so many that have a tombstone may get a value again, and whether what is
   * said of them can be judged.
   */
  #hasRoom(unknown: number, buried: number): boolean {
    if (unknown === 0) return true;
    if (this.#sequence < this.#forgotten) return false;
    const known = this.#slots.count;
    if (known + unknown <= this.#limits.keys) return true;
    // Tombstones would have to go. If any may be of a newer packet, this one's own keys may be among them.
    const fits = known - this.#tombstones + unknown + buried <= this.#limits.keys;
    return fits && this.#sequence >= this.#newestDeletion;
  }

  #applyCarefully(): void {
    try {
      this.#apply();
    } catch (error) {
      this.#errors.keep(error);
    }
  }

  /** Calls the sink last: by then all is as it should be, whatever the sink does. */
  #apply(): void {
    let slot = this.#slots.find(this.#key);
    const unknown = slot === NONE;
    if (unknown) slot = this.#claim();
    else if (this.#sequence <= this.#sequences[slot]!) {
      this.#statistics.overtaken++;
      return;
    }
    const valued = !unknown && this.#slots.list(slot) !== TOMBSTONES;
    const repeated = valued && this.#repeats(slot);
    this.#sequences[slot] = this.#sequence;
    this.#revisions[slot] = this.#revision;
    if (this.#length === DELETED) this.#bury(slot, valued);
    else this.#revive(slot, repeated);
  }

  /** Whether the value is known already. A revision takes a packet, so in fewer packets they cannot go round. */
  #repeats(slot: number): boolean {
    const packets = this.#sequence - this.#sequences[slot]!;
    return this.#revisions[slot] === this.#revision && packets < WIRE_REVISIONS;
  }

  #bury(slot: number, valued: boolean): void {
    if (this.#slots.list(slot) !== TOMBSTONES) this.#tombstones++;
    this.#slots.join(TOMBSTONES, slot);
    if (this.#sequence > this.#newestDeletion) this.#newestDeletion = this.#sequence;
    if (!valued) return;
    this.#statistics.delivered++;
    this.#sink.deleted(this.#key);
  }

  #revive(slot: number, repeated: boolean): void {
    if (this.#slots.list(slot) === TOMBSTONES) this.#tombstones--;
    this.#slots.leave(slot);
    if (repeated) return;
    this.#statistics.delivered++;
    this.#statistics.deliveredBytes += this.#length;
    const end = this.#reader.position;
    this.#sink.set(this.#key, this.#bytes, end - this.#length, end);
  }

  /** A slot for the record's key. If all are taken, the oldest tombstone goes. */
  #claim(): number {
    if (this.#slots.full) this.#forget(this.#slots.first(TOMBSTONES));
    const slot = this.#slots.claim(this.#key);
    const { capacity } = this.#slots;
    if (capacity > this.#sequences.length) {
      this.#sequences = grown(this.#sequences, new Float64Array(capacity));
      this.#revisions = grown(this.#revisions, new Uint16Array(capacity));
    }
    return slot;
  }

  /** Tombstones that no packet can be older than and still be received. */
  #forgetOutdated(): void {
    let slot = this.#slots.first(TOMBSTONES);
    while (slot !== NONE && this.#sequences[slot]! <= this.#newest - REPLAY_WINDOW) {
      this.#forget(slot);
      slot = this.#slots.first(TOMBSTONES);
    }
  }

  #forget(slot: number): void {
    if (this.#sequences[slot]! > this.#forgotten) this.#forgotten = this.#sequences[slot]!;
    this.#tombstones--;
    this.#slots.release(slot);
  }
}
