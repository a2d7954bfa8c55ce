import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { readEffect } from '../src/game/effect-emitter.ts';
import type { SimulateFace } from '../src/game/face.ts';
import { arena } from './arena.ts';
import {
  angle,
  archetype,
  component,
  defineGame,
  fixed,
  SimulationError,
  uint,
  World,
} from './game-face.ts';

const pose = component(
  { x: fixed(-64, 64, 1 / 16), y: fixed(-64, 64, 1 / 16), aim: angle(8) },
  { interpolate: 'linear', snapOver: 4 },
);
const motion = component({ v: fixed(-8, 8, 1 / 64) }, { to: 'owner' });
const life = component({ hp: uint(7) }, { predict: false });
const secret = component({ plan: uint(8) }, { to: 'server' });

let script: (w: Face) => void = () => {};

const game = defineGame({
  id: 'world',
  tickHz: 20,
  input: { push: uint(4) },
  archetypes: {
    ship: archetype({ pose, motion, life, secret }, { max: 8, controlled: true }),
    rock: archetype({ pose }, { max: 4 }),
  },
  effects: { bang: { aim: angle(8), size: uint(4) }, puff: {} },
  simulate(w) {
    script(w);
  },
});
type Shape = typeof game.shape;
type Face = SimulateFace<Shape>;

afterEach(() => {
  script = () => {};
});

function createServer(ships: number): World<Shape> {
  const world = new World(game, { seed: 9, authority: true });
  for (let i = 0; i < ships; i++) world.facade.ship.spawn().pose.x = i;
  return world;
}

/** A client's world that knows ships 1 to `known` and predicts some of them. */
function createClient(known: number, predicted: readonly number[]): World<Shape> {
  const world = new World(game, { seed: 9, authority: false });
  const table = world.tables[0]!;
  for (let id = 1; id <= known; id++) table.spawn(id);
  for (const id of predicted) table.activate(table.slotOf(id));
  return world;
}

function step(world: World<Shape>, act: (w: Face) => void = () => {}, tick = world.tick + 1): void {
  script = act;
  world.step(tick);
}

describe('step', () => {
  test('quantises and counts ticks', () => {
    const world = createServer(1);
    expect(world.tick).toBe(-1);
    step(
      world,
      (w) => {
        expect([w.tick, w.dt]).toEqual([5, 1 / 20]);
        for (const s of w.ship) s.pose.x += 0.3;
      },
      5,
    );
    expect(world.tick).toBe(5);
    expect(world.facade.ship.at(1)!.pose.x).toBe(5 / 16);
  });

  test('on the server every tick follows the one before; a client may step one again', () => {
    const server = createServer(1);
    step(server, undefined, 3);
    const order = expect.objectContaining({ code: 'tick-order' });
    for (const tick of [3, 5, 2, -1, 3.5, Number.NaN])
      expect(() => server.step(tick)).toThrow(order);
    server.step(4);
    const client = createClient(1, [1]);
    for (const tick of [3, 3, 2, 9]) client.step(tick);
    expect(client.tick).toBe(9);
    expect(() => client.step(-1)).toThrow(order);
  });

  test('cannot be called from inside', () => {
    const world = createServer(1);
    step(world, () => {
      const inside = expect.objectContaining({ code: 'already-stepping' });
      expect(() => world.step(1)).toThrow(inside);
    });
  });

  test('is the same for the same seed and inputs, row by row and bit by bit', () => {
    const input = fc.record({
      dx: fc.integer({ min: -1, max: 1 }),
      fire: fc.integer({ min: 0, max: 1 }),
    });
    const ticks = fc.array(fc.array(input, { minLength: 6, maxLength: 6 }), { maxLength: 40 });
    fc.assert(
      fc.property(fc.integer(), ticks, (seed, inputs) => {
        expect(runArena(seed, inputs)).toEqual(runArena(seed, inputs));
      }),
      { numRuns: 20 },
    );
  });
});

