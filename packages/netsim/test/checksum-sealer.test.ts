import { TAG_BYTES } from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simulatedCrypto } from '../src/checksum-sealer.ts';

const crypto = simulatedCrypto(1);
const key = Uint8Array.from({ length: 32 }, (_, i) => i);

function sealed(length: number, sequence = 5, bodyStart = Math.min(4, length)): Uint8Array {
  const bytes = new Uint8Array(length + TAG_BYTES);
  for (let i = 0; i < length; i++) bytes[i] = i * 7;
  crypto.sealer(key).seal(bytes, 0, bodyStart, length, sequence);
  return bytes;
}

describe('simulatedCrypto', () => {
  it('begins with HalfSipHash-2-4, as its reference gives it', () => {
    // The reference's first vector of 64 bits: key 00..07, empty message.
    const out = new Uint8Array(TAG_BYTES);
    crypto.mac(key.subarray(0, 8), key, 0, 0, out, 0);
    expect([...out.subarray(0, 8)]).toEqual([0x21, 0x8d, 0x1f, 0x59, 0xb9, 0xb8, 0x3c, 0xc8]);
  });

  it('opens what it sealed and nothing else', () => {
    const open = (bytes: Uint8Array, bodyStart = 4, sequence = 5, end = 40) =>
      crypto.sealer(key).open(bytes, 0, bodyStart, end, sequence);
    expect(open(sealed(40))).toBe(true);
    expect(open(sealed(40), 5)).toBe(false);
    expect(open(sealed(40), 4, 6)).toBe(false);
    expect(open(sealed(40), 4, 5 + 2 ** 16)).toBe(false);
    expect(open(sealed(40), 4, 5 + 2 ** 32)).toBe(false);
    expect(open(sealed(40), 4, 5, 39)).toBe(false);
    expect(open(sealed(40), 4, 5, 41)).toBe(false);
    expect(open(sealed(40).subarray(0, 55))).toBe(false);
  });

  it('notices every single flipped bit, tag included', () => {
    for (const length of [0, 1, 7, 33]) {
      const bytes = sealed(length);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const opened = crypto.sealer(key).open(bytes, 0, Math.min(4, length), length, 5);
        expect(opened, `bit ${bit} of ${length} bytes`).toBe(false);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
    }
  });

  it('depends on every byte of the key', () => {
    for (let i = 0; i < key.length; i++) {
      const other = key.slice();
      other[i]! ^= 1;
      expect(crypto.sealer(other).open(sealed(20), 0, 4, 20, 5)).toBe(false);
    }
  });

  it('seals a range in the middle of a buffer as it does alone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat({ max: 9 }), (body, start) => {
        const bytes = new Uint8Array(start + body.length + TAG_BYTES + 3);
        bytes.set(body, start);
        crypto.sealer(key).seal(bytes, start, start, start + body.length, 1);
        const moved = bytes.slice(start);
        expect(crypto.sealer(key).open(moved, 0, 0, body.length, 1)).toBe(true);
        expect(bytes.subarray(start + body.length + TAG_BYTES)).toEqual(new Uint8Array(3));
      }),
    );
  });

  it('draws the same bytes from the same seed', () => {
    const draw = (seed: number) => {
      const out = new Uint8Array(16);
      simulatedCrypto(seed).randomBytes(out);
      return [...out];
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });
});
