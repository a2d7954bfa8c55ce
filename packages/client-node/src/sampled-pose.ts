// Where to show another player's row at a moment: between which samples, or past the newest.

import { blendRow, type Table } from '@tickwire/protocol';
import type { EntitySamples } from './entity-samples.ts';

/** A row that has no newer sample goes on as it moved for so many ticks, then stands. */
export const EXTRAPOLATION_TICKS_MAX = 15;

/** Writes the entity's row at tick `position` into `slot` of the table. */
export function showSampled(
  samples: EntitySamples,
  position: number,
  table: Table,
  slot: number,
): void {
  let back = 0;
  while (back + 1 < samples.count && samples.tickBack(back) > position) back++;
  const from = samples.tickBack(back);
  if (from > position) {
    show(samples, samples.atBack(back), samples.atBack(back), 0, table, slot);
  } else if (back > 0) {
    const fraction = (position - from) / (samples.tickBack(back - 1) - from);
    show(samples, samples.atBack(back), samples.atBack(back - 1), fraction, table, slot);
  } else {
    showNewest(samples, position, table, slot);
  }
}

/** Past the newest sample: at rest if that is known, else going on for a while as between the last two. */
function showNewest(samples: EntitySamples, position: number, table: Table, slot: number): void {
  const newest = samples.newestTick;
  const rests = samples.untilTick > newest || samples.count < 2 || position <= newest;
  if (rests) {
    show(samples, samples.newestAt, samples.newestAt, 0, table, slot);
    return;
  }
  const ticks = Math.min(position - newest, EXTRAPOLATION_TICKS_MAX);
  const fraction = -ticks / (newest - samples.tickBack(1));
  show(samples, samples.newestAt, samples.atBack(1), fraction, table, slot);
}

function show(
  samples: EntitySamples,
  fromAt: number,
  toAt: number,
  fraction: number,
  table: Table,
  slot: number,
): void {
  const { values } = samples;
  blendRow(table.layout, values, fromAt, values, toAt, fraction, table.live, slot);
}
