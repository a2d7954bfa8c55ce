// Attackers at addresses that are really theirs, beside players who want in. `TICKWIRE_SECURITY_SEED=N` takes another
// seed.

import { expect, test } from 'vitest';
import { type SiegeOptions, SiegeWorld } from './siege-world.ts';

const seed = Number(process.env.TICKWIRE_SECURITY_SEED ?? 1);
const PLAYERS = 30;

/** After some seconds of the siege, players come within a second; they have five to get in, as clients give up then. */
function besieged(options: Omit<SiegeOptions, 'seed'>, players = PLAYERS, withinMs = 1000) {
  const siege = new SiegeWorld({ seed, ...options });
  siege.run(3000);
  siege.join(players, withinMs);
  siege.run(withinMs + 6000);
  const { joinedMs, ended, world } = siege;
  const slowestMs = Math.max(0, ...joinedMs);
  const what = `${options.attackers} attackers, ${options.siege}`;
  console.log(`${what}: ${joinedMs.length} of ${players} in, the last after ${slowestMs} ms`);
  expect(world.counters(1).receiveQueueDropped).toBe(0);
  return { siege, statistics: siege.server.host.statistics, joinedMs, ended, slowestMs };
}

test.each([13, 14, 50])('%i that prove with a wrong key keep nobody out', (attackers) => {
  const { siege, statistics, ...players } = besieged({ attackers, siege: 'wrong key' });
  expect(siege.proofs).toBeGreaterThan(attackers * 9000);
  expect(statistics.connectionsLimited).toBeGreaterThan(1000);
  expect(players.ended).toEqual([]);
  expect(players.joinedMs.length).toBe(PLAYERS);
  // Whoever is put off asks again 200 ms later.
  expect(players.slowestMs).toBeLessThan(attackers === 50 ? 1000 : 400);
});

test.each([4, 13, 50])('%i that never finish keep nobody out', (attackers) => {
  const { statistics, ...players } = besieged({ attackers, siege: 'unfinished' });
  expect(statistics.halfOpen).toBeGreaterThan(attackers === 4 ? 300 : 400);
  expect(statistics.halfOpen).toBeLessThan(512);
  expect(statistics.halfOpenLimited).toBeGreaterThan(100);
  expect(players.ended).toEqual([]);
  expect(players.joinedMs.length).toBe(PLAYERS);
});

test('64 players behind one address join within 10 s, all in the same moment or second', () => {
  for (const withinMs of [1, 1000]) {
    const options = { attackers: 0, siege: 'wrong key', behindOne: true } as const;
    const { joinedMs, ended, slowestMs } = besieged(options, 64, withinMs);
    expect([joinedMs.length, ended]).toEqual([64, []]);
    expect(slowestMs).toBeLessThan(withinMs === 1 ? 3000 : 2500);
  }
});

test('many players behind one address wait longer in a siege: only the first is told from an attacker', () => {
  const options = { attackers: 13, siege: 'wrong key', behindOne: true } as const;
  const { joinedMs } = besieged(options, 64);
  expect(joinedMs.length).toBeGreaterThan(16);
});

test('450 that prove with a wrong key do keep players out: this is where the limits end', () => {
  const { joinedMs } = besieged({ attackers: 450, siege: 'wrong key', everyMs: 20 });
  expect(joinedMs.length).toBeLessThan(PLAYERS);
});
