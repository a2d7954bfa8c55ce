import { expect, test } from 'vitest';
import { EchoQueue } from '../src/transport/echo-queue.ts';

test('an echo is due at a later moment than its record was said, first in first out', () => {
  const echoes = new EchoQueue(4);
  expect(echoes.due(1000)).toBe(false);
  echoes.add(10, 7);
  echoes.add(12, 8);
  expect(echoes.due(10)).toBe(false);
  expect(echoes.due(10.1)).toBe(true);
  expect(echoes.first).toBe(7);
  echoes.drop();
  expect(echoes.due(12)).toBe(false);
  expect(echoes.due(13)).toBe(true);
  expect(echoes.first).toBe(8);
});

test('as many wait as there is room for, and one more goes without', () => {
  const echoes = new EchoQueue(2);
  for (const id of [70_000, 70_001, 70_002]) echoes.add(0, id);
  expect(echoes.first).toBe(70_000);
  echoes.drop();
  expect(echoes.first).toBe(70_001);
  echoes.drop();
  expect(echoes.due(1)).toBe(false);
  echoes.add(1, 70_003);
  expect(echoes.first).toBe(70_003);
});
