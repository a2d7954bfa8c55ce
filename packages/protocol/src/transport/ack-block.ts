// The first thing in every packet body: what its sender has received.
//
//   size  field
//   1     flags: bit 0 = an ack follows; bit 1 = a history follows; bits 2 to 7 reserved, zero
//   2     ack: newest kept sequence, low 16 bits                       (flags bit 0)
//   2     delay between receiving it and sending this, 1/16 ms         (flags bit 0)
//   1     mask: bit i = history byte i is below                        (flags bit 1)
//   0..8  history bytes named by the mask; a byte left out is 0xff     (flags bit 1)
//
// History bit n = sequence ack - 1 - n was kept. One form per meaning: a byte of 0xff is never written,
// bit 1 of the flags is set only when the mask is not zero.

import type { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { ACK_HISTORY, type ReceivedWindow } from './received-window.ts';

const HAS_ACK = 1;
const HAS_HISTORY = 2;
const HISTORY_BYTES = ACK_HISTORY / 8;
const DELAY_UNITS_PER_MS = 16;
const DELAY_UNITS_MAX = 0xffff;
/** A peer that claims more is not believed: it could make any path look fast. */
export const DELAY_MS_MAX = 500;

/** The longest ack block. */
export const ACK_BLOCK_BYTES_MAX = 1 + 2 + 2 + 1 + HISTORY_BYTES;

/** One parsed ack block; reused for every packet. */
export class AckBlock {
  present = false;
  /** Low 16 bits of the acked sequence. */
  wireAck = 0;
  readonly history = new Uint8Array(HISTORY_BYTES);
  readonly #delayMs = new Float64Array(1);

  /** How long the peer says it held the acked packet, milliseconds; at most {@link DELAY_MS_MAX}. */
  get delayMs(): number {
    return this.#delayMs[0]!;
  }

  /** Parses; false = malformed. */
  read(reader: ByteReader): boolean {
    const flags = reader.u8();
    if (flags > (HAS_ACK | HAS_HISTORY) || flags === HAS_HISTORY) return false;
    this.present = flags !== 0;
    if (!this.present) return !reader.failed;
    this.wireAck = reader.u16();
    this.#delayMs[0] = Math.min(DELAY_MS_MAX, reader.u16() / DELAY_UNITS_PER_MS);
    this.history.fill(0xff);
    if ((flags & HAS_HISTORY) !== 0 && !this.#readHistory(reader)) return false;
    return !reader.failed;
  }

  #readHistory(reader: ByteReader): boolean {
    const mask = reader.u8();
    if (mask === 0) return false;
    for (let at = 0; at < HISTORY_BYTES; at++) {
      if (((mask >> at) & 1) === 0) continue;
      const byte = reader.u8();
      if (byte === 0xff) return false;
      this.history[at] = byte;
    }
    return true;
  }
}

/** Writes the ack block for what `window` holds. */
export function writeAckBlock(writer: ByteWriter, window: ReceivedWindow, delayMs: number): void {
  if (window.newestKept < 0) {
    writer.u8(0);
    return;
  }
  const history = window.history();
  let mask = 0;
  for (let at = 0; at < HISTORY_BYTES; at++) if (history[at] !== 0xff) mask |= 1 << at;
  writer.u8(mask === 0 ? HAS_ACK : HAS_ACK | HAS_HISTORY);
  writer.u16(window.newestKept % 0x10000);
  writer.u16(Math.min(DELAY_UNITS_MAX, Math.max(0, Math.round(delayMs * DELAY_UNITS_PER_MS))));
  if (mask === 0) return;
  writer.u8(mask);
  for (let at = 0; at < HISTORY_BYTES; at++) if (((mask >> at) & 1) !== 0) writer.u8(history[at]!);
}
