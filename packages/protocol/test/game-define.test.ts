import { describe, expect, test } from 'vitest';
import { arena } from './arena.ts';
import {
  archetype,
  axis,
  component,
  defineGame,
  edge,
  fixed,
  flag,
  text,
  uint,
} from './game-face.ts';

const at = component({ x: fixed(0, 8, 1), y: fixed(0, 8, 1) });
const base = {
  id: 'base',
  tickHz: 30,
  input: { go: flag() },
  archetypes: { thing: archetype({ at }, { max: 2 }) },
  simulate() {},
};

describe('defineGame', () => {
  test('gives layouts, input and effects in order of declaration', () => {
    expect(arena.layouts.map((l) => [l.name, l.index, l.capacity, l.controlled])).toEqual([
      ['player', 0, 1024, true],
      ['item', 1, 256, false],
    ]);
    expect(arena.layouts[0]!.fieldNames).toEqual([
      'pose.x',
      'pose.y',
      'pose.aim',
      'motion.vx',
      'motion.vy',
      'motion.cooldown',
      'life.hp',
      'life.score',
    ]);
    expect(arena.layouts[0]!.components.map((c) => [c.audience, c.predict, c.snapOver])).toEqual([
      [0, true, 8],
      [1, true, Infinity],
      [0, false, Infinity],
    ]);
    expect(arena.inputNames).toEqual(['dx', 'dy', 'turn', 'fire']);
    expect(arena.effectKinds.map((k) => [k.name, k.index, k.fieldNames])).toEqual([
      ['shot', 0, ['aim']],
    ]);
    expect(arena.messages.names).toEqual(['say']);
    expect([arena.archetypeIndex('item'), arena.archetypeIndex('no')]).toEqual([1, -1]);
    expect(arena.createInput()).toEqual({ dx: 0, dy: 0, turn: 0, fire: false });
  });

  test('digests the schema, all of it, and not simulate', () => {
    const { digest } = defineGame(base);
    expect(digest).toBe(defineGame({ ...base, simulate: () => {} }).digest);
    expect(Number.isInteger(digest) && digest >= 0 && digest < 2 ** 32).toBe(true);
    const one = (options: Parameters<typeof component>[1]) => ({
      thing: archetype({ at: component(at.fields, options) }, { max: 2 }),
    });
    const others = [
      { ...base, id: 'other' },
      { ...base, tickHz: 31 },
      { ...base, input: { go: edge() } },
      { ...base, input: { run: flag() } },
      { ...base, archetypes: { thing: archetype({ at }, { max: 3 }) } },
      { ...base, archetypes: { thing: archetype({ at }, { max: 2, controlled: true }) } },
      { ...base, archetypes: { item: archetype({ at }, { max: 2 }) } },
      { ...base, archetypes: { thing: archetype({ on: at }, { max: 2 }) } },
      { ...base, archetypes: one({ to: 'owner' }) },
      { ...base, archetypes: one({ predict: false }) },
      { ...base, archetypes: one({ interpolate: 'linear' }) },
      { ...base, archetypes: one({ interpolate: 'linear', snapOver: 2 }) },
      { ...base, effects: { bang: {} } },
      { ...base, messages: { say: { line: text(9) } } },
      { ...base, messages: { say: { line: text(8) } } },
    ].map((definition) => defineGame(definition as typeof base).digest);
    expect(new Set([digest, ...others]).size).toBe(others.length + 1);
  });

  test('refuses at once what cannot be', () => {
    const thing = (parts: Parameters<typeof archetype>[0], max = 1) => ({
      archetypes: { thing: archetype(parts, { max }) },
    });
    const wrong: [string, object][] = [
      ['game-invalid', { id: '' }],
      ['game-invalid', { id: 'a b' }],
      ['game-invalid', { id: 'x'.repeat(65) }],
      ['game-invalid', { tickHz: 0 }],
      ['game-invalid', { tickHz: 241 }],
      ['game-invalid', { tickHz: 59.9 }],
      ['input-invalid', { input: { status: flag() } }],
      ['input-invalid', { input: { 'a-b': flag() } }],
      ['archetype-invalid', { archetypes: {} }],
      ['archetype-invalid', { archetypes: { authority: archetype({ at }, { max: 1 }) } }],
      ['archetype-invalid', { archetypes: { tick: archetype({ at }, { max: 1 }) } }],
      ['archetype-invalid', { archetypes: { _a: archetype({ at }, { max: 1 }) } }],
      ['archetype-invalid', thing({ at }, 0)],
      ['archetype-invalid', thing({ at }, 65537)],
      ['archetype-invalid', thing({ at }, 1.5)],
      ['archetype-invalid', thing({})],
      ['component-invalid', thing({ id: at })],
      ['component-invalid', thing({ input: at })],
      ['component-invalid', thing({ at: component({}) })],
      ['component-invalid', thing({ at: component({ x: axis(3) }) })],
      ['component-invalid', thing({ at: component({ x: edge() }) })],
      ['component-invalid', thing({ at: component(JSON.parse('{"__proto__":{}}')) })],
      ['effect-invalid', { effects: { bang: { x: edge() } } }],
      ['message-invalid', { messages: { say: { x: edge() } } }],
    ];
    for (const [code, change] of wrong) {
      const define = () => defineGame({ ...base, ...change });
      expect(define, JSON.stringify(change)).toThrow(expect.objectContaining({ code }));
    }
    const broken = [{ snapOver: 0 }, { to: 'nobody' }, { interpolate: 'cubic' }];
    for (const options of broken) {
      const make = () => component({ x: uint(1) }, options as object);
      expect(make).toThrow(expect.objectContaining({ code: 'component-invalid' }));
    }
  });
});
