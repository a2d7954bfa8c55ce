// The unreliable-sequenced delivery kind: sent once, never resent; what is overtaken by a newer packet is dropped.
//
//   section body: one or more of
//     1..2   length, varint
//     ..     bytes
//
// For payload of the application's own. Snapshots and inputs have channels of their own with the same contract.

import { ByteReader, ByteWriter, varintBytes } from '../wire/bytes.ts';
import { Verdict } from '../wire/verdict.ts';
import type { Channel } from './channel.ts';
import { MESSAGE_BYTES_MAX, type MessageSink, type SendResult } from './reliable-ordered.ts';

/** Bytes and entries that wait for the next flush; beyond it `send` says full. */
export const SEQUENCED_BYTES_MAX = 8 * 1024;
export const SEQUENCED_ENTRIES_MAX = 64;

/** See the head of the file. */
export class UnreliableSequencedChannel implements Channel {
  readonly elicitsAck = true;
  readonly #sink: MessageSink;
  readonly #bytes = new Uint8Array(SEQUENCED_BYTES_MAX);
  readonly #ends = new Int32Array(SEQUENCED_ENTRIES_MAX);
  readonly #writer = new ByteWriter();
  readonly #reader = new ByteReader();
  #queued = 0;
  #written = 0;
  #newest = -1;
  #overtaken = 0;
  #stagedBytes: Uint8Array = new Uint8Array(0);
  #stagedStart = 0;
  #stagedEnd = 0;
  #stagedSequence = -1;

  constructor(sink: MessageSink) {
    this.#sink = sink;
  }

  /** Messages that came after a newer one and were dropped. */
  get overtaken(): number {
    return this.#overtaken;
  }

  /** Copies bytes[start, end) into the queue of the next flush. */
  send(bytes: Uint8Array, start: number, end: number): SendResult {
    const length = end - start;
    if (length > MESSAGE_BYTES_MAX) return 'too-large';
    const at = this.#queued === 0 ? 0 : this.#ends[this.#queued - 1]!;
    if (this.#queued === SEQUENCED_ENTRIES_MAX || at + length > SEQUENCED_BYTES_MAX) return 'full';
    for (let i = 0; i < length; i++) this.#bytes[at + i] = bytes[start + i]!;
    this.#ends[this.#queued++] = at + length;
    return 'queued';
  }

  pending(): boolean {
    return this.#queued > 0;
  }

  write(_nowMs: number, out: Uint8Array, start: number, end: number): number {
    const writer = this.#writer;
    writer.reset(out, start, end);
    while (this.#written < this.#queued) {
      const from = this.#written === 0 ? 0 : this.#ends[this.#written - 1]!;
      const to = this.#ends[this.#written]!;
      if (varintBytes(to - from) + to - from > writer.remaining) break;
      writer.varint(to - from);
      writer.range(this.#bytes, from, to);
      this.#written++;
    }
    if (this.#written === this.#queued) {
      this.#queued = 0;
      this.#written = 0;
    }
    return writer.position - start;
  }

  read(_nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    if (start === end) return Verdict.malformed;
    while (reader.remaining > 0 && !reader.failed) reader.skip(reader.varint());
    if (reader.failed) return Verdict.malformed;
    this.#stagedBytes = bytes;
    this.#stagedStart = start;
    this.#stagedEnd = end;
    this.#stagedSequence = sequence;
    return Verdict.accepted;
  }

  commit(): void {
    const reader = this.#reader;
    const overtaken = this.#stagedSequence < this.#newest;
    if (!overtaken) this.#newest = this.#stagedSequence;
    reader.reset(this.#stagedBytes, this.#stagedStart, this.#stagedEnd);
    while (reader.remaining > 0) {
      const length = reader.varint();
      const from = reader.position;
      reader.skip(length);
      if (overtaken) this.#overtaken++;
      else this.#sink(this.#stagedBytes, from, from + length);
    }
  }

  acked(): void {}

  lost(): void {}
}
