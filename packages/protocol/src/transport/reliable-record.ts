// What the reliable kinds say in a section: one or more records, each a whole message or a fragment of one.
//
//   2      id of the record, low 16 bits; the records of a channel count from 0, in the order of their first sending
//   1..4   head, see fragment.ts; the id of a fragment stands before it
//   ..     bytes
//
// A record that is sent again is the same record: same id, same cut.

import type { ByteWriter } from '../wire/bytes.ts';
import { headBytes, writeFragmentHead, writeWholeHead } from './fragment.ts';

/**
 * Records on the way at once, from the oldest one without an ack on. What the receiver lacks has no ack, so it never
 * meets one that is as far beyond the first one missing there.
 */
export const RELIABLE_WINDOW = 256;

/** An id, and the head of an empty message. */
export const RECORD_BYTES_MIN = 3;

/** The part of a record that is no fragment. A part is index * 2 + (1 = last), as it travels in a fragment's head. */
export const WHOLE = 1;

/** Bytes of a record that carries `length` bytes. */
export function recordBytes(length: number, part: number): number {
  return 2 + headBytes(length, part !== WHOLE, part >>> 1) + length;
}

/** Writes everything of a record but its bytes. */
export function writeRecordHead(
  writer: ByteWriter,
  id: number,
  length: number,
  part: number,
): void {
  writer.u16(id % 0x10000);
  if (part === WHOLE) writeWholeHead(writer, length);
  else writeFragmentHead(writer, length, -1, part >>> 1, (part & 1) === 1);
}

/** Whether a record of part `next` can come `distance` records after one of part `part`. */
export function follows(part: number, next: number, distance: number): boolean {
  const last = (part & 1) === 1;
  const index = next >>> 1;
  if (index >= distance) return !last && index === (part >>> 1) + distance;
  // It is of a later message; and what is not last has at least one behind it.
  return last || index + 1 < distance;
}
