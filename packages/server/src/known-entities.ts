// What one session is known to have of one archetype's rows: per slot, the entity, its newest acked tick and
// when it was last sent.

import type { Frame, Table } from '@tickwire/protocol';

/** Columns by slot; a slot counts only under the id that is noted for it. */
export class KnownEntities {
  readonly ids: Uint32Array;
  /** Newest snapshot tick of which the client acked a record of the entity; -1 = none. */
  readonly ackedTick: Float64Array;
  /** Newest snapshot tick in which it was written; -1 = never. */
  readonly sentTick: Float64Array;
  /** Whether it was the session's own when last written. */
  readonly owned: Uint8Array;
  /** 1 = no longer the session's own, and the client has not acked that yet. */
  readonly released: Uint8Array;
  /** Tick of the first snapshot that could hold it in its present form; acks of older ones do not count. */
  readonly #learnedTick: Float64Array;
  /** Slots from here on were never known. */
  #highWater = 0;

  constructor(capacity: number) {
    this.ids = new Uint32Array(capacity);
    this.ackedTick = new Float64Array(capacity);
    this.sentTick = new Float64Array(capacity);
    this.owned = new Uint8Array(capacity);
    this.released = new Uint8Array(capacity);
    this.#learnedTick = new Float64Array(capacity);
  }

  /** Starts over with an entity at `tick`: the client has nothing of it in this form. */
  learn(slot: number, id: number, owned: boolean, tick: number): void {
    // What was sent of it in another form still has to be taken back when it goes.
    const known = this.ids[slot] === id;
    if (!known) this.sentTick[slot] = -1;
    const wasOwned = this.owned[slot] === 1 || this.released[slot] === 1;
    this.released[slot] = known && wasOwned && !owned ? 1 : 0;
    this.ids[slot] = id;
    this.#learnedTick[slot] = tick;
    this.ackedTick[slot] = -1;
    this.owned[slot] = owned ? 1 : 0;
    if (slot >= this.#highWater) this.#highWater = slot + 1;
  }

  /** A packet of `tick` that held the entity arrived. */
  acked(slot: number, id: number, tick: number): void {
    if (this.ids[slot] !== id || tick < this.#learnedTick[slot]!) return;
    this.released[slot] = 0;
    if (tick > this.ackedTick[slot]!) this.ackedTick[slot] = tick;
  }

  /** Whether the client lacks something of the row as it is now. */
  differs(slot: number, table: Table, owned: boolean): boolean {
    const changed = owned ? table.changedOwner[slot]! : table.changedAll[slot]!;
    const acked = this.ackedTick[slot]!;
    return acked < 0 || acked < changed;
  }

  /**
   * Forgets every entity that the frame no longer has. Calls for those that were ever sent; one for which `gone`
   * has no room stays in its slot until it has.
   */
  forgetGone(frame: Frame, gone: (id: number) => boolean): void {
    for (let slot = 0; slot < this.#highWater; slot++) {
      const id = this.ids[slot]!;
      if (id === 0 || frame.ids[slot] === id) continue;
      if (this.sentTick[slot]! < 0 || gone(id)) this.ids[slot] = 0;
    }
  }
}
