import { HASH_BYTES, KEY_BYTES, TAG_BYTES, TOKEN_NONCE_BYTES } from '@tickwire/protocol';
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

/** HalfSipHash-2-4 with 64 bits of output, as its paper says it: bytes in, bytes out. */
function halfSipHash64(secret: Uint8Array, message: readonly number[]): number[] {
  const word = (bytes: ArrayLike<number>, at: number) =>
    bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  const left = (x: number, by: number) => (x << by) | (x >>> (32 - by));
  const k0 = word(secret, 0);
  const k1 = word(secret, 4);
  const v = [k0, k1 ^ 0xee, 0x6c796765 ^ k0, 0x74656462 ^ k1] as [number, number, number, number];
  const round = () => {
    v[0] = (v[0] + v[1]) | 0;
    v[1] = left(v[1], 5) ^ v[0];
    v[0] = left(v[0], 16);
    v[2] = (v[2] + v[3]) | 0;
    v[3] = left(v[3], 8) ^ v[2];
    v[0] = (v[0] + v[3]) | 0;
    v[3] = left(v[3], 7) ^ v[0];
    v[2] = (v[2] + v[1]) | 0;
    v[1] = left(v[1], 13) ^ v[2];
    v[2] = left(v[2], 16);
  };
  const padded = [...message];
  while (padded.length % 4 !== 3) padded.push(0);
  padded.push(message.length);
  for (let at = 0; at < padded.length; at += 4) {
    const m = word(padded, at);
    v[3] ^= m;
    round();
    round();
    v[0] ^= m;
  }
  const out: number[] = [];
  for (const last of [0xee, 0xdd]) {
    if (last === 0xee) v[2] ^= last;
    else v[1] ^= last;
    for (let n = 0; n < 4; n++) round();
    for (let n = 0; n < 4; n++) out.push(((v[1] ^ v[3]) >>> (8 * n)) & 0xff);
  }
  return out;
}

describe('simulatedCrypto', () => {
  it('hashes with HalfSipHash-2-4 as its reference gives it, after a word that tells the halves apart', () => {
    // The reference's first vector of 64 bits: key 00..07, empty message.
    const first = [0x21, 0x8d, 0x1f, 0x59, 0xb9, 0xb8, 0x3c, 0xc8];
    expect(halfSipHash64(key.subarray(0, 8), [])).toEqual(first);
    const out = new Uint8Array(HASH_BYTES + 2);
    for (let length = 0; length < 20; length++) {
      const bytes = Uint8Array.from({ length: length + 2 }, (_, i) => i * 3);
      crypto.hash(key.subarray(0, 8), bytes, 1, 1 + length, out, 1);
      for (const half of [0, 1]) {
        const message = [half, 0, 0, 0, ...bytes.subarray(1, 1 + length)];
        const at = 1 + 16 * half;
        expect([...out.subarray(at, at + 8)]).toEqual(halfSipHash64(key.subarray(0, 8), message));
      }
    }
    expect([out[0], out[HASH_BYTES + 1]]).toEqual([0, 0]);
  });

  it('hashes to another result for each byte of the key, in all parts', () => {
    const hash = (with_: Uint8Array) => {
      const out = new Uint8Array(HASH_BYTES);
      crypto.hash(with_, key, 0, 5, out, 0);
      return out;
    };
    const parts = new Set<string>();
    for (let i = -1; i < key.length; i++) {
      const out = hash(key.map((byte, at) => (at === i ? byte ^ 1 : byte)));
      for (let at = 0; at < HASH_BYTES; at += 8) parts.add(out.subarray(at, at + 8).join());
    }
    expect(parts.size).toBe((key.length + 1) * 4);
  });

  it('lets both sides of an exchange agree, and nobody build on a zero key', () => {
    const secrets = [1, 2].map((seed) => {
      const secret = new Uint8Array(KEY_BYTES);
      simulatedCrypto(seed).randomBytes(secret);
      return secret;
    });
    const publics = secrets.map((secret) => {
      const out = new Uint8Array(KEY_BYTES);
      crypto.publicKey(secret, out);
      return out;
    });
    const agreements = [0, 1].map((side) => {
      const out = new Uint8Array(KEY_BYTES);
      expect(crypto.agree(secrets[side]!, publics[1 - side]!, out)).toBe(true);
      return out;
    });
    expect(agreements[0]).toEqual(agreements[1]);
    // With a secret key in the place of the public one there is another result.
    crypto.agree(secrets[0]!, secrets[1]!, publics[0]!);
    expect(publics[0]).not.toEqual(agreements[0]);
    expect(crypto.agree(secrets[0]!, new Uint8Array(KEY_BYTES), publics[0]!)).toBe(false);
  });

  it('seals tokens under key and nonce', () => {
    const nonce = new Uint8Array(TOKEN_NONCE_BYTES).fill(1);
    const bytes = new Uint8Array(30 + TAG_BYTES).fill(5);
    crypto.sealToken(key, nonce, bytes, 0, 10, 30);
    expect(crypto.openToken(key, nonce, bytes, 0, 10, 30)).toBe(true);
    expect(crypto.openToken(key, nonce.fill(2), bytes, 0, 10, 30)).toBe(false);
    expect(crypto.openToken(nonce, nonce.fill(1), bytes, 0, 10, 30)).toBe(false);
    for (const at of [0, 10, 29, 30, 45]) {
      const changed = bytes.slice();
      changed[at]! ^= 1;
      expect(crypto.openToken(key, nonce, changed, 0, 10, 30)).toBe(false);
    }
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
