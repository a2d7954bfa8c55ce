// The sealer by itself: what it refuses, what it leaves alone, and that the module's memory stays as it is.
import { describe, expect, test } from 'vitest';
import { loadCrypto } from '../../src/sodium/sodium-crypto.ts';
import { KEY_BYTES, TAG_BYTES } from '../../src/wire/crypto.ts';

const START = 3;
const BODY = 10;
const END = 40;
const key = Uint8Array.from({ length: KEY_BYTES }, (_, i) => i * 7);
const crypto = await loadCrypto();
const inside = crypto.memory.reserve(4096)!.bytes;

/** A packet in the middle of something else. */
function plain(): Uint8Array {
  return Uint8Array.from({ length: END + TAG_BYTES + 4 }, (_, i) => i + 100);
}

describe.each([
  ['in the memory of the module', true],
  ['elsewhere', false],
])('a packet %s', (_name, inMemory) => {
  function placed(content: Uint8Array): Uint8Array {
    if (!inMemory) return content.slice();
    const bytes = inside.subarray(8, 8 + content.length);
    bytes.set(content);
    return bytes;
  }

  function sealed(sequence: number): Uint8Array {
    const bytes = placed(plain());
    crypto.sealer(key).seal(bytes, START, BODY, END, sequence);
    return bytes.slice();
  }

  function opens(content: Uint8Array, sequence: number, openKey = key): boolean {
    return crypto.sealer(openKey).open(placed(content), START, BODY, END, sequence);
  }

  test('hides the body, adds a tag, and leaves header and surroundings alone', () => {
    const bytes = sealed(5);
    const before = plain();
    expect(bytes.subarray(0, BODY)).toEqual(before.subarray(0, BODY));
    expect(bytes.subarray(END + TAG_BYTES)).toEqual(before.subarray(END + TAG_BYTES));
    expect(bytes.subarray(BODY, END)).not.toEqual(before.subarray(BODY, END));
    expect(bytes.subarray(END, END + TAG_BYTES)).not.toEqual(before.subarray(END, END + TAG_BYTES));
  });

  test('opens where it is', () => {
    const bytes = placed(sealed(5));
    expect(crypto.sealer(key).open(bytes, START, BODY, END, 5)).toBe(true);
    expect([...bytes.subarray(0, END)]).toEqual([...plain().subarray(0, END)]);
  });

  test('every bit of header, body and tag counts', () => {
    const bytes = sealed(5);
    for (let bit = START * 8; bit < (END + TAG_BYTES) * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(opens(bytes, 5), `bit ${bit}`).toBe(false);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(opens(bytes, 5)).toBe(true);
  });

  test('what stands around the packet does not', () => {
    const bytes = sealed(5);
    bytes.fill(0, 0, START);
    bytes.fill(0, END + TAG_BYTES);
    expect(opens(bytes, 5)).toBe(true);
  });

  test('the whole sequence counts, not only the 16 bits that travel', () => {
    const bytes = sealed(5);
    for (const sequence of [4, 6, 5 + 0x10000, 5 + 2 ** 32, 5 + 2 ** 48]) {
      expect(opens(bytes, sequence), `${sequence}`).toBe(false);
    }
  });

  test('another key, or another cut into header and body, does not fit', () => {
    const bytes = sealed(5);
    const other = key.slice();
    other[KEY_BYTES - 1]! ^= 1;
    expect(opens(bytes, 5, other)).toBe(false);
    const { length } = bytes;
    for (const [start, body, end] of [
      [START, BODY, END - 1],
      [START - 1, BODY, END],
      [START, BODY + 1, END],
      [START, BODY - 1, END],
    ] as const) {
      expect(crypto.sealer(key).open(placed(bytes), start, body, end, 5)).toBe(false);
    }
    expect(bytes).toHaveLength(length);
  });

  test('a range that leaves its array is never worked on', () => {
    const bytes = placed(plain());
    const sealer = crypto.sealer(key);
    const last = bytes.length - TAG_BYTES;
    sealer.seal(bytes, 0, BODY, last, 5);
    expect(sealer.open(bytes, 0, BODY, last, 5)).toBe(true);
    for (const [start, body, end] of [
      [0, BODY, last + 1],
      [-1, BODY, END],
      [BODY, BODY - 1, END],
      [START, END + 1, END],
    ] as const) {
      const misuse = { code: 'internal' };
      expect(() => sealer.seal(bytes, start, body, end, 5)).toThrow(
        expect.objectContaining(misuse),
      );
      expect(() => sealer.open(bytes, start, body, end, 5)).toThrow(
        expect.objectContaining(misuse),
      );
      const nonce = new Uint8Array(24);
      expect(() => crypto.sealToken(key, nonce, bytes, start, body, end)).toThrow(/internal/);
      expect(() => crypto.openToken(key, nonce, bytes, start, body, end)).toThrow(/internal/);
    }
  });

  test('tokens: a forged bit anywhere, another nonce, another key', () => {
    const nonce = Uint8Array.from({ length: 24 }, (_, i) => i);
    const bytes = placed(plain());
    crypto.sealToken(key, nonce, bytes, START, BODY, END);
    const token = bytes.slice();
    const opened = (content: Uint8Array, by = key, under = nonce) =>
      crypto.openToken(by, under, placed(content), START, BODY, END);
    for (let bit = START * 8; bit < (END + TAG_BYTES) * 8; bit++) {
      token[bit >> 3]! ^= 1 << (bit & 7);
      expect(opened(token), `bit ${bit}`).toBe(false);
      token[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(opened(token)).toBe(true);
    expect(
      opened(
        token,
        key.map((byte) => byte ^ 1),
      ),
    ).toBe(false);
    expect(
      opened(
        token,
        key,
        nonce.map((byte, i) => (i === 23 ? byte ^ 1 : byte)),
      ),
    ).toBe(false);
  });
});

test('sealers do not disturb each other', () => {
  const keys = [1, 2, 3].map((byte) => new Uint8Array(KEY_BYTES).fill(byte));
  const sealers = keys.map((one) => crypto.sealer(one));
  const packets = sealers.map((sealer, i) => {
    const bytes = plain();
    sealer.seal(bytes, START, BODY, END, i);
    return bytes;
  });
  keys[0]!.fill(9);
  for (const [i, bytes] of packets.entries()) {
    for (const [j, sealer] of sealers.entries()) {
      expect(sealer.open(bytes.slice(), START, BODY, END, i)).toBe(i === j);
    }
  }
});

test('a hundred thousand seals and opens leave the memory as it is', () => {
  const memory = inside.buffer;
  const { byteLength } = memory;
  const sealer = crypto.sealer(key);
  for (let sequence = 0; sequence < 100_000; sequence++) {
    const end = 7 + (sequence % 1200);
    sealer.seal(inside, 0, 7, end, sequence);
    if (!sealer.open(inside, 0, 7, end, sequence)) expect.fail(`sequence ${sequence}`);
  }
  expect(memory.byteLength).toBe(byteLength);
  const range = crypto.memory.reserve(1)!;
  expect(range.bytes.buffer).toBe(memory);
  crypto.memory.release(range);
});
