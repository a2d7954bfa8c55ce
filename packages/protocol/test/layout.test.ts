import { expect, test } from 'vitest';
import { fixed, flag, uint } from '../src/replication/field.ts';
import {
  AUDIENCE_ALL,
  AUDIENCE_OWNER,
  AUDIENCE_SERVER,
  type ComponentSpec,
  Layout,
  MAX_FIELDS,
} from '../src/replication/layout.ts';

const plain = { audience: AUDIENCE_ALL, predict: true, interpolate: false, snapOver: Infinity };
const place = { x: fixed(0, 8, 1), y: fixed(0, 8, 1) };

function layoutOf(...specs: ComponentSpec[]): Layout {
  return new Layout('row', 0, 4, false, specs);
}

test('places components one after another', () => {
  const layout = layoutOf(
    { ...plain, name: 'bag', fields: { gold: uint(3) }, audience: AUDIENCE_SERVER },
    { ...plain, name: 'at', fields: { lit: flag(), ...place } },
  );
  expect(layout.stride).toBe(4);
  expect(layout.fieldNames).toEqual(['bag.gold', 'at.lit', 'at.x', 'at.y']);
  expect(layout.components.map((c) => [c.name, c.first, c.count])).toEqual([
    ['bag', 0, 1],
    ['at', 1, 3],
  ]);
  expect([...layout.componentOf]).toEqual([0, 1, 1, 1]);
  expect([...layout.audiences]).toEqual([2, 0, 0, 0]);
  expect([...layout.zeros]).toEqual([0, 0, 0, 0]);
  expect([layout.positionX, layout.positionY]).toEqual([2, 3]);
});

test('takes its position from the first component for everybody that has x and y', () => {
  const hidden = { ...plain, name: 'goal', fields: place, audience: AUDIENCE_OWNER };
  expect(layoutOf(hidden).positionX).toBe(-1);
  const half = { ...plain, name: 'half', fields: { x: uint(3) } };
  const layout = layoutOf(hidden, half, { ...plain, name: 'at', fields: place });
  expect([layout.positionX, layout.positionY]).toEqual([3, 4]);
});

test('bounds the number of fields', () => {
  const many = (n: number) => {
    const fields = Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, flag()]));
    return () => layoutOf({ ...plain, name: 'many', fields });
  };
  expect(many(MAX_FIELDS)().stride).toBe(MAX_FIELDS);
  expect(many(MAX_FIELDS + 1)).toThrow(expect.objectContaining({ code: 'archetype-invalid' }));
  expect(many(0)).toThrow(expect.objectContaining({ code: 'archetype-invalid' }));
});
