import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readText, writeText } from '../src/wire/text.ts';

const utf8 = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

describe('writeText and readText', () => {
  test('is UTF-8', () => {
    const text = 'naïve €, 游戏, 🎮';
    const out = new Uint8Array(64);
    const end = writeText(text, out, 1, out.length);
    expect([...out.subarray(1, end)]).toEqual([...utf8.encode(text)]);
    expect(readText(out, 1, end)).toBe(text);
  });

  test('cuts between characters, never inside one', () => {
    const out = new Uint8Array(8).fill(7);
    expect(writeText('a€b', out, 0, 3)).toBe(1);
    expect(writeText('a€b', out, 0, 4)).toBe(4);
    expect(readText(out, 0, 4)).toBe('a€');
    expect(writeText('🎮', out, 0, 3)).toBe(0);
    expect(writeText('', out, 2, 2)).toBe(2);
    expect(out[4]).toBe(7);
  });

  test('lone surrogates become the replacement character', () => {
    const out = new Uint8Array(8);
    const end = writeText('\ud800x', out, 0, 8);
    expect(readText(out, 0, end)).toBe('\ufffdx');
  });

  test('what is not UTF-8 becomes the replacement character', () => {
    const cases: number[][] = [
      [0x80], // a continuation alone
      [0xc2], // cut off
      [0xc0, 0x80], // longer than it must be
      [0xe0, 0x80, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
      [0xed, 0xa0, 0x80], // a surrogate
      [0xf4, 0x90, 0x80, 0x80], // beyond Unicode
      [0xf8, 0x88, 0x80, 0x80, 0x80],
      [0xff],
    ];
    for (const bytes of cases) {
      expect(readText(Uint8Array.from(bytes), 0, bytes.length)).toBe('\ufffd'.repeat(bytes.length));
    }
  });

  test('never reads past the range', () => {
    const bytes = utf8.encode('€');
    expect(readText(bytes, 0, 2)).toBe('\ufffd\ufffd');
  });

  test('any well-formed text survives', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const expected = utf8.encode(text);
        const out = new Uint8Array(expected.length + 2);
        const end = writeText(text, out, 1, out.length);
        expect([...out.subarray(1, end)]).toEqual([...expected]);
        expect(readText(out, 1, end)).toBe(
          new TextDecoder('utf-8', { ignoreBOM: true }).decode(expected),
        );
      }),
      { numRuns: 60 },
    );
  });

  test('random bytes never throw, and what is read without a replacement was UTF-8', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const text = readText(bytes, 0, bytes.length);
        if (text.includes('\ufffd')) return;
        expect(text).toBe(strict.decode(bytes));
      }),
    );
  });
});
