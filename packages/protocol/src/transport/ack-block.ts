// The first thing in every packet body: what its sender has received.
//
//   size  field
//   1     flags: bit 0 = ack present; bit 1 = history present; bits 2, 3 = reach / 64 - 1; bits 4 to 7 zero
//   2     ack: newest kept sequence, low 16 bits                        (flags bit 0)
//   2     delay between receiving that packet and writing this, 1/16 ms (flags bit 0)
//   1..4  masks, one for each 64 of the reach: bit i of mask m = history byte 8 m + i follows   (flags bit 1)
//   0..32 history bytes named by the masks; a byte left out is 0xff     (flags bit 1)
//
// History bit n = sequence ack - 1 - n was kept, for n below the reach; nothing is said of earlier sequences. The
// reach is 64 unless much came in the last 300 ms. One form per meaning: a byte of 0xff is never written, bit 1 of
// the flags is set only when a mask is not zero, and without an ack all flags are zero.

import type { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { ACK_HISTORY, ACK_REACH_STEP, type ReceivedWindow } from './received-window.ts';

const HAS_ACK = 1;
const HAS_HISTORY = 2;
const REACH_SHIFT = 2;
const FLAGS_MAX = 0x0f;
const HISTORY_BYTES = ACK_HISTORY / 8;
const DELAY_UNITS_PER_MS = 16;
const DELAY_UNITS_MAX = 0xffff;
/** A peer that claims more is not believed: it could make any path look fast. */
export const DELAY_MS_MAX = 500;

/** The beginning of time: from there a delay is the time itself. */
const START = new Float64Array(1);

/** The longest ack block. */
export const ACK_BLOCK_BYTES_MAX = 1 + 2 + 2 + HISTORY_BYTES / 8 + HISTORY_BYTES;

/** One parsed ack block; reused for every packet. */
export class AckBlock {
  present = false;
  /** Low 16 bits of the acked sequence. */
  wireAck = 0;
  /** Sequences before the ack of which the history tells: 64, 128, 192 or 256. */
  reach = ACK_REACH_STEP;
  /** Bit n & 7 of byte n >> 3: ack - 1 - n was kept; valid for n below the reach. */
  readonly history = new Uint8Array(HISTORY_BYTES);
  readonly #masks = new Uint8Array(HISTORY_BYTES / 8);
  readonly #delayMs = new Float64Array(1);

  /** How long the peer says it held the acked packet, milliseconds; at most {@link DELAY_MS_MAX}. */
  get delayMs(): number {
    return this.#delayMs[0]!;
  }

  /** Parses; false = malformed. */
  read(reader: ByteReader): boolean {
    const flags = reader.u8();
    this.present = (flags & HAS_ACK) !== 0;
    if (flags > FLAGS_MAX || (!this.present && flags !== 0)) return false;
    if (!this.present) return !reader.failed;
    this.reach = ((flags >> REACH_SHIFT) + 1) * ACK_REACH_STEP;
    this.wireAck = reader.u16();
    this.#delayMs[0] = Math.min(DELAY_MS_MAX, reader.u16() / DELAY_UNITS_PER_MS);
    // A loop, since so few bytes are not worth the call that fills them.
    for (let at = 0; at < HISTORY_BYTES; at++) this.history[at] = 0xff;
    if ((flags & HAS_HISTORY) !== 0 && !this.#readHistory(reader)) return false;
    return !reader.failed;
  }

  #readHistory(reader: ByteReader): boolean {
    const masks = this.reach / ACK_REACH_STEP;
    let any = 0;
    for (let m = 0; m < masks; m++) {
      this.#masks[m] = reader.u8();
      any |= this.#masks[m]!;
    }
    if (any === 0) return false;
    for (let at = 0; at < masks * 8; at++) {
      if (((this.#masks[at >> 3]! >> (at & 7)) & 1) === 0) continue;
      const byte = reader.u8();
      if (byte === 0xff) return false;
      this.history[at] = byte;
    }
    return true;
  }
}

/**
 * How long ago timesMs[at] was, in whole units of 1/16 ms, as many as fit the field. The difference is made here, because
 * handing over a fresh fraction would allocate it.
 */
export function delayUnits(nowMs: number, timesMs: Float64Array, at: number): number {
  const units = Math.round((nowMs - timesMs[at]!) * DELAY_UNITS_PER_MS);
  return Math.min(DELAY_UNITS_MAX, Math.max(0, units));
}

/** Writes the ack block for what `window` holds, the newest of it received `delayMs` ago. */
export function writeAckBlock(writer: ByteWriter, window: ReceivedWindow, delayMs: number): void {
  writeAckUnits(writer, window, delayUnits(delayMs, START, 0));
}

/** The same with the delay in {@link delayUnits}. */
export function writeAckUnits(writer: ByteWriter, window: ReceivedWindow, delay: number): void {
  if (window.newestKept < 0) {
    writer.u8(0);
    return;
  }
  const reach = window.reach;
  const gaps = hasGaps(window, reach);
  const reachBits = (reach / ACK_REACH_STEP - 1) << REACH_SHIFT;
  writer.u8(HAS_ACK | (gaps ? HAS_HISTORY : 0) | reachBits);
  writer.u16(window.newestKept % 0x10000);
  writer.u16(delay);
  if (gaps) writeHistory(writer, window, reach / 8);
}

function hasGaps(window: ReceivedWindow, reach: number): boolean {
  for (let w = 0; w < reach / 32; w++) if (window.word(w) !== -1) return true;
  return false;
}

function writeHistory(writer: ByteWriter, window: ReceivedWindow, bytes: number): void {
  for (let first = 0; first < bytes; first += 8) {
    let mask = 0;
    for (let i = 0; i < 8; i++) if (historyByte(window, first + i) !== 0xff) mask |= 1 << i;
    writer.u8(mask);
  }
  for (let at = 0; at < bytes; at++) {
    const byte = historyByte(window, at);
    if (byte !== 0xff) writer.u8(byte);
  }
}

function historyByte(window: ReceivedWindow, at: number): number {
  return (window.word(at >> 2) >>> (8 * (at & 3))) & 0xff;
}
