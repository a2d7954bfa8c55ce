// The reliable-ordered delivery kind: every message exactly once, in the order of sending.
//
//   section body: one or more of
//     2      message id, low 16 bits (ids count up from 0)
//     1..2   length, varint
//     ..     bytes
//
// The sender keeps a message until it is acked and resends it only when its packet is lost. The receiver holds
// what came early. Sender and receiver use the same window, so a sender can never run ahead of what is accepted.

import { ByteReader, ByteWriter, varintBytes } from '../wire/bytes.ts';
import { expandSequence } from '../wire/sequence.ts';
import { Verdict } from '../wire/verdict.ts';
import type { Channel } from './channel.ts';

/** Messages on the way at once; also how far ahead of the next expected one the receiver keeps any. */
export const RELIABLE_WINDOW = 256;

/** The longest message: with all headers it still fits one datagram. */
export const MESSAGE_BYTES_MAX = 1150;

/** Bytes that wait on the sending side, and on the receiving side ahead of a gap. */
export const RELIABLE_BYTES_MAX = 32 * 1024;

const MESSAGE_HEADER_BYTES_MAX = 4;

/** What `send` says: `full` = try again when writable, `too-large` = never, `closed` = the connection is over. */
export type SendResult = 'queued' | 'full' | 'too-large' | 'closed';

const State = { free: 0, waiting: 1, inFlight: 2, acked: 3 } as const;

/** Gets each message once, in order; the range is valid only during the call. */
export type MessageSink = (bytes: Uint8Array, start: number, end: number) => void;

/** See the head of the file. */
export class ReliableOrderedChannel implements Channel {
  readonly elicitsAck = true;
  readonly #outgoing = new OutgoingMessages();
  readonly #incoming: IncomingMessages;
  #onWritable: (() => void) | undefined;

  constructor(sink: MessageSink) {
    this.#incoming = new IncomingMessages(sink);
  }

  /** Copies bytes[start, end) into the queue. */
  send(bytes: Uint8Array, start: number, end: number): SendResult {
    if (end - start > MESSAGE_BYTES_MAX) return 'too-large';
    return this.#outgoing.add(bytes, start, end) ? 'queued' : 'full';
  }

  /** Called once when, after a `full`, half of the queue is free again. */
  onWritable(callback: () => void): void {
    this.#onWritable = callback;
  }

  /** Messages not yet acked. */
  get unacked(): number {
    return this.#outgoing.count;
  }

  pending(): boolean {
    return this.#outgoing.waiting > 0;
  }

  write(_nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    return this.#outgoing.write(out, start, end, sequence);
  }

  read(_nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    return this.#incoming.stage(bytes, start, end);
  }

  commit(): void {
    this.#incoming.commit();
  }

  acked(sequence: number): void {
    this.#outgoing.resolve(sequence, true);
    if (this.#onWritable === undefined || !this.#outgoing.halfFree) return;
    const callback = this.#onWritable;
    this.#onWritable = undefined;
    callback();
  }

  lost(sequence: number): void {
    this.#outgoing.resolve(sequence, false);
  }
}

/** The sending half: a circular byte store and a window of messages over it. */
class OutgoingMessages {
  readonly #bytes = new Uint8Array(RELIABLE_BYTES_MAX);
  readonly #state = new Uint8Array(RELIABLE_WINDOW);
  readonly #offsets = new Int32Array(RELIABLE_WINDOW);
  readonly #lengths = new Int32Array(RELIABLE_WINDOW);
  readonly #sequences = new Float64Array(RELIABLE_WINDOW);
  readonly #writer = new ByteWriter();
  #oldest = 0;
  #next = 0;
  #head = 0;
  waiting = 0;

  get count(): number {
    return this.#next - this.#oldest;
  }

  get halfFree(): boolean {
    return this.count <= RELIABLE_WINDOW / 2 && this.#usedBytes() <= RELIABLE_BYTES_MAX / 2;
  }

  add(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    // An empty message still takes a byte, so that head and tail meet only when the store is empty.
    const held = length > 0 ? length : 1;
    const offset = this.#place(held);
    if (offset < 0 || this.count === RELIABLE_WINDOW) return false;
    for (let i = 0; i < length; i++) this.#bytes[offset + i] = bytes[start + i]!;
    const slot = this.#next++ % RELIABLE_WINDOW;
    this.#offsets[slot] = offset;
    this.#lengths[slot] = length;
    this.#state[slot] = State.waiting;
    this.#head = offset + held;
    this.waiting++;
    return true;
  }