function runArena(
  seed: number,
  ticks: readonly (readonly { dx: number; fire: number }[])[],
): number[] {
  const world = new World(arena, { seed, secretSeed: seed + 1, authority: true });
  for (let i = 0; i < 6; i++) {
    const p = world.facade.player.spawn();
    p.pose.x = i * 2;
    p.life.hp = 100;
  }
  ticks.forEach((inputs, tick) => {
    inputs.forEach((input, slot) => {
      world.inputs[0]!.values[0]![slot] = input.dx;
      world.inputs[0]!.values[3]![slot] = input.fire;
      world.inputs[0]!.viewTick[slot] = tick - 2.5;
    });
    world.step(tick);
  });
  return world.tables[0]!.live.flatMap((column) => [...column.subarray(0, 6)]);
}

describe('spawning and despawning', () => {
  test('a row spawned in a loop is simulated and seen from the next tick on', () => {
    const world = createServer(2);
    const seen: number[][] = [];
    const look = (w: Face) => {
      const ids: number[] = [];
      for (const s of w.ship) {
        ids.push(s.id);
        if (w.tick > 0) continue;
        const fresh = w.authority!.ship.spawn();
        fresh.pose.x = 10 + s.id;
        expect(w.ship.at(fresh.id)).toBe(undefined);
        expect(w.authority!.ship.at(fresh.id)!.pose.x).toBe(10 + s.id);
      }
      seen.push(
        ids,
        Array.from(w.ship.all(), (s) => s.pose.x),
      );
    };
    step(world, look);
    expect(world.history(0, 0)!.count).toBe(4);
    step(world, look);
    expect(seen).toEqual([
      [1, 2],
      [0, 1],
      [1, 2, 3, 4],
      [0, 1, 11, 12],
    ]);
  });

  test('a despawned row is not simulated further, is looked at until the tick’s end, goes once', () => {
    const world = createServer(4);
    const seen: number[] = [];
    step(world, (w) => {
      for (const s of w.ship) {
        seen.push(s.id);
        if (s.id !== 2) continue;
        expect(w.authority!.ship.despawn(2)).toBe(true);
        expect(w.authority!.ship.despawn(3)).toBe(true);
        expect(w.authority!.ship.despawn(3)).toBe(false);
        expect(w.authority!.ship.despawn(77)).toBe(false);
        expect(w.authority!.ship.at(3)).toBe(undefined);
        expect(w.ship.at(3)!.pose.x).toBe(2);
      }
    });
    expect(seen).toEqual([1, 2, 4]);
    const table = world.tables[0]!;
    expect([...table.removedIds.subarray(0, table.removedCount)]).toEqual([2, 3]);
    expect(Array.from(world.facade.ship, (s) => s.id)).toHaveLength(2);
    expect([table.slotOf(2), table.slotOf(4)]).toEqual([-1, 3]);
    step(world);
    expect(table.removedCount).toBe(0);
  });

  test('outside of a step rows come at once and go with the next step', () => {
    const world = createServer(2);
    const { ship } = world.facade;
    expect(ship.despawn(1)).toBe(true);
    expect(Array.from(ship, (s) => s.id)).toEqual([2]);
    expect([ship.at(1), ship.count]).toEqual([undefined, 2]);
    step(world, (w) => {
      expect(Array.from(w.ship.all(), (s) => s.id)).toEqual([2]);
    });
    const table = world.tables[0]!;
    expect([...table.removedIds.subarray(0, table.removedCount)]).toEqual([1]);
    expect([ship.count, ship.capacity]).toEqual([1, 8]);
  });

  test('a full archetype refuses one more', () => {
    const world = createServer(8);
    const full = expect.objectContaining({ code: 'archetype-full' });
    expect(() => world.facade.ship.spawn()).toThrow(full);
    expect(world.nextId).toBe(9);
    world.facade.ship.despawn(1);
    step(world);
    const fresh = world.facade.ship.spawn();
    expect([fresh.id, fresh.pose.x, fresh.input.status]).toEqual([9, 0, 'none']);
  });

  test('a fresh row has nobody’s input', () => {
    const world = createServer(1);
    const inputs = world.inputs[0]!;
    inputs.values[0]![0] = 7;
    inputs.status[0] = 2;
    inputs.viewTick[0] = 3;
    world.facade.ship.despawn(1);
    step(world);
    expect(world.facade.ship.spawn().input.push).toBe(0);
    expect([inputs.status[0], inputs.viewTick[0]]).toEqual([0, Number.NaN]);
  });
});

