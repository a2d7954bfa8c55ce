// Sets of rows and the iterators over them. Everything handed out is pooled: iterators by nesting depth, rows
// looked up by `at` in a ring that the enclosing loop winds back with each turn. Nothing is allocated once
// the pools have grown to what a game uses.

import type { Layout } from '../replication/layout.ts';
import type { RowIndex } from '../replication/row-index.ts';
import { TickwireError } from '../wire/errors.ts';
import { type RowCursor, retire, revive } from './cursor.ts';
import { type Grid, HitSet, scan } from './grid.ts';

/** Loops inside loops; beyond it the pools start over, which only unfinished loops can notice. */
const MAX_DEPTH = 32;
/** Rows from `at` that are good at the same time, per set and loop turn: a power of two. */
const MAX_LOOKED_UP = 64;

/** How deep in loops the holder of some sets is. */
export class Scope {
  readonly development: boolean;
  depth = 0;
  lookedUp = 0;
  /** Row of the innermost writable loop that ended early, 0 = none since a loop last moved on. */
  abandonedId = 0;
  readonly #handedOut: RowCursor[] = [];

  constructor(development: boolean) {
    this.development = development;
  }

  /** Forgets unfinished loops. In development every row handed out so far is stale from here on. */
  reset(): void {
    this.depth = 0;
    this.lookedUp = 0;
    this.abandonedId = 0;
    if (!this.development) return;
    for (const cursor of this.#handedOut) retire(cursor);
  }

  /** Remembers a cursor for {@link reset}. */
  adopt(cursor: RowCursor): RowCursor {
    if (this.development) this.#handedOut.push(cursor);
    return cursor;
  }
}

/** One loop over rows. Its result object and its cursor are reused for every row. */
export class RowIterator<R> implements IterableIterator<R> {
  readonly #scope: Scope;
  readonly #cursor: RowCursor;
  readonly #depth: number;
  readonly #writable: boolean;
  readonly #result: { done: boolean; value: R };
  #running = false;
  #index = 0;
  #end = 0;
  #mark = 0;
  #order: Int32Array = NOTHING.order;
  #ids: Uint32Array = NOTHING.ids;
  #doomed: Uint8Array | undefined;
  /** Made by the first loop that is limited. */
  #hits: HitSet | undefined;
  #limited = false;

  constructor(scope: Scope, depth: number, cursor: RowCursor, writable: boolean) {
    this.#scope = scope;
    this.#depth = depth;
    this.#cursor = cursor;
    this.#writable = writable;
    this.#result = { done: false, value: cursor as unknown as R };
  }

