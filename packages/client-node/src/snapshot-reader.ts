// Reads snapshot packets: parses a whole packet aside, and only if all of it is valid puts it into the confirmed
// world. Layout: protocol's replication/snapshot.ts.

import {
  BitReader,
  expandSequence,
  type RecordCodec,
  readTicksBack,
  SnapshotHead,
  Verdict,
} from '@tickwire/protocol';
import type { ConfirmedWorld } from './confirmed-world.ts';

/** Records of one packet, at most: the smallest takes eight bits of a datagram. */
const RECORDS_MAX = 1200;
const GONE_MAX = 64;

/** What a taken packet meant. */
export interface SnapshotSink {
  /** `inputTick`: newest input the server had, `slackMs` how early it came. */
  feedback(nowMs: number, inputTick: number, slackMs: number): void;
  /** The packet is in the confirmed world. `newTick`: the first packet of its tick. */
  snapshot(nowMs: number, tick: number, newTick: boolean): void;
}

/** See the head of the file. */
export class SnapshotReader {
  /** Packets refused: a baseline was not there, overtaken, no room for their new entities; ignored: of an old epoch. */
  baselineMissing = 0;
  outdated = 0;
  tableFull = 0;
  oldEpoch = 0;
  readonly #confirmed: ConfirmedWorld;
  readonly #codecs: readonly RecordCodec[];
  readonly #sink: SnapshotSink;
  readonly #head = new SnapshotHead();
  readonly #reader = new BitReader();
  readonly #gone = new Uint32Array(GONE_MAX);
  readonly #archetypes = new Uint8Array(RECORDS_MAX);
  readonly #ids = new Uint32Array(RECORDS_MAX);
  readonly #owned = new Uint8Array(RECORDS_MAX);
  readonly #values: Int32Array;
  readonly #stride: number;
  /** Rows that there is still room for once the packet's gone entities are away, by archetype. */
  readonly #room: Int32Array;
  #goneCount = 0;
  #count = 0;
  #tick = -1;
  /** Nothing is staged. Also at first: the packet that brings a place may carry a snapshot of the one before. */
  #ignored = true;

  constructor(confirmed: ConfirmedWorld, codecs: readonly RecordCodec[], sink: SnapshotSink) {
    this.#confirmed = confirmed;
    this.#codecs = codecs;
    this.#sink = sink;
    this.#stride = Math.max(...codecs.map(({ layout }) => layout.stride));
    this.#values = new Int32Array(RECORDS_MAX * this.#stride);
    this.#room = new Int32Array(codecs.length);
  }

