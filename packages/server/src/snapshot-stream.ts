// Writes one session's snapshots: its own entities first and whole, then whatever its acked state lacks, oldest
// debt first, each as a change against what it acked or as a whole. Layout: protocol's replication/snapshot.ts.

import {
  BASELINE_TICKS_MAX,
  BitWriter,
  type Frame,
  GROUP_HEAD_BITS_MAX,
  RECORD_HEAD_BITS_MAX,
  type RecordCodec,
  SNAPSHOT_HEAD_BITS_MAX,
  SnapshotHead,
  type Table,
  varBits,
  writeChangeHead,
  writeGroupHead,
  writeGroupsEnd,
  writeWholeHead,
} from '@tickwire/protocol';
import type { InputBuffer } from './input-buffer.ts';
import { KnownEntities } from './known-entities.ts';
import { RecordCache } from './record-cache.ts';
import { GONE, SentRecords } from './sent-records.ts';

/** What a snapshot is made from: the tables of a match and their history. `World` has this form. */
export interface SnapshotSource {
  readonly tables: readonly Table[];
  /** The tick that was simulated last. */
  readonly tick: number;
  history(archetype: number, tick: number): Frame | undefined;
}

/** Packets of one snapshot, at most; what does not fit waits for the next, with more priority. */
export const SNAPSHOT_PACKETS_MAX = 2;

/** A place is archetype and slot in one number. */
const SLOT_BITS = 16;
const SLOT_MASK = 0xffff;
/** Own entities outrank any age, and so does what the client still takes for its own. */
const OWN_PRIORITY = Number.MAX_SAFE_INTEGER;
/** Gone ids that a packet repeats, at most; the rest waits. */
const GONE_PER_PACKET_MAX = 64;
/** Ends that may be untold beyond the number of rows there can be. */
const GONE_SPARE = 256;

/** See the head of the file. */
export class SnapshotStream {
  readonly #source: SnapshotSource;
  readonly #codecs: readonly RecordCodec[];
  readonly #known: readonly KnownEntities[];
  readonly #shared: RecordCache;
  readonly #records = new SentRecords();
  readonly #head = new SnapshotHead();
  readonly #bits = new BitWriter();
  readonly #measure = new BitWriter();
  readonly #measureBytes: Uint8Array;
  /** Entities that differ, (archetype << SLOT_BITS) | slot, ascending by id within an archetype; 0 to #count. */
  readonly #places: Int32Array;
  readonly #priorities: Float64Array;
  readonly #chosen: Uint8Array;
  readonly #sizes: Int32Array;
  readonly #byPriority: Int32Array;
  readonly #gone: Uint32Array;
  #goneCount = 0;
  /** Something differs that could not even be collected. */
  #blocked = false;
  #count = 0;
  #packetsLeft = 0;
  #firstPacket = false;
  #tick = -1;
  #owner = 0;

  /** `owner` = the mark of the session's own rows in Table.owners; `shared` = what all sessions of a match share. */
  constructor(
    source: SnapshotSource,
    codecs: readonly RecordCodec[],
    owner: number,
    shared = new RecordCache(codecs),
  ) {
    this.#shared = shared;
    this.#source = source;
    this.#codecs = codecs;
    this.#owner = owner;
    this.#known = codecs.map(({ layout }) => new KnownEntities(layout.capacity));
    const capacity = codecs.reduce((sum, { layout }) => sum + layout.capacity, 0);
    this.#places = new Int32Array(capacity);
    this.#priorities = new Float64Array(capacity);
    this.#chosen = new Uint8Array(capacity);
    this.#sizes = new Int32Array(capacity);
    this.#byPriority = new Int32Array(capacity);
    this.#gone = new Uint32Array(capacity + GONE_SPARE);
    const bits = Math.max(...codecs.map((codec) => codec.changeBitsMax(true)));
    this.#measureBytes = new Uint8Array(Math.ceil((bits + RECORD_HEAD_BITS_MAX) / 8) + 1);
  }

  /** Entities that were put off because a snapshot's packets were full, in the last snapshot. */
  get deferred(): number {
    return this.#packetsLeft === 0 ? this.#count : 0;
  }

  /** Collects what the snapshot of the last simulated tick has to say. */
  prepare(): void {
    this.#tick = this.#source.tick;
    this.#packetsLeft = SNAPSHOT_PACKETS_MAX;
    this.#firstPacket = true;
    this.#blocked = false;
    this.#count = 0;
    for (let archetype = 0; archetype < this.#codecs.length; archetype++) {
      this.#collect(archetype);
    }
  }

