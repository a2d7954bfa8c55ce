import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHANNELS_MAX } from '../src/transport/channel.ts';
import {
  ControlSection,
  MUST_UNDERSTAND,
  PATH_DATA_BYTES,
  SectionList,
} from '../src/transport/section.ts';
import { ByteReader, ByteWriter } from '../src/wire/bytes.ts';
import { Verdict } from '../src/wire/verdict.ts';

/** `low` and `high`: which channels there are. */
function read(bytes: readonly number[], low = 0b111, high = 0) {
  const list = new SectionList();
  const reader = new ByteReader();
  reader.reset(Uint8Array.from(bytes), 0, bytes.length);
  return { verdict: list.read(reader, low, high), list };
}

const MUST = MUST_UNDERSTAND;

describe('SectionList', () => {
  test('an empty body has no sections', () => {
    const { verdict, list } = read([]);
    expect(verdict).toBe(Verdict.accepted);
    expect(list.count).toBe(0);
  });

  test('finds each section and where its body is', () => {
    const { verdict, list } = read([MUST | 2, 2, 7, 7, MUST | ControlSection.ping, 0, 0, 1, 9]);
    expect(verdict).toBe(Verdict.accepted);
    expect(list.count).toBe(3);
    expect([...list.types.subarray(0, 3)]).toEqual([2, ControlSection.ping, 0]);
    expect([...list.starts.subarray(0, 3)]).toEqual([2, 6, 8]);
    expect([...list.ends.subarray(0, 3)]).toEqual([4, 6, 9]);
  });

  test('an unknown section is skipped, or refused when it must be understood', () => {
    for (const type of [3, 31, 32, 63, 68, 127]) {
      const { verdict, list } = read([type, 1, 0xaa, MUST | 1, 1, 5]);
      expect(verdict).toBe(Verdict.accepted);
      expect([...list.types.subarray(0, list.count)]).toEqual([1]);
      expect(read([MUST | type, 1, 0xaa, MUST | 1, 1, 5]).verdict).toBe(Verdict.refused);
    }
  });

  test('malformed weighs more than refused', () => {
    expect(read([MUST | 3, 0, MUST | 1, 5, 0]).verdict).toBe(Verdict.malformed);
    expect(read([MUST | 3, 0, 1, 0, 1, 0]).verdict).toBe(Verdict.malformed);
  });

  test('a type stands once', () => {
    expect(read([1, 0, 1, 0]).verdict).toBe(Verdict.malformed);
    expect(read([64, 0, 64, 0]).verdict).toBe(Verdict.malformed);
    expect(read([65, 0, MUST | 65, 0]).verdict).toBe(Verdict.malformed);
    expect(read([64, 0, 65, 0]).verdict).toBe(Verdict.accepted);
    // Unknown ones are not looked at.
    expect(read([9, 0, 9, 0]).verdict).toBe(Verdict.accepted);
  });

  test('lengths past the end are malformed', () => {
    expect(read([MUST | 1]).verdict).toBe(Verdict.malformed);
    expect(read([MUST | 1, 2, 0]).verdict).toBe(Verdict.malformed);
    expect(read([MUST | 1, 0xff, 0xff, 0xff, 0xff, 0x0f]).verdict).toBe(Verdict.malformed);
    expect(read([MUST | 1, 0x81, 0, 5]).verdict).toBe(Verdict.malformed);
  });

  test('all channels at once, the highest included', () => {
    const bytes: number[] = [];
    for (let channel = 0; channel < CHANNELS_MAX; channel++) bytes.push(MUST | channel, 0);
    bytes.push(MUST | 64, 0, MUST | 65, 0, MUST | 66, 4, 1, 2, 3, 4, MUST | 67, 4, 1, 2, 3, 4);
    const { verdict, list } = read(bytes, -1, -1);
    expect(verdict).toBe(Verdict.accepted);
    expect(list.count).toBe(CHANNELS_MAX + 4);
    // And everything else that a byte can say, skipped.
    for (let type = 68; type < 128; type++) bytes.push(type, 0);
    expect(read(bytes, -1, -1).list.count).toBe(CHANNELS_MAX + 4);
  });

  test('path challenges and responses have four bytes', () => {
    for (const type of [ControlSection.pathChallenge, ControlSection.pathResponse]) {
      for (let size = 0; size < 8; size++) {
        const verdict = size === PATH_DATA_BYTES ? Verdict.accepted : Verdict.malformed;
        expect(read([MUST | type, size, ...new Array(size).fill(9)]).verdict).toBe(verdict);
      }
    }
  });

  test('each half of the channels has its mask', () => {
    for (const channel of [0, 1, 30, 31, 32, 33, 62, 63]) {
      const low = channel < 32 ? 1 << channel : 0;
      const high = channel < 32 ? 0 : 1 << (channel - 32);
      expect(read([MUST | channel, 0], low, high).verdict).toBe(Verdict.accepted);
      expect(read([MUST | channel, 0], ~low, ~high).verdict).toBe(Verdict.refused);
      expect(read([channel, 0, channel, 0], low, high).verdict).toBe(Verdict.malformed);
      // The channel of the same place in the other half is another one.
      expect(read([MUST | (channel ^ 32), 0], low, high).verdict).toBe(Verdict.refused);
    }
  });

  test('what was written is found', () => {
    const section = fc.record({
      type: fc.oneof(fc.nat(63), fc.constantFrom(64, 65)),
      must: fc.boolean(),
      size: fc.nat(200),
    });
    const sections = fc.uniqueArray(section, { selector: ({ type }) => type, maxLength: 20 });
    fc.assert(
      fc.property(sections, fc.integer(), fc.integer(), (wanted, low, high) => {
        const bytes = new Uint8Array(8000);
        const writer = new ByteWriter();
        writer.reset(bytes, 0, bytes.length);
        const known: [number, number, number][] = [];
        let refused = false;
        for (const { type, must, size } of wanted) {
          writer.u8(must ? type | MUST : type);
          writer.varint(size);
          const mask = type < 32 ? low : high;
          const isKnown = type >= 64 || ((mask >>> (type & 31)) & 1) === 1;
          if (isKnown) known.push([type, writer.position, writer.position + size]);
          else if (must) refused = true;
          writer.zeros(size);
        }
        const list = new SectionList();
        const reader = new ByteReader();
        reader.reset(bytes, 0, writer.position);
        expect(list.read(reader, low, high)).toBe(refused ? Verdict.refused : Verdict.accepted);
        const found = known.map((_, i) => [list.types[i], list.starts[i], list.ends[i]]);
        expect(list.count).toBe(known.length);
        expect(found).toEqual(known);
      }),
    );
  });

  test('random bytes never throw, and sections never leave the range', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(5), (bytes, start) => {
        const end = Math.max(start, bytes.length - 3);
        const list = new SectionList();
        const reader = new ByteReader();
        reader.reset(bytes, start, end);
        list.read(reader, 0xffff, 0xffff);
        for (let i = 0; i < list.count; i++) {
          expect(list.starts[i]).toBeGreaterThanOrEqual(start);
          expect(list.ends[i]).toBeGreaterThanOrEqual(list.starts[i]!);
          expect(list.ends[i]).toBeLessThanOrEqual(end);
        }
      }),
      { numRuns: 400 },
    );
  });
});
