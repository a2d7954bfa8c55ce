import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BASELINE_TICKS_MAX,
  GROUP_HEAD_BITS_MAX,
  RECORD_HEAD_BITS_MAX,
  readTicksBack,
  SNAPSHOT_HEAD_BITS_MAX,
  SnapshotHead,
  writeChangeHead,
  writeGroupHead,
  writeGroupsEnd,
  writeWholeHead,
} from '../src/replication/snapshot.ts';
import { BitReader, BitWriter } from '../src/wire/bits.ts';

const bytes = new Uint8Array(64);
const writer = new BitWriter();
const reader = new BitReader();

function written(write: () => void): { bits: number; end: number } {
  bytes.fill(0);
  writer.reset(bytes, 0, bytes.length);
  write();
  const bits = writer.bitPosition;
  return { bits, end: writer.finish() };
}

function roundTrip(head: SnapshotHead): SnapshotHead {
  const { bits, end } = written(() => head.write(writer));
  expect(bits).toBeLessThanOrEqual(SNAPSHOT_HEAD_BITS_MAX);
  reader.reset(bytes, 0, end);
  const back = new SnapshotHead();
  expect(back.read(reader)).toBe(true);
  expect(reader.atEnd()).toBe(true);
  return back;
}

describe('SnapshotHead', () => {
  test('whatever was written is read', () => {
    const headFields = fc.record({
      epoch: fc.nat(255),
      wireTick: fc.nat(0xffff),
      whole: fc.boolean(),
      predicted: fc.boolean(),
      hasFeedback: fc.boolean(),
      wireInputTick: fc.nat(0xffff),
      slackMs: fc.integer({ min: -2047, max: 2047 }).map((units) => units / 4),
    });
    fc.assert(
      fc.property(headFields, (fields) => {
        const back = roundTrip(Object.assign(new SnapshotHead(), fields));
        for (const name of ['epoch', 'wireTick', 'whole', 'predicted', 'hasFeedback'] as const) {
          expect(back[name]).toBe(fields[name]);
        }
        if (!fields.hasFeedback) return;
        expect(back.wireInputTick).toBe(fields.wireInputTick);
        expect(back.slackMs).toBeCloseTo(fields.slackMs, 9);
      }),
    );
  });

  test('slack is rounded to a quarter and clamped to half a second', () => {
    const slack = (slackMs: number) =>
      roundTrip(Object.assign(new SnapshotHead(), { hasFeedback: true, slackMs })).slackMs;
    expect(slack(3.1)).toBe(3);
    expect(slack(-3.2)).toBe(-3.25);
    expect(slack(9999)).toBe(511.75);
    expect(slack(-9999)).toBe(-511.75);
    expect(slack(511.75)).toBe(511.75);
  });

  test('is cut off at any bit: malformed', () => {
    const head = Object.assign(new SnapshotHead(), { hasFeedback: true });
    const { end } = written(() => head.write(writer));
    for (let size = 0; size < end; size++) {
      reader.reset(bytes, 0, size);
      expect(new SnapshotHead().read(reader)).toBe(false);
    }
  });
});

describe('what stands between the records', () => {
  test('is as documented, and within its bounds', () => {
    const group = written(() => writeGroupHead(writer, 255, 2 ** 32));
    expect(group.bits + 1).toBeLessThanOrEqual(GROUP_HEAD_BITS_MAX);
    written(() => writeGroupHead(writer, 3, 6));
    reader.reset(bytes, 0, 3);
    expect([reader.read(1), reader.read(8), reader.readVar() + 1]).toEqual([1, 3, 6]);
    written(() => writeGroupsEnd(writer));
    expect(writer.bitPosition).toBe(8);
    reader.reset(bytes, 0, 1);
    expect(reader.read(1)).toBe(0);
  });

  test('a record says whole and whose, or change and since when', () => {
    for (const owned of [false, true]) {
      expect(written(() => writeWholeHead(writer, owned)).bits).toBe(2);
      reader.reset(bytes, 0, 1);
      expect([reader.read(1), reader.read(1)]).toEqual([0, owned ? 1 : 0]);
    }
    for (const ticks of [1, BASELINE_TICKS_MAX]) {
      expect(written(() => writeChangeHead(writer, ticks)).bits).toBe(RECORD_HEAD_BITS_MAX);
      reader.reset(bytes, 0, 1);
      expect(reader.read(1)).toBe(1);
      expect(readTicksBack(reader)).toBe(ticks);
    }
  });
});
