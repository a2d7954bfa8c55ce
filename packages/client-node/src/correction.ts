// Smoothing of corrections: what a rollback moved is shown where it was and drifts to where it is, halving its
// error at a fixed rate. Only what is shown; simulation never sees it.

import type { Table } from '@tickwire/protocol';

/** The error halves in so long. */
const HALF_LIFE_MS = 100;
/** Errors below this share of a unit are dropped. */
const NEGLIGIBLE = 1e-4;

/** Errors of the own rows of one archetype, by interpolated field and slot. */
export class Correction {
  readonly #table: Table;
  readonly #fields: readonly number[];
  readonly #before: readonly Float64Array[];
  readonly #errors: readonly Float64Array[];
  /** Sum of the distances that rollbacks moved rows, and how many moves. */
  movedUnits = 0;
  moves = 0;

  constructor(table: Table) {
    const { components, capacity } = table.layout;
    this.#table = table;
    this.#fields = components.flatMap((component) =>
      component.interpolate
        ? Array.from({ length: component.count }, (_, i) => component.first + i)
        : [],
    );
    this.#before = this.#fields.map(() => new Float64Array(capacity));
    this.#errors = this.#fields.map(() => new Float64Array(capacity));
  }

  /** A rollback is about to change the own rows. */
  begin(): void {
    this.#eachOwn((slot, i, field) => {
      this.#before[i]![slot] = this.#table.live[field]![slot]!;
    });
  }

  /** It has: what it moved becomes error. */
  end(): void {
    const { layout, active, activeCount } = this.#table;
    for (let n = 0; n < activeCount; n++) this.#noteMove(active[n]!);
    this.#eachOwn((slot, i, field) => {
      const { snapOver } = layout.components[layout.componentOf[field]!]!;
      const moved = this.#before[i]![slot]! - this.#table.live[field]![slot]!;
      const error = this.#errors[i]![slot]! + this.#shortWay(field, moved);
      this.#errors[i]![slot] = Math.abs(error) > snapOver ? 0 : error;
    });
  }

  /** Time passes. */
  decay(elapsedMs: number): void {
    const factor = 2 ** (-elapsedMs / HALF_LIFE_MS);
    this.#eachOwn((slot, i) => {
      const error = this.#errors[i]![slot]! * factor;
      this.#errors[i]![slot] = Math.abs(error) < NEGLIGIBLE ? 0 : error;
    });
  }

  /** How far off the field of a row is shown; 0 for fields that are not smoothed. */
  errorOf(field: number, slot: number): number {
    const i = this.#fields.indexOf(field);
    return i < 0 ? 0 : this.#errors[i]![slot]!;
  }

  /** The row in `slot` is another one now. */
  forget(slot: number): void {
    for (const column of this.#errors) column[slot] = 0;
  }

  #noteMove(slot: number): void {
    const { positionX, positionY } = this.#table.layout;
    const x = this.#fields.indexOf(positionX);
    const y = this.#fields.indexOf(positionY);
    if (x < 0 || y < 0) return;
    const dx = this.#before[x]![slot]! - this.#table.live[positionX]![slot]!;
    const dy = this.#before[y]![slot]! - this.#table.live[positionY]![slot]!;
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

  #eachOwn(visit: (slot: number, index: number, field: number) => void): void {
    const { active, activeCount } = this.#table;
    for (let n = 0; n < activeCount; n++) {
      for (let i = 0; i < this.#fields.length; i++) visit(active[n]!, i, this.#fields[i]!);
    }
  }
}
