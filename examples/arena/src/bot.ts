// What an arena bot does: chases a player of its own, dodges, shoots, walks around walls and fetches items.
// It decides from the view alone, as a person would: others where they are shown, not where they are.

import type { FieldValues, ViewFace } from '@tickwire/protocol';
import {
  type arena,
  blocked,
  RADIUS,
  SHOT_RANGE,
  TURN_PER_TICK,
  WALLS,
  wallDistance,
} from './arena.ts';
import { Chance } from './chance.ts';

type Shape = (typeof arena)['shape'];
/** What a client shows of the arena. */
export type ArenaView = ViewFace<Shape['archetypes']>;
/** One tick's input. */
export type ArenaInput = FieldValues<Shape['input']>;

type Wall = (typeof WALLS)[number];

/** Ticks between two looks at the view; in between the sticks stay where they are. */
export const THINK_TICKS = 8;
/** Preferred distances to the hunted. */
const NEAR = 6;
const FAR = 16;
/** How far ahead walls are felt, in two steps. */
const FEEL = 0.8;
const ID_MAX = 2 ** 32;
/** Aimed so many units beside the hunted it still hits. */
const STEADY_UNITS = 0.4;
const OCTANT = Math.PI / 4;
/** Corners are passed at this distance from the wall. */
const BERTH = RADIUS + 0.7;
/** Share of decisions that go for an item, and how long a decision holds. */
const ITEM_SHARE = 0.2;
const MOOD_TICKS_MIN = 20;
const MOOD_TICKS_MAX = 60;

/** Somebody or something seen. */
interface Seen {
  id: number;
  x: number;
  y: number;
}

/** One bot's mind. The same seed and the same views give the same inputs. */
export class Bot {
  /** Hands off the sticks. */
  silent = false;
  readonly #chance: Chance;
  readonly #phase: number;
  readonly #self = { id: 0, x: 0, y: 0, aim: 0 };
  readonly #prey: Seen = { id: 0, x: 0, y: 0 };
  /** It has not been hit by anybody yet: a reason not to look at anything else. */
  #preyIsSpared = false;
  readonly #corner = { chosen: false, x: 0, y: 0 };
  readonly #item: Seen = { id: 0, x: 0, y: 0 };
  /** Which way round obstacles and around the hunted: 1 or -1. */
  #side = 1;
  #aimed = false;
  #fetching = false;
  #moodEndsAt = 0;

  constructor(seed: number) {
    this.#chance = new Chance(seed);
    this.#phase = this.#chance.between(0, THINK_TICKS - 1);
  }

  /** Fills in the input of a tick. `self`: the bot's player, undefined while it has none. */
  decide(
    tick: number,
    self: () => number | undefined,
    look: () => ArenaView,
    out: ArenaInput,
  ): void {
    out.fire = false;
    if (this.silent) return rest(out);
    if ((tick + this.#phase) % THINK_TICKS !== 0) {
      if (this.#aimed) out.turn = 0;
      return;
    }
    const id = self();
    if (id === undefined) rest(out);
    else this.#think(tick, id, look(), out);
  }

  #think(tick: number, id: number, view: ArenaView, out: ArenaInput): void {
    if (!this.#see(id, view)) {
      rest(out);
      return;
    }
    if (tick >= this.#moodEndsAt) this.#changeMood(tick);
    const { x, y } = this.#self;
    const dx = this.#prey.x - x;
    const dy = this.#prey.y - y;
    const distance = Math.max(Math.hypot(dx, dy), 1e-6);
    const clear = wallDistance(x, y, dx / distance, dy / distance) > distance;
    this.#turn(Math.atan2(dy, dx), Math.atan2(STEADY_UNITS, distance), out);
    out.fire = this.#aimed && clear && distance <= SHOT_RANGE && this.#prey.id !== 0;
    this.#walk(this.#direction(dx, dy, distance, clear), out);
  }

  /** Finds itself, the player whose id comes next and the nearest item; false = it is not in the view. */
  #see(id: number, view: ArenaView): boolean {
    const me = view.player.at(id);
    if (me === undefined) return false;
    const self = this.#self;
    self.id = id;
    self.x = me.pose.x;
    self.y = me.pose.y;
    self.aim = me.pose.aim;
    this.#findPrey(view);
    this.#item.id = 0;
    if (this.#fetching && !this.#preyIsSpared) this.#findItem(view);
    return true;
  }

  /** The next by id of those who were spared so far, else the next by id: in a ring of hunters all are hunted. */
  #findPrey(view: ArenaView): void {
    const prey = this.#prey;
    let best = Number.POSITIVE_INFINITY;
    prey.id = 0;
    for (const { id, pose, tally } of view.player) {
      const after = id > this.#self.id ? id : id + ID_MAX;
      const rank = tally.hits === 0 ? after : after + 2 * ID_MAX;
      if (id === this.#self.id || rank >= best) continue;
      best = rank;
      this.#preyIsSpared = tally.hits === 0;
      prey.id = id;
      prey.x = pose.x;
      prey.y = pose.y;
    }
  }

  #findItem(view: ArenaView): void {
    const item = this.#item;
    let nearest = Number.POSITIVE_INFINITY;
    for (const { id, place, stock } of view.item) {
      const distance = this.#distanceInSight(place.x, place.y);
      if (stock.taken || distance >= nearest) continue;
      nearest = distance;
      item.id = id;
      item.x = place.x;
      item.y = place.y;
    }
  }

  /** Infinite behind a wall. */
  #distanceInSight(toX: number, toY: number): number {
    const { x, y } = this.#self;
    const distance = Math.max(Math.hypot(toX - x, toY - y), 1e-6);
    const open = wallDistance(x, y, (toX - x) / distance, (toY - y) / distance) > distance;
    return open ? distance : Number.POSITIVE_INFINITY;
  }

