// The state tables of PROTOCOL.md, driven: every transition that is listed happens in the real machines, with its effect,
// and where a state and an event are not listed together the event changes no state.

import { describe, expect, test } from 'vitest';
import { ClientScene } from './client-scene.ts';
import { CLOSES_MAX, clientDrivers, closesOf } from './client-states.ts';
import { placeDrivers } from './place-states.ts';
import { drive } from './state-drive.ts';
import { readTables, type Transition } from './state-tables.ts';

const [clientTable = [], placeTable = []] = readTables();

describe('the tables', () => {
  test('are there, with every state', () => {
    const states = (table: readonly Transition[]) => [
      ...new Set(table.flatMap(({ state, next }) => [state, next])),
    ];
    const client = ['requesting', 'proving', 'over', 'open', 'live', 'closing'];
    expect(new Set(states(clientTable))).toEqual(new Set(client));
    const place = ['free', 'deciding', 'half-open', 'live', 'leaving'];
    expect(new Set(states(placeTable))).toEqual(new Set(place));
  });
});

test('a client does what its table says, and nothing else', () => {
  expect(drive(clientTable, clientDrivers)).toEqual([]);
});

test('a place of the server does what its table says, and nothing else', () => {
  expect(drive(placeTable, placeDrivers)).toEqual([]);
});

test('a close is said ten times, if nobody answers', () => {
  const scene = ClientScene.in('closing', 'said');
  scene.pass(scene.nowMs + 10_000);
  expect([closesOf(scene), scene.state()]).toEqual([CLOSES_MAX, 'over']);
});

describe('a table that is wrong is noticed', () => {
  const row = (state: string, event: string): Transition => {
    const found = clientTable.find((other) => other.state === state && other.event === event);
    if (found === undefined) throw new Error(`no row ${state} | ${event}`);
    return found;
  };
  const without = (left: Transition) => clientTable.filter((other) => other !== left);

  test('a row that is left out', () => {
    expect(drive(without(row('proving', 'accept taken')), clientDrivers)).toEqual([
      'proving | accept taken: is not listed, and leads to open',
    ]);
    expect(drive(without(row('live', 'the user closes')), clientDrivers)).toEqual([
      'live | the user closes: is not listed, and leads to closing',
    ]);
  });

  test.each([
    ['next', { next: 'live' }, 'leads to open instead of live'],
    ['effect', { effect: 'none' }, 'says data instead of none'],
  ])('another %s', (_name, change, problem) => {
    const right = row('proving', 'accept taken');
    const table = [...without(right), { ...right, ...change }];
    expect(drive(table, clientDrivers)).toEqual([`proving | accept taken: ${problem}`]);
  });

  test('an event that nobody has heard of', () => {
    const right = row('live', 'the user closes');
    expect(drive([...clientTable, { ...right, event: 'rain' }], clientDrivers)).toEqual([
      "nobody knows how to bring about 'rain'",
    ]);
  });
});
