// Notes on a table which rows changed for whom between two frames, so that snapshots can skip the rest.

import type { Frame } from './frame.ts';
import { AUDIENCE_ALL, AUDIENCE_OWNER } from './layout.ts';
import type { Table } from './table.ts';

/** Updates bornTick, changedAll and changedOwner of the rows of `now`; `before` is the frame taken last. */
export function noteChanges(table: Table, before: Frame | undefined, now: Frame): void {
  const { stride } = table.layout;
  for (let i = 0; i < now.count; i++) {
    const slot = now.order[i]!;
    if (before !== undefined && before.ids[slot] === now.ids[slot]) {
      noteRow(table, slot, before.values, now.values, slot * stride, now.tick);
      continue;
    }
    table.bornTick[slot] = now.tick;
    table.changedAll[slot] = now.tick;
    table.changedOwner[slot] = now.tick;
  }
}

function noteRow(
  table: Table,
  slot: number,
  before: Int32Array,
  now: Int32Array,
  start: number,
  tick: number,
): void {
  const { audiences } = table.layout;
  for (let f = 0; f < audiences.length; f++) {
    if (before[start + f] === now[start + f]) continue;
    const audience = audiences[f]!;
    if (audience === AUDIENCE_ALL) table.changedAll[slot] = tick;
    if (audience <= AUDIENCE_OWNER) table.changedOwner[slot] = tick;
  }
}
