import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { angle, type Field, fixed, flag, int, quantise, uint } from '../src/replication/field.ts';
import {
  AUDIENCE_ALL,
  AUDIENCE_OWNER,
  AUDIENCE_SERVER,
  Layout,
} from '../src/replication/layout.ts';
import { RecordCodec } from '../src/replication/record.ts';
import { BitReader, BitWriter } from '../src/wire/bits.ts';

const spec = (name: string, audience: number, fields: Record<string, Field>) => ({
  name,
  fields,
  audience,
  predict: true,
  interpolate: false,
  snapOver: Number.POSITIVE_INFINITY,
});

const layout = new Layout('thing', 0, 8, false, [
  spec('pose', AUDIENCE_ALL, {
    x: fixed(-128, 128, 1 / 256),
    y: fixed(-100, 100, 1 / 10),
    aim: angle(12),
    tiny: angle(3),
  }),
  spec('secret', AUDIENCE_SERVER, { seed: uint(31) }),
  spec('motion', AUDIENCE_OWNER, { vx: fixed(-16, 16, 1 / 4096), jump: flag(), wide: int(31) }),
  spec('life', AUDIENCE_ALL, { hp: uint(7), odd: fixed(0, 5000, 1) }),
]);
const codec = new RecordCodec(layout);
const { stride } = layout;

const row = fc
  .tuple(...layout.fields.map((field) => fc.nat(field.max)))
  .map((q) => Int32Array.from(q));
/** A row near another one: what a tick later looks like. */
const step = fc.record({
  from: row,
  deltas: fc.array(fc.integer({ min: -300, max: 300 }), { minLength: stride, maxLength: stride }),
  kept: fc.array(fc.boolean(), { minLength: stride, maxLength: stride }),
});

function visible(values: Int32Array, owned: boolean): number[] {
  const most = owned ? AUDIENCE_OWNER : AUDIENCE_ALL;
  return [...values].map((q, f) =>
    layout.audiences[f]! <= most ? q : quantise(layout.fields[f]!, 0),
  );
}

/** Puts a row behind `lead` other values, so that offsets count. */
function behind(values: Int32Array, lead: number): Int32Array {
  const all = new Int32Array(lead + stride).fill(-7);
  all.set(values, lead);
  return all;
}

function changeOf(from: Int32Array, to: Int32Array, owned: boolean) {
  const bytes = new Uint8Array(200);
  const writer = new BitWriter();
  writer.reset(bytes, 0, bytes.length);
  codec.writeChange(writer, behind(to, 3), 3, behind(from, 5), 5, owned);
  expect(writer.overflowed).toBe(false);
  const bits = writer.bitPosition;
  expect(bits).toBeLessThanOrEqual(codec.changeBitsMax(owned));
  const reader = new BitReader();
  reader.reset(bytes, 0, writer.finish());
  const out = new Int32Array(2 + stride + 1).fill(-9);
  expect(codec.readChange(reader, behind(from, 4), 4, out, 2, owned)).toBe(true);
  expect(reader.atEnd()).toBe(true);
  expect([out[0], out[1], out[2 + stride]]).toEqual([-9, -9, -9]);
  return { values: [...out.subarray(2, 2 + stride)], bits };
}

