import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { angle, axis, edge, fixed, flag } from '../src/replication/field.ts';
import { INPUTS_MAX, InputBlock } from '../src/replication/input.ts';
import { BitReader, BitWriter } from '../src/wire/bits.ts';

const fields = [axis(4), axis(4), angle(12), flag(), edge(), fixed(0, 10, 1)];
const stride = fields.length;
const row = fc.tuple(...fields.map(({ max }) => fc.nat(max)));

interface Inputs {
  readonly epoch: number;
  readonly wireTick: number;
  readonly rows: readonly (readonly number[])[];
  readonly view: number | undefined;
}

const inputs: fc.Arbitrary<Inputs> = fc.record({
  epoch: fc.nat(255),
  wireTick: fc.nat(0xffff),
  rows: fc.array(row, { minLength: 1, maxLength: INPUTS_MAX }),
  view: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: undefined }),
});

const bytes = new Uint8Array(400);

function write({ epoch, wireTick, rows, view }: Inputs): number {
  const block = new InputBlock(fields);
  block.epoch = epoch;
  block.wireTick = wireTick;
  block.count = rows.length;
  rows.forEach((values, n) => {
    block.values.set(values, n * stride);
  });
  if (view !== undefined) block.setView(view);
  const writer = new BitWriter();
  writer.reset(bytes, 0, bytes.length);
  block.write(writer);
  expect(writer.overflowed).toBe(false);
  return writer.finish();
}

function read(from: Uint8Array, end = from.length): InputBlock | undefined {
  const block = new InputBlock(fields);
  const reader = new BitReader();
  reader.reset(from, 0, end);
  return block.read(reader) ? block : undefined;
}

describe('InputBlock', () => {
  test('whatever was written is read', () => {
    fc.assert(
      fc.property(inputs, (wanted) => {
        const block = read(bytes, write(wanted))!;
        expect(block.epoch).toBe(wanted.epoch);
        expect(block.wireTick).toBe(wanted.wireTick);
        expect(block.count).toBe(wanted.rows.length);
        const rows = wanted.rows.map((_, n) => [
          ...block.values.subarray(n * stride, (n + 1) * stride),
        ]);
        expect(rows).toEqual(wanted.rows);
        expect(block.hasView).toBe(wanted.view !== undefined);
        if (wanted.view === undefined) return;
        expect(block.wireViewTick).toBe(Math.floor(wanted.view) % 0x10000);
        expect(block.viewFraction / 256).toBeLessThanOrEqual(wanted.view % 1);
        expect(block.viewFraction / 256 + 1 / 256).toBeGreaterThan(wanted.view % 1);
      }),
    );
  });

  test('an input that did not change costs a bit', () => {
    const one = [1, 2, 3, 1, 0, 9];
    const size = (count: number) =>
      write({ epoch: 1, wireTick: 9, rows: new Array(count).fill(one), view: undefined });
    expect(size(1)).toBe(Math.ceil((30 + 26) / 8));
    expect(size(32)).toBe(Math.ceil((30 + 26 + 31) / 8));
  });

  test('cut off anywhere, or with something behind it, it is malformed', () => {
    const rows = [
      [1, 2, 3, 1, 0, 9],
      [1, 2, 3, 1, 0, 9],
      [0, 0, 0, 0, 0, 0],
    ];
    const end = write({ epoch: 7, wireTick: 1, rows, view: 5.5 });
    for (let size = 0; size < end; size++) expect(read(bytes, size)).toBeUndefined();
    bytes.fill(0, end);
    expect(read(bytes, end)).toBeDefined();
    expect(read(bytes, end + 1)).toBeUndefined();
  });

  test('a value outside of its field is malformed', () => {
    const end = write({ epoch: 7, wireTick: 1, rows: [[0, 0, 0, 0, 0, 10]], view: undefined });
    expect(read(bytes, end)).toBeUndefined();
    expect(
      read(bytes, write({ epoch: 7, wireTick: 1, rows: [[0, 0, 0, 0, 0, 9]], view: undefined })),
    ).toBeDefined();
  });

  test('random and mutated bytes never throw, and what is read is in range', () => {
    const mutation = fc.record({ at: fc.nat(60), to: fc.nat(255) });
    const check = (block: InputBlock | undefined) => {
      if (block === undefined) return;
      expect(block.count).toBeLessThanOrEqual(INPUTS_MAX);
      for (let n = 0; n < block.count * stride; n++) {
        expect(block.values[n]).toBeLessThanOrEqual(fields[n % stride]!.max);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (random) => check(read(random))));
    fc.assert(
      fc.property(inputs, fc.array(mutation, { maxLength: 3 }), (wanted, mutations) => {
        const end = write(wanted);
        for (const { at, to } of mutations) if (at < end) bytes[at] = to;
        check(read(bytes, end));
      }),
    );
  });
});