  #changeMood(tick: number): void {
    this.#moodEndsAt = tick + this.#chance.between(MOOD_TICKS_MIN, MOOD_TICKS_MAX);
    this.#side = this.#chance.next() < 0.5 ? 1 : -1;
    this.#fetching = this.#chance.next() < ITEM_SHARE;
  }

  /** Turns towards a bearing; within reach of one tick it aims exactly and then holds still. Well aimed is well left. */
  #turn(bearing: number, tolerance: number, out: ArenaInput): void {
    const off = shortWay(bearing - this.#self.aim);
    const error = Math.abs(off) < tolerance ? 0 : off;
    this.#aimed = Math.abs(error) <= TURN_PER_TICK;
    const ticks = this.#aimed ? 1 : THINK_TICKS;
    out.turn = Math.max(-1, Math.min(1, error / (ticks * TURN_PER_TICK)));
  }

  /** Where it wants to go, radians. */
  #direction(dx: number, dy: number, distance: number, clear: boolean): number {
    const item = this.#item;
    if (item.id !== 0) return Math.atan2(item.y - this.#self.y, item.x - this.#self.x);
    const towards = Math.atan2(dy, dx);
    if (!clear) return this.#roundTheCorner(dx, dy, distance);
    this.#corner.chosen = false;
    if (distance > FAR) return towards + this.#side * OCTANT;
    return towards + this.#side * (distance < NEAR ? 3 : 2) * OCTANT;
  }

  /** The way to a corner of the wall in between. Once chosen it stays until it is reached, so nobody dithers. */
  #roundTheCorner(dx: number, dy: number, distance: number): number {
    const { x, y } = this.#self;
    const corner = this.#corner;
    if (!corner.chosen || Math.hypot(corner.x - x, corner.y - y) < BERTH) {
      const reach = (wall: Wall) => wallDistance(x, y, dx / distance, dy / distance, [wall]);
      const nearest = wallDistance(x, y, dx / distance, dy / distance);
      const inTheWay = WALLS.find((wall) => reach(wall) === nearest);
      if (inTheWay === undefined) return Math.atan2(dy, dx);
      this.#chooseCorner(inTheWay);
    }
    return Math.atan2(corner.y - y, corner.x - x);
  }

  /** The corner that makes the shortest way to the hunted; one that has been reached leads nowhere any more. */
  #chooseCorner([left, top, right, bottom]: Wall): void {
    const { x, y } = this.#self;
    const corner = this.#corner;
    let best = Number.POSITIVE_INFINITY;
    for (const cornerX of [left - BERTH, right + BERTH]) {
      for (const cornerY of [top - BERTH, bottom + BERTH]) {
        const here = Math.hypot(cornerX - x, cornerY - y);
        const way = here + Math.hypot(cornerX - this.#prey.x, cornerY - this.#prey.y);
        if (here < BERTH || way >= best) continue;
        best = way;
        corner.chosen = true;
        corner.x = cornerX;
        corner.y = cornerY;
      }
    }
  }

  /** Sets the sticks to one of eight ways, the nearest to the wanted one that is open. */
  #walk(wanted: number, out: ArenaInput): void {
    const octant = Math.round(wanted / OCTANT);
    for (let turns = 0; turns <= 4; turns++) {
      if (this.#tryWay(octant + turns * this.#side, out)) return;
      if (!this.#tryWay(octant - turns * this.#side, out)) continue;
      this.#side = -this.#side;
      return;
    }
    rest(out);
  }

  #tryWay(octant: number, out: ArenaInput): boolean {
    const ax = Math.cos(octant * OCTANT);
    const ay = Math.sin(octant * OCTANT);
    const { x, y } = this.#self;
    if (blocked(x + ax * FEEL, y + ay * FEEL)) return false;
    if (blocked(x + ax * 2 * FEEL, y + ay * 2 * FEEL)) return false;
    out.dx = ax;
    out.dy = ay;
    return true;
  }
}

function rest(out: ArenaInput): void {
  out.dx = 0;
  out.dy = 0;
  out.turn = 0;
  out.fire = false;
}

/** An angle brought into [-π, π). */
function shortWay(angle: number): number {
  const turns = angle / (2 * Math.PI) + 0.5;
  return (turns - Math.floor(turns) - 0.5) * 2 * Math.PI;
}
