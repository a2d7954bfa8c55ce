import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACK_BLOCK_BYTES_MAX, AckBlock, writeAckBlock } from '../src/transport/ack-block.ts';
import { ACK_HISTORY, ReceivedWindow } from '../src/transport/received-window.ts';
import { ByteReader, ByteWriter } from '../src/wire/bytes.ts';

function write(window: ReceivedWindow, delayMs = 0): Uint8Array {
  const bytes = new Uint8Array(ACK_BLOCK_BYTES_MAX);
  const writer = new ByteWriter();
  writer.reset(bytes, 0, bytes.length);
  writeAckBlock(writer, window, delayMs);
  expect(writer.overflowed).toBe(false);
  return bytes.subarray(0, writer.position);
}

function read(bytes: Uint8Array): AckBlock | undefined {
  const reader = new ByteReader();
  reader.reset(bytes, 0, bytes.length);
  const block = new AckBlock();
  return block.read(reader) && reader.remaining === 0 ? block : undefined;
}

/** The sequences that a block names, newest first. */
function named(block: AckBlock, newest: number): number[] {
  const sequences = [newest];
  for (let n = 0; n < ACK_HISTORY; n++) {
    const set = ((block.history[n >> 3]! >> (n & 7)) & 1) === 1;
    if (set && newest - 1 - n >= 0) sequences.push(newest - 1 - n);
  }
  return sequences;
}

describe('ack block', () => {
  test('is one zero byte before anything was kept', () => {
    const window = new ReceivedWindow();
    expect([...write(window)]).toEqual([0]);
    window.received(0, false);
    expect([...write(window)]).toEqual([0]);
    expect(read(Uint8Array.of(0))?.present).toBe(false);
  });

  test('takes five bytes when nothing is missing', () => {
    const window = new ReceivedWindow();
    for (let sequence = 0; sequence < 100; sequence++) window.received(sequence, true);
    expect([...write(window, 2)]).toEqual([1, 99, 0, 32, 0]);
  });

  test('names exactly the bytes with a gap', () => {
    const window = new ReceivedWindow();
    for (let sequence = 0; sequence < 100; sequence++) window.received(sequence, sequence !== 88);
    // 88 = 99 - 1 - 10: bit 2 of byte 1
    expect([...write(window)]).toEqual([3, 99, 0, 0, 0, 0b10, 0xfb]);
  });

  test('the delay is in sixteenths and clamped', () => {
    const window = new ReceivedWindow();
    window.received(0, true);
    expect(read(write(window, 12.5))?.delayMs).toBe(12.5);
    expect(read(write(window, -3))?.delayMs).toBe(0);
    expect([...write(window, 1e9).subarray(3, 5)]).toEqual([0xff, 0xff]);
    // Half a second is all that is believed.
    expect(read(write(window, 500))?.delayMs).toBe(500);
    expect(read(write(window, 501))?.delayMs).toBe(500);
  });

  test('other forms of the same are refused', () => {
    const bad = [
      [], // nothing
      [2], // a history without an ack
      [4], // reserved bits
      [0x81, 0, 0, 0, 0],
      [1, 0, 0, 0], // cut off
      [3, 9, 0, 0, 0], // no mask
      [3, 9, 0, 0, 0, 0], // an empty mask
      [3, 9, 0, 0, 0, 1], // no history byte
      [3, 9, 0, 0, 0, 1, 0xff], // a byte that must be left out
      [3, 9, 0, 0, 0, 0xff, 1, 2, 3, 4, 5, 6, 7],
    ];
    for (const bytes of bad) expect(read(Uint8Array.from(bytes)), bytes.join()).toBeUndefined();
  });

  test('tells what was kept, for any pattern of arrivals', () => {
    const step = fc.record({ gap: fc.nat(40), kept: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const window = new ReceivedWindow();
        const kept = new Set<number>();
        let sequence = -1;
        for (const { gap, kept: keep } of steps) {
          sequence += 1 + (gap > 35 ? gap : gap >> 4);
          window.received(sequence, keep);
          if (keep) kept.add(sequence);
        }
        const newest = Math.max(-1, ...kept);
        const block = read(write(window))!;
        expect(block.present).toBe(newest >= 0);
        if (newest < 0) return;
        expect(block.wireAck).toBe(newest % 0x10000);
        const expected = [...kept].filter((s) => newest - s <= ACK_HISTORY).sort((x, y) => y - x);
        expect(named(block, newest)).toEqual(expected);
      }),
    );
  });

  test('random bytes never throw, and what is read has only the form that would be written', () => {
    const flags = fc.constantFrom(0, 1, 1, 3, 3, 3, 2, 200);
    const bytes = fc.tuple(flags, fc.uint8Array({ maxLength: 13 }));
    fc.assert(
      fc.property(bytes, ([first, rest]) => {
        const reader = new ByteReader();
        const all = Uint8Array.of(first, ...rest);
        reader.reset(all, 0, all.length);
        const block = new AckBlock();
        if (!block.read(reader)) return;
        expect(reader.failed).toBe(false);
        const size = reader.position;
        let expected = 1;
        const gaps = block.history.filter((byte) => byte !== 0xff).length;
        if (block.present) expected += 4 + (gaps > 0 ? 1 + gaps : 0);
        expect(size).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });
});
