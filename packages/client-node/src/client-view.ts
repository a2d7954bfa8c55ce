// What the client shows: others where they were a moment ago, blended between snapshots; own rows where they are
// predicted to be, between the last two ticks, plus what is left of corrections.

import {
  blendRow,
  createView,
  type Field,
  type Game,
  type GameShape,
  quantise,
  Table,
  type ViewFace,
} from '@tickwire/protocol';
import type { ConfirmedWorld } from './confirmed-world.ts';
import type { Correction } from './correction.ts';
import { showSampled } from './sampled-pose.ts';

/** See the head of the file. */
export class ClientView<S extends GameShape> {
  /** Row sets over what `update` showed last. */
  readonly face: ViewFace<S['archetypes']>;
  readonly #confirmed: ConfirmedWorld;
  readonly #corrections: readonly Correction[];
  readonly #tables: readonly Table[];
  readonly #before: Int32Array;
  readonly #now: Int32Array;

  constructor(game: Game<S>, confirmed: ConfirmedWorld, corrections: readonly Correction[]) {
    this.#confirmed = confirmed;
    this.#corrections = corrections;
    this.#tables = game.layouts.map((layout) => new Table(layout));
    this.face = createView(game, this.#tables);
    const stride = Math.max(...game.layouts.map((layout) => layout.stride));
    this.#before = new Int32Array(stride);
    this.#now = new Int32Array(stride);
  }

  /** Shows others at tick `position`, own rows at `fraction` between their last two ticks. */
  update(position: number, fraction: number): void {
    for (let a = 0; a < this.#tables.length; a++) this.#updateTable(a, position, fraction);
  }

  #updateTable(archetype: number, position: number, fraction: number): void {
    const shown = this.#tables[archetype]!;
    const known = this.#confirmed.tables[archetype]!;
    this.#align(shown, known);
    for (let i = 0; i < known.count; i++) {
      const slot = known.order[i]!;
      const samples = this.#confirmed.samples(archetype, slot);
      if (samples.owned) this.#showOwn(archetype, slot, shown, shown.order[i]!, fraction);
      else showSampled(samples, position, shown, shown.order[i]!);
    }
  }

  /** Gives the shown table the same ids. */
  #align(shown: Table, known: Table): void {
    for (let i = shown.count - 1; i >= 0; i--) {
      const slot = shown.order[i]!;
      if (known.slotOf(shown.ids[slot]!) < 0) shown.remove(slot);
    }
    if (shown.count === known.count) return;
    for (let i = 0; i < known.count; i++) {
      const id = known.ids[known.order[i]!]!;
      if (shown.slotOf(id) < 0) shown.spawn(id);
    }
  }

  #showOwn(archetype: number, slot: number, shown: Table, to: number, fraction: number): void {
    const { layout, start, live } = this.#confirmed.tables[archetype]!;
    const correction = this.#corrections[archetype]!;
    for (let f = 0; f < layout.stride; f++) {
      this.#before[f] = quantise(layout.fields[f]!, start[f]![slot]!);
      this.#now[f] = quantise(layout.fields[f]!, live[f]![slot]!);
    }
    // Blending starts from the newer state, so that what does not blend is shown as it is now.
    blendRow(layout, this.#now, 0, this.#before, 0, 1 - fraction, shown.live, to);
    for (let f = 0; f < layout.stride; f++) {
      const error = correction.errorOf(f, slot);
      if (error !== 0) shown.live[f]![to] = within(layout.fields[f]!, shown.live[f]![to]! + error);
    }
  }
}

/** Brings what wraps back into its turn. */
function within(field: Field, value: number): number {
  if (!field.wraps) return value;
  const turn = (field.max + 1) * field.step;
  const rest = value % turn;
  return rest < 0 ? rest + turn : rest;
}
