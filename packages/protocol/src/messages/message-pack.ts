// MessagePack in and out: the only file that knows the codec library. It decodes with nothing that a packet
// could leave behind (no records, no structures) and only bytes that the allow-list let through.

import { Packr } from 'msgpackr/pack';
import { Unpackr } from 'msgpackr/unpack';

const OPTIONS = {
  useRecords: false,
  structuredClone: false,
  mapsAsObjects: true,
  int64AsType: 'number',
  copyBuffers: true,
} as const;

const packr = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

/** A new array of bytes. */
export function pack(values: readonly unknown[]): Uint8Array {
  return packr.pack(values);
}

/** Undefined when the bytes are not one whole value. Call only after the allow-list. */
export function unpack(bytes: Uint8Array, start: number, end: number): unknown {
  try {
    return unpackr.unpack(bytes, { start, end });
  } catch {
    return undefined;
  }
}
