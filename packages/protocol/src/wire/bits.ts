// Bit packing over the caller's memory, most significant bit first. Same failure rules as bytes.ts:
// overflow and failure are sticky and checked once.

/** Bits of one group of {@link BitWriter.writeVar}: each group is preceded by a "more" bit. */
const VAR_GROUP_BITS = 4;

/** Packs values of 1 to 32 bits. A write that does not fit sets `overflowed` and writes nothing. */
export class BitWriter {
  #bytes: Uint8Array = new Uint8Array(0);
  #startBit = 0;
  #bit = 0;
  #endBit = 0;
  #overflowed = false;

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#startBit = start * 8;
    this.#bit = this.#startBit;
    this.#endBit = end * 8;
    this.#overflowed = false;
  }

  /** Bits written since reset. */
  get bitPosition(): number {
    return this.#bit - this.#startBit;
  }

  get overflowed(): boolean {
    return this.#overflowed;
  }

  get remainingBits(): number {
    return this.#endBit - this.#bit;
  }

  write(value: number, bits: number): void {
    if (this.#overflowed || this.#bit + bits > this.#endBit) {
      this.#overflowed = true;
      return;
    }
    let left = bits;
    let bit = this.#bit;
    while (left > 0) {
      const used = bit & 7;
      const room = 8 - used;
      const take = left < room ? left : room;
      const chunk = (value >>> (left - take)) & ((1 << take) - 1);
      const at = bit >>> 3;
      const kept = used === 0 ? 0 : this.#bytes[at]! & (0xff00 >>> used);
      this.#bytes[at] = kept | (chunk << (room - take));
      bit += take;
      left -= take;
    }
    this.#bit = bit;
  }

  /** Unsigned, below 2^32: groups of four bits, low first, each behind a bit that says it is there. */
  writeVar(value: number): void {
    let rest = value >>> 0;
    do {
      this.write(rest & 0xf, VAR_GROUP_BITS);
      rest >>>= VAR_GROUP_BITS;
      this.write(rest === 0 ? 0 : 1, 1);
    } while (rest !== 0);
  }

  /** Appends `bits` bits that stand at source[start..], from the top of its first byte on. */
  copy(source: Uint8Array, start: number, bits: number): void {
    let at = start;
    let left = bits;
    for (; left >= 24; left -= 24) {
      this.write((source[at]! << 16) | (source[at + 1]! << 8) | source[at + 2]!, 24);
      at += 3;
    }
    for (; left >= 8; left -= 8) this.write(source[at++]!, 8);
    if (left > 0) this.write(source[at]! >>> (8 - left), left);
  }

  /** Takes back everything after `bitPosition`, and the overflow that followed it. */
  truncate(bitPosition: number): void {
    this.#bit = this.#startBit + bitPosition;
    this.#overflowed = false;
  }

  /** Pads the last byte with zero bits and returns the end offset in bytes. */
  finish(): number {
    const used = this.#bit & 7;
    if (used !== 0) this.write(0, 8 - used);
    return this.#bit >>> 3;
  }
}

/** How many bits {@link BitWriter.writeVar} takes for `value`. */
export function varBits(value: number): number {
  let groups = 1;
  for (let rest = value >>> VAR_GROUP_BITS; rest !== 0; rest >>>= VAR_GROUP_BITS) groups++;
  return groups * (VAR_GROUP_BITS + 1);
}

/** Unpacks what {@link BitWriter} packed; trusts nothing. */
export class BitReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #bit = 0;
  #endBit = 0;
  #failed = false;

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#bit = start * 8;
    this.#endBit = end * 8;
    this.#failed = false;
  }

  get failed(): boolean {
    return this.#failed;
  }

  read(bits: number): number {
    if (this.#failed || this.#bit + bits > this.#endBit) {
      this.#failed = true;
      return 0;
    }
    let value = 0;
    let left = bits;
    let bit = this.#bit;
    while (left > 0) {
      const used = bit & 7;
      const room = 8 - used;
      const take = left < room ? left : room;
      const chunk = (this.#bytes[bit >>> 3]! >>> (room - take)) & ((1 << take) - 1);
      value = (value << take) | chunk;
      bit += take;
      left -= take;
    }
    this.#bit = bit;
    return value >>> 0;
  }

  /** The shortest form only; a last group of zero behind a "more" bit is a failure. */
  readVar(): number {
    let value = 0;
    for (let shift = 0; shift < 32; shift += VAR_GROUP_BITS) {
      const group = this.read(VAR_GROUP_BITS);
      value |= group << shift;
      if (this.read(1) === 0) {
        if (group === 0 && shift > 0) break;
        return value >>> 0;
      }
    }
    this.#failed = true;
    return 0;
  }

  /** True when only the zero bits that fill up the last byte are left. */
  atEnd(): boolean {
    const left = this.#endBit - this.#bit;
    return !this.#failed && left < 8 && (left === 0 || this.read(left) === 0);
  }
}
