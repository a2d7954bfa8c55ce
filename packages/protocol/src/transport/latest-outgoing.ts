// The sending half of reliable-latest. A key waits, or its newest value is in flight, or the other side has it.
// Only waiting keys and those of the packet that gets a verdict are ever looked at.
//
// The bytes of a value are kept until it is acknowledged. A key has its slot until its deletion is acknowledged; then
// the receiver has no value of it either, so it never has values of more keys than there are slots here.

import { ByteWriter, varintBytes } from '../wire/bytes.ts';
import type { ChannelLimits } from '../wire/channel-options.ts';
import { grown, KeySlots, NONE } from './key-slots.ts';
import type { MessageChannelStatistics } from './message-channel.ts';
import { ValueCells } from './value-cells.ts';
import { WritableCallbacks } from './writable-callbacks.ts';

/** The list of keys that wait, longest first. */
const WAITING = 1;
/** From here on lists of what is in flight, by the low bits of the packet's sequence. */
const IN_FLIGHT = 2;
/** About as many packets as lack a verdict at once; those that share a list are told apart by their sequences. */
const PACKET_LISTS = 256;

const DELETED = -1;
/** Bits of `#marks`: the value was never written; no value of this key ever was. */
const Mark = { unwritten: 1, unheard: 2 } as const;

/** See the head of the file. Keeps the sender's share of the channel's statistics. */
export class LatestOutgoing {
  readonly #limits: ChannelLimits;
  readonly #statistics: MessageChannelStatistics;
  readonly #cells: ValueCells;
  readonly #slots: KeySlots;
  readonly #writer = new ByteWriter();
  /** Columns by slot. A value that is acknowledged has no cell any more. */
  readonly #values: (Uint8Array | undefined)[] = [];
  #lengths: Int32Array;
  #revisions: Uint16Array;
  #marks: Uint8Array;
  /** Packet that the newest value is in flight in. */
  #sequences: Float64Array;
  readonly #writable = new WritableCallbacks();

  constructor(limits: ChannelLimits, statistics: MessageChannelStatistics) {
    this.#limits = limits;
    this.#statistics = statistics;
    this.#cells = new ValueCells(limits.queueBytes);
    this.#slots = new KeySlots(limits.keys, IN_FLIGHT - 1 + PACKET_LISTS);
    const { capacity } = this.#slots;
    this.#lengths = new Int32Array(capacity);
    this.#revisions = new Uint16Array(capacity);
    this.#marks = new Uint8Array(capacity);
    this.#sequences = new Float64Array(capacity);
  }

  /** Whether any key waits. */
  get waiting(): boolean {
    return this.#slots.first(WAITING) !== NONE;
  }