describe('on a client', () => {
  test('only predicted rows are simulated, everybody is seen as confirmed', () => {
    const world = createClient(4, [2, 3]);
    const table = world.tables[0]!;
    table.live[0]![table.slotOf(4)] = 5;
    table.markStart(table.slotOf(4));
    const looks: number[] = [];
    for (let replay = 0; replay < 2; replay++) {
      step(
        world,
        (w) => {
          expect(w.authority).toBe(undefined);
          for (const s of w.ship) {
            s.pose.x += 1;
            looks.push(s.id, w.ship.count, w.ship.at(4)!.pose.x);
          }
        },
        1,
      );
    }
    expect(looks).toEqual([2, 4, 5, 3, 4, 5, 2, 4, 5, 3, 4, 5]);
    expect(Array.from({ length: 4 }, (_, slot) => table.live[0]![slot])).toEqual([0, 2, 2, 5]);
    const refusal = expect.objectContaining({ code: 'not-authority' });
    expect(() => world.facade).toThrow(refusal);
  });

  test('what cannot be predicted stays as confirmed', () => {
    const world = createClient(1, [1]);
    const hp = world.tables[0]!.live[4]!;
    hp[0] = 80;
    step(world, (w) => {
      for (const s of w.ship) {
        s.life.hp -= 25;
        s.secret.plan = 3;
        s.motion.v = 1;
        expect([s.life.hp, s.secret.plan, s.motion.v]).toEqual([80, 0, 1]);
      }
    });
    expect([hp[0], world.tables[0]!.live[5]![0], world.tables[0]!.live[3]![0]]).toEqual([80, 0, 1]);
  });

  test('quantises predicted rows as the server does', () => {
    const act = (w: Face) => {
      for (const s of w.ship) s.pose.x += 0.04 + w.random(s.id) / 8;
    };
    const server = createServer(1);
    const client = createClient(1, [1]);
    for (let tick = 0; tick < 50; tick++) {
      step(server, act);
      step(client, act, tick);
      expect(client.tables[0]!.live[0]![0]).toBe(server.tables[0]!.live[0]![0]);
    }
  });

  test('predicted rows are saved and loaded', () => {
    const world = createClient(3, [1, 3]);
    const act = (w: Face) => {
      for (const s of w.ship) s.pose.x += s.id;
    };
    step(world, act);
    const ids = new Uint32Array(4);
    const values = new Int32Array(4 * game.layouts[0]!.stride);
    expect(world.saveRows(0, ids, values)).toBe(2);
    expect([...ids]).toEqual([1, 3, 0, 0]);
    step(world, act);
    const x = world.tables[0]!.live[0]!;
    expect([x[0], x[2]]).toEqual([2, 6]);
    world.loadRows(0, ids, values, 2);
    expect([x[0], x[2]]).toEqual([1, 3]);
    world.tables[0]!.remove(0);
    step(world, act);
    world.loadRows(0, ids, values, 2);
    expect([x[2], world.saveRows(0, ids, values)]).toEqual([3, 1]);
    expect(world.saveRows(0, new Uint32Array(0), values)).toBe(0);
  });
});

