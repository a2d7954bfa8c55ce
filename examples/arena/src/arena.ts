// The arena: players move, turn, shoot and collect. The reference game: shared by server, clients and bots.

import {
  angle,
  archetype,
  axis,
  component,
  defineGame,
  edge,
  fixed,
  flag,
  math,
  text,
  uint,
} from '@tickwire/protocol';

/** The arena reaches from -SIZE to SIZE on both axes; units. */
export const SIZE = 32;
/** Half of a player's width. */
export const RADIUS = 0.5;
/** Boxes that nobody walks or shoots through: [left, top, right, bottom]. */
export const WALLS: readonly (readonly [number, number, number, number])[] = [
  [-14, -10, -12, 10],
  [12, -10, 14, 10],
  [-6, -20, 6, -18],
  [-6, 18, 6, 20],
];

/** Full health. */
export const HP = 100;
export const DAMAGE = 10;
export const SHOT_RANGE = 40;
const SHOT_RADIUS = 0.9;
/** Ticks between two shots. */
export const COOLDOWN_TICKS = 20;
/** Part of the velocity that is left after a tick. */
const GLIDE = 0.9;
/** Velocity gained in a tick at full stick. */
const PUSH = 0.8;
/** Radians at full stick. */
export const TURN_PER_TICK = 0.12;
/**
 * A death is announced this long before the respawn, so that every client knows of it in time to predict it:
 * nobody is ever pulled out of a walk by a message from the past.
 */
export const RESPAWN_TICKS = 45;
const ITEM_RETURN_TICKS = 180;
const REACH = 1;

/** What everybody sees. */
const pose = component(
  { x: fixed(-SIZE, SIZE, 1 / 256), y: fixed(-SIZE, SIZE, 1 / 256), aim: angle(12) },
  { interpolate: 'linear', snapOver: 8 },
);
/** What the owner's prediction needs, finer than what others see: a slow push must not vanish in rounding. */
const motion = component(
  {
    x: fixed(-SIZE, SIZE, 1 / 16384),
    y: fixed(-SIZE, SIZE, 1 / 16384),
    vx: fixed(-16, 16, 1 / 4096),
    vy: fixed(-16, 16, 1 / 4096),
    cooldown: uint(6),
  },
  { to: 'owner' },
);
/** What the server decides. `respawnAt`: low bits of a tick, while down. */
const life = component({ hp: uint(7), down: flag(), respawnAt: uint(16) }, { predict: false });
const tally = component(
  { score: uint(16), items: uint(16), deaths: uint(16), hits: uint(16) },
  { predict: false },
);
const place = component({ x: fixed(-SIZE, SIZE, 1 / 256), y: fixed(-SIZE, SIZE, 1 / 256) });
const stock = component({ taken: flag(), returnAt: uint(16) });

export const arena = defineGame({
  id: 'arena',
  tickHz: 60,
  input: { dx: axis(8), dy: axis(8), turn: axis(6), fire: edge() },
  archetypes: {
    player: archetype({ pose, motion, life, tally }, { max: 256, controlled: true }),
    item: archetype({ place, stock }, { max: 64 }),
  },
  effects: { shot: { aim: angle(12) } },
  messages: { say: { line: text(200) } },
  simulate(w) {
    for (const p of w.player) {
      const { life, motion, pose } = p;
      if (life.down && life.respawnAt === (w.tick & 0xffff)) {
        [motion.x, motion.y] = openPlace(w.random(p.id, 0), w.random(p.id, 1));
        motion.vx = 0;
        motion.vy = 0;
        life.down = false;
        life.hp = HP;
      }
      pose.aim += p.input.turn * TURN_PER_TICK;
      walk(motion, p.input.dx, p.input.dy, w.dt);
      pose.x = motion.x;
      pose.y = motion.y;
      if (motion.cooldown > 0) motion.cooldown--;
      else if (p.input.fire) {
        motion.cooldown = COOLDOWN_TICKS;
        w.emit.shot(p.id, { aim: pose.aim });
        const hit = w.authority && firstHit(w.authority.rewind(p.id).player.all(), p.id, pose);
        const target = hit ? w.authority?.player.at(hit) : undefined;
        if (target && !target.life.down && !life.down) {
          target.tally.hits++;
          target.life.hp = Math.max(0, target.life.hp - DAMAGE);
          if (target.life.hp === 0) {
            p.tally.score++;
            target.tally.deaths++;
          }
        }
      }
      if (!w.authority) continue;
      if (life.hp === 0 && !life.down) {
        life.down = true;
        life.respawnAt = (w.tick + RESPAWN_TICKS) & 0xffff;
      }
      for (const near of w.item.within(pose.x, pose.y, REACH)) {
        const item = w.authority.item.at(near.id);
        if (!item || item.stock.taken) continue;
        item.stock.taken = true;
        item.stock.returnAt = (w.tick + ITEM_RETURN_TICKS) & 0xffff;
        p.tally.items++;
      }
    }
    const { authority } = w;
    if (!authority) return;
    for (const item of w.item) {
      if (!item.stock.taken || item.stock.returnAt !== (w.tick & 0xffff)) continue;
      item.stock.taken = false;
      [item.place.x, item.place.y] = openPlace(authority.secretRandom(), authority.secretRandom());
    }
  },
});