  /** Copies the value; false = full, nothing changed. */
  set(key: number, bytes: Uint8Array, start: number, end: number): boolean {
    const statistics = this.#statistics;
    const length = end - start;
    let slot = this.#slots.find(key);
    const others = statistics.queuedBytes - (slot === NONE ? 0 : this.#heldBytes(slot));
    if (others + length > this.#limits.queueBytes || (slot === NONE && this.#slots.full)) {
      statistics.full++;
      return false;
    }
    if (slot === NONE) slot = this.#claim(key);
    const cell = this.#cells.exchange(this.#values[slot], length);
    for (let i = 0; i < length; i++) cell[i] = bytes[start + i]!;
    statistics.queuedBytes = others + length;
    this.#values[slot] = cell;
    this.#lengths[slot] = length;
    statistics.sentBytes += length;
    this.#await(slot);
    return true;
  }

  /** What was never on the wire is forgotten at once; anything else has to be taken back. */
  delete(key: number): void {
    const slot = this.#slots.find(key);
    if (slot === NONE || this.#lengths[slot] === DELETED) return;
    this.#dropValue(slot);
    this.#lengths[slot] = DELETED;
    if ((this.#marks[slot]! & Mark.unheard) === 0) {
      this.#await(slot);
      return;
    }
    this.#statistics.sent++;
    this.#statistics.queued--;
    this.#slots.release(slot);
  }

  /** Writes what waits, longest first, as much as fits. */
  write(out: Uint8Array, start: number, end: number, sequence: number): number {
    const writer = this.#writer;
    writer.reset(out, start, end);
    let slot = this.#slots.first(WAITING);
    while (slot !== NONE && this.#recordBytes(slot) <= writer.remaining) {
      this.#writeRecord(slot);
      this.#sequences[slot] = sequence;
      this.#slots.join(packetList(sequence), slot);
      slot = this.#slots.first(WAITING);
    }
    return writer.position - start;
  }

  /** The verdict on packet `sequence`. Keys that have been set again since are not in its list any more. */
  resolve(sequence: number, acked: boolean): void {
    let slot = this.#slots.first(packetList(sequence));
    while (slot !== NONE) {
      const next = this.#slots.after(slot);
      if (this.#sequences[slot] === sequence) {
        if (acked) this.#settle(slot);
        else this.#slots.join(WAITING, slot);
      }
      slot = next;
    }
  }

  onWritable(callback: () => void): void {
    this.#writable.add(callback);
  }

  /** Calls whoever waits for room, if there is enough. */
  tellWritable(): void {
    if (!this.#writable.none) this.#writable.tell(() => this.#hasRoom());
  }

  /** Nobody is told anything any more, nothing need be kept. */
  close(): void {
    this.#writable.clear();
    this.#values.length = 0;
    this.#cells.clear();
  }

  #hasRoom(): boolean {
    return !this.#slots.full && this.#statistics.queuedBytes <= this.#limits.queueBytes / 2;
  }

  #claim(key: number): number {
    const slot = this.#slots.claim(key);
    const { capacity } = this.#slots;
    if (capacity > this.#lengths.length) {
      this.#lengths = grown(this.#lengths, new Int32Array(capacity));
      this.#revisions = grown(this.#revisions, new Uint16Array(capacity));
      this.#marks = grown(this.#marks, new Uint8Array(capacity));
      this.#sequences = grown(this.#sequences, new Float64Array(capacity));
    }
    this.#revisions[slot] = 0;
    this.#marks[slot] = Mark.unheard;
    return slot;
  }

  /** The slot has something new to say. If it waits already, it keeps its turn. */
  #await(slot: number): void {
    const list = this.#slots.list(slot);
    this.#marks[slot]! |= Mark.unwritten;
    this.#statistics.sent++;
    if (list === NONE) this.#statistics.queued++;
    if (list !== WAITING) this.#slots.join(WAITING, slot);
  }

  /** The receiver has it. */
  #settle(slot: number): void {
    this.#statistics.queued--;
    this.#dropValue(slot);
    if (this.#lengths[slot] === DELETED) this.#slots.release(slot);
    else this.#slots.leave(slot);
  }

  #heldBytes(slot: number): number {
    return this.#values[slot] === undefined ? 0 : this.#lengths[slot]!;
  }

  #dropValue(slot: number): void {
    const cell = this.#values[slot];
    if (cell === undefined) return;
    this.#statistics.queuedBytes -= this.#lengths[slot]!;
    this.#values[slot] = undefined;
    this.#cells.give(cell);
  }

  #recordBytes(slot: number): number {
    const length = this.#lengths[slot]!;
    const headBytes = varintBytes(this.#slots.key(slot)) + 2 + varintBytes(length + 1);
    return length === DELETED ? headBytes : headBytes + length;
  }

  #writeRecord(slot: number): void {
    const writer = this.#writer;
    const length = this.#lengths[slot]!;
    if ((this.#marks[slot]! & Mark.unwritten) === 0) this.#statistics.resent++;
    else this.#revisions[slot]!++;
    this.#marks[slot] = 0;
    writer.varint(this.#slots.key(slot));
    writer.u16(this.#revisions[slot]!);
    writer.varint(length + 1);
    if (length > 0) writer.range(this.#values[slot]!, 0, length);
  }
}

function packetList(sequence: number): number {
  return IN_FLIGHT + (sequence & (PACKET_LISTS - 1));
}
