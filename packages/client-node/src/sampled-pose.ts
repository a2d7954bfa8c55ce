// Where to show another player's row at a moment: between which samples, or past the newest.

import { blendRow, type Table } from '@tickwire/protocol';
import type { EntitySamples } from './entity-samples.ts';

/** A row that has no newer sample goes on as it moved for so many ticks, then stands. */
const EXTRAPOLATION_TICKS_MAX = 15;

/** Writes the entity's row at tick `position` into `slot` of the table. */
export function showSampled(
  samples: EntitySamples,
  position: number,
  table: Table,
  slot: number,
): void {
  let to = -1;
  let from = samples.newestTick;
  while (from > position && samples.before(from) >= 0) {
    to = from;
    from = samples.before(from);
  }
  if (from > position) show(samples, from, from, 0, table, slot);
  else if (to >= 0) show(samples, from, to, wayTo(samples, from, to, position), table, slot);
  else showNewest(samples, position, table, slot);
}

/** How far a row that moved only after it was last known at rest has come on its way between two samples. */
function wayTo(samples: EntitySamples, from: number, to: number, position: number): number {
  const rest = samples.untilTickOf(from);
  return position <= rest ? 0 : (position - rest) / (to - rest);
}

/** Past the newest sample: at rest if that is known, else going on for a while as between the last two. */
function showNewest(samples: EntitySamples, position: number, table: Table, slot: number): void {
  const newest = samples.newestTick;
  const before = samples.before(newest);
  if (samples.untilTick > newest || before < 0 || !(position > newest)) {
    show(samples, newest, newest, 0, table, slot);
    return;
  }
  const ticks = Math.min(position - newest, EXTRAPOLATION_TICKS_MAX);
  const rest = Math.min(samples.untilTickOf(before), newest - 1);
  show(samples, newest, before, -ticks / (newest - rest), table, slot);
}

function show(
  samples: EntitySamples,
  from: number,
  to: number,
  fraction: number,
  table: Table,
  slot: number,
): void {
  const { values } = samples;
  const { layout, live } = table;
  blendRow(layout, values, samples.at(from), values, samples.at(to), fraction, live, slot);
}