/** A moving body at its fine position. */
interface Body {
  x: number;
  y: number;
  vx: number;
  vy: number;
}

/** One tick of walking: push, glide, and stop at whatever is in the way, axis by axis. */
function walk(body: Body, dx: number, dy: number, dt: number): void {
  body.vx = body.vx * GLIDE + dx * PUSH;
  body.vy = body.vy * GLIDE + dy * PUSH;
  const x = body.x + body.vx * dt;
  if (blocked(x, body.y)) body.vx = 0;
  else body.x = x;
  const y = body.y + body.vy * dt;
  if (blocked(body.x, y)) body.vy = 0;
  else body.y = y;
}

/** Whether a player cannot stand there. */
export function blocked(x: number, y: number): boolean {
  const edge = SIZE - RADIUS;
  if (x < -edge || x > edge || y < -edge || y > edge) return true;
  for (const [left, top, right, bottom] of WALLS) {
    if (x > left - RADIUS && x < right + RADIUS && y > top - RADIUS && y < bottom + RADIUS) {
      return true;
    }
  }
  return false;
}

/** Two numbers of [0, 1) made into a place where a player can stand. */
export function openPlace(a: number, b: number): [x: number, y: number] {
  const x = (a * 2 - 1) * (SIZE - 2);
  const y = (b * 2 - 1) * (SIZE - 2);
  return blocked(x, y) ? [0, 0] : [x, y];
}

/** Somebody in the line of fire. */
interface Target {
  readonly id: number;
  readonly pose: { readonly x: number; readonly y: number };
}

/** The nearest player in the line of fire, 0 = nobody. Walls stop shots. */
function firstHit(
  seen: Iterable<Target>,
  shooter: number,
  from: { readonly x: number; readonly y: number; readonly aim: number },
): number {
  const ax = math.cos(from.aim);
  const ay = math.sin(from.aim);
  let nearest = Math.min(SHOT_RANGE, wallDistance(from.x, from.y, ax, ay));
  let hit = 0;
  for (const { id, pose } of seen) {
    if (id === shooter) continue;
    const dx = pose.x - from.x;
    const dy = pose.y - from.y;
    const along = dx * ax + dy * ay;
    if (along < 0 || along > nearest || Math.abs(dx * ay - dy * ax) > SHOT_RADIUS) continue;
    nearest = along;
    hit = id;
  }
  return hit;
}

/** How far a shot flies before it meets one of the walls. */
export function wallDistance(x: number, y: number, ax: number, ay: number, walls = WALLS): number {
  let nearest = Number.POSITIVE_INFINITY;
  for (const [left, top, right, bottom] of walls) {
    const [inX, outX] = slab(x, ax, left, right);
    const [inY, outY] = slab(y, ay, top, bottom);
    const enter = Math.max(inX, inY);
    if (enter >= 0 && enter <= Math.min(outX, outY)) nearest = Math.min(nearest, enter);
  }
  return nearest;
}

/** Between which distances a line runs inside [low, high] of one axis. */
function slab(from: number, along: number, low: number, high: number): [number, number] {
  if (along === 0) {
    const inside = from >= low && from <= high;
    return inside ? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] : [1, 0];
  }
  const a = (low - from) / along;
  const b = (high - from) / along;
  return a < b ? [a, b] : [b, a];
}
