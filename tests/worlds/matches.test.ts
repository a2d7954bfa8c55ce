// Several matches in one process: players move between them, old epochs are ignored, and an error in one match stops
// that match only.

import { SimulationError } from '@tickwire/protocol';
import { afterAll, expect, test } from 'vitest';
import { ArenaWorld, differences, linkFor, seedsFor, wander } from './arena-world.ts';
import { reportWorlds } from './report.ts';

const seeds = seedsFor(3, 50);
let worlds = 0;

test.each(seeds)('seed %i: a player moves to another match, and only that one is seen', (seed) => {
  const link = linkFor(seed);
  const arena = new ArenaWorld({ seed, link, players: 4, matches: 2 });
  worlds++;
  const [first, second] = arena.matches;
  const wrong: string[] = [];
  const bot = arena.client;
  arena.run(3000);
  const from = arena.matchOf(0);
  const to = from === first ? second! : first!;
  const session = arena.sessionOf(0);
  const epoch = session.epoch;
  bot.on('confirmed', (tick, whole) => {
    const match = bot.match!.epoch === epoch ? from : to;
    if (whole) wrong.push(...differences(bot, match, tick));
  });
  let left = 0;
  bot.on('leave', () => left++);
  to.add(session);
  expect(session.match).toBe(to);
  expect(from.sessions.has(session)).toBe(false);
  arena.run(6000);
  expect(left).toBe(1);
  expect(bot.match!.epoch).toBe(epoch + 1);
  expect(wrong).toEqual([]);
  expect(to.core.tables[0]!.slotOf(bot.owned[0]!)).toBeGreaterThanOrEqual(0);
  // What was under way when the player moved arrived after it: on both sides it counts and does nothing else.
  if (link.latencyMs > 0) expect(session.inputs!.oldEpoch).toBeGreaterThan(0);
  expect(from.core.tables[0]!.count).toBe(1);
  expect(to.core.tables[0]!.count).toBe(3);
  expect(arena.failures).toEqual([]);
});

test.each(seeds)('seed %i: a snapshot of the old epoch changes nothing on the client', (seed) => {
  const arena = new ArenaWorld({
    seed,
    link: { ...linkFor(seed), jitterMs: 40 },
    players: 2,
    matches: 2,
  });
  worlds++;
  arena.run(2000);
  const bot = arena.client;
  for (let move = 0; move < 10; move++) {
    const movedMs = arena.world.nowMs;
    const from = arena.matchOf(0);
    arena.matches.find((match) => match !== from)!.add(arena.sessionOf(0));
    const { epoch } = arena.sessionOf(0);
    while (bot.match?.epoch !== epoch || bot.match.confirmed.wholeTick < 0) {
      arena.run(arena.world.nowMs + 50);
      expect(arena.world.nowMs, 'the move arrives within 3 s').toBeLessThan(movedMs + 3000);
    }
    arena.run(arena.world.nowMs + 300);
    const whole = bot.match!.confirmed.wholeTick;
    expect(differences(bot, arena.matchOf(0), whole)).toEqual([]);
  }
  expect(arena.failures).toEqual([]);
});

test.each(seeds)(
  'seed %i: a throw in simulate stops its match, with tick and row named',
  (seed) => {
    let thrower = 0;
    const link = linkFor(seed);
    const arena = new ArenaWorld({ seed, link, players: 4, matches: 2, sample: wander });
    worlds++;
    arena.run(2000);
    const [broken, healthy] = arena.matches;
    // The row's own column gives simulate a position that it cannot read.
    const table = broken!.core.tables[0]!;
    thrower = table.ids[table.order[0]!]!;
    const at = broken!.tick + 1;
    Object.defineProperty(broken!.core.inputs[0]!.status, table.order[0]!, { value: 2 });
    const column = broken!.core.inputs[0]!.values as Float64Array[];
    column[0] = new Proxy(column[0]!, {
      get(target, key) {
        if (key === `${table.order[0]!}`) throw new RangeError('planted');
        return Reflect.get(target, key, target);
      },
    });
    arena.run(5000);
    expect(arena.failures).toHaveLength(1);
    const [{ where, error }] = arena.failures as [{ where: string; error: SimulationError }];
    expect(where).toBe('simulate');
    expect(error).toBeInstanceOf(SimulationError);
    expect([error.tick, error.entity]).toEqual([at, thrower]);
    expect(broken!.stoppedBy).toBe(error);
    expect(broken!.tick).toBe(at - 1);
    expect(healthy!.tick).toBeGreaterThan(at + 100);
    expect(healthy!.sessions.size).toBe(2);
    // Its players are still connected, and welcome elsewhere.
    expect(arena.server.sessions.size).toBe(4);
    for (const session of arena.server.sessions.values()) healthy!.add(session);
    arena.run(8000);
    expect(healthy!.sessions.size).toBe(4);
    for (const client of arena.clients) {
      expect(differences(client, healthy!, client.match!.confirmed.wholeTick)).toEqual([]);
    }
  },
);

afterAll(() => reportWorlds('matches', seeds, worlds));
