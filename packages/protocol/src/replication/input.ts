// The inputs a client sends: the newest and every earlier one that is not acked, so that a lost packet costs
// nothing. Bits, most significant first.
//
//   bits  field
//   8     epoch
//   16    newest tick, low bits
//   5     number of inputs - 1: ticks newest, newest - 1, ...
//   1     view follows: what the player saw of others when giving the newest input
//   16      tick, low bits
//   8       fraction, 1/256
//   fields of the newest input, `bits` each
//   per earlier input: 1 bit changed; if changed, its fields

import type { BitReader, BitWriter } from '../wire/bits.ts';
import type { Field } from './field.ts';

/** Inputs in one packet; with one a tick, half a second at 60 Hz. */
export const INPUTS_MAX = 32;

/** A missing input repeats the held fields of the last one for so many ticks; then nothing is pressed. */
export const INPUT_REPEAT_TICKS_MAX = 10;

const VIEW_FRACTION = 256;

/** One packet's inputs as quantised rows, newest first; reused. */
export class InputBlock {
  epoch = 0;
  wireTick = 0;
  count = 0;
  hasView = false;
  wireViewTick = 0;
  /** In 1/256 of a tick. */
  viewFraction = 0;
  /** [n * fields + field]; n = 0 is the newest. */
  readonly values: Int32Array;
  readonly #fields: readonly Field[];

  constructor(fields: readonly Field[]) {
    this.#fields = fields;
    this.values = new Int32Array(INPUTS_MAX * fields.length);
  }

  get stride(): number {
    return this.#fields.length;
  }

  /** Sets the view from a fractional tick, not negative. */
  setView(viewTick: number): void {
    const whole = Math.floor(viewTick);
    this.hasView = true;
    this.wireViewTick = whole % 0x10000;
    this.viewFraction = Math.floor((viewTick - whole) * VIEW_FRACTION);
  }

  write(writer: BitWriter): void {
    writer.write(this.epoch, 8);
    writer.write(this.wireTick, 16);
    writer.write(this.count - 1, 5);
    writer.write(this.hasView ? 1 : 0, 1);
    if (this.hasView) {
      writer.write(this.wireViewTick, 16);
      writer.write(this.viewFraction, 8);
    }
    this.#writeRow(writer, 0);
    for (let n = 1; n < this.count; n++) {
      const same = this.#same(n);
      writer.write(same ? 0 : 1, 1);
      if (!same) this.#writeRow(writer, n);
    }
  }

  /** False = malformed. */
  read(reader: BitReader): boolean {
    this.epoch = reader.read(8);
    this.wireTick = reader.read(16);
    this.count = reader.read(5) + 1;
    this.hasView = reader.read(1) === 1;
    if (this.hasView) {
      this.wireViewTick = reader.read(16);
      this.viewFraction = reader.read(8);
    }
    let valid = this.#readRow(reader, 0);
    for (let n = 1; n < this.count && valid; n++) {
      if (reader.read(1) === 1) valid = this.#readRow(reader, n);
      else this.values.copyWithin(n * this.stride, (n - 1) * this.stride, n * this.stride);
    }
    return valid && reader.atEnd();
  }

  #same(n: number): boolean {
    const at = n * this.stride;
    for (let f = 0; f < this.stride; f++) {
      if (this.values[at + f] !== this.values[at + f - this.stride]) return false;
    }
    return true;
  }

  #writeRow(writer: BitWriter, n: number): void {
    const at = n * this.stride;
    for (let f = 0; f < this.stride; f++) writer.write(this.values[at + f]!, this.#fields[f]!.bits);
  }

  #readRow(reader: BitReader, n: number): boolean {
    const at = n * this.stride;
    for (let f = 0; f < this.stride; f++) {
      const field = this.#fields[f]!;
      const value = reader.read(field.bits);
      if (value > field.max) return false;
      this.values[at + f] = value;
    }
    return !reader.failed;
  }
}
