import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { nodeCrypto } from '../../src/udp/node-crypto.ts';
import { KEY_BYTES, TAG_BYTES } from '../../src/wire/crypto.ts';

const key = Uint8Array.from({ length: KEY_BYTES }, (_, i) => i * 7);
const START = 3;
const BODY = 10;
const END = 40;

/** A packet in the middle of something else. */
function packet(): Uint8Array {
  return Uint8Array.from({ length: END + TAG_BYTES + 4 }, (_, i) => i + 100);
}

function sealed(bytes: Uint8Array, sequence: number, sealKey = key): Uint8Array {
  nodeCrypto.sealer(sealKey).seal(bytes, START, BODY, END, sequence);
  return bytes;
}

function opens(bytes: Uint8Array, sequence: number, openKey = key): boolean {
  return nodeCrypto.sealer(openKey).open(bytes, START, BODY, END, sequence);
}

function tagOf(bytes: Uint8Array): number[] {
  return [...bytes.subarray(END, END + TAG_BYTES)];
}

describe('the sealer', () => {
  test('writes HMAC-SHA-256 of header, body and sequence, cut to 16 bytes, and nothing else', () => {
    const bytes = sealed(packet(), 70_000);
    const sequence = Buffer.alloc(8);
    sequence.writeDoubleLE(70_000);
    const input = Buffer.concat([packet().subarray(START, END), sequence]);
    const expected = createHmac('sha256', key).update(input).digest().subarray(0, TAG_BYTES);
    expect(tagOf(bytes)).toEqual([...expected]);
    bytes.set(packet().subarray(END, END + TAG_BYTES), END);
    expect(bytes).toEqual(packet());
  });

  test('opens what it sealed, as often as asked', () => {
    const bytes = sealed(packet(), 5);
    expect([opens(bytes, 5), opens(bytes, 5)]).toEqual([true, true]);
    const one = nodeCrypto.sealer(key);
    for (const sequence of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      one.seal(bytes, START, BODY, END, sequence);
      expect(one.open(bytes, START, BODY, END, sequence)).toBe(true);
    }
  });

  test('every bit of header, body and tag counts', () => {
    const bytes = sealed(packet(), 5);
    for (let bit = START * 8; bit < (END + TAG_BYTES) * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(opens(bytes, 5), `bit ${bit}`).toBe(false);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(opens(bytes, 5)).toBe(true);
  });

  test('what stands around the packet does not', () => {
    const bytes = sealed(packet(), 5);
    bytes.fill(0, 0, START);
    bytes.fill(0, END + TAG_BYTES);
    expect(opens(bytes, 5)).toBe(true);
  });

  test('the whole sequence counts, not only the 16 bits that travel', () => {
    const bytes = sealed(packet(), 5);
    for (const sequence of [4, 6, 5 + 0x10000, 5 + 2 ** 32, 5 + 2 ** 48]) {
      expect(opens(bytes, sequence), `${sequence}`).toBe(false);
    }
  });

  test('another key, or another length, does not fit', () => {
    const bytes = sealed(packet(), 5);
    const other = key.slice();
    other[KEY_BYTES - 1]! ^= 1;
    expect(opens(bytes, 5, other)).toBe(false);
    expect(nodeCrypto.sealer(key).open(bytes, START, BODY, END - 1, 5)).toBe(false);
    expect(nodeCrypto.sealer(key).open(bytes, START - 1, BODY, END, 5)).toBe(false);
  });
});

describe('the keyed hash', () => {
  test('is HMAC-SHA-256 of the range, cut to 16 bytes', () => {
    const bytes = packet();
    const out = new Uint8Array(2 + TAG_BYTES + 2).fill(9);
    nodeCrypto.mac(key, bytes, 5, 30, out, 2);
    const expected = createHmac('sha256', key).update(bytes.subarray(5, 30)).digest();
    expect([...out]).toEqual([9, 9, ...expected.subarray(0, TAG_BYTES), 9, 9]);
  });

  test('an empty range has one too', () => {
    const out = new Uint8Array(TAG_BYTES);
    nodeCrypto.mac(key, packet(), 5, 5, out, 0);
    expect([...out]).toEqual([...createHmac('sha256', key).digest().subarray(0, TAG_BYTES)]);
  });
});

test('randomness fills all of the array, differently each time', () => {
  const [a, b] = [new Uint8Array(64), new Uint8Array(64)];
  nodeCrypto.randomBytes(a);
  nodeCrypto.randomBytes(b);
  expect(a).not.toEqual(b);
  expect(a.subarray(48).some((byte) => byte !== 0)).toBe(true);
});
