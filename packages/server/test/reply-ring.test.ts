import { REPLY_BYTES_MAX } from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { ReplyRing, ReplyTo } from '../src/reply-ring.ts';

const { stranger, proven, held } = ReplyTo;

function put(ring: ReplyRing, value: number, length = 3, kind: number = proven): boolean {
  if (!ring.hasRoom(kind)) return false;
  ring.bytes.fill(value, ring.offset, ring.offset + length);
  ring.push(length, value * 10, kind);
  return true;
}

function take(ring: ReplyRing): { bytes: number[]; address: number } | undefined {
  const out = new Uint8Array(REPLY_BYTES_MAX + 2);
  const to = { address: -1 };
  const length = ring.poll(out, 2, to);
  return length === 0
    ? undefined
    : { bytes: [...out.subarray(2, 2 + length)], address: to.address };
}

describe('ReplyRing', () => {
  test('first in, first out', () => {
    const ring = new ReplyRing();
    expect(ring.empty).toBe(true);
    expect(take(ring)).toBeUndefined();
    put(ring, 1);
    put(ring, 2, 1);
    expect(ring.empty).toBe(false);
    expect(take(ring)).toEqual({ bytes: [1, 1, 1], address: 10 });
    expect(take(ring)).toEqual({ bytes: [2], address: 20 });
    expect(take(ring)).toBeUndefined();
  });

  test('holds 64, counts the next, and goes on when there is room again', () => {
    const ring = new ReplyRing();
    for (let i = 0; i < 64; i++) expect(put(ring, i)).toBe(true);
    expect(put(ring, 64)).toBe(false);
    expect(put(ring, 64)).toBe(false);
    expect(ring.dropped).toBe(2);
    expect(take(ring)?.address).toBe(0);
    expect(put(ring, 65)).toBe(true);
    for (let i = 1; i < 64; i++) expect(take(ring)?.bytes).toEqual([i, i, i]);
    expect(take(ring)?.address).toBe(650);
    expect(ring.empty).toBe(true);
  });

  test('strangers have 48 of them, in whatever order; the rest is for proven addresses', () => {
    const ring = new ReplyRing();
    const puts = (times: number, kind: number) =>
      Array.from({ length: times }, () => put(ring, 1, 3, kind)).filter(Boolean).length;
    expect(puts(10, proven)).toBe(10);
    expect(puts(60, stranger)).toBe(48);
    expect(ring.dropped).toBe(12);
    expect(puts(4, held) + puts(9, proven)).toBe(6);
    expect(ring.dropped).toBe(19);
    // The ten first are no strangers'.
    for (let i = 0; i < 10; i++) take(ring);
    expect(puts(1, stranger)).toBe(0);
    take(ring);
    expect(puts(2, stranger)).toBe(1);
    while (take(ring) !== undefined);
    expect([puts(49, stranger), puts(17, proven)]).toEqual([48, 16]);
  });

  test('says of each reply whether its address was held for it', () => {
    const ring = new ReplyRing();
    for (let i = 0; i < 130; i++) {
      ring.push(1, i, i % 3 === 0 ? held : proven);
      ring.push(1, 1000 + i, stranger);
      expect(take(ring)?.address).toBe(i);
      expect(ring.polledHeld).toBe(i % 3 === 0);
      expect(take(ring)?.address).toBe(1000 + i);
      expect(ring.polledHeld).toBe(false);
    }
  });

  test('the longest reply stays in its place, around the end as well', () => {
    const ring = new ReplyRing();
    for (let round = 0; round < 100; round++) {
      put(ring, round & 0xff, REPLY_BYTES_MAX);
      put(ring, 255, REPLY_BYTES_MAX);
      expect(new Set(take(ring)!.bytes)).toEqual(new Set([round & 0xff]));
      expect(take(ring)!.bytes.length).toBe(REPLY_BYTES_MAX);
    }
  });
});