describe('random', () => {
  test('is the same on both sides and in a replay, and differs by tick, entity and n', () => {
    const draws: number[] = [];
    const draw = (w: Face) => {
      for (const id of [1, 2]) draws.push(w.random(id), w.random(id, 1));
    };
    step(createServer(0), draw, 4);
    const client = createClient(0, []);
    step(client, draw, 4);
    expect(draws.slice(4)).toEqual(draws.slice(0, 4));
    step(client, draw, 5);
    expect(new Set(draws).size).toBe(8);
    for (const value of draws) expect(value >= 0 && value < 1).toBe(true);
  });

  test('has no visible bias', () => {
    const world = createServer(0);
    const cells = new Array<number>(16).fill(0);
    step(world, (w) => {
      for (let id = 0; id < 1600; id++) {
        for (let n = 0; n < 10; n++) cells[Math.floor(w.random(id, n) * 16)]!++;
      }
      for (let i = 0; i < 16_000; i++) cells[Math.floor(w.authority!.secretRandom() * 16)]!++;
    });
    for (const count of cells) expect(Math.abs(count - 2000)).toBeLessThan(250);
  });

  test('the secret stream follows its own seed', () => {
    const draw = (secretSeed: number) => {
      const world = new World(game, { seed: 1, secretSeed, authority: true });
      const drawn: number[] = [];
      step(world, (w) => drawn.push(w.authority!.secretRandom(), w.authority!.secretRandom()));
      return drawn;
    };
    expect(draw(5)).toEqual(draw(5));
    expect(draw(5)).not.toEqual(draw(6));
  });
});

describe('effects', () => {
  test('carry tick, entity, kind and n, which starts over with every run of a tick', () => {
    const world = createClient(2, [1, 2]);
    const seen: unknown[] = [];
    world.effects = {
      emitted(kind, tick, entity, n, values) {
        seen.push([game.effectKinds[kind]!.name, tick, entity, n, [...values]]);
      },
    };
    for (let run = 0; run < 2; run++) {
      seen.length = 0;
      step(
        world,
        (w) => {
          for (const s of w.ship) {
            w.emit.bang(s.id, { aim: Math.PI, size: 99 });
            w.emit.puff(s.id, {});
            if (s.id === 2) w.emit.bang(s.id, { aim: 0, size: 3 });
          }
          w.emit.bang(1, { aim: 0, size: 0 });
        },
        6,
      );
      expect(seen).toEqual([
        ['bang', 6, 1, 0, [128, 15]],
        ['puff', 6, 1, 0, []],
        ['bang', 6, 2, 0, [128, 15]],
        ['puff', 6, 2, 0, []],
        ['bang', 6, 2, 1, [0, 3]],
        ['bang', 6, 1, 1, [0, 0]],
      ]);
    }
    const payload = readEffect(game.effectKinds[0]!, [128, 15]);
    expect(payload).toEqual({ aim: Math.PI, size: 15 });
  });

  test('beyond what a tick may emit are counted, not emitted', () => {
    const world = createServer(0);
    let emitted = 0;
    world.effects = {
      emitted() {
        emitted++;
      },
    };
    step(world, (w) => {
      for (let id = 1; id <= 4096; id++) w.emit.puff(id, {});
    });
    expect([emitted, world.effectsDropped]).toEqual([4095, 1]);
  });

  test('belong inside of simulate', () => {
    const world = createServer(1);
    let kept: Face | undefined;
    step(world, (w) => {
      kept = w;
    });
    const outside = expect.objectContaining({ code: 'outside-tick' });
    expect(() => kept!.emit.puff(1, {})).toThrow(outside);
  });
});

