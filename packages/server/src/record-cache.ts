// Records that several sessions get in the same tick, encoded once. Sessions that acked the same baseline of an
// entity get the same bits; only owners get records of their own.

import {
  BASELINE_TICKS_MAX,
  BitWriter,
  type Frame,
  RECORD_HEAD_BITS_MAX,
  type RecordCodec,
  writeChangeHead,
  writeWholeHead,
} from '@tickwire/protocol';

/** Encoded records of one tick; a record beyond it is encoded again for every session. */
const ARENA_BYTES = 128 * 1024;

/** Baselines by distance; 0 = none, the record is whole. */
const BASELINES = BASELINE_TICKS_MAX + 1;

/** Where the encoded records of one archetype stand, [slot * BASELINES + ticks back]. */
class Entries {
  readonly ticks: Float64Array;
  readonly offsets: Int32Array;
  readonly bits: Int32Array;

  constructor(capacity: number) {
    this.ticks = new Float64Array(capacity * BASELINES).fill(-1);
    this.offsets = new Int32Array(capacity * BASELINES);
    this.bits = new Int32Array(capacity * BASELINES);
  }
}

/** One match's shared records. */
export class RecordCache {
  readonly #codecs: readonly RecordCodec[];
  readonly #entries: readonly Entries[];
  readonly #arena = new Uint8Array(ARENA_BYTES);
  readonly #writer = new BitWriter();
  #used = 0;
  #tick = -1;

  constructor(codecs: readonly RecordCodec[]) {
    this.#codecs = codecs;
    this.#entries = codecs.map(({ layout }) => new Entries(layout.capacity));
  }

  /** Writes the record that everybody but the owner gets: `base` = the acked frame, undefined = whole. */
  write(writer: BitWriter, archetype: number, slot: number, now: Frame, base?: Frame): void {
    const entries = this.#entries[archetype]!;
    const at = slot * BASELINES + (base === undefined ? 0 : now.tick - base.tick);
    if (entries.ticks[at] !== now.tick && !this.#encode(entries, at, archetype, slot, now, base)) {
      this.#writeRecord(writer, archetype, slot, now, base);
      return;
    }
    writer.copy(this.#arena, entries.offsets[at]!, entries.bits[at]!);
  }

  /** How many bits `write` will write. */
  measure(archetype: number, slot: number, now: Frame, base?: Frame): number {
    const entries = this.#entries[archetype]!;
    const at = slot * BASELINES + (base === undefined ? 0 : now.tick - base.tick);
    const known = entries.ticks[at] === now.tick;
    if (known || this.#encode(entries, at, archetype, slot, now, base)) return entries.bits[at]!;
    return this.#codecs[archetype]!.changeBitsMax(false) + RECORD_HEAD_BITS_MAX;
  }

  #encode(
    entries: Entries,
    at: number,
    archetype: number,
    slot: number,
    now: Frame,
    base: Frame | undefined,
  ): boolean {
    if (now.tick !== this.#tick) {
      this.#tick = now.tick;
      this.#used = 0;
    }
    const bitsMax = this.#codecs[archetype]!.changeBitsMax(false) + RECORD_HEAD_BITS_MAX;
    const end = this.#used + Math.ceil(bitsMax / 8);
    if (end > ARENA_BYTES) return false;
    this.#writer.reset(this.#arena, this.#used, end);
    this.#writeRecord(this.#writer, archetype, slot, now, base);
    entries.ticks[at] = now.tick;
    entries.offsets[at] = this.#used;
    entries.bits[at] = this.#writer.bitPosition;
    this.#used = this.#writer.finish();
    return true;
  }

  #writeRecord(
    writer: BitWriter,
    archetype: number,
    slot: number,
    now: Frame,
    base: Frame | undefined,
  ): void {
    const codec = this.#codecs[archetype]!;
    const at = slot * codec.layout.stride;
    if (base === undefined) {
      writeWholeHead(writer, false);
      codec.writeWhole(writer, now.values, at, false);
    } else {
      writeChangeHead(writer, now.tick - base.tick);
      codec.writeChange(writer, now.values, at, base.values, at, false);
    }
  }
}
