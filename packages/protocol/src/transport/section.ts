// What fills a packet after the ack block: sections, each [type, length, body].
//
//   size  field
//   1     type: bit 7 = must be understood (a reader that does not know the type refuses the packet);
//         low bits 0 to 63 = channel, 64 = ping, 65 = close, 66 = path challenge, 67 = path response
//   1..2  length of the body, varint
//   ..    body
//
// At most one section of a type stands in a packet. A path challenge and a path response have 4 bytes (path-challenge.ts).

import type { ByteReader } from '../wire/bytes.ts';
import { Verdict } from '../wire/verdict.ts';
import { CHANNELS_MAX } from './channel.ts';

export const MUST_UNDERSTAND = 0x80;

/** Section types that belong to the connection itself. */
export const ControlSection = { ping: 64, close: 65, pathChallenge: 66, pathResponse: 67 } as const;

/** Body of a path challenge, and of the response to it. */
export const PATH_DATA_BYTES = 4;

/** Type byte and the longest length that a datagram can hold. */
export const SECTION_HEADER_BYTES_MAX = 3;

/** More sections than channels and controls together cannot be well formed. */
const SECTIONS_MAX = CHANNELS_MAX + 8;

/** The sections of one packet, found by a first walk that reads no body. Reused for every packet. */
export class SectionList {
  readonly types = new Uint8Array(SECTIONS_MAX);
  readonly starts = new Int32Array(SECTIONS_MAX);
  readonly ends = new Int32Array(SECTIONS_MAX);
  count = 0;
  /** Masks of the section numbers seen: 0 to 31, 32 to 63, from 64 on. */
  #low = 0;
  #high = 0;
  #control = 0;

  /** Walks to the end of the reader. `low` and `high` = masks of the known channels, ids 0 to 31 and 32 to 63. */
  read(reader: ByteReader, low: number, high: number): Verdict {
    this.count = 0;
    this.#low = 0;
    this.#high = 0;
    this.#control = 0;
    let verdict: Verdict = Verdict.accepted;
    while (reader.remaining > 0) {
      const typeByte = reader.u8();
      const length = reader.varint();
      const start = reader.position;
      reader.skip(length);
      if (reader.failed) return Verdict.malformed;
      const type = typeByte & ~MUST_UNDERSTAND;
      if (!known(type, low, high)) {
        if (typeByte >= MUST_UNDERSTAND) verdict = Verdict.refused;
        continue;
      }
      if (!this.#once(type) || this.count === SECTIONS_MAX) return Verdict.malformed;
      if (type >= ControlSection.pathChallenge && length !== PATH_DATA_BYTES) {
        return Verdict.malformed;
      }
      this.types[this.count] = type;
      this.starts[this.count] = start;
      this.ends[this.count++] = start + length;
    }
    return reader.failed ? Verdict.malformed : verdict;
  }

  #once(type: number): boolean {
    const bit = 1 << (type & 31);
    const seen = type < 32 ? this.#low : type < CHANNELS_MAX ? this.#high : this.#control;
    if (type < 32) this.#low |= bit;
    else if (type < CHANNELS_MAX) this.#high |= bit;
    else this.#control |= bit;
    return (seen & bit) === 0;
  }
}

function known(type: number, low: number, high: number): boolean {
  if (type < 32) return ((low >>> type) & 1) === 1;
  if (type < CHANNELS_MAX) return ((high >>> (type - 32)) & 1) === 1;
  return type <= ControlSection.pathResponse;
}