  /** Writes waiting messages, oldest first, as many as fit. */
  write(out: Uint8Array, start: number, end: number, sequence: number): number {
    const writer = this.#writer;
    writer.reset(out, start, end);
    for (let id = this.#oldest; id < this.#next && this.waiting > 0; id++) {
      const slot = id % RELIABLE_WINDOW;
      if (this.#state[slot] !== State.waiting) continue;
      const length = this.#lengths[slot]!;
      if (2 + varintBytes(length) + length > writer.remaining) {
        if (writer.remaining < MESSAGE_HEADER_BYTES_MAX) break;
        continue;
      }
      writer.u16(id % 0x10000);
      writer.varint(length);
      writer.range(this.#bytes, this.#offsets[slot]!, this.#offsets[slot]! + length);
      this.#state[slot] = State.inFlight;
      this.#sequences[slot] = sequence;
      this.waiting--;
    }
    return writer.position - start;
  }

  /** Settles the messages that travelled in packet `sequence`. */
  resolve(sequence: number, acked: boolean): void {
    for (let id = this.#oldest; id < this.#next; id++) {
      const slot = id % RELIABLE_WINDOW;
      if (this.#state[slot] !== State.inFlight || this.#sequences[slot] !== sequence) continue;
      this.#state[slot] = acked ? State.acked : State.waiting;
      if (!acked) this.waiting++;
    }
    while (
      this.#oldest < this.#next &&
      this.#state[this.#oldest % RELIABLE_WINDOW] === State.acked
    ) {
      this.#state[this.#oldest++ % RELIABLE_WINDOW] = State.free;
    }
  }

  /** Offset of `length` contiguous free bytes, -1 = none. Messages are freed in order, so one run is in use. */
  #place(length: number): number {
    if (this.count === 0) return 0;
    const tail = this.#offsets[this.#oldest % RELIABLE_WINDOW]!;
    if (this.#head > tail) {
      if (this.#head + length <= RELIABLE_BYTES_MAX) return this.#head;
      return length < tail ? 0 : -1;
    }
    return this.#head + length < tail ? this.#head : -1;
  }

  #usedBytes(): number {
    if (this.count === 0) return 0;
    const tail = this.#offsets[this.#oldest % RELIABLE_WINDOW]!;
    const used = this.#head - tail;
    return used >= 0 ? used : used + RELIABLE_BYTES_MAX;
  }
}

/** The receiving half: stages a section, then delivers in order, holding what came early. */
class IncomingMessages {
  readonly #sink: MessageSink;
  readonly #reader = new ByteReader();
  /** Staged messages, as ranges of the packet; a section of minimal messages holds no more than the window. */
  readonly #ids = new Float64Array(RELIABLE_WINDOW);
  readonly #starts = new Int32Array(RELIABLE_WINDOW);
  readonly #ends = new Int32Array(RELIABLE_WINDOW);
  #staged = 0;
  #packet: Uint8Array = new Uint8Array(0);
  readonly #early: (Uint8Array | undefined)[] = new Array(RELIABLE_WINDOW).fill(undefined);
  #earlyBytes = 0;
  #expected = 0;

  constructor(sink: MessageSink) {
    this.#sink = sink;
  }

  stage(bytes: Uint8Array, start: number, end: number): Verdict {
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    this.#staged = 0;
    this.#packet = bytes;
    let inOrder = this.#expected;
    let earlyBytes = this.#earlyBytes;
    while (reader.remaining > 0) {
      const id = expandSequence(reader.u16(), this.#expected);
      const length = reader.varint();
      const from = reader.position;
      reader.skip(length);
      if (reader.failed || length > MESSAGE_BYTES_MAX || this.#staged === RELIABLE_WINDOW) {
        return Verdict.malformed;
      }
      if (id >= this.#expected + RELIABLE_WINDOW) return Verdict.malformed;
      this.#ids[this.#staged] = id;
      this.#starts[this.#staged] = from;
      this.#ends[this.#staged++] = from + length;
      // What is known already or delivered at once takes no room; so a sender within its own bound always fits.
      if (id === inOrder) inOrder++;
      else if (id > inOrder && this.#early[id % RELIABLE_WINDOW] === undefined)
        earlyBytes += length;
    }
    if (reader.failed || this.#staged === 0) return Verdict.malformed;
    const more = earlyBytes > this.#earlyBytes;
    return more && earlyBytes > RELIABLE_BYTES_MAX ? Verdict.refused : Verdict.accepted;
  }

  commit(): void {
    for (let i = 0; i < this.#staged; i++) {
      const id = this.#ids[i]!;
      if (id < this.#expected) continue;
      if (id === this.#expected) this.#deliver(this.#packet, this.#starts[i]!, this.#ends[i]!);
      else this.#hold(id, this.#starts[i]!, this.#ends[i]!);
      this.#deliverEarly();
    }
    this.#staged = 0;
  }

  #hold(id: number, start: number, end: number): void {
    const slot = id % RELIABLE_WINDOW;
    if (this.#early[slot] !== undefined) return;
    this.#early[slot] = this.#packet.slice(start, end);
    this.#earlyBytes += end - start;
  }

  #deliverEarly(): void {
    for (;;) {
      const slot = this.#expected % RELIABLE_WINDOW;
      const bytes = this.#early[slot];
      if (bytes === undefined) return;
      this.#early[slot] = undefined;
      this.#earlyBytes -= bytes.length;
      this.#deliver(bytes, 0, bytes.length);
    }
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    this.#expected++;
    this.#sink(bytes, start, end);
  }
}
