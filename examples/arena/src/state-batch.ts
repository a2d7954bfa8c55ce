// Quantised states as they travel out of band between the demo's processes: Int32Arrays, so that a batch is one copy.
//
//   state        for each archetype: count, then `count` rows by ascending id
//   row          id, mark, then every field of the archetype
//                mark: in the server's truth 1 = this tick's input was missing, in a bot's state 1 = its own row
//   truth batch  match, then for each tick: tick, length of the state, state
//   predictions  for each prediction: bot, tick, then the predicted fields of its player

import { AUDIENCE_SERVER, type Layout } from '@tickwire/protocol';

/** What stands before the fields of a row. */
export const ROW_HEAD = 2;

/** Puts Int32s one after another, in an array that grows as needed. */
export class BatchWriter {
  length = 0;
  #values = new Int32Array(4096);

  push(value: number): void {
    if (this.length === this.#values.length) this.#grow(1);
    this.#values[this.length++] = value;
  }

  /** Appends values[at, at + count). */
  append(values: Int32Array, at: number, count: number): void {
    if (this.length + count > this.#values.length) this.#grow(count);
    for (let i = 0; i < count; i++) this.#values[this.length + i] = values[at + i]!;
    this.length += count;
  }

  /** Overwrites what was pushed before. */
  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  /** A copy of everything so far; the writer is empty afterwards. */
  take(): Int32Array {
    const batch = this.#values.slice(0, this.length);
    this.length = 0;
    return batch;
  }

  #grow(by: number): void {
    const grown = new Int32Array(Math.max(this.#values.length * 2, this.length + by));
    grown.set(this.#values);
    this.#values = grown;
  }
}

/** Looks into a state; see the head of the file. */
export class StateReader {
  readonly #layouts: readonly Layout[];

  constructor(layouts: readonly Layout[]) {
    this.#layouts = layouts;
  }

  /** Where the rows of an archetype start, and how many they are. */
  rows(state: Int32Array, archetype: number): { at: number; count: number; size: number } {
    let at = 0;
    for (let a = 0; ; a++) {
      const size = ROW_HEAD + this.#layouts[a]!.stride;
      const count = state[at]!;
      if (a === archetype) return { at: at + 1, count, size };
      at += 1 + count * size;
    }
  }

  /** Where the row of an entity starts, -1 = it is not there. */
  find(state: Int32Array, archetype: number, id: number): number {
    const { at, count, size } = this.rows(state, archetype);
    for (let i = 0; i < count; i++) if (state[at + i * size] === id) return at + i * size;
    return -1;
  }
}

/** Indexes of the fields that a client computes itself. */
export function predictedFields(layout: Layout): number[] {
  return Array.from({ length: layout.stride }, (_, f) => f).filter((f) => {
    const { predict, audience } = layout.components[layout.componentOf[f]!]!;
    return predict && audience !== AUDIENCE_SERVER;
  });
}
