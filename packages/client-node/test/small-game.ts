// A game small enough to reckon by hand: one number moves as the input says. `drag` stands for what a client does
// not know of the server's rules.

import {
  archetype,
  axis,
  component,
  defineGame,
  edge,
  fixed,
  flag,
  uint,
} from '@tickwire/protocol';

/** Field indexes of a player's row. */
export const Column = { x: 0, y: 1, shots: 2, gold: 3, secret: 4 } as const;

export const smallGame = defineGame({
  id: 'small',
  tickHz: 60,
  input: { dx: axis(4), fire: edge(), run: flag() },
  archetypes: {
    player: archetype(
      {
        pose: component(
          { x: fixed(-128, 128, 1 / 256), y: fixed(-128, 128, 1 / 256) },
          { interpolate: 'linear', snapOver: 8 },
        ),
        ammo: component({ shots: uint(12) }, { to: 'owner' }),
        purse: component({ gold: uint(8) }, { predict: false }),
        hidden: component({ secret: uint(8) }, { to: 'server' }),
      },
      { max: 24, controlled: true },
    ),
    item: archetype({ life: component({ hp: uint(7) }) }, { max: 4 }),
  },
  effects: { shot: { count: uint(12), far: flag() } },
  messages: {},
  simulate(w) {
    for (const p of w.player) {
      p.pose.x += p.input.dx * (p.input.run ? 2 : 1);
      if (!p.input.fire) continue;
      p.ammo.shots += 1;
      w.emit.shot(p.id, { count: p.ammo.shots, far: p.pose.x > 10 });
    }
  },
});

/** The quantised row of a player at x, y. */
export function playerRow(x: number, y = 0, shots = 0, gold = 0): Int32Array {
  return Int32Array.of((x + 128) * 256, (y + 128) * 256, shots, gold, 0);
}

/** The quantised input of a tick: dx from -7 to 7 sevenths. */
export function inputRow(sevenths: number, fire = false, run = false): Int32Array {
  return Int32Array.of(sevenths + 7, fire ? 1 : 0, run ? 1 : 0);
}
