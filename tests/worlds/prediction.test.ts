// A bot that is alone predicts everything: walking, walls, pick-ups, respawns. On a jittery, lossy link it is wrong
// only where the server never got its input in time.

import { afterAll, describe, expect, test } from 'vitest';
import { HP } from '../../examples/arena/src/arena.ts';
import { ArenaWorld, LOSSES, ROUND_TRIPS_MS, seedsFor, wander } from './arena-world.ts';
import { reportWorlds } from './report.ts';

const seeds = seedsFor(3, 50);
let worlds = 0;
let mispredicted = 0;
let picked = 0;

const SETTLED_MS = 1000;
/** How a row's input status says that the player's own input was there. */
const REAL = 2;
const JITTERS_MS = [10, 20, 40];

describe.each(ROUND_TRIPS_MS)('alone, round trip %i ms, no loss, no jitter', (rttMs) => {
  test.each(seeds)('seed %i: nothing is mispredicted from 1 s after joining', (seed) => {
    const arena = new ArenaWorld({
      seed,
      link: { latencyMs: rttMs / 2 },
      players: 1,
      items: 64,
      sample: (_bot, tick, out) => wander(seed, tick, out),
    });
    worlds++;
    const joinedMs = runUntilJoined(arena);
    arena.run(joinedMs + SETTLED_MS);
    const settled = { ...arena.client.match!.prediction.statistics };
    const wrong: string[] = [];
    arena.client.on('rollback', (r) =>
      wrong.push(`${r.tick} ${r.field} ${r.predicted} ${r.actual}`),
    );
    // Somebody's bad luck: the server alone decides that the player dies; where it respawns both can tell.
    for (const atMs of [2000, 5000, 8000]) {
      arena.world.at(joinedMs + atMs, () => {
        for (const player of arena.match.world.player) player.life.hp = 0;
      });
    }
    arena.run(joinedMs + 12_000);
    const { statistics } = arena.client.match!.prediction;
    expect(wrong).toEqual([]);
    expect(statistics.mispredicted).toBe(settled.mispredicted);
    expect(statistics.compared - settled.compared).toBeGreaterThan(300);
    expect(arena.failures).toEqual([]);
    for (const player of arena.match.world.player) {
      picked += player.tally.items;
      expect(player.life.hp).toBe(HP);
    }
  });
});

const grid = LOSSES.flatMap((loss) => ROUND_TRIPS_MS.map((rttMs) => ({ loss, rttMs })));

describe.each(grid)('alone, loss $loss, round trip $rttMs ms, with jitter', ({ loss, rttMs }) => {
  test.each(seeds)('seed %i: whatever is mispredicted had its input late or missing', (seed) => {
    const jitterMs = JITTERS_MS[seed % JITTERS_MS.length]!;
    const link = { latencyMs: rttMs / 2, loss, jitterMs, duplicate: 0.05, reorder: 0.02 };
    const arena = new ArenaWorld({
      seed,
      link,
      players: 1,
      sample: (_bot, tick, out) => wander(seed, tick, out),
    });
    worlds++;
    const without = watchInputs(arena);
    const joinedMs = runUntilJoined(arena);
    const unexplained: string[] = [];
    let comparedTick = -1;
    arena.client.on('rollback', (rollback) => {
      if (rollback.cause !== 'mismatch') return;
      let missing = false;
      for (let t = comparedTick + 1; t <= rollback.tick; t++) missing ||= without.has(t);
      if (!missing) unexplained.push(`${rollback.tick}: ${rollback.field}`);
    });
    arena.client.on('confirmed', () => {
      comparedTick = arena.client.match!.confirmed.predictedTick;
    });
    arena.run(joinedMs + 10_000);
    expect(unexplained).toEqual([]);
    const { statistics } = arena.client.match!.prediction;
    mispredicted += statistics.mispredicted;
    expect(statistics.compared).toBeGreaterThan(100);
    expect(arena.failures).toEqual([]);
  });
});

test('the bots that were alone did pick things up', () => {
  expect(picked).toBeGreaterThan(3 * seeds.length);
});

test('the rough links did cause mispredictions to be explained', () => {
  expect(mispredicted).toBeGreaterThan(seeds.length);
});

/**
 * The ticks that the server simulated without an input of the player, its first ones included. From the first input on
 * that came in time, the server's own record must say the same.
 */
function watchInputs(arena: ArenaWorld): ReadonlySet<number> {
  const without = new Set<number>();
  let started = false;
  arena.match.onTick((tick) => {
    const [session] = arena.match.sessions;
    if (session === undefined) return;
    const slot = arena.match.core.tables[0]!.order[0]!;
    const real = arena.match.core.inputs[0]!.status[slot] === REAL;
    if (!real) without.add(tick);
    started ||= real;
    if (started) expect(session.seat!.inputs.wasMissing(tick), `tick ${tick}`).toBe(!real);
  });
  return without;
}

/** Runs until the first tick was predicted with the own row in place; returns when that was. */
function runUntilJoined(arena: ArenaWorld): number {
  while (arena.client.owned.length === 0) {
    arena.run(arena.world.nowMs + 50);
    expect(arena.world.nowMs, 'joins within 8 s').toBeLessThan(8000);
  }
  return arena.world.nowMs;
}

afterAll(() => reportWorlds('prediction', seeds, worlds));