  /** Parses the section. `near`: a tick close to the one it must be of. */
  stage(bytes: Uint8Array, start: number, end: number, epoch: number, near: number): Verdict {
    const reader = this.#reader;
    const head = this.#head;
    reader.reset(bytes, start, end);
    this.#ignored = true;
    if (!head.read(reader)) return Verdict.malformed;
    if (head.epoch !== epoch) {
      this.oldEpoch++;
      return Verdict.accepted;
    }
    this.#tick = expandSequence(head.wireTick, near);
    if (this.#tick < 0) return Verdict.malformed;
    // An overtaken packet could bring back what a later one took away; unacked, its content comes again.
    if (this.#tick < this.#confirmed.tick) {
      this.outdated++;
      return Verdict.refused;
    }
    const verdict = this.#readRecords();
    this.#ignored = verdict !== Verdict.accepted;
    return verdict;
  }

  /** Puts what was staged into the confirmed world. */
  commit(nowMs: number): void {
    if (this.#ignored) return;
    this.#ignored = true;
    const confirmed = this.#confirmed;
    const newTick = this.#tick > confirmed.tick;
    confirmed.tick = this.#tick;
    for (let i = 0; i < this.#goneCount; i++) confirmed.leave(this.#gone[i]!);
    for (let i = 0; i < this.#count; i++) this.#confirmRecord(i);
    if (this.#head.whole) confirmed.confirmWhole(this.#tick);
    if (this.#head.predicted) confirmed.predictedTick = this.#tick;
    if (this.#head.hasFeedback) {
      const inputTick = expandSequence(this.#head.wireInputTick, this.#tick);
      this.#sink.feedback(nowMs, inputTick, this.#head.slackMs);
    }
    this.#sink.snapshot(nowMs, this.#tick, newTick);
  }

  #readRecords(): Verdict {
    const reader = this.#reader;
    this.#count = 0;
    this.#goneCount = reader.readVar();
    if (this.#goneCount > GONE_MAX) return Verdict.malformed;
    this.#countRoom();
    for (let i = 0; i < this.#goneCount; i++) this.#readGone(i);
    while (reader.read(1) === 1) {
      const verdict = this.#readGroup();
      if (verdict !== Verdict.accepted) return verdict;
    }
    return reader.atEnd() ? Verdict.accepted : Verdict.malformed;
  }

  #countRoom(): void {
    const { tables } = this.#confirmed;
    for (let a = 0; a < tables.length; a++) {
      this.#room[a] = tables[a]!.layout.capacity - tables[a]!.count;
    }
  }

  #readGone(index: number): void {
    const id = this.#reader.readVar();
    const archetype = this.#isGone(id, index) ? -1 : this.#confirmed.archetypeOf(id);
    if (archetype >= 0) this.#room[archetype]!++;
    this.#gone[index] = id;
  }

  #isGone(id: number, among: number): boolean {
    for (let i = 0; i < among; i++) if (this.#gone[i] === id) return true;
    return false;
  }

  /** Whether the record's entity will find a slot: an ack says that all of a packet was kept. */
  #findRoom(archetype: number, id: number): boolean {
    const known = this.#confirmed.tables[archetype]!.slotOf(id) >= 0;
    if (known && !this.#isGone(id, this.#goneCount)) return true;
    return --this.#room[archetype]! >= 0;
  }

  #readGroup(): Verdict {
    const reader = this.#reader;
    const archetype = reader.read(8);
    const count = reader.readVar() + 1;
    const codec = this.#codecs[archetype];
    if (reader.failed || codec === undefined || this.#count + count > RECORDS_MAX) {
      return Verdict.malformed;
    }
    let id = 0;
    for (let i = 0; i < count; i++) {
      id += reader.readVar() + 1;
      if (reader.failed || id > 0xffffffff) return Verdict.malformed;
      this.#archetypes[this.#count] = archetype;
      this.#ids[this.#count] = id;
      const verdict = this.#readRecord(codec, archetype, id);
      if (verdict !== Verdict.accepted) return verdict;
      if (!this.#findRoom(archetype, id)) {
        this.tableFull++;
        return Verdict.refused;
      }
      this.#count++;
    }
    return Verdict.accepted;
  }

  #readRecord(codec: RecordCodec, archetype: number, id: number): Verdict {
    const reader = this.#reader;
    const at = this.#count * this.#stride;
    if (reader.read(1) === 0) {
      const owned = reader.read(1) === 1;
      this.#owned[this.#count] = owned ? 1 : 0;
      const valid = codec.readWhole(reader, this.#values, at, owned);
      return valid && !reader.failed ? Verdict.accepted : Verdict.malformed;
    }
    const ticksBack = readTicksBack(reader);
    if (ticksBack === 0) return Verdict.malformed;
    const slot = this.#confirmed.tables[archetype]!.slotOf(id);
    const samples = slot < 0 ? undefined : this.#confirmed.samples(archetype, slot);
    const base = samples?.at(this.#tick - ticksBack) ?? -1;
    if (samples === undefined || base < 0) {
      this.baselineMissing++;
      return Verdict.refused;
    }
    this.#owned[this.#count] = samples.owned ? 1 : 0;
    const { values } = samples;
    const valid = codec.readChange(reader, values, base, this.#values, at, samples.owned);
    return valid && !reader.failed ? Verdict.accepted : Verdict.malformed;
  }

  #confirmRecord(index: number): void {
    const archetype = this.#archetypes[index]!;
    const id = this.#ids[index]!;
    const owned = this.#owned[index] === 1;
    const confirmed = this.#confirmed;
    const slot = confirmed.enter(archetype, id, owned);
    confirmed.confirm(archetype, slot, this.#tick, this.#values, index * this.#stride);
  }
}
