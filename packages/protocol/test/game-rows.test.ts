// Cursors and row sets: loops in loops, break and throw, stale rows, what may be written.

import { afterEach, describe, expect, test } from 'vitest';
import type { SimulateFace } from '../src/game/face.ts';
import { Table } from '../src/replication/table.ts';
import {
  archetype,
  component,
  createView,
  defineGame,
  fixed,
  flag,
  uint,
  World,
} from './game-face.ts';

const at = component({ x: fixed(-64, 64, 1 / 16), y: fixed(-64, 64, 1 / 16) });
const tag = component({ n: uint(16), lit: flag() });

type Script = (w: Face) => void;
let script: Script = () => {};

const game = defineGame({
  id: 'rows',
  tickHz: 10,
  input: { push: uint(4), jump: flag() },
  archetypes: {
    ball: archetype({ at, tag }, { max: 80, controlled: true }),
    mark: archetype({ tag }, { max: 3 }),
  },
  simulate(w) {
    script(w);
  },
});
type Face = SimulateFace<typeof game.shape>;

afterEach(() => {
  script = () => {};
});

function createWorld(balls: number, development = false): World<typeof game.shape> {
  const world = new World(game, { seed: 1, authority: true, development });
  for (let i = 0; i < balls; i++) {
    const ball = world.facade.ball.spawn();
    ball.at.x = i;
    ball.tag.n = i;
  }
  return world;
}

function stepWith(world: World<typeof game.shape>, act: Script): void {
  script = act;
  world.step(world.tick + 1);
}

describe('loops', () => {
  test('run by id and see the row they are at', () => {
    const seen: number[][] = [];
    stepWith(createWorld(3), (w) => {
      for (const b of w.ball) seen.push([b.id, b.at.x, b.tag.n]);
    });
    expect(seen).toEqual([
      [1, 0, 0],
      [2, 1, 1],
      [3, 2, 2],
    ]);
  });

  test('nest in each other without disturbing each other', () => {
    const seen: string[] = [];
    stepWith(createWorld(3), (w) => {
      for (const a of w.ball) {
        for (const b of w.ball) {
          for (const c of w.ball.within(b.at.x, 0, 1)) {
            const d = w.ball.at(a.id)!;
            seen.push(`${a.id}${b.id}${c.id}${d.id}`);
          }
        }
      }
    });
    const expected: string[] = [];
    for (const a of [1, 2, 3]) {
      for (const b of [1, 2, 3]) {
        for (const c of [1, 2, 3]) if (Math.abs(b - c) <= 1) expected.push(`${a}${b}${c}${a}`);
      }
    }
    expect(seen).toEqual(expected);
  });

  test('give their cursor back on break, on throw, and when left by a label', () => {
    const seen: number[] = [];
    stepWith(createWorld(4), (w) => {
      const cursors = new Set<object>();
      for (let round = 0; round < 3; round++) {
        for (const b of w.ball) {
          cursors.add(b);
          if (b.id === 2) break;
        }
        try {
          for (const b of w.ball) {
            cursors.add(b);
            throw new Error(`${b.id}`);
          }
        } catch {}
        outer: for (const a of w.ball) {
          for (const b of w.ball) {
            if (a.id === 2 && b.id === 3) break outer;
            seen.push(a.id * 10 + b.id);
          }
        }
      }
      expect(cursors.size).toBe(1);
    });
    const once = [11, 12, 13, 14, 21, 22];
    expect(seen).toEqual([...once, ...once, ...once]);
  });

  test('that are never finished are forgotten', () => {
    stepWith(createWorld(2, true), (w) => {
      for (let i = 0; i < 100; i++) w.ball.all();
      let count = 0;
      for (const b of w.ball) {
        for (let i = 0; i < 100; i++) w.ball.all().next();
        count += b.id;
      }
      expect(count).toBe(3);
    });
  });

  test('can be run once', () => {
    stepWith(createWorld(2), (w) => {
      const all = w.ball.all();
      for (const b of all) expect(b.id).toBeGreaterThan(0);
      expect(() => [...all]).toThrow(expect.objectContaining({ code: 'stale-cursor' }));
    });
  });

  test('take the same cursors tick after tick', () => {
    const world = createWorld(2);
    const used = new Set<object>();
    for (let tick = 0; tick < 3; tick++) {
      stepWith(world, (w) => {
        for (const a of w.ball) {
          used.add(a);
          for (const b of w.ball.all()) used.add(b).add(w.ball.at(b.id)!);
        }
      });
    }
    expect(used.size).toBe(3);
  });
});

