import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, sameBytes, varintBytes } from '../src/wire/bytes.ts';

function writerOver(bytes: Uint8Array, start = 0, end = bytes.length): ByteWriter {
  const writer = new ByteWriter();
  writer.reset(bytes, start, end);
  return writer;
}

function readerOver(bytes: Uint8Array, start = 0, end = bytes.length): ByteReader {
  const reader = new ByteReader();
  reader.reset(bytes, start, end);
  return reader;
}

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const item = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.nat(0xff) }),
  fc.record({ kind: fc.constant('u16' as const), value: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant('u32' as const), value: uint32 }),
  fc.record({ kind: fc.constant('varint' as const), value: uint32 }),
);

const SIZES = { u8: 1, u16: 2, u32: 4 };

describe('ByteWriter and ByteReader', () => {
  test('little endian', () => {
    const bytes = new Uint8Array(7);
    const writer = writerOver(bytes);
    writer.u8(1);
    writer.u16(0x0203);
    writer.u32(0x8405_0607);
    expect([...bytes]).toEqual([1, 3, 2, 7, 6, 5, 0x84]);
    expect(writer.position).toBe(7);
    expect(readerOver(bytes, 3).u32()).toBe(0x8405_0607);
  });

  test('known varints', () => {
    const forms: [number, number[]][] = [
      [0, [0]],
      [127, [0x7f]],
      [128, [0x80, 1]],
      [300, [0xac, 2]],
      [0xffff_ffff, [0xff, 0xff, 0xff, 0xff, 0x0f]],
    ];
    for (const [value, form] of forms) {
      const bytes = new Uint8Array(form.length);
      writerOver(bytes).varint(value);
      expect([...bytes]).toEqual(form);
      expect(varintBytes(value)).toBe(form.length);
      expect(readerOver(bytes).varint()).toBe(value);
    }
  });

  test('varints that are padded, too large or cut off fail', () => {
    for (const form of [[0x80, 0], [0xff, 0x80, 0], [0xff, 0xff, 0xff, 0xff, 0x10], [0x80], []]) {
      const reader = readerOver(Uint8Array.from(form));
      expect(reader.varint()).toBe(0);
      expect(reader.failed).toBe(true);
    }
  });

  test('a write that does not fit writes nothing, and nothing after it is written', () => {
    const bytes = new Uint8Array(4).fill(9);
    const writer = writerOver(bytes, 1, 3);
    writer.u32(1);
    expect(writer.overflowed).toBe(true);
    writer.u8(1);
    writer.zeros(1);
    writer.claim(1);
    writer.range(Uint8Array.of(7), 0, 1);
    expect([...bytes]).toEqual([9, 9, 9, 9]);
    expect(writer.position).toBe(1);
  });

  test('ranges, zeros and claims stop at the end', () => {
    const bytes = new Uint8Array(6).fill(9);
    const writer = writerOver(bytes, 1, 5);
    writer.range(Uint8Array.of(5, 6, 7, 8), 1, 3);
    writer.zeros(1);
    writer.claim(1);
    expect(writer.remaining).toBe(0);
    expect([...bytes]).toEqual([9, 6, 7, 0, 9, 9]);
    writer.zeros(1);
    expect(writer.overflowed).toBe(true);
  });

  test('reading past the end fails for good and moves nothing', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const reader = readerOver(bytes, 1, 3);
    expect(reader.u16()).toBe(0x0302);
    expect(reader.failed).toBe(false);
    expect(reader.u8()).toBe(0);
    expect(reader.failed).toBe(true);
    expect(reader.u16()).toBe(0);
    expect(reader.u32()).toBe(0);
    expect(reader.varint()).toBe(0);
    const out = new Uint8Array(2);
    reader.range(out, 0, 1);
    reader.skip(1);
    expect([...out]).toEqual([0, 0]);
    expect(reader.position).toBe(3);
  });

  test('skips and ranges of hostile lengths fail', () => {
    for (const length of [3, 0xffff_ffff, -1]) {
      const reader = readerOver(new Uint8Array(8), 2, 4);
      reader.skip(length);
      expect(reader.failed).toBe(true);
      expect(reader.position).toBe(2);
    }
  });

  test('whatever was written is read, within any range, and leaves the rest alone', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 40 }), fc.nat(3), (items, start) => {
        const total = items.reduce(
          (sum, { kind, value }) => sum + (kind === 'varint' ? varintBytes(value) : SIZES[kind]),
          0,
        );
        const end = start + total;
        const bytes = new Uint8Array(end + 2).fill(0x5a);
        const writer = writerOver(bytes, start, end);
        for (const { kind, value } of items) writer[kind](value);
        expect(writer.overflowed).toBe(false);
        expect(writer.position).toBe(end);
        expect([...bytes.subarray(0, start), ...bytes.subarray(end)]).toEqual(
          new Array(start + 2).fill(0x5a),
        );
        const reader = readerOver(bytes, start, end);
        for (const { kind, value } of items) expect(reader[kind]()).toBe(value);
        expect(reader.remaining).toBe(0);
        expect(reader.failed).toBe(false);
      }),
    );
  });

  test('a varint has one form', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 6 }), (bytes) => {
        const reader = readerOver(bytes);
        const value = reader.varint();
        if (reader.failed) return;
        const again = new Uint8Array(reader.position);
        writerOver(again).varint(value);
        expect([...again]).toEqual([...bytes.subarray(0, reader.position)]);
      }),
    );
  });
});

test('sameBytes: every byte counts, and the length', () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => i);
  expect(sameBytes(bytes, bytes.slice())).toBe(true);
  expect(sameBytes(new Uint8Array(0), new Uint8Array(0))).toBe(true);
  for (let at = 0; at < 32; at++) {
    const other = bytes.slice();
    other[at]! ^= 0x80;
    expect(sameBytes(bytes, other), `byte ${at}`).toBe(false);
  }
  // Zeros, which are not told from what is not there but by the length.
  const [short, long] = [new Uint8Array(31), new Uint8Array(32)];
  expect([sameBytes(short, long), sameBytes(long, short)]).toEqual([false, false]);
});
