// Bytes, bits and MessagePack as PROTOCOL.md describes them, written from that page alone. Whatever it forbids throws.

/** Throws when a vector is not what the page allows. */
export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`not as PROTOCOL.md says: ${what}`);
}

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
export const utf8 = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
export const hex32 = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;

/** The number nearest to `nearest` with these low 16 bits (section 4). */
export function expand(wire: number, nearest: number): number {
  const delta = (((wire - nearest) % 65536) + 65536) % 65536;
  const number = nearest + (delta < 32768 ? delta : delta - 65536);
  demand(number >= 0, 'a number before the first');
  return number;
}

/** Reads a range of bytes to its end. */
export class ByteSource {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(count: number): Uint8Array {
    demand(count <= this.left, 'bytes that are not there');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** Unsigned, little endian. */
  u(size: number): number {
    return this.take(size).reduce((sum, byte, i) => sum + byte * 256 ** i, 0);
  }

  varint(): number {
    let value = 0;
    for (let i = 0; ; i++) {
      const byte = this.u(1);
      value += (byte & 127) * 128 ** i;
      if (byte >= 128) continue;
      demand((byte > 0 || i === 0) && value < 2 ** 32, 'a varint in its shortest form');
      return value;
    }
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  finish(): void {
    demand(this.left === 0, 'nothing after the end');
  }
}

/** Reads the bits of a range to its end. */
export class BitSource {
  #bits: string;

  constructor(bytes: Uint8Array) {
    this.#bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  }

  take(count: number): number {
    demand(count <= this.#bits.length, 'bits that are not there');
    const value = Number.parseInt(this.#bits.slice(0, count), 2);
    this.#bits = this.#bits.slice(count);
    return value;
  }

  /** Two's complement. */
  signed(count: number): number {
    const value = this.take(count);
    return value < 2 ** (count - 1) ? value : value - 2 ** count;
  }

  var(): number {
    let value = 0;
    for (let i = 0; ; i++) {
      const group = this.take(4);
      value += group * 16 ** i;
      if (this.take(1) === 1) continue;
      demand((group > 0 || i === 0) && value < 2 ** 32, 'a var in its shortest form');
      return value;
    }
  }

  finish(): void {
    demand(this.#bits.length < 8 && !this.#bits.includes('1'), 'zero bits up to the end');
  }
}

/** One value of the forms that the vectors need. */
export function readMessagePack(source: ByteSource): unknown {
  const head = source.u(1);
  const big = (size: number) => BigInt(`0x${hex(source.take(size))}`);
  const signed = (size: number) => Number(BigInt.asIntN(size * 8, big(size)));
  const str = (size: number) => Buffer.from(source.take(size)).toString('utf8');
  if (head < 0x80) return head;
  if (head >= 0xe0) return head - 256;
  if (head >= 0x90 && head < 0xa0) {
    return Array.from({ length: head - 0x90 }, () => readMessagePack(source));
  }
  if (head >= 0xa0 && head < 0xc0) return str(head - 0xa0);
  if (head === 0xc2 || head === 0xc3) return head === 0xc3;
  if (head >= 0xcc && head <= 0xcf) return Number(big(2 ** (head - 0xcc)));
  if (head >= 0xd0 && head <= 0xd3) return signed(2 ** (head - 0xd0));
  if (head === 0xc5) return source.take(Number(big(2)));
  if (head === 0xcb) return Buffer.from(source.take(8)).readDoubleBE();
  demand(head === 0xd9, `a form of MessagePack that this reader knows, not ${head}`);
  return str(source.u(1));
}