  begin(index: RowIndex, doomed: Uint8Array | undefined): this {
    this.#index = 0;
    this.#end = index.count;
    this.#order = index.order;
    this.#ids = index.ids;
    this.#doomed = doomed;
    this.#limited = false;
    this.#mark = this.#scope.lookedUp;
    this.#running = true;
    this.#result.done = false;
    if (this.#scope.development) revive(this.#cursor);
    return this;
  }

  /** Only the rows whose places the caller marks in the words that this returns. */
  limit(capacity: number): Int32Array {
    this.#limited = true;
    this.#hits ??= new HitSet(capacity);
    return this.#hits.begin(this.#end);
  }

  [Symbol.iterator](): this {
    if (this.#running) return this;
    throw new TickwireError('stale-cursor', 'a row set can be looped over once: ask for it again');
  }

  next(): IteratorResult<R, undefined> {
    const scope = this.#scope;
    // Whatever the loop's last turn left unfinished is free again.
    scope.depth = this.#depth + 1;
    scope.lookedUp = this.#mark;
    if (this.#writable) scope.abandonedId = 0;
    const place = this.#nextPlace();
    if (place >= 0) {
      const slot = this.#order[place]!;
      const state = this.#cursor._home;
      state.slot = slot;
      state.id = this.#ids[slot]!;
      return this.#result as IteratorYieldResult<R>;
    }
    return this.#finish();
  }

  /** Called by `break` and by throws. */
  return(): IteratorResult<R, undefined> {
    const scope = this.#scope;
    if (this.#writable && scope.abandonedId === 0) scope.abandonedId = this.#cursor._home.id;
    return this.#finish();
  }

  /** Place in id order of the next row, -1 = done. */
  #nextPlace(): number {
    if (this.#limited) return this.#hits!.take();
    const doomed = this.#doomed;
    while (this.#index < this.#end) {
      const place = this.#index++;
      if (doomed === undefined || doomed[this.#order[place]!] === 0) return place;
    }
    return -1;
  }

  /** The result object is always the same one: loops look at its value only when it is not done. */
  #finish(): IteratorResult<R, undefined> {
    this.#running = false;
    this.#scope.depth = this.#depth;
    this.#scope.lookedUp = this.#mark;
    if (this.#scope.development) retire(this.#cursor);
    this.#result.done = true;
    return this.#result as unknown as IteratorReturnResult<undefined>;
  }
}

const NOTHING: RowIndex = { count: 0, order: new Int32Array(0), ids: new Uint32Array(0) };

/** Pools of one set: a cursor per loop depth and a ring for `at`. */
export class RowPool<R> {
  readonly scope: Scope;
  readonly #make: () => RowCursor;
  readonly #writable: boolean;
  readonly #iterators: RowIterator<R>[] = [];
  readonly #ring: RowCursor[] = [];

  constructor(scope: Scope, make: () => RowCursor, writable: boolean) {
    this.scope = scope;
    this.#make = make;
    this.#writable = writable;
  }

  loop(index: RowIndex, doomed: Uint8Array | undefined): RowIterator<R> {
    const { scope } = this;
    if (scope.depth >= MAX_DEPTH) scope.depth = 0;
    const depth = scope.depth++;
    return (this.#iterators[depth] ?? this.#grow(depth)).begin(index, doomed);
  }

  /** A cursor at one row. */
  point(slot: number, id: number): R {
    const at = this.scope.lookedUp;
    this.scope.lookedUp = (at + 1) & (MAX_LOOKED_UP - 1);
    while (this.#ring.length <= at) this.#ring.push(this.scope.adopt(this.#make()));
    const cursor = this.#ring[at]!;
    if (this.scope.development) revive(cursor);
    cursor._home.slot = slot;
    cursor._home.id = id;
    return cursor as unknown as R;
  }

  #grow(depth: number): RowIterator<R> {
    for (let d = this.#iterators.length; d <= depth; d++) {
      const cursor = this.scope.adopt(this.#make());
      this.#iterators.push(new RowIterator<R>(this.scope, d, cursor, this.#writable));
    }
    return this.#iterators[depth]!;
  }
}

/** Slot of a row among the first `index.count`, -1 = not there. */
export function findSlot(index: RowIndex, id: number): number {
  const { order, ids } = index;
  let low = 0;
  let high = index.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[order[middle]!]! < id) low = middle + 1;
    else high = middle;
  }
  if (low === index.count) return -1;
  const slot = order[low]!;
  return ids[slot] === id ? slot : -1;
}

/** Rows to look at: index and columns of somebody else, and cursors that refuse writes. */
export class ReadSet<R> {
  readonly #layout: Layout;
  readonly #index: RowIndex;
  readonly #columns: readonly Float64Array[];
  readonly #pool: RowPool<R>;
  readonly #grid: Grid | undefined;

  /** `grid` is over the same index and columns; without one, `within` looks at every row. */
  constructor(
    scope: Scope,
    layout: Layout,
    index: RowIndex,
    columns: readonly Float64Array[],
    make: () => RowCursor,
    grid?: Grid,
  ) {
    this.#layout = layout;
    this.#index = index;
    this.#columns = columns;
    this.#pool = new RowPool<R>(scope, make, false);
    this.#grid = grid;
  }

  get count(): number {
    return this.#index.count;
  }

  at(id: number): R | undefined {
    const slot = findSlot(this.#index, id);
    return slot < 0 ? undefined : this.#pool.point(slot, id);
  }

  all(): IterableIterator<R> {
    return this.#pool.loop(this.#index, undefined);
  }

  within(x: number, y: number, radius: number): IterableIterator<R> {
    const { positionX, positionY, name, capacity } = this.#layout;
    if (positionX < 0) {
      const hint = `'${name}' has no component for everybody with x and y`;
      throw new TickwireError('no-position', `within: ${hint}`);
    }
    const loop = this.#pool.loop(this.#index, undefined);
    const words = loop.limit(capacity);
    if (!(radius >= 0)) return loop;
    const columns = this.#columns;
    if (this.#grid) this.#grid.mark(x, y, radius, words);
    else scan(this.#index, columns[positionX]!, columns[positionY]!, x, y, radius, words);
    return loop;
  }

  [Symbol.iterator](): IterableIterator<R> {
    return this.all();
  }
}
