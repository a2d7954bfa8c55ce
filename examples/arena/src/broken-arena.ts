// The arena as a buggy client would compute it, for `demo --break`: the same declarations, so that the server lets it
// in, and another simulate. Never used otherwise.

import { Game, type SimulateFace } from '@tickwire/protocol';
import { arena } from './arena.ts';

type Simulate = (w: SimulateFace<(typeof arena)['shape']>) => void;

/** Share of a full stick that the bug adds to the velocity. */
const EXTRA_PUSH = 0.2;

/** Wrong acceleration: a constant that differs between client and server. */
function pushTooHard(w: Parameters<Simulate>[0]): void {
  for (const { motion, input } of w.player) {
    motion.vx += input.dx * EXTRA_PUSH;
    motion.vy += input.dy * EXTRA_PUSH;
  }
}

/** Half a step less, then rounding to nearest: rounding down. */
function roundDown(w: Parameters<Simulate>[0]): void {
  const { pose, motion } = arena.shape.archetypes.player.components;
  for (const p of w.player) {
    p.pose.x -= pose.fields.x.step / 2;
    p.pose.y -= pose.fields.y.step / 2;
    p.pose.aim -= pose.fields.aim.step / 2;
    p.motion.x -= motion.fields.x.step / 2;
    p.motion.y -= motion.fields.y.step / 2;
    p.motion.vx -= motion.fields.vx.step / 2;
    p.motion.vy -= motion.fields.vy.step / 2;
  }
}

/** The arena with one of the bugs. */
export function breakArena(bug: 'prediction' | 'quantise'): typeof arena {
  const spoil = bug === 'prediction' ? pushTooHard : roundDown;
  const simulate: Simulate = (w) => {
    arena.simulate(w as never);
    spoil(w);
  };
  return new Game(arena.id, arena.tickHz, arena.shape, arena.messages, simulate as never);
}