describe('a throw in simulate', () => {
  function failure(world: World<Shape>, act: (w: Face) => void): SimulationError {
    try {
      step(world, act);
    } catch (error) {
      expect(error).toBeInstanceOf(SimulationError);
      return error as SimulationError;
    }
    throw new Error('nothing was thrown');
  }

  test('names the tick and the row being simulated', () => {
    const cause = new Error('boom');
    const error = failure(createServer(3), (w) => {
      for (const s of w.ship) {
        for (const o of w.ship.all()) if (s.id === 2 && o.id === 3) throw cause;
      }
    });
    expect([error.code, error.tick, error.entity, error.cause]).toEqual([
      'simulate-threw',
      0,
      2,
      cause,
    ]);
    expect(error.message).toContain('tick 0, entity 2: boom');
  });

  test('names no row when none was being simulated', () => {
    const outside = failure(createServer(2), (w) => {
      for (const s of w.ship) s.pose.x += 1;
      throw 'text';
    });
    expect([outside.entity, outside.cause]).toEqual([0, 'text']);
    const look = failure(createServer(2), (w) => {
      for (const o of w.ship.all()) throw new Error(`${o.id}`);
    });
    expect(look.entity).toBe(0);
  });

  test('leaves loops usable', () => {
    const world = createClient(2, [1]);
    failure(world, (w) => {
      for (const s of w.ship) throw new Error(`${s.id}`);
    });
    let count = 0;
    step(world, (w) => {
      for (const s of w.ship) count += s.id;
    });
    expect(count).toBe(1);
  });
});

describe('history', () => {
  test('keeps the ticks it was asked to keep', () => {
    const world = new World(game, { seed: 1, authority: true, historyTicks: 4, rewindTicks: 2 });
    for (let tick = 10; tick < 20; tick++) step(world, undefined, tick);
    const kept = [15, 16, 17, 18, 19, 20].map((tick) => world.history(0, tick)?.tick);
    expect(kept).toEqual([undefined, 16, 17, 18, 19, undefined]);
    expect(world.history(0, -1)).toBe(undefined);
    expect(createClient(1, [1]).history(0, 0)).toBe(undefined);
  });

  test('refuses bounds that do not fit', () => {
    const invalid = expect.objectContaining({ code: 'world-invalid' });
    const wrong = [
      { historyTicks: 1, rewindTicks: 0 },
      { historyTicks: 4, rewindTicks: 4 },
      { rewindTicks: -1 },
      { seed: 0.5 },
    ];
    for (const options of wrong) {
      const make = () => new World(game, { seed: 1, authority: true, ...options });
      expect(make, JSON.stringify(options)).toThrow(invalid);
    }
  });
});

