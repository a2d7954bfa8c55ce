// The inputs on their way: every tick's input goes with every packet until it is acked or its tick is over.

import { BitWriter, type Field, INPUTS_MAX, InputBlock, SequenceRing } from '@tickwire/protocol';

/** Packets of inputs whose fate may be open at once. */
const PACKETS = 256;

/** The channel's sending half; `GameClient` wires it. */
export class InputSender {
  readonly #block: InputBlock;
  readonly #rows: Int32Array;
  readonly #ring = new SequenceRing(INPUTS_MAX);
  readonly #packets = new SequenceRing(PACKETS);
  readonly #newestIn = new Float64Array(PACKETS);
  readonly #bits = new BitWriter();
  readonly #fields: number;
  readonly #view = new Float64Array([Number.NaN]);
  #newest = -1;
  #ackedTick = -1;
  #due = false;

  constructor(fields: readonly Field[]) {
    this.#fields = fields.length;
    this.#block = new InputBlock(fields);
    this.#rows = new Int32Array(INPUTS_MAX * fields.length);
  }

  /** Inputs that the next packet will carry. */
  get waiting(): number {
    return Math.min(INPUTS_MAX, this.#newest - this.#ackedTick);
  }

  /** The input of the newest tick, quantised; `viewTick` = what the player saw of others, NaN = nothing. */
  add(tick: number, values: Int32Array, viewTick: number): void {
    const at = this.#ring.put(tick) * this.#fields;
    for (let f = 0; f < this.#fields; f++) this.#rows[at + f] = values[f]!;
    if (tick <= this.#newest) this.#packets.clear();
    // First, or the clock went back: what was acked of later ticks does not count.
    if (this.#newest < 0 || tick <= this.#newest) this.#ackedTick = tick - 1;
    this.#newest = tick;
    this.#view[0] = viewTick;
    this.#due = true;
  }

  /** The server has simulated up to `tick`: older inputs are of no use. */
  simulated(tick: number): void {
    if (tick > this.#ackedTick) this.#ackedTick = Math.min(tick, this.#newest);
  }

  pending(): boolean {
    return this.#due;
  }

  /** Writes a section body into out[start, end); returns its length. */
  write(epoch: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    this.#due = false;
    const block = this.#block;
    block.epoch = epoch;
    block.wireTick = this.#newest % 0x10000;
    block.count = Math.max(1, this.#consecutive());
    block.hasView = false;
    if (this.#view[0]! >= 0) block.setView(this.#view[0]!);
    for (let n = 0; n < block.count; n++) {
      const at = this.#ring.slot(this.#newest - n) * this.#fields;
      for (let f = 0; f < this.#fields; f++) {
        block.values[n * this.#fields + f] = this.#rows[at + f]!;
      }
    }
    this.#bits.reset(out, start, end);
    block.write(this.#bits);
    this.#newestIn[this.#packets.put(sequence)] = this.#newest;
    const finish = this.#bits.finish();
    return this.#bits.overflowed ? 0 : finish - start;
  }

  acked(sequence: number): void {
    if (!this.#packets.has(sequence)) return;
    this.simulated(this.#newestIn[this.#packets.slot(sequence)]!);
  }

  /** How many of the newest ticks are there without a gap and still wanted. */
  #consecutive(): number {
    let count = 0;
    while (count < this.waiting && this.#ring.has(this.#newest - count)) count++;
    return count;
  }
}
