import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AllowList, MAX_ITEMS, MAX_NESTING } from '../src/messages/allow-list.ts';
import { bytes, defineMessages, fixed, flag, int, real, text, uint } from './game-face.ts';

const messages = defineMessages({
  say: { line: text(20) },
  blob: { data: bytes(8), score: real() },
  move: { x: fixed(-4, 4, 0.5), steps: uint(4), turn: int(4), fast: flag() },
  ping: {},
});
const NAMES = ['say', 'blob', 'move', 'ping'] as const;

function encode(name: (typeof NAMES)[number], value: object): Uint8Array {
  const out = new Uint8Array(messages.maxBytes + 4);
  const size = messages.encode(name, value as never, out, 2, out.length);
  expect(size).toBeGreaterThan(0);
  expect([out[0], out[1]]).toEqual([0, 0]);
  return out.slice(2, 2 + size);
}

function decode(...data: (number | Uint8Array)[]) {
  const flat = data.flatMap((part) => (typeof part === 'number' ? [part] : [...part]));
  return messages.decode(new Uint8Array([7, ...flat, 9]), 1, 1 + flat.length);
}

const anyMessage = fc.oneof(
  fc
    .record({ line: fc.string({ maxLength: 20, unit: 'grapheme-ascii' }) })
    .map((v) => ['say', v] as const),
  fc
    .record({
      data: fc.uint8Array({ maxLength: 8 }),
      score: fc.double({ noNaN: true, noDefaultInfinity: true }),
    })
    .map((v) => ['blob', v] as const),
  fc
    .record({
      x: fc.double({ min: -4, max: 4, maxExcluded: true, noNaN: true }),
      steps: fc.integer({ min: 0, max: 15 }),
      turn: fc.integer({ min: -8, max: 7 }),
      fast: fc.boolean(),
    })
    .map((v) => ['move', v] as const),
  fc.constant(['ping', {}] as const),
);

describe('messages', () => {
  test('come out as they went in, within the size they promise', () => {
    fc.assert(
      fc.property(anyMessage, ([name, value]) => {
        const data = encode(name, value);
        expect(data.length).toBeLessThanOrEqual(messages.maxBytes);
        const back = decode(data)!;
        expect([back.name, back.kind]).toEqual([name, NAMES.indexOf(name)]);
        for (const [field, item] of Object.entries(value)) {
          const got = (back.value as Record<string, unknown>)[field];
          if (item instanceof Uint8Array) expect([...(got as Uint8Array)]).toEqual([...item]);
          else expect(got === item).toBe(true);
        }
        expect(Object.keys(back.value)).toEqual(Object.keys(value));
      }),
    );
  });

  const codePoint = fc.oneof(
    fc.integer({ min: 0, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0x10ffff }),
    fc.constantFrom(0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff),
  );
  const anyLine = fc.array(codePoint, { maxLength: 80 }).map((all) => String.fromCodePoint(...all));

  test('any text that UTF-8 can carry comes out as it went in', () => {
    const set = defineMessages({ say: { line: text(400) } });
    const out = new Uint8Array(set.maxBytes);
    fc.assert(
      fc.property(anyLine, (line) => {
        const size = set.encode('say', { line }, out, 0, out.length);
        expect(set.decode(out, 0, size)!.value.line).toBe(line);
      }),
    );
  });

  test('take names in order and no names on the wire', () => {
    expect([...encode('say', { line: 'hi' })]).toEqual([0, 0x91, 0xa2, 0x68, 0x69]);
    expect([...encode('ping', {})]).toEqual([3, 0x90]);
    expect([messages.kindOf('move'), messages.kindOf('constructor')]).toEqual([2, -1]);
  });

  test('keep decoded bytes apart from the packet', () => {
    const data = encode('blob', { data: new Uint8Array([1, 2, 3]), score: 0 });
    const back = messages.decode(data, 0, data.length)!;
    data.fill(0);
    expect(back.name === 'blob' && [...back.value.data]).toEqual([1, 2, 3]);
  });

  test('that do not fit into the range are -1, one byte more is enough', () => {
    const out = new Uint8Array(5).fill(9);
    expect(messages.encode('say', { line: 'hi' }, out, 0, 4)).toBe(-1);
    expect([...out]).toEqual([9, 9, 9, 9, 9]);
    expect(messages.encode('say', { line: 'hi' }, out, 0, 5)).toBe(5);
  });

  test('are checked before they are sent', () => {
    const wrong: [(typeof NAMES)[number], object, string][] = [
      ['say', {}, 'line'],
      ['say', { line: 5 }, 'line'],
      ['say', { line: 'x'.repeat(21) }, 'line'],
      ['say', { line: '€'.repeat(7) }, 'line'],
      ['say', { line: '\ud800' }, 'line'],
      ['say', { line: '\udc00\ud800' }, 'line'],
      ['blob', { data: new Uint8Array(9), score: 0 }, 'data'],
      ['blob', { data: [1], score: 0 }, 'data'],
      ['blob', { data: new Uint8Array(8), score: Number.NaN }, 'score'],
      ['blob', { data: new Uint8Array(8), score: Infinity }, 'score'],
      ['blob', { data: new Uint8Array(8), score: 1n }, 'score'],
      ['move', { x: 4, steps: 0, turn: 0, fast: true }, 'x'],
      ['move', { x: 0, steps: 16, turn: 0, fast: true }, 'steps'],
      ['move', { x: 0, steps: 0.5, turn: 0, fast: true }, 'steps'],
      ['move', { x: 0, steps: 0, turn: -9, fast: true }, 'turn'],
      ['move', { x: 0, steps: 0, turn: 0, fast: 1 }, 'fast'],
    ];
    const out = new Uint8Array(100);
    for (const [name, value, field] of wrong) {
      const act = () => messages.encode(name, value as never, out, 0, 100);
      expect(act).toThrow(expect.objectContaining({ code: 'message-invalid' }));
      expect(act).toThrow(`message '${name}', field '${field}'`);
    }
    expect(messages.encode('say', { line: '€'.repeat(6) }, out, 0, 100)).toBe(21);
  });

  test('are checked when they are declared', () => {
    const many = (n: number) => Array.from({ length: n }, (_, i) => [`f${i}`, flag()] as const);
    const kinds = (n: number) => Object.fromEntries(many(n).map(([name]) => [name, {}]));
    expect(defineMessages(kinds(256)).names.length).toBe(256);
    expect(defineMessages({ all: Object.fromEntries(many(64)) }).names).toEqual(['all']);
    expect(defineMessages({}).maxBytes).toBe(0);
    const wrong = [
      () => text(0),
      () => text(256 * 1024 + 1),
      () => bytes(1.5),
      () => defineMessages(kinds(257)),
      () => defineMessages({ all: Object.fromEntries(many(65)) }),
      () => defineMessages({ 'a b': {} }),
      () => defineMessages({ a: { _b: flag() } }),
      () => defineMessages({ a: JSON.parse('{"__proto__":{}}') }),
      () => defineMessages({ a: { b: { ...flag(), kind: 'edge' } } }),
    ];
    for (const make of wrong) {
      expect(make).toThrow(expect.objectContaining({ code: 'message-invalid' }));
    }
  });
});

