import { REPLY_BYTES_MAX } from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { ReplyRing } from '../src/reply-ring.ts';

function put(ring: ReplyRing, value: number, length = 3): boolean {
  if (!ring.hasRoom()) return false;
  ring.bytes.fill(value, ring.offset, ring.offset + length);
  ring.push(length, value * 10);
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

  test('says of each reply whether its address was held for it', () => {
    const ring = new ReplyRing();
    for (let i = 0; i < 130; i++) {
      ring.push(1, i, i % 3 === 0);
      ring.push(1, 1000 + i);
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
