// A flood beside players: 100,000 spoofed requests and 10,000 replayed handshakes a second, for two seconds of virtual
// time. The machine takes 150,000 datagrams a second. `TICKWIRE_SECURITY_SEED=N` begins at another seed,
// `TICKWIRE_SECURITY_FLOOD_MS=N` floods for so long.

import { Verdict } from '@tickwire/protocol';
import { expect, test } from 'vitest';
import { reportWorlds } from '../worlds/report.ts';
import { fixedBytes, heldBytes } from './fixed-tables.ts';
import { type FloodOptions, FloodWorld, TICK_MS } from './flood-world.ts';

const seed = Number(process.env.TICKWIRE_SECURITY_SEED ?? 1);
const floodMs = Number(process.env.TICKWIRE_SECURITY_FLOOD_MS ?? 2000);
const PLAYERS = 200;
const NEWCOMERS = 20;
/** What the test remembers of moves, newcomers with their connections on both sides, and what the collector leaves. */
const BESIDES_BYTES = 8 * 1024 * 1024;

/** A world with its players, and the round trip that is usual in it. */
function quiet(options: FloodOptions): { flood: FloodWorld; usualMs: number } {
  const flood = new FloodWorld(options);
  flood.fill();
  expect(flood.connected).toBe(options.players);
  flood.run(1000, false);
  expect(flood.answered).toBe(1);
  return { flood, usualMs: flood.p99Ms };
}

test('players notice nothing of a flood, newcomers join, and nothing grows', () => {
  const { flood, usualMs } = quiet({ seed, players: PLAYERS });
  const before = heldBytes();
  for (let n = 0; n < NEWCOMERS; n++) flood.join(100 + n * 20);
  flood.run(floodMs, true);

  const { host } = flood.server;
  const came = (flood.spoofed + flood.replayed) / (floodMs / 1000);
  expect(came).toBeGreaterThanOrEqual(110_000);
  expect(flood.world.counters(1).receiveQueueDropped).toBe(0);
  expect(host.statistics.requestsLimited).toBeGreaterThan(0.9 * flood.spoofed);
  expect(host.verdicts(Verdict.forged)).toBeGreaterThan(0.1 * flood.replayed);
  expect(host.verdicts(Verdict.duplicate)).toBeGreaterThan(0.1 * flood.replayed);

  expect(flood.latenciesMs.length).toBeGreaterThan((PLAYERS * floodMs) / 60);
  expect(flood.p99Ms).toBeLessThanOrEqual(usualMs + TICK_MS);
  expect(flood.answered).toBe(1);
  expect(flood.ended).toEqual([]);
  expect(flood.connected).toBe(PLAYERS + NEWCOMERS);
  expect(flood.spoofedBytesOut).toBeLessThan(0.01 * flood.spoofedBytesIn);
  expect(heldBytes() - before).toBeLessThan(fixedBytes() + BESIDES_BYTES);
  expect(host.used).toBe(PLAYERS + NEWCOMERS);
  reportWorlds('flood', [seed], 1);
});

test('a machine that takes less than what comes is noticed', () => {
  const { flood, usualMs } = quiet({ seed, players: 20, takesPerMs: 90 });
  flood.run(1000, true);
  expect(flood.world.counters(1).receiveQueueDropped).toBeGreaterThan(0);
  expect(flood.answered < 1 || flood.p99Ms > usualMs + TICK_MS).toBe(true);
});
