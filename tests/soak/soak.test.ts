// Long connections and many of them, on a network that loses and doubles a quarter: nothing is lost, doubled or
// damaged, also when sequences wrap, and memory does not grow. `npm run soak -- --seed N --minutes M` runs world after
// world for as long as it is told to; `npm test` runs one small one.

import { expect, test } from 'vitest';
import { SoakWorld } from './soak-world.ts';

const seed = Number(process.env.TICKWIRE_SOAK_SEED ?? 1);
const minutes = Number(process.env.TICKWIRE_SOAK_MINUTES ?? 0);
const size = minutes > 0 ? { clients: 100, marathons: 2 } : { clients: 12, marathons: 1 };
/** More than three times around the sequences' 16 bits. */
const PACKETS = minutes > 0 ? 3 * 65_536 + 1000 : 65_536 + 1000;
const STEP_MS = 5000;
const GROWTH_BYTES_MAX = 4 * 1024 * 1024;

/** Memory outside of the heap is let go a collection later, so the least of a few readings is what counts. */
function heldBytes(): number {
  const readings = [0, 1, 2].map(() => {
    global.gc!();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  });
  return Math.min(...readings);
}

function soak(worldSeed: number): string {
  const soakWorld = new SoakWorld({ seed: worldSeed, ...size });
  const replay = `replay: npm run soak -- --seed ${worldSeed} --minutes 1`;
  let early = Number.NaN;
  while (!soakWorld.outran(PACKETS, size.marathons)) {
    soakWorld.world.run(soakWorld.world.nowMs + STEP_MS);
    expect(soakWorld.wrong, replay).toEqual([]);
    // Everybody has lived a life by then, so what a life needs has been allocated.
    if (Number.isNaN(early) && soakWorld.outran(PACKETS / 2, size.marathons)) early = heldBytes();
  }
  const grown = heldBytes() - early;
  expect(grown, `bytes grown; ${replay}`).toBeLessThan(GROWTH_BYTES_MAX);
  expect(soakWorld.finish(120_000), `all left; ${replay}`).toBe(true);
  expect(soakWorld.wrong, replay).toEqual([]);
  expect(soakWorld.settled).toBeGreaterThan(size.clients);
  const lives = soakWorld.clients.reduce((sum, client) => sum + client.lives, 0);
  const virtual = (soakWorld.world.nowMs / 1000).toFixed(0);
  return `seed ${worldSeed}: ${virtual} s, ${lives} connections, ${(grown / 1024).toFixed(0)} KiB grown`;
}

test(
  'nothing is lost, doubled or damaged, and memory stays flat',
  () => {
    const untilMs = performance.now() + minutes * 60_000;
    let worldSeed = seed;
    do {
      const line = soak(worldSeed++);
      if (minutes > 0) console.log(line);
    } while (performance.now() < untilMs);
  },
  minutes * 60_000 + 900_000,
);
