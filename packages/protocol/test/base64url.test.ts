import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase64url, decodeKey, encodeBase64url } from '../src/wire/base64url.ts';

describe('base64url', () => {
  test('is what Node writes, and comes back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = encodeBase64url(bytes);
        expect(text).toBe(Buffer.from(bytes).toString('base64url'));
        expect(decodeBase64url(text)).toEqual(bytes);
      }),
    );
  });

  test('no bytes have two texts', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'AEIQgw019-_=+/ é\n'), maxLength: 9 }),
        (text) => {
          const bytes = decodeBase64url(text);
          if (bytes !== undefined) expect(encodeBase64url(bytes)).toBe(text);
        },
      ),
    );
  });

  test.each(['A', 'AAAAA', 'AB', 'AAB', 'AA==', 'A+AA', 'A/AA', 'AA A', 'AAAé', 'AAA\u4141'])(
    'refuses %s',
    (text) => expect(decodeBase64url(text)).toBeUndefined(),
  );

  test('takes the empty text for no bytes', () => {
    expect(decodeBase64url('')).toEqual(new Uint8Array(0));
  });
});

describe('decodeKey', () => {
  test('takes 32 bytes, not one less or more', () => {
    const text = (bytes: number) => encodeBase64url(new Uint8Array(bytes).fill(200));
    expect(decodeKey('key', text(32))).toEqual(new Uint8Array(32).fill(200));
    for (const bytes of [0, 31, 33]) {
      expect(() => decodeKey('tokens.key', text(bytes))).toThrow('tokens.key is not 32 bytes');
    }
    expect(() => decodeKey('key', undefined as never)).toThrow('key is not');
  });

  test('never repeats what it was given', () => {
    const secret = 'c2VjcmV0c2VjcmV0';
    expect(() => decodeKey('key', secret)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secret) }),
    );
  });
});
