// Which entries of a channel travelled in which packet, found again at the packet's verdict in the time that its
// entries take. An entry is whatever number the channel gives to what it must settle: a place in a window, a key.

/** Chains of entries by the low bits of the packet's sequence: about as many packets as can lack a verdict. */
const CHAINS = 512;
const NONE = -1;

/** Entries 0 to `entries` - 1, each in one packet at most. */
export class PacketEntries {
  /** Newest entry of each chain, then from entry to entry; packets that share a chain are told apart by sequence. */
  readonly #first = new Int32Array(CHAINS).fill(NONE);
  readonly #next: Int32Array;
  readonly #sequences: Float64Array;

  constructor(entries: number) {
    this.#next = new Int32Array(entries).fill(NONE);
    this.#sequences = new Float64Array(entries).fill(NONE);
  }

  /** Notes that `entry` travels in packet `sequence`; if it was noted for another packet, no longer in that one. */
  add(sequence: number, entry: number): void {
    this.remove(entry);
    const chain = sequence & (CHAINS - 1);
    this.#sequences[entry] = sequence;
    this.#next[entry] = this.#first[chain]!;
    this.#first[chain] = entry;
  }

  /** Forgets where `entry` travels, if anywhere. */
  remove(entry: number): void {
    const sequence = this.#sequences[entry]!;
    if (sequence === NONE) return;
    this.#sequences[entry] = NONE;
    const chain = sequence & (CHAINS - 1);
    if (this.#first[chain] === entry) {
      this.#first[chain] = this.#next[entry]!;
      return;
    }
    let at = this.#first[chain]!;
    while (this.#next[at] !== entry) at = this.#next[at]!;
    this.#next[at] = this.#next[entry]!;
  }

  /** Takes out what travelled in packet `sequence`: its first entry, the others by {@link after}; -1 = none. */
  take(sequence: number): number {
    const chain = sequence & (CHAINS - 1);
    let taken = NONE;
    let kept = NONE;
    let at = this.#first[chain]!;
    this.#first[chain] = NONE;
    while (at !== NONE) {
      const next = this.#next[at]!;
      if (this.#sequences[at] === sequence) {
        this.#sequences[at] = NONE;
        this.#next[at] = taken;
        taken = at;
      } else {
        if (kept === NONE) this.#first[chain] = at;
        else this.#next[kept] = at;
        this.#next[at] = NONE;
        kept = at;
      }
      at = next;
    }
    return taken;
  }

  /** The entry that was written into the taken packet after `entry`, -1 = none. To be asked before it is added again. */
  after(entry: number): number {
    return this.#next[entry]!;
  }
}
