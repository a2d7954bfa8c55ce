// The delivery matrix: each place of it carries all delivery kinds at once; see matrix-world.ts for what is promised.

import { afterAll, describe, expect, test } from 'vitest';
import { reportWorlds } from '../worlds/report.ts';
import { type Place, runPlace } from './matrix-world.ts';

const full = process.env.TICKWIRE_WORLDS === 'full';
const seeds = Array.from({ length: full ? 8 : 1 }, (_, i) => i + 1);
let worlds = 0;
let expired = 0;
let overtaken = 0;

const places: Place[] = [];
for (const loss of [0, 0.01, 0.05, 0.25]) {
  for (const delayMs of [0, 50, 300]) {
    for (const reorder of [0, 0.2]) {
      for (const burst of [false, true]) places.push({ loss, delayMs, reorder, burst });
    }
  }
}

function nameOf({ loss, delayMs, reorder, burst }: Place): string {
  const parts = [`loss ${loss * 100} %`, `${delayMs} ms`];
  if (reorder > 0) parts.push(`${reorder * 100} % reordered`);
  if (burst) parts.push('bursts');
  return parts.join(', ');
}

describe.each(places.map((place) => [nameOf(place), place] as const))('%s', (_name, place) => {
  test.each(seeds)('seed %i', (seed) => {
    const outcome = runPlace(place, seed);
    worlds++;
    expired += outcome.expired;
    overtaken += outcome.overtaken;
    expect(outcome.complaints).toEqual([]);
  });
});

test('the matrix as a whole sees what it is about: messages expire and are overtaken', () => {
  expect(expired).toBeGreaterThan(0);
  expect(overtaken).toBeGreaterThan(0);
});

afterAll(() => reportWorlds('delivery', seeds, worlds));
