// One entity's fields on the wire, whole or as a change against a baseline. Bits, most significant first.
//
//   whole:   every field of the reader's audience, `bits` each
//   change:  per component of the audience: 1 bit changed;
//              if changed, per field: 1 bit changed;
//                if changed, for fields of at least 12 bits: 1 bit near;
//                  near: the difference, two's complement, half of the field's bits (rounded up)
//                  else: the value, `bits`
//
// Differences of wrapping fields (angles) are taken the short way round.

import type { BitReader, BitWriter } from '../wire/bits.ts';
import { quantise } from './field.ts';
import { AUDIENCE_ALL, AUDIENCE_OWNER, type Layout } from './layout.ts';

/** Below this a difference saves nothing worth its flag. */
const NEAR_FIELD_BITS_MIN = 12;

/** Reads, writes and measures the records of one archetype. Values are quantised rows: [at + field]. */
export class RecordCodec {
  readonly layout: Layout;
  readonly #bits: Uint8Array;
  readonly #near: Uint8Array;
  readonly #max: Float64Array;
  readonly #wraps: Uint8Array;
  /** What a field reads as where it may not be seen. */
  readonly #zeros: Int32Array;
  /** Upper bound of a whole record, by `owned`. */
  readonly wholeBits: readonly [others: number, owner: number];

  constructor(layout: Layout) {
    this.layout = layout;
    this.#bits = Uint8Array.from(layout.fields, (field) => field.bits);
    this.#near = Uint8Array.from(layout.fields, ({ bits }) =>
      bits >= NEAR_FIELD_BITS_MIN ? Math.ceil(bits / 2) : 0,
    );
    this.#max = Float64Array.from(layout.fields, (field) => field.max);
    this.#wraps = Uint8Array.from(layout.fields, (field) => (field.wraps ? 1 : 0));
    this.#zeros = Int32Array.from(layout.fields, (field) => quantise(field, 0));
    this.wholeBits = [this.#sumBits(AUDIENCE_ALL), this.#sumBits(AUDIENCE_OWNER)];
  }

  /** Upper bound of a change record, by `owned`: everything changed, far. */
  changeBitsMax(owned: boolean): number {
    const { components, stride } = this.layout;
    return this.wholeBits[owned ? 1 : 0] + components.length + 2 * stride;
  }

  writeWhole(writer: BitWriter, values: Int32Array, at: number, owned: boolean): void {
    const audienceMax = owned ? AUDIENCE_OWNER : AUDIENCE_ALL;
    const { audiences, stride } = this.layout;
    for (let f = 0; f < stride; f++) {
      if (audiences[f]! <= audienceMax) writer.write(values[at + f]!, this.#bits[f]!);
    }
  }

  /** Reads into out[at..]; fields outside the audience become what stands for 0. False = a value outside its field's range. */
  readWhole(reader: BitReader, out: Int32Array, at: number, owned: boolean): boolean {
    const audienceMax = owned ? AUDIENCE_OWNER : AUDIENCE_ALL;
    const { audiences, stride } = this.layout;
    let valid = true;
    for (let f = 0; f < stride; f++) {
      const value = audiences[f]! <= audienceMax ? reader.read(this.#bits[f]!) : this.#zeros[f]!;
      if (value > this.#max[f]!) valid = false;
      out[at + f] = value;
    }
    return valid;
  }

  writeChange(
    writer: BitWriter,
    values: Int32Array,
    at: number,
    base: Int32Array,
    baseAt: number,
    owned: boolean,
  ): void {
    const audienceMax = owned ? AUDIENCE_OWNER : AUDIENCE_ALL;
    const { components } = this.layout;
    for (let c = 0; c < components.length; c++) {
      const { first, count, audience } = components[c]!;
      if (audience > audienceMax) continue;
      let changed = false;
      for (let f = first; f < first + count; f++) changed ||= values[at + f] !== base[baseAt + f];
      writer.write(changed ? 1 : 0, 1);
      if (!changed) continue;
      for (let f = first; f < first + count; f++) {
        this.#writeField(writer, f, values[at + f]!, base[baseAt + f]!);
      }
    }
  }

  /** Reads into out[at..], starting from base[baseAt..]. False = a value outside its field's range. */
  readChange(
    reader: BitReader,
    base: Int32Array,
    baseAt: number,
    out: Int32Array,
    at: number,
    owned: boolean,
  ): boolean {
    const audienceMax = owned ? AUDIENCE_OWNER : AUDIENCE_ALL;
    const { components } = this.layout;
    let valid = true;
    for (let c = 0; c < components.length; c++) {
      const { first, count, audience } = components[c]!;
      const changed = audience <= audienceMax && reader.read(1) === 1;
      for (let f = first; f < first + count; f++) {
        const old = base[baseAt + f]!;
        const value = changed ? this.#readField(reader, f, old) : old;
        if (value < 0 || value > this.#max[f]!) valid = false;
        out[at + f] = value;
      }
    }
    return valid;
  }

  #writeField(writer: BitWriter, f: number, value: number, old: number): void {
    writer.write(value === old ? 0 : 1, 1);
    if (value === old) return;
    const near = this.#near[f]!;
    if (near > 0) {
      const difference = this.#difference(f, value, old);
      const half = 1 << (near - 1);
      const fits = difference >= -half && difference < half;
      writer.write(fits ? 1 : 0, 1);
      if (fits) {
        writer.write(difference & (half * 2 - 1), near);
        return;
      }
    }
    writer.write(value, this.#bits[f]!);
  }

  #readField(reader: BitReader, f: number, old: number): number {
    if (reader.read(1) === 0) return old;
    const near = this.#near[f]!;
    if (near === 0 || reader.read(1) === 0) return reader.read(this.#bits[f]!);
    const raw = reader.read(near);
    const value = old + (raw >= 1 << (near - 1) ? raw - (1 << near) : raw);
    if (this.#wraps[f] === 0) return value;
    const range = this.#max[f]! + 1;
    return ((value % range) + range) % range;
  }

  #difference(f: number, value: number, old: number): number {
    const difference = value - old;
    if (this.#wraps[f] === 0) return difference;
    const range = this.#max[f]! + 1;
    if (difference >= range / 2) return difference - range;
    return difference < -range / 2 ? difference + range : difference;
  }

  #sumBits(audienceMax: number): number {
    const { audiences, stride } = this.layout;
    let sum = 0;
    for (let f = 0; f < stride; f++) if (audiences[f]! <= audienceMax) sum += this.#bits[f]!;
    return sum;
  }
}
