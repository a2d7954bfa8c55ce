// What is inferred from a game's declaration. The assertions are types: the type-checker runs them.

import { expect, expectTypeOf, test } from 'vitest';
import type { AuthorityFace, InputStatus } from '../src/game/face.ts';
import { arena } from './arena.ts';
import {
  archetype,
  component,
  defineGame,
  defineMessages,
  fixed,
  flag,
  type Game,
  text,
  uint,
  World,
} from './game-face.ts';

test('rows, inputs and effects have the declared types', () => {
  defineGame({
    id: 'types',
    tickHz: 10,
    input: { go: flag(), speed: uint(4) },
    archetypes: {
      car: archetype(
        { at: component({ x: fixed(0, 8, 1), lit: flag() }) },
        { max: 4, controlled: true },
      ),
      cone: archetype({ at: component({ x: fixed(0, 8, 1), y: fixed(0, 8, 1) }) }, { max: 4 }),
    },
    effects: { honk: { loud: flag() } },
    simulate(w) {
      expectTypeOf(w.tick).toEqualTypeOf<number>();
      // @ts-expect-error no such archetype
      w.lorry;
      for (const car of w.car) {
        expectTypeOf(car.id).toEqualTypeOf<number>();
        expectTypeOf(car.at.x).toEqualTypeOf<number>();
        expectTypeOf(car.at.lit).toEqualTypeOf<boolean>();
        expectTypeOf(car.input.go).toEqualTypeOf<boolean>();
        expectTypeOf(car.input.speed).toEqualTypeOf<number>();
        expectTypeOf(car.input.status).toEqualTypeOf<InputStatus>();
        car.at.x = 1;
        // @ts-expect-error inputs are read-only
        car.input.speed = 1;
        // @ts-expect-error no such component
        car.engine;
        w.emit.honk(car.id, { loud: true });
        // @ts-expect-error loud is a boolean
        w.emit.honk(car.id, { loud: 1 });
      }
      for (const cone of w.cone) {
        // @ts-expect-error cones are not controlled
        cone.input;
      }
      for (const seen of w.cone.within(0, 0, 1)) {
        // @ts-expect-error others are read-only
        seen.at.x = 1;
      }
      // @ts-expect-error only behind a check
      w.authority.secretRandom;
      // @ts-expect-error spawning stands under authority
      w.cone.spawn;
      const server = w.authority;
      if (!server) return;
      expectTypeOf(server.secretRandom()).toEqualTypeOf<number>();
      expectTypeOf(server.cone.despawn(1)).toEqualTypeOf<boolean>();
      const own = server.car.at(1);
      if (own) own.at.lit = own.input.go;
      for (const past of server.rewind(1).car.all()) {
        // @ts-expect-error the past is read-only
        past.at.x = 1;
      }
    },
  });
});

test('a specific game and its world fit where any game or world is asked for', () => {
  const anyGame: Game = arena;
  const world = new World(arena, { seed: 1, authority: true });
  const anyWorld: World = world;
  expect(anyWorld.game).toBe(anyGame);
  const generic = <G extends Game>(game: G): G => game;
  expectTypeOf(generic(arena)).toEqualTypeOf(arena);
  expectTypeOf(world.facade.player.spawn().life.hp).toEqualTypeOf<number>();
  expectTypeOf(arena.createInput()).toEqualTypeOf<{
    dx: number;
    dy: number;
    turn: number;
    fire: boolean;
  }>();
  expectTypeOf<AuthorityFace<typeof arena.shape>['rewind']>().parameter(0).toBeNumber();
});

test('messages come as a record or as a set', () => {
  const messages = defineMessages({ say: { line: text(10), loud: flag() } });
  const parts = { at: component({ x: uint(3) }) };
  const game = defineGame({
    id: 'm',
    tickHz: 10,
    input: {},
    archetypes: { thing: archetype(parts, { max: 1 }) },
    messages,
    simulate() {},
  });
  expect(game.messages).toBe(messages);
  expectTypeOf(game.messages).toEqualTypeOf(messages);
  const out = new Uint8Array(64);
  const size = messages.encode('say', { line: 'hi', loud: true }, out, 0, 64);
  const decoded = game.messages.decode(out, 0, size);
  expect(decoded).toEqual({ kind: 0, name: 'say', value: { line: 'hi', loud: true } });
  expectTypeOf(decoded!.name).toEqualTypeOf<'say'>();
  expectTypeOf(decoded!.value).toEqualTypeOf<{ line: string; loud: boolean }>();
  // @ts-expect-error a field is missing
  expect(() => messages.encode('say', { line: '' }, new Uint8Array(9), 0, 9)).toThrow('loud');
  // @ts-expect-error no such message
  expect(() => messages.encode('shout', { line: '' }, new Uint8Array(9), 0, 9)).toThrow('shout');
  expectTypeOf(arena.messages.names).toEqualTypeOf<readonly 'say'[]>();
});
