// The sending half of the reliable kinds. Messages wait in a queue until their first record is written; from then on
// they are in flight, cut into records, until they and all before them are acked. A lost record is written again.
//
// A message counts against the bounds from `send` until the last record of it and of all before it is acked. So what
// a receiver holds because something before it is missing still counts here, and never exceeds what it must hold.
//
// What waits and what is in flight have a store of their own. Together they hold `queueBytes` at most; but a store gives
// memory back only when it runs empty, so while traffic never pauses each may keep what it needed once.

import { ByteWriter } from '../wire/bytes.ts';
import { type ChannelLimits, FRAGMENT_BYTES } from '../wire/channel-options.ts';
import { ByteQueue } from './byte-queue.ts';
import { ECHO_BYTES_MAX, EchoQueue } from './echo-queue.ts';
import { hasRoom, type MessageChannelStatistics, type SendResult } from './message-channel.ts';
import { MessageQueue } from './message-queue.ts';
import { PacketEntries } from './packet-entries.ts';
import {
  RECORD_BYTES_MIN,
  RELIABLE_WINDOW,
  recordBytes,
  writeRecordHead,
} from './reliable-record.ts';
import { WritableCallbacks } from './writable-callbacks.ts';

const State = { inFlight: 0, lost: 1, acked: 2 } as const;

/** See the head of the file. */
export class OutgoingMessages {
  readonly #limits: ChannelLimits;
  readonly #statistics: MessageChannelStatistics;
  readonly #waiting: MessageQueue;
  /** The bytes of messages in flight, from the oldest record without an ack on, those not yet cut included. */
  readonly #bytes: ByteQueue;
  /** Records in flight: ids #oldest to #next - 1, by id modulo the window. */
  readonly #states = new Uint8Array(RELIABLE_WINDOW);
  readonly #positions = new Int32Array(RELIABLE_WINDOW);
  readonly #lengths = new Uint16Array(RELIABLE_WINDOW);
  readonly #parts = new Uint16Array(RELIABLE_WINDOW);
  /** By slot, and by slot + RELIABLE_WINDOW for its echo. */
  readonly #packets = new PacketEntries(2 * RELIABLE_WINDOW);
  /** Copies of a record that are on the way. */
  readonly #copies = new Uint8Array(RELIABLE_WINDOW);
  readonly #echoes = new EchoQueue(RELIABLE_WINDOW);
  /** Whether an echo of the record waits: one at a time, or a copy would be counted that nobody settles. */
  readonly #owed = new Uint8Array(RELIABLE_WINDOW);
  readonly #writer = new ByteWriter();
  #oldest = 0;
  #next = 0;
  #lost = 0;
  /** The message that is being cut: its length, how many fragments are cut off, and where the next byte stands. */
  #cutting = 0;
  #cut = 0;
  #position = 0;
  readonly #writable = new WritableCallbacks();
  #closed = false;

  constructor(limits: ChannelLimits, statistics: MessageChannelStatistics) {
    this.#limits = limits;
    this.#statistics = statistics;
    this.#waiting = new MessageQueue(limits.queueEntries, limits.queueBytes);
    this.#bytes = new ByteQueue(limits.queueBytes);
  }