describe('hostile bytes', () => {
  test('are no message', () => {
    const protoName = Uint8Array.from('__proto__', (letter) => letter.charCodeAt(0));
    const long = new Uint8Array(3).fill(0x61);
    const cases: Record<string, (number | Uint8Array)[]> = {
      empty: [],
      'kind only': [0],
      'unknown kind': [4, 0x90],
      'padded kind': [0x80, 0x00, 0x91, 0xa0],
      'kind past the end': [0x83],
      'no array': [0, 0xa2, 0x68, 0x69],
      'too few fields': [0, 0x90],
      'too many fields': [0, 0x92, 0xa0, 0xa0],
      'a map instead': [0, 0x81, 0x00, 0xa0],
      'a map with the names': [0, 0x81, 0xa4, 0x6c, 0x69, 0x6e, 0x65, 0xa0],
      'trailing byte': [0, 0x91, 0xa0, 0xc0],
      'truncated text': [0, 0x91, 0xa4, long],
      'nil for text': [0, 0x91, 0xc0],
      'number for text': [0, 0x91, 0x05],
      'bin for text': [0, 0x91, 0xc4, 1, 0x61],
      'array for text': [0, 0x91, 0x91, 0xa0],
      'text beyond its bound': [0, 0x91, 0xb5, new Uint8Array(21).fill(0x61)],
      'invalid UTF-8 beyond its bound once replaced': [
        0,
        0x91,
        0xb4,
        new Uint8Array(20).fill(0xff),
      ],
      '0xc1': [0, 0x91, 0xc1],
      'top-level 0xc1': [0, 0xc1],
      'fixext 1': [0, 0x91, 0xd4, 0, 0],
      'fixext record definition': [0, 0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0xa0],
      'fixext pointer': [0, 0x91, 0xd6, 0x70, 0, 0, 0, 0],
      timestamp: [0, 0x91, 0xd6, 0xff, 0, 0, 0, 0],
      'ext 8': [0, 0x91, 0xc7, 1, 0x78, 0],
      'ext 16': [0, 0x91, 0xc8, 0, 1, 0x78, 0],
      'ext 32': [0, 0x91, 0xc9, 0xff, 0xff, 0xff, 0xff, 0x78],
      'str 32 of 4 GiB': [0, 0x91, 0xdb, 0xff, 0xff, 0xff, 0xff, 0x61],
      'bin 32 of 4 GiB': [1, 0x92, 0xc6, 0xff, 0xff, 0xff, 0xff, 0x61],
      'array 32 of 4 G': [0, 0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0],
      'map 32 of 4 G': [0, 0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0],
      'cut length': [0, 0x91, 0xda, 0],
      'cut float': [1, 0x92, 0xc4, 0, 0xcb, 0, 0],
      NaN: [1, 0x92, 0xc4, 0, 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
      Infinity: [1, 0x92, 0xc4, 0, 0xca, 0x7f, 0x80, 0, 0],
      'integer that no number holds': [1, 0x92, 0xc4, 0, 0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1],
      'negative integer that no number holds': [1, 0x92, 0xc4, 0, 0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0],
      'out of range': [2, 0x94, 0x00, 0x10, 0x00, 0xc2],
      'number for a flag': [2, 0x94, 0x00, 0x00, 0x00, 0x01],
      'flag for a number': [2, 0x94, 0xc3, 0x00, 0x00, 0xc3],
      __proto__: [0, 0x91, 0x81, 0xa9, protoName, 0x80],
    };
    for (const [name, data] of Object.entries(cases)) {
      expect([name, decode(...data)]).toEqual([name, undefined]);
    }
    expect(({} as Record<string, unknown>).line).toBe(undefined);
  });

  test('other forms of the same values are taken', () => {
    const value = (...data: number[]) => decode(...data)?.value;
    expect(value(0, 0xdc, 0, 1, 0xd9, 1, 0x61)).toEqual({ line: 'a' });
    expect(
      value(2, 0x94, 0xd0, 0xfe, 0xcf, 0, 0, 0, 0, 0, 0, 0, 5, 0xd2, 255, 255, 255, 249, 0xc3),
    ).toEqual({
      x: -2,
      steps: 5,
      turn: -7,
      fast: true,
    });
  });

  test('of any kind never throw, and what passes is what was declared', () => {
    const byte = fc.integer({ min: 0, max: 255 });
    const likely = fc.constantFrom(
      0,
      1,
      2,
      3,
      0x90,
      0x91,
      0x92,
      0x94,
      0xa0,
      0xc0,
      0xc3,
      0xcb,
      0xd4,
    );
    const data = fc.array(fc.oneof(byte, likely), { maxLength: 40 });
    fc.assert(
      fc.property(data, (all) => {
        const found = decode(...all);
        if (found) encode(found.name, found.value);
      }),
      { numRuns: 3000 },
    );
  });

  test('flipped in a good message never throw', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.nat(7), fc.nat(), ([name, value], at, bit, cut) => {
        const data = encode(name, value);
        data[at % data.length]! ^= 1 << bit;
        const found = decode(data.subarray(0, data.length - (cut % 2)));
        if (found) encode(found.name, found.value);
      }),
    );
  });
});

