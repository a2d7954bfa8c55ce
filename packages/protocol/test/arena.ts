// The arena of the documentation, cut down: what the game tests simulate.

import {
  angle,
  archetype,
  axis,
  component,
  defineGame,
  edge,
  fixed,
  math,
  text,
  uint,
} from './game-face.ts';

const pose = component(
  { x: fixed(-128, 128, 1 / 256), y: fixed(-128, 128, 1 / 256), aim: angle(12) },
  { interpolate: 'linear', snapOver: 8 },
);
const motion = component(
  { vx: fixed(-16, 16, 1 / 4096), vy: fixed(-16, 16, 1 / 4096), cooldown: uint(6) },
  { to: 'owner' },
);
const life = component({ hp: uint(7), score: uint(16) }, { predict: false });

export const arena = defineGame({
  id: 'arena',
  tickHz: 60,
  input: { dx: axis(4), dy: axis(4), turn: axis(4), fire: edge() },
  archetypes: {
    player: archetype({ pose, motion, life }, { max: 1024, controlled: true }),
    item: archetype({ pose }, { max: 256 }),
  },
  effects: { shot: { aim: angle(12) } },
  messages: { say: { line: text(200) } },
  simulate(w) {
    for (const p of w.player) {
      p.motion.vx = p.motion.vx * 0.9 + p.input.dx;
      p.motion.vy = p.motion.vy * 0.9 + p.input.dy;
      p.pose.aim += p.input.turn * 0.1;
      p.pose.x += p.motion.vx * w.dt;
      p.pose.y += p.motion.vy * w.dt;
      for (const o of w.player.within(p.pose.x, p.pose.y, 1)) {
        if (o.id !== p.id) p.pose.x += p.pose.x < o.pose.x ? -0.1 : 0.1;
      }
      if (p.motion.cooldown > 0) {
        p.motion.cooldown--;
        continue;
      }
      if (!p.input.fire) continue;
      p.motion.cooldown = 20;
      w.emit.shot(p.id, { aim: p.pose.aim });
      const server = w.authority;
      if (!server) continue;
      const ax = math.cos(p.pose.aim);
      const ay = math.sin(p.pose.aim);
      for (const seen of server.rewind(p.id).player.all()) {
        const dx = seen.pose.x - p.pose.x;
        const dy = seen.pose.y - p.pose.y;
        const along = dx * ax + dy * ay;
        const hit = server.player.at(seen.id);
        const aside = Math.abs(dx * ay - dy * ax);
        if (!hit || seen.id === p.id || along < 0 || along > 40 || aside > 1) continue;
        hit.life.hp -= 25;
        if (hit.life.hp <= 0) {
          hit.life.hp = 100;
          hit.pose.x = server.secretRandom() * 200 - 100;
          p.life.score++;
        }
      }
    }
  },
});
