// A read-only face over any tables: how a client shows interpolated rows with the same row sets that
// simulate has.

import type { Table } from '../replication/table.ts';
import type { Game } from './define-game.ts';
import type { GameShape, ViewFace } from './face.ts';
import { ReadSet, Scope } from './row-set.ts';

/**
 * Row sets over the live values of `tables`, which are of the game's layouts, in order. Loops read the tables
 * as they are, so do not change which rows exist while one runs.
 */
export function createView<S extends GameShape>(
  game: Game<S>,
  tables: readonly Table[],
): ViewFace<S['archetypes']> {
  const scope = new Scope(false);
  const sets = tables.map((table, a) => {
    const make = () => game.cursors[a]!.readOnly(table.live);
    return [table.layout.name, new ReadSet(scope, table.layout, table, table.live, make)];
  });
  return Object.fromEntries(sets) as ViewFace<S['archetypes']>;
}
