// Memory for short values that come and go: cells of a few sizes, kept for the next value of that size.

/** Cells have 16 << n bytes: the smallest costs little more than its own object, the largest holds any value. */
const SMALLEST_BYTES = 16;
const SIZES = 8;

/** See the head of the file. Keeps at most so many free bytes. */
export class ValueCells {
  readonly #freeBytesMax: number;
  readonly #free: Uint8Array[][] = Array.from({ length: SIZES }, () => []);
  #freeBytes = 0;

  constructor(freeBytesMax: number) {
    this.#freeBytesMax = freeBytesMax;
  }

  /** A cell of at least `length` bytes, with anything in it. `cell` is given back first, and taken again if it fits. */
  exchange(cell: Uint8Array | undefined, length: number): Uint8Array {
    const size = sizeOf(length);
    const bytes = SMALLEST_BYTES << size;
    if (cell?.length === bytes) return cell;
    if (cell !== undefined) this.give(cell);
    const free = this.#free[size]!.pop();
    if (free === undefined) return new Uint8Array(bytes);
    this.#freeBytes -= bytes;
    return free;
  }

  give(cell: Uint8Array): void {
    if (this.#freeBytes + cell.length > this.#freeBytesMax) return;
    this.#freeBytes += cell.length;
    this.#free[sizeOf(cell.length)]!.push(cell);
  }

  /** Forgets all free cells. */
  clear(): void {
    for (const cells of this.#free) cells.length = 0;
    this.#freeBytes = 0;
  }
}

/** Which size holds so many bytes. */
function sizeOf(length: number): number {
  return length <= SMALLEST_BYTES ? 0 : 28 - Math.clz32(length - 1);
}
