// The walk over MessagePack bytes that comes before any decoder sees them: nil, bool, integers that a number
// holds exactly, floats, str, bin, arrays, maps with string keys. Everything else, extensions above all,
// is refused, and so is a length that the bytes do not hold, deep nesting, too many items, and an inexact end.

/** Declared fields are scalars in one array; the rest is room for declarations to grow. */
export const MAX_NESTING = 8;
/** Items of all arrays and maps together: more would be work without a message to show for it. */
export const MAX_ITEMS = 1024;

const REFUSED = -1;

/** Walks one value. Reused: not re-entrant. */
export class AllowList {
  #bytes: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #end = 0;
  #items = 0;

  /** True when [start, end) is exactly one value made of allowed things only. */
  allows(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#bytes !== bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#at = start;
    this.#end = end;
    this.#items = 0;
    return this.#value(0) && this.#at === end;
  }

  #value(depth: number): boolean {
    if (this.#at >= this.#end) return false;
    const head = this.#bytes[this.#at++]!;
    if (head <= 0x7f || head >= 0xe0) return true;
    if (head <= 0x8f) return this.#map(head & 0x0f, depth);
    if (head <= 0x9f) return this.#array(head & 0x0f, depth);
    if (head <= 0xbf) return this.#skip(head & 0x1f);
    switch (head) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return true;
      case 0xc4:
      case 0xd9:
        return this.#skip(this.#length(1));
      case 0xc5:
      case 0xda:
        return this.#skip(this.#length(2));
      case 0xc6:
      case 0xdb:
        return this.#skip(this.#length(4));
      case 0xcc:
      case 0xd0:
        return this.#skip(1);
      case 0xcd:
      case 0xd1:
        return this.#skip(2);
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.#skip(4);
      case 0xcb:
        return this.#skip(8);
      case 0xcf:
      case 0xd3:
        return this.#integer64(head === 0xd3);
      case 0xdc:
        return this.#array(this.#length(2), depth);
      case 0xdd:
        return this.#array(this.#length(4), depth);
      case 0xde:
        return this.#map(this.#length(2), depth);
      case 0xdf:
        return this.#map(this.#length(4), depth);
      default:
        return false; // 0xc1, which means nothing, and the extensions
    }
  }

  #array(count: number, depth: number): boolean {
    if (!this.#enters(count, depth)) return false;
    for (let i = 0; i < count; i++) if (!this.#value(depth + 1)) return false;
    return true;
  }

  #map(count: number, depth: number): boolean {
    if (!this.#enters(count, depth)) return false;
    for (let i = 0; i < count; i++) {
      if (!this.#startsString() || !this.#value(depth + 1)) return false;
      if (!this.#value(depth + 1)) return false;
    }
    return true;
  }

  /** Every item takes a byte at least, so a count beyond the bytes is refused before any of them is read. */
  #enters(count: number, depth: number): boolean {
    if (count === REFUSED || count > this.#end - this.#at || depth >= MAX_NESTING) return false;
    this.#items += count;
    return this.#items <= MAX_ITEMS;
  }

  #startsString(): boolean {
    if (this.#at >= this.#end) return false;
    const head = this.#bytes[this.#at]!;
    return (head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb);
  }

  #integer64(signed: boolean): boolean {
    const at = this.#at;
    if (!this.#skip(8)) return false;
    const high = signed ? this.#view.getInt32(at) : this.#view.getUint32(at);
    return Number.isSafeInteger(high * 2 ** 32 + this.#view.getUint32(at + 4));
  }

  /** A length of 1, 2 or 4 bytes. */
  #length(size: number): number {
    const at = this.#at;
    if (!this.#skip(size)) return REFUSED;
    if (size === 1) return this.#bytes[at]!;
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #skip(count: number): boolean {
    if (count === REFUSED || count > this.#end - this.#at) return false;
    this.#at += count;
    return true;
  }
}
