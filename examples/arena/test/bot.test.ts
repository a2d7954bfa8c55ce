// Bots in a bare world: no network, and what they see is what is.
import { createView, dequantise, quantise, World } from '@tickwire/protocol';
import { describe, expect, it } from 'vitest';
import { arena, blocked, HP, openPlace } from '../src/arena.ts';
import { type ArenaInput, type ArenaView, Bot } from '../src/bot.ts';
import { Chance } from '../src/chance.ts';
import { startPlace } from '../src/placement.ts';

const REAL = 2;
const ITEMS = 8;
const [PLAYER, ITEM] = [arena.archetypeIndex('player'), arena.archetypeIndex('item')];

/** A match of bots, as the demo has it, without clients. */
class BareMatch {
  readonly world = new World(arena, { seed: 7, secretSeed: 9, authority: true });
  readonly bots: Bot[];
  readonly inputs: ArenaInput[];
  readonly travelled: number[];
  readonly trace: number[] = [];
  readonly #view: ArenaView = createView(arena, this.world.tables);

  constructor(seed: number, count: number) {
    this.bots = Array.from({ length: count }, (_, i) => new Bot(seed * 1009 + i));
    this.inputs = this.bots.map(() => arena.createInput());
    this.travelled = this.bots.map(() => 0);
    const chance = new Chance(seed);
    for (let i = 0; i < ITEMS; i++) {
      const { place } = this.world.facade.item.spawn();
      [place.x, place.y] = openPlace(chance.next(), chance.next());
    }
    for (let i = 0; i < count; i++) {
      const { motion, pose, life } = this.world.facade.player.spawn();
      [motion.x, motion.y] = startPlace(i, count);
      [pose.x, pose.y] = startPlace(i, count);
      life.hp = HP;
    }
  }

  get players(): { id: number; x: number; y: number; hits: number; items: number }[] {
    const players = [];
    for (const { id, pose, tally } of this.world.facade.player) {
      players.push({ id, x: pose.x, y: pose.y, hits: tally.hits, items: tally.items });
    }
    return players;
  }

  play(ticks: number): this {
    for (let i = 0; i < ticks; i++) this.step(this.world.tick + 1);
    return this;
  }

  step(tick: number): void {
    const table = this.world.tables[PLAYER]!;
    const columns = this.world.inputs[PLAYER]!;
    const before = this.players;
    this.bots.forEach((bot, i) => {
      const slot = table.order[i]!;
      const input = this.inputs[i]!;
      bot.decide(
        tick,
        () => table.ids[slot],
        () => this.#view,
        input,
      );
      columns.status[slot] = REAL;
      arena.inputFields.forEach((field, f) => {
        const q = quantise(field, Number(Object.values(input)[f]));
        columns.values[f]![slot] = dequantise(field, q);
        this.trace.push(q);
      });
    });
    this.world.step(tick);
    this.players.forEach(({ x, y }, i) => {
      const moved = Math.hypot(x - before[i]!.x, y - before[i]!.y);
      if (moved < 1) this.travelled[i]! += moved;
    });
  }
}

describe('bots', () => {
  it('do the same again from the same seed, and something else from another', () => {
    const trace = (seed: number) => new BareMatch(seed, 6).play(180).trace;
    expect(trace(3)).toEqual(trace(3));
    expect(trace(3)).not.toEqual(trace(4));
  });

  it.each([2, 4, 8, 12, 25])('all travel, shoot and are hit within 6 s, %i in a match', (count) => {
    for (let seed = 1; seed <= 40; seed++) {
      const match = new BareMatch(seed, count).play(360);
      const where = `seed ${seed}`;
      expect(Math.min(...match.travelled), where).toBeGreaterThan(20);
      expect(
        match.players.filter(({ hits }) => hits === 0),
        where,
      ).toEqual([]);
    }
  });

  it('fetch items', () => {
    const match = new BareMatch(1, 8).play(1200);
    expect(match.players.reduce((sum, { items }) => sum + items, 0)).toBeGreaterThan(2);
    expect(match.world.tables[ITEM]!.count).toBe(ITEMS);
  });

  it('never stand in a wall', () => {
    const match = new BareMatch(5, 12);
    for (let i = 0; i < 300; i++) {
      match.step(i);
      for (const { x, y } of match.players) expect(blocked(x, y), `${x} ${y}`).toBe(false);
    }
  });

  it('let go of everything when silenced', () => {
    const match = new BareMatch(2, 4).play(100);
    for (const bot of match.bots) bot.silent = true;
    match.trace.length = 0;
    match.play(3);
    expect(match.inputs).toEqual(match.inputs.map(() => arena.createInput()));
  });

  it('rest while they have no player', () => {
    const out = arena.createInput();
    const bot = new Bot(1);
    const nothing = () => expect.fail('there is nothing to look at');
    for (let tick = 0; tick < 20; tick++) bot.decide(tick, () => undefined, nothing, out);
    expect(out).toEqual(arena.createInput());
  });
});
