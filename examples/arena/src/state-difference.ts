// Compares the server's state of a tick with what a client was told of it: every entity, every field it may see.
// Layout of states: state-batch.ts.

import { AUDIENCE_ALL, AUDIENCE_SERVER, type Layout } from '@tickwire/protocol';
import { ROW_HEAD, StateReader } from './state-batch.ts';

/** The first thing in which two states differ. */
export interface Difference {
  readonly archetype: string;
  readonly entity: number;
  /** 'component.field'; '' where one of the two does not have the entity. */
  readonly field: string;
  /** Quantised; -1 = no such entity. */
  readonly actual: number;
  readonly told: number;
}

/** The first difference, undefined = equal. */
export function compareStates(
  layouts: readonly Layout[],
  truth: Int32Array,
  told: Int32Array,
): Difference | undefined {
  const reader = new StateReader(layouts);
  for (const layout of layouts) {
    const actual = reader.rows(truth, layout.index);
    const known = reader.rows(told, layout.index);
    for (let i = 0; i < Math.max(actual.count, known.count); i++) {
      const actualAt = i < actual.count ? actual.at + i * actual.size : -1;
      const toldAt = i < known.count ? known.at + i * known.size : -1;
      const difference = compareRows(layout, truth, actualAt, told, toldAt);
      if (difference !== undefined) return difference;
    }
  }
  return undefined;
}

/** Rows are in order of their ids, so two rows at the same place are of the same entity or somebody is missing. */
function compareRows(
  layout: Layout,
  truth: Int32Array,
  actualAt: number,
  told: Int32Array,
  toldAt: number,
): Difference | undefined {
  const archetype = layout.name;
  const actualId = actualAt < 0 ? Number.POSITIVE_INFINITY : truth[actualAt]!;
  const toldId = toldAt < 0 ? Number.POSITIVE_INFINITY : told[toldAt]!;
  if (actualId !== toldId) {
    const entity = Math.min(actualId, toldId);
    const side = (id: number) => (id === entity ? 1 : -1);
    return { archetype, entity, field: '', actual: side(actualId), told: side(toldId) };
  }
  const owned = told[toldAt + 1] === 1;
  for (let f = 0; f < layout.stride; f++) {
    if (!sees(layout.audiences[f]!, owned)) continue;
    const actual = truth[actualAt + ROW_HEAD + f]!;
    const said = told[toldAt + ROW_HEAD + f]!;
    if (actual === said) continue;
    return { archetype, entity: actualId, field: layout.fieldNames[f]!, actual, told: said };
  }
  return undefined;
}

function sees(audience: number, owned: boolean): boolean {
  return audience === AUDIENCE_ALL || (owned && audience !== AUDIENCE_SERVER);
}