  /** What a flush left behind is not written once the next tick is there: it is old, and comes again. */
  pending(): boolean {
    if (this.#tick !== this.#source.tick || this.#packetsLeft === 0) return false;
    return this.#firstPacket || this.#count > 0;
  }

  /** Writes one packet's section body into out[start, end); returns its length. */
  write(
    epoch: number,
    inputs: InputBuffer,
    out: Uint8Array,
    start: number,
    end: number,
    sequence: number,
  ): number {
    if (!this.pending()) return 0;
    const bits = this.#bits;
    bits.reset(out, start, end);
    const goneBits = varBits(this.#goneCount) + this.#goneSent() * varBits(0xffffffff);
    const budget = bits.remainingBits - SNAPSHOT_HEAD_BITS_MAX - goneBits;
    if (budget <= 0) return 0;
    const all = this.#choose(budget);
    this.#records.begin(sequence, this.#tick);
    this.#writeHead(epoch, inputs, all);
    this.#writeGone();
    for (let archetype = 0; archetype < this.#codecs.length; archetype++) {
      this.#writeGroup(archetype);
    }
    writeGroupsEnd(bits);
    this.#dropChosen();
    this.#firstPacket = false;
    this.#packetsLeft--;
    return bits.finish() - start;
  }

  acked(sequence: number): void {
    this.#records.take(sequence, this.#ackRecord);
  }

  lost(sequence: number): void {
    this.#records.take(sequence, ignoreRecord);
  }

  readonly #ackRecord = (place: number, id: number, tick: number): void => {
    if (place === GONE) this.#confirmGone(id);
    else this.#known[place >>> SLOT_BITS]!.acked(place & SLOT_MASK, id, tick);
  };

  #confirmGone(id: number): void {
    const at = this.#gone.indexOf(id);
    if (at < 0 || at >= this.#goneCount) return;
    this.#gone.copyWithin(at, at + 1, this.#goneCount--);
  }

  readonly #noteGone = (id: number): boolean => {
    if (this.#goneCount === this.#gone.length) return false;
    this.#gone[this.#goneCount++] = id;
    return true;
  };

  #collect(archetype: number): void {
    const frame = this.#source.history(archetype, this.#tick);
    if (frame === undefined) return;
    const table = this.#source.tables[archetype]!;
    const known = this.#known[archetype]!;
    known.forgetGone(frame, this.#noteGone);
    for (let i = 0; i < frame.count; i++) {
      const slot = frame.order[i]!;
      const id = frame.ids[slot]!;
      const owned = table.owners[slot] === this.#owner;
      if (known.ids[slot] !== id && known.ids[slot] !== 0) {
        // The end of the slot's former entity is still to be told.
        this.#blocked = true;
        continue;
      }
      if (known.ids[slot] !== id || (known.owned[slot] === 1) !== owned) {
        known.learn(slot, id, owned, this.#tick);
      }
      if (!known.differs(slot, table, owned)) continue;
      this.#places[this.#count] = (archetype << SLOT_BITS) | slot;
      const own = owned || known.released[slot] === 1;
      this.#priorities[this.#count++] = own ? OWN_PRIORITY : this.#tick - known.sentTick[slot]!;
    }
  }

  /** Marks what this packet will hold; true = all that is left. */
  #choose(budget: number): boolean {
    const room = budget - this.#codecs.length * GROUP_HEAD_BITS_MAX;
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      this.#sizes[i] = this.#measureRecord(i);
      sum += this.#sizes[i]!;
    }
    this.#chosen.fill(sum <= room ? 1 : 0, 0, this.#count);
    if (sum > room) this.#chooseByPriority(room);
    return sum <= room;
  }

