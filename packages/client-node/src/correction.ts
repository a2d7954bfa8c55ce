// Smoothing of corrections: what a rollback moved is shown where it was and drifts to where it is, halving its
// error at a fixed rate. Only what is shown; simulation never sees it.

import type { LayoutComponent, Table } from '@tickwire/protocol';

/** The error halves in so long. */
const HALF_LIFE_MS = 100;
/** Errors below this share of a unit are dropped. */
const NEGLIGIBLE = 1e-4;

/** Errors of the own rows of one archetype, by interpolated field and slot. */
export class Correction {
  readonly #table: Table;
  /** Fields that can be shown between two values. */
  readonly #fields: readonly number[];
  /** Index into `#fields` by field, -1 = not smoothed. */
  readonly #indexes: Int16Array;
  readonly #before: readonly Float64Array[];
  readonly #errors: readonly Float64Array[];
  /** The entity that the errors of a slot belong to, 0 = none. */
  readonly #ids: Uint32Array;
  /** Number of the decay at which the slot was last seen as an own row. */
  readonly #seen: Float64Array;
  #decays = 0;
  /** Sum of the distances that rollbacks moved rows, and how many moves. */
  movedUnits = 0;
  moves = 0;

  constructor(table: Table) {
    const { components, capacity, stride } = table.layout;
    this.#table = table;
    this.#fields = components.flatMap((component) => smoothFields(table, component));
    this.#indexes = Int16Array.from({ length: stride }, (_, field) => this.#fields.indexOf(field));
    this.#before = this.#fields.map(() => new Float64Array(capacity));
    this.#errors = this.#fields.map(() => new Float64Array(capacity));
    this.#ids = new Uint32Array(capacity);
    this.#seen = new Float64Array(capacity);
  }

  /** A rollback is about to change the own rows. */
  begin(): void {
    const { live, active, activeCount } = this.#table;
    for (let n = 0; n < activeCount; n++) {
      const slot = active[n]!;
      this.#meet(slot, this.#decays);
      for (let i = 0; i < this.#fields.length; i++) {
        this.#before[i]![slot] = live[this.#fields[i]!]![slot]!;
      }
    }
  }

  /** It has: what it moved becomes error. */
  end(): void {
    const { active, activeCount } = this.#table;
    for (let n = 0; n < activeCount; n++) {
      const slot = active[n]!;
      this.#noteMove(slot);
      for (let i = 0; i < this.#fields.length; i++) this.#addError(i, slot);
    }
  }

  /** Time passes. */
  decay(elapsedMs: number): void {
    const factor = 2 ** (-elapsedMs / HALF_LIFE_MS);
    const { active, activeCount } = this.#table;
    for (let n = 0; n < activeCount; n++) {
      const slot = active[n]!;
      this.#meet(slot, this.#decays + 1);
      for (let i = 0; i < this.#fields.length; i++) {
        const error = this.#errors[i]![slot]! * factor;
        this.#errors[i]![slot] = Math.abs(error) < NEGLIGIBLE ? 0 : error;
      }
    }
    this.#decays++;
  }

  /** How far off the field of an own row is shown; 0 for fields that are not smoothed. */
  errorOf(field: number, slot: number): number {
    const i = this.#indexes[field]!;
    return i < 0 || this.#ids[slot] !== this.#table.ids[slot] ? 0 : this.#errors[i]![slot]!;
  }

  /** Drops what the slot holds of another entity, or of a time before the row was somebody else's for a while. */
  #meet(slot: number, decay: number): void {
    const id = this.#table.ids[slot]!;
    if (this.#ids[slot] !== id || this.#seen[slot]! < decay - 1) {
      for (const column of this.#errors) column[slot] = 0;
    }
    this.#ids[slot] = id;
    this.#seen[slot] = decay;
  }

  #addError(index: number, slot: number): void {
    const { layout, live } = this.#table;
    const field = this.#fields[index]!;
    const { snapOver } = layout.components[layout.componentOf[field]!]!;
    const moved = this.#before[index]![slot]! - live[field]![slot]!;
    const error = this.#shortWay(field, this.#errors[index]![slot]! + this.#shortWay(field, moved));
    // As where views blend, turns are no jumps.
    const jumps = !layout.fields[field]!.wraps && Math.abs(error) > snapOver;
    this.#errors[index]![slot] = jumps ? 0 : error;
  }

  #noteMove(slot: number): void {
    const { live, layout } = this.#table;
    const { positionX, positionY } = layout;
    const x = positionX < 0 ? -1 : this.#indexes[positionX]!;
    const y = positionY < 0 ? -1 : this.#indexes[positionY]!;
    if (x < 0 || y < 0) return;
    const dx = this.#before[x]![slot]! - live[positionX]![slot]!;
    const dy = this.#before[y]![slot]! - live[positionY]![slot]!;
    this.movedUnits += Math.sqrt(dx * dx + dy * dy);
    this.moves++;
  }

  #shortWay(field: number, difference: number): number {
    const { wraps, max, step } = this.#table.layout.fields[field]!;
    if (!wraps) return difference;
    const turn = (max + 1) * step;
    if (difference > turn / 2) return difference - turn;
    return difference < -turn / 2 ? difference + turn : difference;
  }
}

/** Fields of an interpolated component that have values in between: a flag or a count would be shown as neither. */
function smoothFields({ layout }: Table, component: LayoutComponent): number[] {
  if (!component.interpolate) return [];
  const fields = Array.from({ length: component.count }, (_, i) => component.first + i);
  return fields.filter((f) => layout.fields[f]!.kind === 'fixed' || layout.fields[f]!.wraps);
}