describe('RecordCodec', () => {
  test('a whole record has exactly the bits of its audience', () => {
    for (const owned of [false, true]) {
      const bytes = new Uint8Array(100);
      const writer = new BitWriter();
      writer.reset(bytes, 0, bytes.length);
      codec.writeWhole(writer, new Int32Array(stride), 0, owned);
      expect(writer.bitPosition).toBe(codec.wholeBits[owned ? 1 : 0]);
    }
    expect(codec.wholeBits[0]).toBe(16 + 11 + 12 + 3 + 7 + 13);
  });

  test('whole records: what the audience may see arrives, the rest stands for 0', () => {
    fc.assert(
      fc.property(row, fc.boolean(), (values, owned) => {
        const bytes = new Uint8Array(100);
        const writer = new BitWriter();
        writer.reset(bytes, 0, bytes.length);
        codec.writeWhole(writer, behind(values, 2), 2, owned);
        const reader = new BitReader();
        reader.reset(bytes, 0, writer.finish());
        const out = new Int32Array(stride + 2).fill(-9);
        expect(codec.readWhole(reader, out, 1, owned)).toBe(true);
        expect(reader.atEnd()).toBe(true);
        expect([...out]).toEqual([-9, ...visible(values, owned), -9]);
      }),
    );
  });

  test('changes: far ones, near ones and none, for each audience', () => {
    const owner = fc.boolean();
    const merged = (from: Int32Array, to: Int32Array, owned: boolean) => {
      const most = owned ? AUDIENCE_OWNER : AUDIENCE_ALL;
      return [...to].map((q, f) => (layout.audiences[f]! <= most ? q : from[f]!));
    };
    fc.assert(
      fc.property(row, row, owner, (from, to, owned) => {
        expect(changeOf(from, to, owned).values).toEqual(merged(from, to, owned));
      }),
    );
    fc.assert(
      fc.property(step, owner, ({ from, deltas, kept }, owned) => {
        const to = from.map((q, f) => {
          const { max, wraps } = layout.fields[f]!;
          const next = kept[f] ? q : q + deltas[f]!;
          return wraps ? (next + 300 * (max + 1)) % (max + 1) : Math.max(0, Math.min(max, next));
        });
        expect(changeOf(from, to, owned).values).toEqual(merged(from, to, owned));
      }),
    );
  });

  test('no change costs a bit a component', () => {
    const values = new Int32Array(stride).fill(1);
    expect(changeOf(values, values, false).bits).toBe(2);
    expect(changeOf(values, values, true).bits).toBe(3);
  });

  test('the near form reaches half of the bits, both ways, and one more is far', () => {
    const from = new Int32Array(stride).fill(1);
    from[0] = 30_000;
    const bitsOf = (difference: number) => {
      const to = from.slice();
      to[0] = from[0]! + difference;
      return changeOf(from, to, false).bits;
    };
    const base = 2 + 4 + 1;
    for (const near of [1, -1, 127, -128]) expect(bitsOf(near)).toBe(base + 8);
    for (const far of [128, -129, 20_000]) expect(bitsOf(far)).toBe(base + 16);
  });

  test('angles go the short way round', () => {
    const max = layout.fields[2]!.max;
    const bitsOf = (old: number, now: number) => {
      const from = new Int32Array(stride);
      const to = new Int32Array(stride);
      from[2] = old;
      to[2] = now;
      const { bits, values } = changeOf(from, to, false);
      expect(values[2]).toBe(now);
      return bits;
    };
    const near = bitsOf(100, 101);
    expect(bitsOf(max, 0)).toBe(near);
    expect(bitsOf(0, max)).toBe(near);
    expect(bitsOf(max - 10, 20)).toBe(near);
    expect(bitsOf(0, 32)).toBeGreaterThan(near);
    expect(bitsOf(0, max - 31)).toBe(near);
    expect(bitsOf(0, max - 32)).toBeGreaterThan(near);
    // Exactly half a turn, either way.
    expect(bitsOf(0, (max + 1) / 2)).toBeGreaterThan(near);
    expect(bitsOf((max + 1) / 2, 0)).toBeGreaterThan(near);
  });

  test('values outside of their field are refused, near or far or whole', () => {
    const reader = new BitReader();
    const ones = new Uint8Array(100).fill(0xff);
    reader.reset(ones, 0, ones.length);
    const out = new Int32Array(stride);
    expect(codec.readWhole(reader, out, 0, true)).toBe(false);
    const bytes = new Uint8Array(20);
    const writer = new BitWriter();
    writer.reset(bytes, 0, bytes.length);
    // pose changed, x changed, near, -1 from 0
    writer.write(0b111, 3);
    writer.write(0xff, 8);
    reader.reset(bytes, 0, bytes.length);
    expect(codec.readChange(reader, new Int32Array(stride), 0, out, 0, false)).toBe(false);
  });

  test('random bytes never throw, and what is read as valid is in range', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), row, fc.boolean(), (bytes, base, owned) => {
        const reader = new BitReader();
        const out = new Int32Array(stride);
        for (const whole of [true, false]) {
          reader.reset(bytes, 0, bytes.length);
          const valid = whole
            ? codec.readWhole(reader, out, 0, owned)
            : codec.readChange(reader, base, 0, out, 0, owned);
          if (!valid) continue;
          out.forEach((q, f) => {
            expect(q).toBeGreaterThanOrEqual(0);
            expect(q).toBeLessThanOrEqual(layout.fields[f]!.max);
          });
        }
      }),
      { numRuns: 300 },
    );
  });
});
