// How messages longer than FRAGMENT_BYTES are cut, for every delivery kind that cuts any.
//
//   head of a record (a whole message, or a fragment of one):
//     1..2   length * 2 + (1 = fragment), varint
//     0 | 2  id, low 16 bits              fragments of unreliable kinds only; reliable kinds have it before the head
//     0..2   index * 2 + (1 = last), varint                                                     fragments only
//
// A channel numbers its fragments one by one, so fragment `index` of a message has the id of its first one plus
// `index`: where a message begins is known from any of its fragments, and nothing claims how long it will be.
// One form per message: one that fits FRAGMENT_BYTES is never cut, all fragments but the last have exactly
// FRAGMENT_BYTES, and the last is not empty.

import type { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { varintBytes } from '../wire/bytes.ts';
import { FRAGMENT_BYTES } from '../wire/channel-options.ts';

/** How many fragments a message of so many bytes is cut into; 1 = it travels whole. */
export function fragmentCount(messageBytes: number): number {
  return Math.max(1, Math.ceil(messageBytes / FRAGMENT_BYTES));
}

/** Bytes of a record head, without the id. */
export function headBytes(length: number, fragment: boolean, index: number): number {
  const own = varintBytes(length * 2);
  return fragment ? own + varintBytes(index * 2) : own;
}

/** The head of one record as read; reused. */
export class RecordHead {
  length = 0;
  fragment = false;
  index = 0;
  last = false;
  /** Low 16 bits of the id, of an unreliable kind's fragment. */
  wireId = 0;

  /**
   * Reads a head and checks it against a limit of `fragments` a message; false = malformed. The bytes follow at
   * the reader's position.
   */
  read(reader: ByteReader, fragments: number, withId: boolean): boolean {
    const first = reader.varint();
    this.length = first >>> 1;
    this.fragment = (first & 1) === 1;
    this.index = 0;
    this.last = true;
    if (!this.fragment) return !reader.failed && this.length <= FRAGMENT_BYTES;
    if (withId) this.wireId = reader.u16();
    const second = reader.varint();
    this.index = second >>> 1;
    this.last = (second & 1) === 1;
    return !reader.failed && this.#wellFormed(fragments);
  }

  #wellFormed(fragments: number): boolean {
    if (this.index >= fragments) return false;
    if (!this.last) return this.length === FRAGMENT_BYTES && this.index + 1 < fragments;
    return this.index > 0 && this.length > 0 && this.length <= FRAGMENT_BYTES;
  }
}

/** Writes the head of a whole message. */
export function writeWholeHead(writer: ByteWriter, length: number): void {
  writer.varint(length * 2);
}

/** Writes the head of a fragment; `id` only for unreliable kinds, else -1. */
export function writeFragmentHead(
  writer: ByteWriter,
  length: number,
  id: number,
  index: number,
  last: boolean,
): void {
  writer.varint(length * 2 + 1);
  if (id >= 0) writer.u16(id % 0x10000);
  writer.varint(index * 2 + (last ? 1 : 0));
}
