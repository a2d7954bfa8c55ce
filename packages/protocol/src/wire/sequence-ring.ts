// The one container of the protocol: a ring indexed by sequence, with the full sequence as tag.
// It stores no values; callers keep their columns of `size` entries and index them with `slot()`.

import { assert } from './errors.ts';

/** Tags of a ring of `size` entries (a power of two). A slot is valid only under the sequence that took it. */
export class SequenceRing {
  readonly size: number;
  readonly #mask: number;
  readonly #tags: Float64Array;

  constructor(size: number) {
    assert(size > 0 && (size & (size - 1)) === 0, 'ring size is a power of two');
    this.size = size;
    this.#mask = size - 1;
    this.#tags = new Float64Array(size).fill(-1);
  }

  /** Where `sequence` stands, whether or not it is present. */
  slot(sequence: number): number {
    // The low bits of any safe integer survive the cut to 32 bits.
    return sequence & this.#mask;
  }

  has(sequence: number): boolean {
    return sequence >= 0 && this.#tags[this.slot(sequence)] === sequence;
  }

  /** Takes the slot for `sequence`, over whatever stood there. Returns the slot. */
  put(sequence: number): number {
    const slot = this.slot(sequence);
    this.#tags[slot] = sequence;
    return slot;
  }

  /** The sequence that holds `slot`, -1 = nobody. */
  tag(slot: number): number {
    return this.#tags[slot]!;
  }

  remove(sequence: number): void {
    const slot = this.slot(sequence);
    if (this.#tags[slot] === sequence) this.#tags[slot] = -1;
  }

  clear(): void {
    this.#tags.fill(-1);
  }
}
