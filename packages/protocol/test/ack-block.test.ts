import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ACK_BLOCK_BYTES_MAX,
  AckBlock,
  DELAY_MS_MAX,
  writeAckBlock,
} from '../src/transport/ack-block.ts';
import { ACK_HISTORY, ACK_REACH_STEP, ReceivedWindow } from '../src/transport/received-window.ts';
import { ByteReader, ByteWriter } from '../src/wire/bytes.ts';

function write(window: ReceivedWindow, delayMs = 0): Uint8Array {
  const bytes = new Uint8Array(ACK_BLOCK_BYTES_MAX);
  const writer = new ByteWriter();
  writer.reset(bytes, 0, bytes.length);
  writeAckBlock(writer, window, delayMs);
  expect(writer.overflowed).toBe(false);
  return bytes.subarray(0, writer.position);
}

function read(bytes: Uint8Array | readonly number[]): AckBlock | undefined {
  const reader = new ByteReader();
  reader.reset(Uint8Array.from(bytes), 0, bytes.length);
  const block = new AckBlock();
  return block.read(reader) && reader.remaining === 0 ? block : undefined;
}

/** The sequences from 0 on that a block names, newest first. */
function named(block: AckBlock, newest: number): number[] {
  const sequences = [newest];
  for (let n = 0; n < block.reach; n++) {
    const set = ((block.history[n >> 3]! >> (n & 7)) & 1) === 1;
    if (set && newest - 1 - n >= 0) sequences.push(newest - 1 - n);
  }
  return sequences;
}

/** The one form of what a block says, written without the code under test. */
function formOf(block: AckBlock, delayUnits: number): number[] {
  if (!block.present) return [0];
  const masks = new Array<number>(block.reach / 64).fill(0);
  const bytes: number[] = [];
  for (let at = 0; at < block.reach / 8; at++) {
    if (block.history[at] === 0xff) continue;
    masks[at >> 3]! |= 1 << (at & 7);
    bytes.push(block.history[at]!);
  }
  const gaps = bytes.length > 0;
  const flags = 1 | (gaps ? 2 : 0) | ((block.reach / 64 - 1) << 2);
  const head = [
    flags,
    block.wireAck & 0xff,
    block.wireAck >> 8,
    delayUnits & 0xff,
    delayUnits >> 8,
  ];
  return gaps ? [...head, ...masks, ...bytes] : head;
}

/** A window that received `sequences` one by one, each so many ms after the last. */
function windowOf(sequences: Iterable<number>, stepMs = 16): ReceivedWindow {
  const window = new ReceivedWindow();
  let nowMs = 0;
  for (const sequence of sequences) {
    nowMs += stepMs;
    window.received(nowMs, sequence, true);
  }
  return window;
}

function upTo(count: number, without: readonly number[] = []): number[] {
  return Array.from({ length: count }, (_, i) => i).filter((i) => !without.includes(i));
}

/** Arrivals: how far beyond the newest, whether kept, and how long after the last one. */
const arrivals = fc.array(
  fc.record({
    gap: fc.oneof(
      fc.constant(0),
      fc.constant(0),
      fc.nat(3),
      fc.nat(300),
      fc.integer({ min: -260, max: -1 }),
    ),
    kept: fc.oneof(fc.constant(true), fc.constant(true), fc.boolean()),
    afterMs: fc.oneof(fc.nat(2), fc.nat(40), fc.nat(1000)),
  }),
  { maxLength: 400 },
);

/** A window after such arrivals, and what it kept when. */
function receive(steps: readonly { gap: number; kept: boolean; afterMs: number }[]) {
  const window = new ReceivedWindow();
  const kept = new Map<number, number>();
  let nowMs = 0;
  for (const { gap, kept: keep, afterMs } of steps) {
    nowMs += afterMs;
    const sequence = window.newest + 1 + gap;
    if (window.check(sequence) !== 0) continue;
    window.received(nowMs, sequence, keep);
    if (keep) kept.set(sequence, nowMs);
  }
  return { window, kept, nowMs };
}