describe('rewind', () => {
  /** Ship 1 shoots; ship 2 moves by 1 a tick and turns by 32 of 256 steps; rows as of tick T stand at x = T. */
  function move(w: Face): void {
    for (const s of w.ship) {
      if (s.id === 1) continue;
      s.pose.x = w.tick;
      s.pose.aim = ((w.tick * 48) % 256) * ((2 * Math.PI) / 256);
      s.motion.v = w.tick / 8;
    }
  }

  function seen(world: World<Shape>, viewTick: number): number[][] {
    world.inputs[0]!.viewTick[0] = viewTick;
    let rows: number[][] = [];
    step(world, (w) => {
      move(w);
      const { ship } = w.authority!.rewind(1);
      rows = Array.from(ship.all(), (s) => {
        return [s.id, s.pose.x, (s.pose.aim * 256) / (2 * Math.PI), s.motion.v];
      });
      for (const [id, x] of rows) expect(ship.at(id!)!.pose.x).toBe(x);
      expect(ship.at(99)).toBe(undefined);
    });
    return rows;
  }

  function run(ticks: number): World<Shape> {
    const world = createServer(2);
    for (let tick = 0; tick < ticks; tick++) step(world, move);
    return world;
  }

  test('shows a tick as it was', () => {
    expect(seen(run(10), 4)).toEqual([
      [1, 0, 0, 0],
      [2, 4, 192, 0.5],
    ]);
  });

  test('blends between two ticks, angles by the shorter arc, the rest as in the earlier', () => {
    // Tick 5 stands at 240 of 256, tick 6 at 32: the way leads through 0.
    const [, ship] = seen(run(10), 5.25);
    expect(ship).toEqual([2, 5.25, 252, 5 / 8]);
    const [, later] = seen(run(10), 5.75);
    expect(later![2]).toBeCloseTo(20);
  });

  test('is clamped to the ticks that are there', () => {
    expect(seen(run(10), 9.5)[1]![1]).toBe(9);
    expect(seen(run(10), 1e9)[1]![1]).toBe(9);
    expect(seen(run(10), Infinity)[1]![1]).toBe(9);
    expect(seen(run(10), Number.NaN)[1]![1]).toBe(9);
    expect(seen(run(10), -5)[1]![1]).toBe(0);
    expect(seen(run(60), 10.5)[1]![1]).toBe(59 - 32);
    expect(seen(run(60), -Infinity)[1]![1]).toBe(59 - 32);
    expect(seen(run(60), 59 - 32 + 0.5)[1]![1]).toBe(59 - 32 + 0.5);
    expect(seen(run(1), -1)[1]![1]).toBe(0);
  });

  test('with as long a history as may be, its oldest frame still answers', () => {
    const world = new World(game, { seed: 1, authority: true, historyTicks: 4, rewindTicks: 3 });
    world.facade.ship.spawn();
    world.facade.ship.spawn();
    for (let tick = 0; tick < 9; tick++) step(world, move);
    expect(seen(world, 0)[1]![1]).toBe(5);
  });

  test('before the first tick is complete it is the tick’s start', () => {
    expect(seen(createServer(2), -3)).toEqual([
      [1, 0, 0, 0],
      [2, 1, 0, 0],
    ]);
  });

  test('a row is there when the earlier tick has it', () => {
    const world = run(5);
    world.facade.ship.spawn().pose.x = 50;
    world.facade.ship.despawn(2);
    step(world);
    step(world);
    const ids = (viewTick: number) => seen(world, viewTick).map(([id]) => id);
    expect(ids(4.5)).toEqual([1, 2]);
    expect(ids(4)).toEqual([1, 2]);
    expect(ids(5)).toEqual([1, 3]);
    world.inputs[0]!.viewTick[0] = 4.5;
    step(world, (w) => {
      expect(w.authority!.rewind(1).ship.at(2)!.pose.x).toBe(4);
    });
  });

  test('a jump further than snapOver is not blended', () => {
    const world = createServer(2);
    for (let tick = 0; tick < 4; tick++) {
      step(world, (w) => {
        for (const s of w.ship) s.pose.x = tick < 2 ? 0 : s.id === 1 ? 4 : 4.0625;
      });
    }
    expect(seen(world, 1.5).map(([, x]) => x)).toEqual([2, 0]);
  });

  test('two pasts can be looped over at once', () => {
    const world = run(10);
    const pairs: number[][] = [];
    step(world, (w) => {
      const inputs = world.inputs[0]!;
      inputs.viewTick[0] = 3;
      inputs.viewTick[1] = 7;
      for (const a of w.authority!.rewind(1).ship.all()) {
        for (const b of w.authority!.rewind(2).ship.all()) pairs.push([a.pose.x, b.pose.x]);
      }
    });
    expect(pairs).toEqual([
      [0, 0],
      [0, 7],
      [3, 0],
      [3, 7],
    ]);
  });

  test('whoever has no view sees the tick’s start, other archetypes included', () => {
    const world = run(3);
    world.facade.rock.spawn().pose.x = 8;
    step(world, (w) => {
      const past = w.authority!.rewind(12345);
      expect(Array.from(past.rock.all(), (r) => r.pose.x)).toEqual([8]);
      expect(Array.from(past.rock.within(8, 0, 1), (r) => r.id)).toEqual([3]);
      expect(past.ship.count).toBe(2);
    });
  });
});
