// One seed, one course of events: the digest of every datagram of a world is the same each time.

import type { LinkOptions } from '@tickwire/netsim';
import { afterAll, expect, test } from 'vitest';
import { ArenaWorld, linkFor, seedsFor } from './arena-world.ts';
import { reportWorlds } from './report.ts';

const seeds = seedsFor(3, 50);
let worlds = 0;

function digestOf(seed: number, link: LinkOptions): string {
  const arena = new ArenaWorld({ seed, link, players: 4, matches: 2 });
  arena.run(4000);
  worlds++;
  expect(arena.world.trace.events).toBeGreaterThan(1000);
  return arena.world.trace.digest;
}

test.each(seeds)('seed %i gives the same digest twice, and not that of the next seed', (seed) => {
  const link = linkFor(seed);
  const digest = digestOf(seed, link);
  expect(digestOf(seed, link)).toBe(digest);
  expect(digestOf(seed + 1, link)).not.toBe(digest);
});

afterAll(() => reportWorlds('determinism', seeds, worlds));
