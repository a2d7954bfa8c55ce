// Sets of rows that can be written: the rows to simulate, and the live world that only the server has.

import type { Layout } from '../replication/layout.ts';
import type { RowIndex } from '../replication/row-index.ts';
import type { Table } from '../replication/table.ts';
import { TickwireError } from '../wire/errors.ts';
import { findSlot, type ReadSet, type RowPool } from './row-set.ts';

/** The active rows of a table, as an index. */
class ActiveIndex implements RowIndex {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  get count(): number {
    return this.#table.activeCount;
  }

  get order(): Int32Array {
    return this.#table.active;
  }

  get ids(): Uint32Array {
    return this.#table.ids;
  }
}

/** What simulate holds per archetype: loops over rows to simulate, looks at all rows. */
export class SimulatedSet<W, R> {
  readonly #rows: RowPool<W>;
  readonly #index: RowIndex;
  readonly #doomed: Uint8Array;
  readonly #others: ReadSet<R>;

  constructor(table: Table, rows: RowPool<W>, others: ReadSet<R>) {
    this.#rows = rows;
    this.#index = new ActiveIndex(table);
    this.#doomed = table.doomed;
    this.#others = others;
  }

  get count(): number {
    return this.#others.count;
  }

  at(id: number): R | undefined {
    return this.#others.at(id);
  }

  all(): IterableIterator<R> {
    return this.#others.all();
  }

  within(x: number, y: number, radius: number): IterableIterator<R> {
    return this.#others.within(x, y, radius);
  }

  [Symbol.iterator](): IterableIterator<W> {
    return this.#rows.loop(this.#index, this.#doomed);
  }
}

/** Who gives ids and keeps what belongs to a slot beyond the table. */
export interface RowKeeper {
  /** Id for a new row. */
  takeId(): number;
  /** A row took `slot`. */
  spawned(layout: Layout, slot: number): void;
}

/** All live rows of one archetype, writable. */
export class LiveSet<W> {
  readonly #table: Table;
  readonly #rows: RowPool<W>;
  readonly #index: RowIndex;
  readonly #keeper: RowKeeper;

  constructor(table: Table, rows: RowPool<W>, keeper: RowKeeper) {
    this.#table = table;
    this.#rows = rows;
    this.#index = new ActiveIndex(table);
    this.#keeper = keeper;
  }

  /** Rows in use, those despawned since the last step included. */
  get count(): number {
    return this.#table.count;
  }

  get capacity(): number {
    return this.#table.layout.capacity;
  }

  [Symbol.iterator](): IterableIterator<W> {
    return this.#rows.loop(this.#index, this.#table.doomed);
  }

  at(id: number): W | undefined {
    const slot = this.#slotOf(id);
    return slot < 0 ? undefined : this.#rows.point(slot, id);
  }

  spawn(): W {
    const { layout, count } = this.#table;
    if (count === layout.capacity) {
      const hint = `archetype '${layout.name}' holds its ${count} rows`;
      throw new TickwireError('archetype-full', `spawn: ${hint}`);
    }
    const id = this.#keeper.takeId();
    const slot = this.#table.spawn(id);
    this.#keeper.spawned(layout, slot);
    return this.#rows.point(slot, id);
  }

  despawn(id: number): boolean {
    const slot = this.#slotOf(id);
    if (slot < 0) return false;
    this.#table.despawn(slot);
    return true;
  }

  #slotOf(id: number): number {
    const slot = findSlot(this.#table, id);
    return slot >= 0 && this.#table.doomed[slot] === 0 ? slot : -1;
  }
}
