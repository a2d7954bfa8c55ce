// The dead zone of quantising: a push that moves a player by less than half a step a tick must still move it.

import { afterAll, expect, test } from 'vitest';
import { arena as game } from '../../examples/arena/src/arena.ts';
import { ArenaWorld } from './arena-world.ts';
import { reportWorlds } from './report.ts';

let worlds = 0;

const [x] = [game.layouts[0]!.fieldNames.indexOf('pose.x')];
const step = game.layouts[0]!.fields[x]!.step;
const axis = game.inputFields[game.inputNames.indexOf('dx')]!;
/** The gentlest push that the stick can tell from none. */
const gentlest = axis.step;

test('the gentlest push moves a player, on the server and as predicted', () => {
  const arena = new ArenaWorld({
    seed: 3,
    link: { latencyMs: 50 },
    players: 1,
    items: 0,
    sample: (_bot, _tick, out) => {
      out.dx = gentlest;
    },
  });
  worlds++;
  arena.run(1500);
  const table = arena.match.core.tables[0]!;
  const slot = table.order[0]!;
  const before = table.live[x!]![slot]!;
  const perTick: number[] = [];
  let last = before;
  arena.match.onTick(() => {
    const now = table.live[game.layouts[0]!.fieldNames.indexOf('motion.x')]![slot]!;
    perTick.push(Math.abs(now - last));
    last = now;
  });
  arena.run(11_500);
  const moved = table.live[x!]![slot]! - before;
  // Each tick's way is inside the dead zone of the field that everybody sees.
  expect(Math.max(...perTick.slice(1))).toBeLessThan(step / 2);
  expect(moved).toBeGreaterThan(20 * step);
  const { statistics } = arena.client.match!.prediction;
  expect(statistics.mispredicted).toBe(0);
  expect(statistics.compared).toBeGreaterThan(200);
});

afterAll(() => reportWorlds('slow push', [3], worlds));