describe('looks at others', () => {
  test('show them as at the tick’s start', () => {
    stepWith(createWorld(3), (w) => {
      for (const b of w.ball) {
        b.at.x += 10;
        expect(w.ball.at(b.id)!.at.x).toBe(b.at.x - 10);
        const near = [...w.ball.within(b.at.x - 10, 0, 0.5)].length;
        expect(near).toBe(1);
      }
      expect(w.ball.at(99)).toBe(undefined);
      expect(w.ball.count).toBe(3);
    });
  });

  test('within takes the rim in, and nothing for a radius that is none', () => {
    stepWith(createWorld(5), (w) => {
      const near = (radius: number) => Array.from(w.ball.within(2, 0, radius), (b) => b.id);
      expect(near(1)).toEqual([2, 3, 4]);
      expect(near(0.99)).toEqual([3]);
      expect(near(0)).toEqual([3]);
      expect(near(Infinity)).toEqual([1, 2, 3, 4, 5]);
      expect([near(-1), near(Number.NaN)]).toEqual([[], []]);
      expect(() => w.mark.within(0, 0, 1)).toThrow(
        expect.objectContaining({ code: 'no-position' }),
      );
    });
  });

  test('are read-only at run time too', () => {
    stepWith(createWorld(1), (w) => {
      const readOnly = expect.objectContaining({ code: 'read-only-row' });
      const write = (row: { at: { x: number } }) => () => {
        row.at.x = 1;
      };
      expect(write(w.ball.at(1)! as never)).toThrow(readOnly);
      for (const b of w.ball.all()) expect(write(b as never)).toThrow(readOnly);
      for (const b of w.authority!.rewind(1).ball.all()) {
        expect(write(b as never)).toThrow(readOnly);
      }
      for (const b of w.ball) {
        expect(() => {
          (b.input as { push: number }).push = 1;
        }).toThrow(readOnly);
        expect(() => {
          (b as { at: unknown }).at = {};
        }).toThrow(TypeError);
      }
    });
  });
});

describe('rows', () => {
  test('hold booleans as booleans', () => {
    const world = createWorld(1);
    stepWith(world, (w) => {
      for (const b of w.ball) {
        expect(b.tag.lit).toBe(false);
        b.tag.lit = true;
        expect(b.tag.lit).toBe(true);
      }
    });
    expect(world.facade.ball.at(1)!.tag.lit).toBe(true);
  });

  test('see the input of their slot', () => {
    const world = createWorld(2);
    const inputs = world.inputs[0]!;
    expect(world.inputs[1]).toBe(undefined);
    inputs.values[0]![1] = 5;
    inputs.values[1]![1] = 1;
    inputs.status[1] = 2;
    const seen: unknown[] = [];
    stepWith(world, (w) => {
      for (const b of w.ball) seen.push([b.input.push, b.input.jump, b.input.status]);
    });
    expect(seen).toEqual([
      [0, false, 'none'],
      [5, true, 'real'],
    ]);
    inputs.status[1] = 1;
    expect(world.facade.ball.at(2)!.input.status).toBe('repeated');
  });

  test('looked up side by side stay apart', () => {
    const world = createWorld(64);
    const rows = Array.from({ length: 64 }, (_, i) => world.facade.ball.at(i + 1)!);
    expect(rows.map((r) => r.id)).toEqual(Array.from({ length: 64 }, (_, i) => i + 1));
    stepWith(world, (w) => {
      const one = w.ball.at(1)!;
      for (const b of w.ball) {
        const other = w.ball.at(b.id)!;
        expect([one.id, other.id]).toEqual([1, b.id]);
        for (const c of w.ball.all()) w.ball.at(c.id);
        expect(other.id).toBe(b.id);
      }
    });
  });
});

describe('development', () => {
  const stale = expect.objectContaining({ code: 'stale-cursor' });

  test('rows kept beyond their loop or tick throw on every use', () => {
    const world = createWorld(2, true);
    const spawned = world.facade.ball.at(1)!;
    const kept: { id: number; at: { x: number } }[] = [];
    stepWith(world, (w) => {
      expect(() => spawned.id).toThrow(stale);
      for (const b of w.ball) kept.push(b);
      expect(() => kept[0]!.id).toThrow(stale);
      kept.push(w.ball.at(1) as never);
      expect(kept[2]!.at.x).toBe(0);
      for (const b of w.ball) {
        kept.push(b);
        break;
      }
      expect(() => kept[3]!.at.x).toThrow(stale);
    });
    for (const row of kept) {
      expect(() => row.id).toThrow(stale);
      expect(() => row.at.x).toThrow(stale);
    }
    expect(() => {
      kept[0]!.at.x = 1;
    }).toThrow(stale);
    const again = world.facade.ball.at(2)!;
    expect(again.at.x).toBe(1);
  });

  test('without it they merely point somewhere', () => {
    const world = createWorld(1);
    const row = world.facade.ball.at(1)!;
    world.step(0);
    expect(row.id).toBe(1);
  });
});

describe('createView', () => {
  test('gives read-only sets over tables of its own', () => {
    const tables = game.layouts.map((layout) => new Table(layout));
    const view = createView(game, tables);
    expect([...view.ball].length).toBe(0);
    for (const id of [4, 7]) tables[0]!.live[0]![tables[0]!.spawn(id)] = id;
    expect(Array.from(view.ball, (b) => [b.id, b.at.x])).toHaveLength(2);
    const seen: number[][] = [];
    for (const a of view.ball) for (const b of view.ball.all()) seen.push([a.id, b.at.x]);
    expect(seen).toEqual([
      [4, 4],
      [4, 7],
      [7, 4],
      [7, 7],
    ]);
    expect(view.ball.count).toBe(2);
    expect(view.ball.at(7)!.at.x).toBe(7);
    expect(Array.from(view.ball.within(7, 0, 1), (b) => b.id)).toEqual([7]);
    for (let i = 0; i < 1000; i++) view.ball.all();
    expect(Array.from(view.ball, (b) => b.id)).toHaveLength(2);
  });
});