  /** Takes what fits, the most pressing first; what does not fit lets smaller ones pass. */
  #chooseByPriority(room: number): void {
    const order = this.#byPriority.subarray(0, this.#count);
    for (let i = 0; i < this.#count; i++) order[i] = i;
    order.sort((a, b) => this.#priorities[b]! - this.#priorities[a]! || a - b);
    let left = room;
    for (const index of order) {
      if (this.#sizes[index]! > left) continue;
      left -= this.#sizes[index]!;
      this.#chosen[index] = 1;
    }
  }

  /** Bits of a record with its id, at most. */
  #measureRecord(index: number): number {
    const place = this.#places[index]!;
    const archetype = place >>> SLOT_BITS;
    const slot = place & SLOT_MASK;
    const idBits = varBits(this.#known[archetype]!.ids[slot]!);
    if (this.#known[archetype]!.owned[slot] === 0) {
      const now = this.#source.history(archetype, this.#tick)!;
      return this.#shared.measure(archetype, slot, now, this.#baseline(archetype, slot)) + idBits;
    }
    this.#measure.reset(this.#measureBytes, 0, this.#measureBytes.length);
    this.#writeRecord(this.#measure, archetype, slot);
    return this.#measure.bitPosition + idBits;
  }

  #writeHead(epoch: number, inputs: InputBuffer, all: boolean): void {
    const head = this.#head;
    head.epoch = epoch;
    head.wireTick = this.#tick % 0x10000;
    head.whole = all && this.#firstPacket && this.#goneTold();
    head.predicted = this.#firstPacket && this.#ownChosen();
    head.hasFeedback = inputs.takeFeedback();
    head.wireInputTick = (inputs.newestTick + 0x10000) % 0x10000;
    head.slackMs = inputs.slackMs;
    head.write(this.#bits);
  }

  /** Whether every end there is stands in the packet. */
  #goneTold(): boolean {
    return !this.#blocked && this.#goneCount <= GONE_PER_PACKET_MAX;
  }

  #ownChosen(): boolean {
    if (this.#blocked) return false;
    for (let i = 0; i < this.#count; i++) {
      if (this.#priorities[i] === OWN_PRIORITY && this.#chosen[i] === 0) return false;
    }
    return true;
  }

  #goneSent(): number {
    return Math.min(this.#goneCount, GONE_PER_PACKET_MAX);
  }

  #writeGone(): void {
    const count = this.#goneSent();
    this.#bits.writeVar(count);
    for (let i = 0; i < count; i++) {
      this.#bits.writeVar(this.#gone[i]!);
      this.#records.add(GONE, this.#gone[i]!);
    }
  }

  #writeGroup(archetype: number): void {
    const known = this.#known[archetype]!;
    let count = 0;
    for (let i = 0; i < this.#count; i++) if (this.#isChosen(i, archetype)) count++;
    if (count === 0) return;
    writeGroupHead(this.#bits, archetype, count);
    let previous = 0;
    for (let i = 0; i < this.#count; i++) {
      if (!this.#isChosen(i, archetype)) continue;
      const slot = this.#places[i]! & SLOT_MASK;
      const id = known.ids[slot]!;
      this.#bits.writeVar(id - previous - 1);
      previous = id;
      this.#writeRecord(this.#bits, archetype, slot);
      this.#records.add(this.#places[i]!, id);
      known.sentTick[slot] = this.#tick;
    }
  }

  #isChosen(index: number, archetype: number): boolean {
    return this.#chosen[index] === 1 && this.#places[index]! >>> SLOT_BITS === archetype;
  }

  #writeRecord(bits: BitWriter, archetype: number, slot: number): void {
    const codec = this.#codecs[archetype]!;
    const now = this.#source.history(archetype, this.#tick)!;
    const base = this.#baseline(archetype, slot);
    if (this.#known[archetype]!.owned[slot] === 0) {
      this.#shared.write(bits, archetype, slot, now, base);
      return;
    }
    const at = slot * codec.layout.stride;
    if (base === undefined) {
      writeWholeHead(bits, true);
      codec.writeWhole(bits, now.values, at, true);
    } else {
      writeChangeHead(bits, this.#tick - base.tick);
      codec.writeChange(bits, now.values, at, base.values, at, true);
    }
  }

  /** The frame that the client acked of the entity, if it is still young enough to be named. */
  #baseline(archetype: number, slot: number): Frame | undefined {
    const known = this.#known[archetype]!;
    const acked = known.ackedTick[slot]!;
    if (acked < 0 || this.#tick - acked > BASELINE_TICKS_MAX) return undefined;
    const frame = this.#source.history(archetype, acked);
    return frame?.ids[slot] === known.ids[slot] ? frame : undefined;
  }

  /** Takes what was written out of the list; order is kept. */
  #dropChosen(): void {
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      if (this.#chosen[i] === 1) continue;
      this.#places[kept] = this.#places[i]!;
      this.#priorities[kept++] = this.#priorities[i]!;
    }
    this.#count = kept;
  }
}

function ignoreRecord(): void {}