describe('the allow-list', () => {
  const list = new AllowList();
  const allows = (data: number[]) => list.allows(new Uint8Array(data), 0, data.length);
  const nested = (depth: number) => [...new Array<number>(depth).fill(0x91), 0xc0];

  test('bounds nesting', () => {
    expect(allows(nested(MAX_NESTING))).toBe(true);
    expect(allows(nested(MAX_NESTING + 1))).toBe(false);
    expect(allows(nested(5000))).toBe(false);
    expect(allows([0x81, 0xa0, ...nested(MAX_NESTING - 1)])).toBe(true);
    expect(allows([0x81, 0xa0, ...nested(MAX_NESTING)])).toBe(false);
  });

  test('bounds items, whether in one array or in many', () => {
    const flat = (n: number) => [0xdc, n >> 8, n & 255, ...new Array<number>(n).fill(0xc0)];
    expect(allows(flat(MAX_ITEMS))).toBe(true);
    expect(allows(flat(MAX_ITEMS + 1))).toBe(false);
    const pairs = (n: number) => [
      0xdc,
      n >> 8,
      n & 255,
      ...new Array<number[]>(n).fill([0x91, 0xc0]).flat(),
    ];
    expect(allows(pairs(MAX_ITEMS / 2))).toBe(true);
    expect(allows(pairs(MAX_ITEMS / 2 + 1))).toBe(false);
  });

  test('wants strings as keys', () => {
    expect(allows([0x81, 0xa1, 0x61, 0x01])).toBe(true);
    expect(allows([0x81, 0xd9, 0x01, 0x61, 0x01])).toBe(true);
    expect(allows([0x81, 0x01, 0x01])).toBe(false);
    expect(allows([0x81, 0xa1, 0x61])).toBe(false);
    expect(allows([0x81])).toBe(false);
  });

  test('takes safe integers up to the last one', () => {
    const safe = [0, 0x1f, 255, 255, 255, 255, 255, 255];
    expect([allows([0xcf, ...safe]), allows([0xd3, ...safe])]).toEqual([true, true]);
    expect(allows([0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0])).toBe(false);
    expect(allows([0xd3, 255, 0xe0, 0, 0, 0, 0, 0, 1])).toBe(true);
    expect(allows([0xd3, 255, 0xe0, 0, 0, 0, 0, 0, 0])).toBe(false);
  });

  test('reads only its range', () => {
    const data = new Uint8Array([0xa2, 0x91, 0xc0, 0xc1]);
    expect([list.allows(data, 1, 3), list.allows(data, 1, 2), list.allows(data, 1, 4)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(list.allows(data, 2, 2)).toBe(false);
  });
});