describe('ack block', () => {
  test('is one zero byte before anything was kept', () => {
    const window = new ReceivedWindow();
    expect([...write(window)]).toEqual([0]);
    window.received(0, 0, false);
    expect([...write(window)]).toEqual([0]);
    expect(read([0])?.present).toBe(false);
  });

  test('takes five bytes when nothing is missing', () => {
    // A packet each 10 ms for a second: 300 to 400 ms of them are fewer than 64.
    expect([...write(windowOf(upTo(100), 10), 2)]).toEqual([1, 99, 0, 32, 0]);
  });

  test('names exactly the bytes with a gap', () => {
    // 88 = 99 - 1 - 10: bit 2 of byte 1
    expect([...write(windowOf(upTo(100, [88]), 10))]).toEqual([3, 99, 0, 0, 0, 0b10, 0xfb]);
  });

  test('reaches as far as what came in the last 300 ms, in steps of 64, and 256 at most', () => {
    for (const [perSecond, low, high] of [
      [20, 64, 64],
      [120, 64, 64],
      [250, 128, 128],
      [400, 128, 192],
      [500, 192, 256],
      [1000, 256, 256],
      [5000, 256, 256],
    ] as const) {
      const stepMs = 1000 / perSecond;
      for (let count = 3 * perSecond; count < 3 * perSecond + 200; count += 7) {
        const block = read(write(windowOf(upTo(count), stepMs)))!;
        expect(block.reach, `${perSecond}`).toBeGreaterThanOrEqual(low);
        expect(block.reach, `${perSecond}`).toBeLessThanOrEqual(high);
        expect(block.reach).toBeGreaterThanOrEqual(Math.min(ACK_HISTORY, 0.3 * perSecond));
      }
    }
  });

  test('one packet more than a step costs another step', () => {
    // All at once: everything since the first mark is recent.
    for (const [count, reach] of [
      [64, 64],
      [65, 128],
      [128, 128],
      [129, 192],
      [193, 256],
      [256, 256],
      [257, 256],
      [1000, 256],
    ] as const) {
      const window = new ReceivedWindow();
      for (let sequence = 0; sequence < count; sequence++) window.received(0, sequence, true);
      expect(read(write(window))!.reach, `${count}`).toBe(reach);
    }
  });

  test('a gap at the very end of each reach is told, one further is not', () => {
    for (const [at, reach] of [64, 128, 192, 256].entries()) {
      const window = windowOf(upTo(200, [194, 195]), 1000);
      const newest = 195 + reach;
      for (let s = 200; s <= newest; s++) window.received(200_001, s, true);
      const masks = new Array<number>(at + 1).fill(0);
      masks[at] = 0x80;
      const head = [3 | (at << 2), newest & 0xff, newest >> 8, 0, 0];
      expect([...write(window)]).toEqual([...head, ...masks, 0x7f]);
    }
  });

  test('the longest one fits what is reserved for it', () => {
    const window = new ReceivedWindow();
    for (let s = 0; s <= 512; s += 2) window.received(0, s, true);
    expect(write(window, 1).length).toBe(ACK_BLOCK_BYTES_MAX);
    expect(ACK_BLOCK_BYTES_MAX).toBe(41);
  });

  test('the delay is in sixteenths and clamped', () => {
    const window = windowOf([0]);
    expect(read(write(window, 12.5))?.delayMs).toBe(12.5);
    expect(read(write(window, -3))?.delayMs).toBe(0);
    expect([...write(window, 1e9).subarray(3, 5)]).toEqual([0xff, 0xff]);
    // Half a second is all that is believed.
    expect(read(write(window, 500))?.delayMs).toBe(DELAY_MS_MAX);
    expect(read(write(window, 501))?.delayMs).toBe(DELAY_MS_MAX);
  });

  test('other forms of the same are refused', () => {
    const bad = [
      [], // nothing
      [2], // a history without an ack
      [4], // a reach without an ack
      [8],
      [0x10], // reserved bits
      [0x11, 0, 0, 0, 0],
      [0x81, 0, 0, 0, 0],
      [1, 0, 0, 0], // cut off
      [3, 9, 0, 0, 0], // no mask
      [3, 9, 0, 0, 0, 0], // an empty mask
      [7, 9, 0, 0, 0, 0, 0], // two of them
      [7, 9, 0, 0, 0, 1, 0xfe], // only one byte for two masks of which one is there
      [15, 9, 0, 0, 0, 0, 0, 0], // a mask missing
      [3, 9, 0, 0, 0, 1], // no history byte
      [3, 9, 0, 0, 0, 1, 0xff], // a byte that must be left out
      [7, 9, 0, 0, 0, 0, 0x80, 0xff],
      [3, 9, 0, 0, 0, 0xff, 1, 2, 3, 4, 5, 6, 7],
    ];
    for (const bytes of bad) expect(read(bytes), bytes.join()).toBeUndefined();
    expect(read([7, 9, 0, 0, 0, 0, 1, 0xfe])!.reach).toBe(128);
  });

  test('what is beyond the reach of one block is forgotten by the next', () => {
    const reader = new ByteReader();
    const block = new AckBlock();
    const far = Uint8Array.of(15, 9, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, ...new Array(32).fill(0));
    reader.reset(far, 0, far.length);
    expect(block.read(reader)).toBe(true);
    reader.reset(Uint8Array.of(1, 9, 1, 0, 0), 0, 5);
    expect(block.read(reader)).toBe(true);
    expect(block.reach).toBe(ACK_REACH_STEP);
    expect(block.history.every((byte) => byte === 0xff)).toBe(true);
  });

  test('tells exactly what was kept, for any pattern of arrivals, and all of the last 300 ms', () => {
    fc.assert(
      fc.property(arrivals, (steps) => {
        const { window, kept, nowMs } = receive(steps);
        const newest = Math.max(-1, ...kept.keys());
        const block = read(write(window))!;
        expect(block.present).toBe(newest >= 0);
        if (newest < 0) return;
        expect(block.wireAck).toBe(newest % 0x10000);
        // Refused packets may have moved the window on beyond what is acked: those behind it are not remembered.
        const told = [...kept.keys()].filter((s) => newest - s <= block.reach);
        expect(named(block, newest)).toEqual(told.sort((x, y) => y - x));
        const recent = [...kept].filter(([, atMs]) => nowMs - atMs < 300).map(([s]) => s);
        const within = recent.filter((s) => newest - s <= ACK_HISTORY);
        const inOrder = steps.every(({ gap }) => gap >= 0);
        if (inOrder) expect(told).toEqual(expect.arrayContaining(within));
      }),
      { numRuns: 300 },
    );
  });

  test('goes round: what is written is read, in one form, and no truncation of it is one', () => {
    fc.assert(
      fc.property(arrivals, fc.nat(0x1ffff), (steps, delayUnits) => {
        const { window } = receive(steps);
        const bytes = write(window, delayUnits / 16);
        const block = read(bytes)!;
        expect(block).toBeDefined();
        expect([...bytes]).toEqual(formOf(block, Math.min(0xffff, delayUnits)));
        for (let cut = 0; cut < bytes.length; cut++) {
          expect(read(bytes.subarray(0, cut)), `cut at ${cut}`).toBeUndefined();
        }
      }),
      { numRuns: 300 },
    );
  });

  test('random bytes never throw, and what is read has only the form that would be written', () => {
    const flags = fc.oneof(fc.constantFrom(0, 1, 3, 5, 7, 9, 11, 13, 15), fc.nat(255));
    const sparse = fc.oneof(fc.constant(0), fc.constant(0), fc.constant(1), fc.nat(255));
    const bytes = fc.tuple(
      flags,
      fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }),
      fc.array(sparse, { maxLength: 40 }),
    );
    let read = 0;
    fc.assert(
      fc.property(bytes, ([first, head, rest]) => {
        const all = Uint8Array.of(first, ...head, ...rest);
        const reader = new ByteReader();
        reader.reset(all, 0, all.length);
        const block = new AckBlock();
        if (!block.read(reader)) return;
        read++;
        expect(reader.failed).toBe(false);
        const delayUnits = head[2]! | (head[3]! << 8);
        expect([...all.subarray(0, reader.position)]).toEqual(formOf(block, delayUnits));
      }),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(100);
  });
});
