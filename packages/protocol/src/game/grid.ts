// Which rows are near a point. Hits are marked in a bit set by their place in id order, so that reading them
// back needs no sorting. Small or once-asked sets are scanned; the others are sorted into a square grid of
// about one row a cell, built again when the rows have moved.

import type { RowIndex } from '../replication/row-index.ts';

/** Fewer rows are scanned faster than a grid is built. */
const MIN_ROWS = 32;
/** Cells along a side, at most: bounds what is cleared per build. */
const MAX_SIDE = 64;
/** Widens the cells looked at beyond any rounding of positions and distances; the test itself is exact. */
const SLACK = 2 ** -48;

/** Places in id order as bits. */
export class HitSet {
  readonly #words: Int32Array;
  #at = 0;
  #end = 0;

  constructor(capacity: number) {
    this.#words = new Int32Array((capacity + 31) >>> 5);
  }

  /** Empties the set and gives its words, to be filled for places below `count`. */
  begin(count: number): Int32Array {
    this.#at = 0;
    this.#end = (count + 31) >>> 5;
    return this.#words.fill(0, 0, this.#end);
  }

  /** Takes the lowest place out, -1 = empty. */
  take(): number {
    const words = this.#words;
    while (this.#at < this.#end) {
      const word = words[this.#at]!;
      if (word !== 0) {
        words[this.#at] = word & (word - 1);
        return this.#at * 32 + 31 - Math.clz32(word & -word);
      }
      this.#at++;
    }
    return -1;
  }
}

/** Marks the places of all rows at most `radius` from (x, y). */
export function scan(
  index: RowIndex,
  xs: Float64Array,
  ys: Float64Array,
  x: number,
  y: number,
  radius: number,
  words: Int32Array,
): void {
  const { order, count } = index;
  const reach = radius * radius;
  for (let i = 0; i < count; i++) {
    const slot = order[i]!;
    const dx = xs[slot]! - x;
    const dy = ys[slot]! - y;
    if (dx * dx + dy * dy <= reach) words[i >>> 5]! |= 1 << (i & 31);
  }
}

/** The grid over one set of rows that stand still between calls of {@link Grid.invalidate}. */
export class Grid {
  readonly #index: RowIndex;
  readonly #xs: Float64Array;
  readonly #ys: Float64Array;
  /** First entry by cell, and one past the last; then places and positions by entry. */
  readonly #heads = new Int32Array(MAX_SIDE * MAX_SIDE + 1);
  readonly #cells: Int32Array;
  readonly #places: Int32Array;
  readonly #sortedXs: Float64Array;
  readonly #sortedYs: Float64Array;
  #questions = 0;
  #side = 1;
  #minX = 0;
  #minY = 0;
  #extent = 0;
  /** Largest coordinate, for the slack. */
  #far = 0;

  constructor(index: RowIndex, xs: Float64Array, ys: Float64Array) {
    const capacity = xs.length;
    this.#index = index;
    this.#xs = xs;
    this.#ys = ys;
    this.#cells = new Int32Array(capacity);
    this.#places = new Int32Array(capacity);
    this.#sortedXs = new Float64Array(capacity);
    this.#sortedYs = new Float64Array(capacity);
  }

  /** The rows have moved. */
  invalidate(): void {
    this.#questions = 0;
  }

  /** Marks the places of all rows at most `radius` from (x, y), as {@link scan} does. */
  mark(x: number, y: number, radius: number, words: Int32Array): void {
    this.#questions++;
    if (this.#questions === 1 || this.#index.count < MIN_ROWS) {
      scan(this.#index, this.#xs, this.#ys, x, y, radius, words);
      return;
    }
    if (this.#questions === 2) this.#build();
    const margin = radius + (Math.abs(x) + Math.abs(y) + radius + this.#far) * SLACK;
    const left = this.#cellOf(x - margin - this.#minX);
    const right = this.#cellOf(x + margin - this.#minX);
    const bottom = this.#cellOf(y - margin - this.#minY);
    const top = this.#cellOf(y + margin - this.#minY);
    for (let row = bottom; row <= top; row++) {
      const first = this.#heads[row * this.#side + left]!;
      const end = this.#heads[row * this.#side + right + 1]!;
      this.#markEntries(first, end, x, y, radius * radius, words);
    }
  }

  #markEntries(
    first: number,
    end: number,
    x: number,
    y: number,
    reach: number,
    words: Int32Array,
  ): void {
    const xs = this.#sortedXs;
    const ys = this.#sortedYs;
    const places = this.#places;
    for (let e = first; e < end; e++) {
      const dx = xs[e]! - x;
      const dy = ys[e]! - y;
      if (!(dx * dx + dy * dy <= reach)) continue;
      const place = places[e]!;
      words[place >>> 5]! |= 1 << (place & 31);
    }
  }

  /** Column or row of an offset from the corner. What is no number is in the first, as in {@link #build}. */
  #cellOf(offset: number): number {
    const cell = (offset / this.#extent) * this.#side;
    if (!(cell > 0)) return 0;
    return cell < this.#side ? Math.floor(cell) : this.#side - 1;
  }

  /** Counting sort by cell, rows of a cell by place. */
  #build(): void {
    this.#measure();
    const { order, count } = this.#index;
    const heads = this.#heads.fill(0, 0, this.#side * this.#side + 1);
    for (let i = 0; i < count; i++) {
      const slot = order[i]!;
      const row = this.#cellOf(this.#ys[slot]! - this.#minY);
      const cell = row * this.#side + this.#cellOf(this.#xs[slot]! - this.#minX);
      this.#cells[i] = cell;
      heads[cell]!++;
    }
    let total = 0;
    for (let cell = 0; cell <= this.#side * this.#side; cell++) {
      total += heads[cell]!;
      heads[cell] = total;
    }
    // From the end, every head walks back to where its cell begins.
    for (let i = count - 1; i >= 0; i--) {
      const entry = --heads[this.#cells[i]!]!;
      this.#places[entry] = i;
      this.#sortedXs[entry] = this.#xs[order[i]!]!;
      this.#sortedYs[entry] = this.#ys[order[i]!]!;
    }
  }

  #measure(): void {
    const { order, count } = this.#index;
    let minX = Infinity;
    let minY = Infinity;
    let maxX = -Infinity;
    let maxY = -Infinity;
    for (let i = 0; i < count; i++) {
      const x = this.#xs[order[i]!]!;
      const y = this.#ys[order[i]!]!;
      if (x < minX) minX = x;
      if (x > maxX) maxX = x;
      if (y < minY) minY = y;
      if (y > maxY) maxY = y;
    }
    this.#side = Math.min(MAX_SIDE, Math.ceil(Math.sqrt(count)));
    this.#minX = minX;
    this.#minY = minY;
    this.#extent = Math.max(maxX - minX, maxY - minY);
    this.#far = Math.abs(minX) + Math.abs(maxX) + Math.abs(minY) + Math.abs(maxY);
  }
}
