// The outer form of one snapshot packet: what stands before and between the entity records (record.ts).
// Every packet can be understood by itself, given the baselines it names. Bits, most significant first.
//
//   bits  field
//   8     epoch of the session's place in a match
//   16    tick, low bits
//   1     whole: this packet holds everything in which the receiver's acked state differs from this tick
//   1     predicted: this packet holds all of the receiver's own entities that differ
//   1     feedback follows
//   16      newest input tick received, low bits
//   12      how early it came: 1/4 ms, two's complement
//   var   number of entities that are gone, then their ids (var)
//   groups, each behind a 1 bit; a 0 bit ends them:
//     8     archetype index
//     var   number of records - 1
//     records by ascending id, each:
//       var   id - previous id - 1 (before the first: 0)
//       1     change (1) or whole (0)
//       whole:  1 bit "yours", then the record
//       change: 6 bits ticks between this tick and the baseline's (1 to 63), then the record

import type { BitReader, BitWriter } from '../wire/bits.ts';

/** A baseline may be so many ticks older than the snapshot. */
export const BASELINE_TICKS_MAX = 63;

const BASELINE_BITS = 6;
const SLACK_BITS = 12;
const SLACK_UNITS_PER_MS = 4;
const SLACK_UNITS_MAX = 2 ** (SLACK_BITS - 1) - 1;

/** Longest header without the gone ids. */
export const SNAPSHOT_HEAD_BITS_MAX = 8 + 16 + 3 + 16 + SLACK_BITS;

/** Longest opening of a group, and the bit that ends them. */
export const GROUP_HEAD_BITS_MAX = 1 + 8 + 40 + 1;

/** Everything of a record but id and fields. */
export const RECORD_HEAD_BITS_MAX = 1 + BASELINE_BITS;

/** The header of a snapshot packet; reused. */
export class SnapshotHead {
  epoch = 0;
  wireTick = 0;
  whole = false;
  predicted = false;
  hasFeedback = false;
  wireInputTick = 0;
  readonly #slackMs = new Float64Array(1);

  /** How long before its tick the newest input arrived, milliseconds; negative = too late. */
  get slackMs(): number {
    return this.#slackMs[0]!;
  }

  set slackMs(value: number) {
    this.#slackMs[0] = value;
  }

  write(writer: BitWriter): void {
    writer.write(this.epoch, 8);
    writer.write(this.wireTick, 16);
    writer.write(this.whole ? 1 : 0, 1);
    writer.write(this.predicted ? 1 : 0, 1);
    writer.write(this.hasFeedback ? 1 : 0, 1);
    if (this.hasFeedback) {
      writer.write(this.wireInputTick, 16);
      const units = Math.round(this.slackMs * SLACK_UNITS_PER_MS);
      const clamped = Math.max(-SLACK_UNITS_MAX, Math.min(SLACK_UNITS_MAX, units));
      writer.write(clamped & (2 ** SLACK_BITS - 1), SLACK_BITS);
    }
  }

  /** False = malformed. */
  read(reader: BitReader): boolean {
    this.epoch = reader.read(8);
    this.wireTick = reader.read(16);
    this.whole = reader.read(1) === 1;
    this.predicted = reader.read(1) === 1;
    this.hasFeedback = reader.read(1) === 1;
    if (this.hasFeedback) {
      this.wireInputTick = reader.read(16);
      const raw = reader.read(SLACK_BITS);
      const units = raw > SLACK_UNITS_MAX ? raw - 2 ** SLACK_BITS : raw;
      this.slackMs = units / SLACK_UNITS_PER_MS;
    }
    return !reader.failed;
  }
}

/** Opens a group of `count` records. */
export function writeGroupHead(writer: BitWriter, archetype: number, count: number): void {
  writer.write(1, 1);
  writer.write(archetype, 8);
  writer.writeVar(count - 1);
}

/** Ends the groups. */
export function writeGroupsEnd(writer: BitWriter): void {
  writer.write(0, 1);
}

/** Opens a whole record. */
export function writeWholeHead(writer: BitWriter, owned: boolean): void {
  writer.write(owned ? 1 : 0, 2);
}

/** Opens a change record. */
export function writeChangeHead(writer: BitWriter, ticksBack: number): void {
  writer.write(1, 1);
  writer.write(ticksBack, BASELINE_BITS);
}

/** Ticks between a change record and its baseline; 0 is malformed. */
export function readTicksBack(reader: BitReader): number {
  return reader.read(BASELINE_BITS);
}
