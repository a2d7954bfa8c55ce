// Cursors: objects that stand for a row and read and write its columns. Classes are made once per archetype;
// the accessors go through one RowState, so that reading a field is two array loads whatever the game.

import type { Layout } from '../replication/layout.ts';
import { TickwireError } from '../wire/errors.ts';

type Columns = readonly Float64Array[];

/** Where a cursor stands. `write` differs from `read` where writes must not take effect. */
class RowState {
  slot = 0;
  id = 0;
  readonly read: Columns;
  readonly write: Columns;

  constructor(read: Columns, write: Columns) {
    this.read = read;
    this.write = write;
  }
}

/** Stands in for a RowState when a cursor was kept too long: development only. */
class StaleState {
  get slot(): number {
    return refuseStale();
  }
  get id(): number {
    return refuseStale();
  }
  get read(): Columns {
    return refuseStale();
  }
  get write(): Columns {
    return refuseStale();
  }
}

function refuseStale(): never {
  const hint = 'a row was used after its loop or tick: keep its id and look it up again';
  throw new TickwireError('stale-cursor', hint);
}

// Not assignable from outside the accessors: only reads of `id` and `slot` go through it.
const STALE = new StaleState() as RowState;

/** What `input` reads: [field][slot], and 0 none, 1 repeated, 2 real by slot. */
export interface InputColumns {
  readonly values: Columns;
  readonly status: Uint8Array;
}

const STATUS_NAMES = ['none', 'repeated', 'real'] as const;

/** Part of a row. User-visible names start with a letter, so the underscore is out of their way. */
class Part {
  _state: RowState;

  constructor(state: RowState) {
    this._state = state;
  }
}

class InputPart extends Part {
  readonly _inputs: InputColumns;

  constructor(state: RowState, inputs: InputColumns) {
    super(state);
    this._inputs = inputs;
  }

  get status(): 'none' | 'repeated' | 'real' {
    return STATUS_NAMES[this._inputs.status[this._state.slot]!]!;
  }
}

/** A row as users hold it: `id`, and a property per component. */
export class RowCursor {
  _state: RowState;
  readonly _home: RowState;
  readonly _parts: readonly Part[];

  constructor(state: RowState, parts: readonly Part[]) {
    this._state = state;
    this._home = state;
    this._parts = parts;
  }

  get id(): number {
    return this._state.id;
  }
}

/** Makes every use of the cursor throw, until {@link revive}. */
export function retire(cursor: RowCursor): void {
  cursor._state = STALE;
  for (const part of cursor._parts) part._state = STALE;
}

export function revive(cursor: RowCursor): void {
  if (cursor._state === cursor._home) return;
  cursor._state = cursor._home;
  for (const part of cursor._parts) part._state = cursor._home;
}

/** Makes the cursors of one archetype; `writable` ones have working setters. */
export class CursorFactory {
  readonly #names: readonly string[];
  readonly #parts: readonly (new (
    state: RowState,
  ) => Part)[];
  readonly #input: (new (state: RowState, inputs: InputColumns) => InputPart) | undefined;

  constructor(layout: Layout, inputNames: readonly string[], inputBooleans: readonly boolean[]) {
    this.#names = layout.components.map((c) => c.name);
    this.#parts = layout.components.map((c) => makePart(layout, c.first, c.count, false));
    this.#input = layout.controlled ? makeInput(inputNames, inputBooleans) : undefined;
    this.#writable = layout.components.map((c) => makePart(layout, c.first, c.count, true));
  }

  readonly #writable: readonly (new (
    state: RowState,
  ) => Part)[];

  /** A cursor whose setters throw 'read-only-row'. */
  readOnly(columns: Columns): RowCursor {
    const state = new RowState(columns, columns);
    return this.#assemble(
      state,
      this.#parts.map((Made) => new Made(state)),
      this.#names,
    );
  }

  /** A cursor that writes to `write`; has `input` when the archetype is controlled. */
  writable(read: Columns, write: Columns, inputs: InputColumns | undefined): RowCursor {
    const state = new RowState(read, write);
    const parts = this.#writable.map((Made) => new Made(state));
    if (!this.#input || !inputs) return this.#assemble(state, parts, this.#names);
    const all = [...parts, new this.#input(state, inputs)];
    return this.#assemble(state, all, [...this.#names, 'input']);
  }

  #assemble(state: RowState, parts: readonly Part[], names: readonly string[]): RowCursor {
    const cursor = new RowCursor(state, parts);
    names.forEach((name, i) => {
      Object.defineProperty(cursor, name, { value: parts[i], enumerable: true });
    });
    return cursor;
  }
}

function makePart(layout: Layout, first: number, count: number, writable: boolean) {
  const Made = class extends Part {};
  for (let f = first; f < first + count; f++) {
    const [, name] = layout.fieldNames[f]!.split('.');
    const { boolean } = layout.fields[f]!;
    const get = boolean ? booleanGetter(f) : numberGetter(f);
    const set = writable ? setter(f) : refuser(layout.fieldNames[f]!);
    Object.defineProperty(Made.prototype, name!, { get, set, enumerable: true });
  }
  return Made;
}

function makeInput(names: readonly string[], booleans: readonly boolean[]) {
  const Made = class extends InputPart {};
  names.forEach((name, f) => {
    const get = booleans[f] ? booleanInputGetter(f) : inputGetter(f);
    const set = refuser(`input.${name}`);
    Object.defineProperty(Made.prototype, name, { get, set, enumerable: true });
  });
  return Made;
}

function numberGetter(f: number) {
  return function get(this: Part): number {
    const state = this._state;
    return state.read[f]![state.slot]!;
  };
}

function booleanGetter(f: number) {
  return function get(this: Part): boolean {
    const state = this._state;
    return state.read[f]![state.slot]! !== 0;
  };
}

function setter(f: number) {
  return function set(this: Part, value: number | boolean): void {
    const state = this._state;
    state.write[f]![state.slot] = typeof value === 'number' ? value : value ? 1 : 0;
  };
}

function refuser(name: string) {
  return function set(): never {
    const hint = 'only rows of `for (const row of w.<archetype>)` and of w.authority are writable';
    throw new TickwireError('read-only-row', `'${name}' of this row cannot be written: ${hint}`);
  };
}

function inputGetter(f: number) {
  return function get(this: InputPart): number {
    return this._inputs.values[f]![this._state.slot]!;
  };
}

function booleanInputGetter(f: number) {
  return function get(this: InputPart): boolean {
    return this._inputs.values[f]![this._state.slot]! !== 0;
  };
}
