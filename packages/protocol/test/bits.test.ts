import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BitReader, BitWriter, varBits } from '../src/wire/bits.ts';

function writerOver(bytes: Uint8Array, start = 0, end = bytes.length): BitWriter {
  const writer = new BitWriter();
  writer.reset(bytes, start, end);
  return writer;
}

function readerOver(bytes: Uint8Array, start = 0, end = bytes.length): BitReader {
  const reader = new BitReader();
  reader.reset(bytes, start, end);
  return reader;
}

/** A value of so many bits, or a varying one (bits = 0). */
const item = fc.oneof(
  fc.integer({ min: 1, max: 32 }).chain((bits) =>
    fc.record({
      bits: fc.constant(bits),
      value: fc.integer({ min: 0, max: 2 ** bits - 1 }),
    }),
  ),
  fc.record({ bits: fc.constant(0), value: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
);

describe('BitWriter and BitReader', () => {
  test('the most significant bit comes first', () => {
    const bytes = new Uint8Array(3);
    const writer = writerOver(bytes);
    writer.write(0b101, 3);
    writer.write(0xff, 8);
    writer.write(1, 1);
    expect(writer.bitPosition).toBe(12);
    expect(writer.finish()).toBe(2);
    expect([...bytes]).toEqual([0b1011_1111, 0b1111_0000, 0]);
  });

  test('known forms of a varying value', () => {
    const bytes = new Uint8Array(5);
    const writer = writerOver(bytes);
    writer.writeVar(0x1f);
    expect(writer.finish()).toBe(2);
    // 1111 more, 0001 last
    expect([...bytes.subarray(0, 2)]).toEqual([0b1111_1000, 0b1000_0000]);
  });

  test('fills its range to the last bit and not one more', () => {
    const bytes = new Uint8Array(6).fill(0xaa);
    const writer = writerOver(bytes, 1, 5);
    writer.write(0xffff_ffff, 32);
    expect(writer.overflowed).toBe(false);
    expect(writer.remainingBits).toBe(0);
    writer.write(0, 1);
    expect(writer.overflowed).toBe(true);
    expect([...bytes]).toEqual([0xaa, 255, 255, 255, 255, 0xaa]);
  });

  test('overflow is sticky until it is taken back', () => {
    const writer = writerOver(new Uint8Array(1));
    writer.write(3, 7);
    const mark = writer.bitPosition;
    writer.write(3, 2);
    writer.write(1, 1);
    expect(writer.overflowed).toBe(true);
    expect(writer.bitPosition).toBe(mark);
    writer.truncate(mark);
    writer.write(1, 1);
    expect(writer.overflowed).toBe(false);
    expect(writer.finish()).toBe(1);
  });

  test('what was taken back leaves no trace', () => {
    const bytes = new Uint8Array(4);
    const writer = writerOver(bytes);
    writer.write(1, 3);
    writer.write(0xffff, 16);
    writer.truncate(3);
    expect(writer.finish()).toBe(1);
    expect(bytes[0]).toBe(0b0010_0000);
  });

  test('reading past the end fails for good and gives 0', () => {
    const reader = readerOver(Uint8Array.of(0xff, 0xff, 0xff), 1, 2);
    expect(reader.read(8)).toBe(0xff);
    expect(reader.atEnd()).toBe(true);
    expect(reader.read(1)).toBe(0);
    expect(reader.failed).toBe(true);
    expect(reader.atEnd()).toBe(false);
    expect(reader.readVar()).toBe(0);
  });

  test('only zero padding of less than a byte is an end', () => {
    const read = (bytes: number[], bits: number) => {
      const reader = readerOver(Uint8Array.from(bytes));
      reader.read(bits);
      return reader.atEnd();
    };
    expect(read([0x80], 1)).toBe(true);
    expect(read([0x81], 1)).toBe(false);
    expect(read([0x80, 0], 1)).toBe(false);
    expect(read([0x80, 0], 8)).toBe(false);
    expect(read([0x80], 8)).toBe(true);
  });

  test('whatever was written is read, within any range, and leaves the rest alone', () => {
    const property = (items: { bits: number; value: number }[], start: number) => {
      const total = items.reduce((sum, { bits, value }) => sum + (bits || varBits(value)), 0);
      const end = start + Math.ceil(total / 8);
      const bytes = new Uint8Array(end + 2).fill(0x5a);
      const writer = writerOver(bytes, start, end);
      for (const { bits, value } of items) {
        if (bits === 0) writer.writeVar(value);
        else writer.write(value, bits);
      }
      expect(writer.overflowed).toBe(false);
      expect(writer.bitPosition).toBe(total);
      expect(writer.finish()).toBe(end);
      expect([...bytes.subarray(0, start), ...bytes.subarray(end)]).toEqual(
        new Array(start + 2).fill(0x5a),
      );
      const reader = readerOver(bytes, start, end);
      for (const { bits, value } of items) {
        expect(bits === 0 ? reader.readVar() : reader.read(bits)).toBe(value);
      }
      expect(reader.atEnd()).toBe(true);
    };
    fc.assert(fc.property(fc.array(item, { maxLength: 40 }), fc.nat(3), property));
  });

  test('a varying value has one form', () => {
    const property = (bytes: Uint8Array) => {
      const reader = readerOver(bytes);
      const value = reader.readVar();
      if (reader.failed) return;
      const again = new Uint8Array(bytes.length);
      const writer = writerOver(again);
      writer.writeVar(value);
      const bits = writer.bitPosition;
      expect(bits).toBe(varBits(value));
      const back = readerOver(bytes);
      const copy = readerOver(again);
      for (let i = 0; i < bits; i++) expect(copy.read(1)).toBe(back.read(1));
    };
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 6 }), property));
    // A last group of zero: 0001 more, 0000 last.
    const padded = readerOver(Uint8Array.of(0b0001_1000, 0b0000_0000));
    expect(padded.readVar()).toBe(0);
    expect(padded.failed).toBe(true);
  });

  test('the largest varying value, and one that does not end', () => {
    const bytes = new Uint8Array(5);
    const writer = writerOver(bytes);
    writer.writeVar(0xffff_ffff);
    expect(writer.bitPosition).toBe(40);
    expect(readerOver(bytes).readVar()).toBe(0xffff_ffff);
    const endless = readerOver(new Uint8Array(8).fill(0xff));
    endless.readVar();
    expect(endless.failed).toBe(true);
  });
});
