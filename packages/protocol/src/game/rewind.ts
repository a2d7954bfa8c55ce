// Rewinding: everybody where one player saw them. Poses come from the frame history, blended at the fraction
// of a tick that the player's view stood at, and are clamped to what the history still has.

import { blendRow } from '../replication/blend.ts';
import type { Frame } from '../replication/frame.ts';
import type { RowIndex } from '../replication/row-index.ts';
import type { Table } from '../replication/table.ts';
import type { CursorFactory } from './cursor.ts';
import { ReadSet, type Scope } from './row-set.ts';

/** Where frames come from. */
export interface History {
  history(archetype: number, tick: number): Frame | undefined;
}

/** One archetype at a moment of the past. The columns are filled when the set is asked for. */
class PastRows {
  readonly set: ReadSet<unknown>;
  readonly #index: { count: number; order: Int32Array; ids: Uint32Array };
  readonly #columns: readonly Float64Array[];
  readonly #table: Table;
  readonly #startRows: RowIndex;

  constructor(scope: Scope, table: Table, startRows: RowIndex, cursors: CursorFactory) {
    const { layout } = table;
    this.#table = table;
    this.#startRows = startRows;
    this.#columns = layout.fields.map(() => new Float64Array(layout.capacity));
    this.#index = { count: 0, order: table.order, ids: table.ids };
    this.set = new ReadSet(scope, layout, this.#index, this.#columns, () =>
      cursors.readOnly(this.#columns),
    );
  }

  /** As at the tick's start. */
  fillNow(): void {
    const { start } = this.#table;
    this.#point(this.#startRows);
    const { count, order } = this.#index;
    for (let f = 0; f < start.length; f++) {
      const from = start[f]!;
      const to = this.#columns[f]!;
      for (let i = 0; i < count; i++) to[order[i]!] = from[order[i]!]!;
    }
  }

  /** The rows of `earlier`; those that `later` has no longer stand still. */
  fill(earlier: Frame, later: Frame, fraction: number): void {
    const { layout } = this.#table;
    const { stride } = layout;
    this.#point(earlier);
    for (let i = 0; i < earlier.count; i++) {
      const slot = earlier.order[i]!;
      const at = slot * stride;
      const to = later.ids[slot] === earlier.ids[slot] ? later.values : earlier.values;
      blendRow(layout, earlier.values, at, to, at, fraction, this.#columns, slot);
    }
  }

  #point(index: RowIndex): void {
    this.#index.count = index.count;
    this.#index.order = index.order;
    this.#index.ids = index.ids;
  }
}

/** One rewound world; good until the rewinder's ring comes round to it, or the tick ends. */
class Past {
  readonly face: object;
  readonly #rows: readonly PastRows[];
  readonly #filled: Uint8Array;
  readonly #history: History;
  #earlierTick = -1;
  #fraction = 0;

  constructor(history: History, tables: readonly Table[], rows: readonly PastRows[]) {
    this.#history = history;
    this.#rows = rows;
    this.#filled = new Uint8Array(rows.length);
    this.face = {};
    tables.forEach((table, a) => {
      const get = () => this.#at(a);
      Object.defineProperty(this.face, table.layout.name, { get, enumerable: true });
    });
  }

  /** `earlierTick` -1 = as at the tick's start. */
  aim(earlierTick: number, fraction: number): this {
    this.#earlierTick = earlierTick;
    this.#fraction = fraction;
    this.#filled.fill(0);
    return this;
  }

  #at(archetype: number): ReadSet<unknown> {
    const rows = this.#rows[archetype]!;
    if (this.#filled[archetype] === 0) this.#fill(rows, archetype);
    this.#filled[archetype] = 1;
    return rows.set;
  }

  #fill(rows: PastRows, archetype: number): void {
    const earlier = this.#history.history(archetype, this.#earlierTick);
    if (earlier === undefined) return rows.fillNow();
    const later = this.#history.history(archetype, this.#earlierTick + 1);
    return rows.fill(earlier, later ?? earlier, this.#fraction);
  }
}

/** Rewinds that are good at the same time, so that loops over two pasts can nest. */
const MAX_PASTS = 4;

/** Hands out the past of one world. */
export class Rewinder {
  readonly #pasts: readonly Past[];
  readonly #rewindTicks: number;
  #next = 0;

  constructor(
    scope: Scope,
    history: History,
    tables: readonly Table[],
    startRows: readonly RowIndex[],
    cursors: readonly CursorFactory[],
    rewindTicks: number,
  ) {
    this.#rewindTicks = rewindTicks;
    this.#pasts = Array.from({ length: MAX_PASTS }, () => {
      const rows = tables.map((t, a) => new PastRows(scope, t, startRows[a]!, cursors[a]!));
      return new Past(history, tables, rows);
    });
  }

  /**
   * Everybody at `viewTick`, fractional, seen from a tick whose predecessor is `latest` and whose oldest
   * frame is `oldest`; both bound it, and so does the limit in ticks. NaN = as at the tick's start.
   */
  rewind(viewTick: number, oldest: number, latest: number): object {
    const past = this.#pasts[this.#next]!;
    this.#next = (this.#next + 1) % MAX_PASTS;
    if (!(viewTick < latest) || oldest < 0) return past.aim(-1, 0).face;
    const least = Math.max(oldest, latest - this.#rewindTicks);
    const at = Math.max(viewTick, least);
    const earlier = Math.floor(at);
    return past.aim(earlier, at - earlier).face;
  }
}
