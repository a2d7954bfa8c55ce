// Byte-aligned reading and writing over the caller's memory. Little endian. The reader's failure is sticky:
// after a read past the end everything reads as 0 and `failed` stays true, so it is checked once at the end.

/** Writes bytes into a range it was given; a write that does not fit sets `overflowed` and writes nothing. */
export class ByteWriter {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #overflowed = false;

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#overflowed = false;
  }

  get position(): number {
    return this.#at;
  }

  get overflowed(): boolean {
    return this.#overflowed;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(value: number): void {
    if (this.#fits(1)) this.#bytes[this.#at++] = value;
  }

  u16(value: number): void {
    if (!this.#fits(2)) return;
    this.#bytes[this.#at++] = value;
    this.#bytes[this.#at++] = value >>> 8;
  }

  u32(value: number): void {
    if (!this.#fits(4)) return;
    this.#bytes[this.#at++] = value;
    this.#bytes[this.#at++] = value >>> 8;
    this.#bytes[this.#at++] = value >>> 16;
    this.#bytes[this.#at++] = value >>> 24;
  }

  /** Unsigned, below 2^32: seven bits a byte, low first, high bit = more follow. */
  varint(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** Copies source[start, end). */
  range(source: Uint8Array, start: number, end: number): void {
    if (!this.#fits(end - start)) return;
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = start; i < end; i++) bytes[at++] = source[i]!;
    this.#at = at;
  }

  /** Takes over `count` bytes that the caller has already put at `position`. */
  claim(count: number): void {
    if (this.#fits(count)) this.#at += count;
  }

  /** Zero bytes, for padding. */
  zeros(count: number): void {
    if (!this.#fits(count)) return;
    this.#bytes.fill(0, this.#at, this.#at + count);
    this.#at += count;
  }

  #fits(count: number): boolean {
    if (!this.#overflowed && this.#at + count <= this.#end) return true;
    this.#overflowed = true;
    return false;
  }
}

/** How many bytes {@link ByteWriter.varint} takes for `value`. */
export function varintBytes(value: number): number {
  let size = 1;
  for (let rest = value >>> 0; rest >= 0x80; rest >>>= 7) size++;
  return size;
}

/** Reads bytes from a range it was given. Trusts nothing; see the head of the file for failure. */
export class ByteReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #failed = false;

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#failed = false;
  }

  get position(): number {
    return this.#at;
  }

  get failed(): boolean {
    return this.#failed;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#has(1) ? this.#bytes[this.#at++]! : 0;
  }

  u16(): number {
    if (!this.#has(2)) return 0;
    const at = this.#at;
    this.#at = at + 2;
    return this.#bytes[at]! | (this.#bytes[at + 1]! << 8);
  }

  u32(): number {
    if (!this.#has(4)) return 0;
    const low = this.u16();
    return (low | (this.u16() << 16)) >>> 0;
  }

  /** The shortest form only: a padded varint is a failure, so that every value has one form. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      if (shift === 28 && byte > 0x0f) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) break;
        return value >>> 0;
      }
    }
    this.#failed = true;
    return 0;
  }

  /** Copies the next `count` bytes to out[start..]. */
  range(out: Uint8Array, start: number, count: number): void {
    if (!this.#has(count)) return;
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < count; i++) out[start + i] = bytes[at++]!;
    this.#at = at;
  }

  skip(count: number): void {
    if (this.#has(count)) this.#at += count;
  }

  #has(count: number): boolean {
    if (!this.#failed && count >= 0 && this.#at + count <= this.#end) return true;
    this.#failed = true;
    return false;
  }
}

/** Whether both hold the same bytes. Takes as long wherever they differ, so it may compare what is secret. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
