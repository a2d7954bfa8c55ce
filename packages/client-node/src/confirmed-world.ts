// What the server has said, entity by entity: samples beside the tables of the client's world. Rows enter and leave
// the world's tables here; their values are the newest sample's, own rows excepted, which prediction writes.

import { type Layout, loadRow, type Table } from '@tickwire/protocol';
import { EntitySamples } from './entity-samples.ts';

/** See the head of the file. */
export class ConfirmedWorld {
  readonly tables: readonly Table[];
  /** [archetype][slot] */
  readonly #samples: readonly (EntitySamples | undefined)[][];
  /** Tick of the newest snapshot packet taken, -1 = none. */
  tick = -1;
  /** Newest tick at which everything is known: a whole snapshot arrived. */
  wholeTick = -1;
  /** Newest tick at which all own entities are known. */
  predictedTick = -1;

  constructor(tables: readonly Table[]) {
    this.tables = tables;
    this.#samples = tables.map(({ layout }) => new Array(layout.capacity).fill(undefined));
  }

  /** Samples of the row in a slot that is in use. */
  samples(archetype: number, slot: number): EntitySamples {
    return this.#samples[archetype]![slot]!;
  }

  /** Slot of an entity, entering it when it is new; -1 = the table is full. */
  enter(archetype: number, id: number, owned: boolean): number {
    const table = this.tables[archetype]!;
    const known = table.slotOf(id);
    if (known >= 0 && this.samples(archetype, known).owned === owned) return known;
    const slot = known >= 0 ? known : table.spawn(id);
    if (slot < 0) return -1;
    this.#samplesFor(table.layout, slot).clear(owned);
    if (owned) table.activate(slot);
    else table.deactivate(slot);
    return slot;
  }

  /** Archetype of an entity, -1 = it is not known. */
  archetypeOf(id: number): number {
    for (let a = 0; a < this.tables.length; a++) if (this.tables[a]!.slotOf(id) >= 0) return a;
    return -1;
  }

  /** The entity is gone; false = it was not known. */
  leave(id: number): boolean {
    const archetype = this.archetypeOf(id);
    if (archetype < 0) return false;
    const table = this.tables[archetype]!;
    table.remove(table.slotOf(id));
    return true;
  }

  /** Takes values[at..] as the row's state at `tick`. */
  confirm(archetype: number, slot: number, tick: number, values: Int32Array, at: number): void {
    const samples = this.samples(archetype, slot);
    const to = samples.push(tick);
    for (let f = 0; f < samples.stride; f++) samples.values[to + f] = values[at + f]!;
    if (!samples.owned) loadRow(this.tables[archetype]!, slot, samples.values, to);
  }

  /** Nothing but what arrived has changed up to `tick`. */
  confirmWhole(tick: number): void {
    this.wholeTick = tick;
    for (let a = 0; a < this.tables.length; a++) {
      const { order, count } = this.tables[a]!;
      for (let i = 0; i < count; i++) this.samples(a, order[i]!).extend(tick);
    }
  }

  #samplesFor(layout: Layout, slot: number): EntitySamples {
    const row = this.#samples[layout.index]!;
    let samples = row[slot];
    if (samples === undefined) {
      samples = new EntitySamples(layout.stride);
      row[slot] = samples;
    }
    return samples;
  }
}