  send(bytes: Uint8Array, start: number, end: number): SendResult {
    const { messageBytes, queueBytes, queueEntries } = this.#limits;
    const statistics = this.#statistics;
    const length = end - start;
    if (this.#closed) return 'closed';
    if (length > messageBytes) return 'too-large';
    if (statistics.queued >= queueEntries || statistics.queuedBytes + length > queueBytes) {
      statistics.full++;
      return 'full';
    }
    this.#waiting.add(bytes, start, end);
    statistics.sent++;
    statistics.sentBytes += length;
    statistics.queued++;
    statistics.queuedBytes += length;
    return 'queued';
  }

  onWritable(callback: () => void): void {
    if (!this.#closed) this.#writable.add(callback);
  }

  /** Tells the time, from which the life of messages counts that were sent since the last one. */
  see(nowMs: number): void {
    this.#waiting.see(nowMs);
  }

  /** Drops what has waited for too long; whether anything is left that may be written now. */
  pending(nowMs: number): boolean {
    if (this.#closed) return false;
    this.#waiting.see(nowMs);
    this.#expire();
    this.#tellWritable();
    if (this.#closed) return false;
    if (this.#lost > 0 || this.#echoDue(nowMs)) return true;
    return this.#roomInWindow() && (this.#cut > 0 || this.#waiting.count > 0);
  }

  /** Writes what was lost, oldest first, then what was never sent; as much as fits. */
  write(nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    if (this.#closed) return 0;
    this.#waiting.see(nowMs);
    this.#writer.reset(out, start, end);
    this.#writeEchoes(nowMs, sequence);
    this.#writeLost(nowMs, sequence);
    this.#writeNew(sequence);
    return this.#writer.position - start;
  }

  acked(sequence: number): void {
    if (this.#closed) return;
    const packets = this.#packets;
    for (let entry = packets.take(sequence); entry >= 0; entry = packets.after(entry)) {
      const slot = entry % RELIABLE_WINDOW;
      this.#states[slot] = State.acked;
      // The other copy is of no interest any more, and the slot will be somebody else's.
      packets.remove(entry < RELIABLE_WINDOW ? slot + RELIABLE_WINDOW : slot);
    }
    this.#release();
    this.#tellWritable();
  }

  lost(sequence: number): void {
    if (this.#closed) return;
    const packets = this.#packets;
    for (let entry = packets.take(sequence); entry >= 0; entry = packets.after(entry)) {
      const slot = entry % RELIABLE_WINDOW;
      if (--this.#copies[slot]! > 0 || this.#states[slot] !== State.inFlight) continue;
      this.#states[slot] = State.lost;
      this.#lost++;
    }
  }

  /** Nothing is sent any more and nobody told anything, so nothing need be kept. */
  close(): void {
    this.#closed = true;
    this.#writable.clear();
    this.#waiting.clear();
    this.#bytes.clear();
  }

  #roomInWindow(): boolean {
    return this.#next - this.#oldest < RELIABLE_WINDOW;
  }

  /** Forgets the echoes of what has been acked, or lost once more, meanwhile. */
  #echoDue(nowMs: number): boolean {
    const echoes = this.#echoes;
    while (echoes.due(nowMs)) {
      const id = echoes.first;
      if (id >= this.#oldest && this.#states[id % RELIABLE_WINDOW] === State.inFlight) return true;
      this.#dropEcho();
    }
    return false;
  }

  #dropEcho(): void {
    this.#owed[this.#echoes.first % RELIABLE_WINDOW] = 0;
    this.#echoes.drop();
  }

  #writeEchoes(nowMs: number, sequence: number): void {
    while (this.#echoDue(nowMs)) {
      const id = this.#echoes.first;
      const slot = id % RELIABLE_WINDOW;
      if (recordBytes(this.#lengths[slot]!, this.#parts[slot]!) > this.#writer.remaining) return;
      this.#dropEcho();
      this.#statistics.resent++;
      this.#writeRecord(id, sequence, slot + RELIABLE_WINDOW);
    }
  }

  #writeLost(nowMs: number, sequence: number): void {
    for (let id = this.#oldest; id < this.#next && this.#lost > 0; id++) {
      if (this.#writer.remaining < RECORD_BYTES_MIN) return;
      const slot = id % RELIABLE_WINDOW;
      if (this.#states[slot] !== State.lost) continue;
      if (recordBytes(this.#lengths[slot]!, this.#parts[slot]!) > this.#writer.remaining) continue;
      this.#lost--;
      this.#statistics.resent++;
      this.#writeRecord(id, sequence, slot);
      if (this.#lengths[slot]! > ECHO_BYTES_MAX || this.#owed[slot] === 1) continue;
      this.#owed[slot] = 1;
      this.#echoes.add(nowMs, id);
    }
  }

  /** Stops at the first record that does not fit: ids are given in the order of `send`. */
  #writeNew(sequence: number): void {
    while (this.#roomInWindow()) {
      if (this.#cut === 0) {
        this.#expire();
        if (this.#waiting.count === 0) return;
        this.#cutting = this.#waiting.firstBytes;
      }
      const left = this.#cutting - this.#cut * FRAGMENT_BYTES;
      const length = Math.min(left, FRAGMENT_BYTES);
      const part = this.#cut * 2 + (left === length ? 1 : 0);
      if (recordBytes(length, part) > this.#writer.remaining) return;
      if (this.#cut === 0) this.#waiting.moveTo(this.#bytes);
      this.#cut = left === length ? 0 : this.#cut + 1;
      this.#addRecord(length, part);
      const id = this.#next - 1;
      this.#writeRecord(id, sequence, id % RELIABLE_WINDOW);
    }
  }

  #addRecord(length: number, part: number): void {
    const slot = this.#next++ % RELIABLE_WINDOW;
    this.#positions[slot] = this.#position;
    this.#lengths[slot] = length;
    this.#parts[slot] = part;
    this.#copies[slot] = 0;
    this.#position = (this.#position + length) | 0;
  }

  #writeRecord(id: number, sequence: number, entry: number): void {
    const slot = id % RELIABLE_WINDOW;
    const length = this.#lengths[slot]!;
    writeRecordHead(this.#writer, id, length, this.#parts[slot]!);
    this.#bytes.writeTo(this.#writer, this.#positions[slot]!, length);
    this.#states[slot] = State.inFlight;
    this.#copies[slot]!++;
    this.#packets.add(sequence, entry);
  }

  /** Forgets the oldest records as far as they are acked, and each message with its last one. */
  #release(): void {
    while (this.#oldest < this.#next) {
      const slot = this.#oldest % RELIABLE_WINDOW;
      if (this.#states[slot] !== State.acked) return;
      this.#oldest++;
      const length = this.#lengths[slot]!;
      const part = this.#parts[slot]!;
      this.#bytes.drop(length);
      if ((part & 1) === 1) this.#finish((part >>> 1) * FRAGMENT_BYTES + length);
    }
  }

  #expire(): void {
    const { ttlMs } = this.#limits;
    // Nothing to ask for then, and an infinite number handed over would be allocated anew each time.
    if (ttlMs === Number.POSITIVE_INFINITY) return;
    while (this.#waiting.count > 0 && this.#waiting.firstOlderThan(ttlMs)) {
      this.#statistics.expired++;
      this.#finish(this.#waiting.firstBytes);
      this.#waiting.drop();
    }
  }

  #finish(length: number): void {
    this.#statistics.queued--;
    this.#statistics.queuedBytes -= length;
  }

  #tellWritable(): void {
    if (!this.#writable.none) this.#writable.tell(() => hasRoom(this.#limits, this.#statistics));
  }
}
