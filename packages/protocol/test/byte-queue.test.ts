import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteQueue } from '../src/transport/byte-queue.ts';
import { ByteWriter } from '../src/wire/bytes.ts';

const KIB = 1024;

function bytesOf(from: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (from + i) * 31);
}

function append(queue: ByteQueue, bytes: Uint8Array): void {
  queue.append(bytes, 0, bytes.length);
}

/** The bytes at a position, as a packet would get them. */
function peek(queue: ByteQueue, position: number, count: number): Uint8Array {
  const out = new Uint8Array(count);
  const writer = new ByteWriter();
  writer.reset(out, 0, count);
  queue.writeTo(writer, position, count);
  expect(writer.position).toBe(count);
  return out;
}

describe('ByteQueue', () => {
  test('takes memory when it is used, doubles, and gives back what it no longer needs', () => {
    const queue = new ByteQueue(64 * KIB);
    expect(queue.capacity).toBe(0);
    append(queue, bytesOf(0, 1));
    expect(queue.capacity).toBe(4 * KIB);
    append(queue, bytesOf(1, 4 * KIB));
    expect(queue.capacity).toBe(8 * KIB);
    append(queue, bytesOf(4 * KIB + 1, 16 * KIB));
    expect(queue.capacity).toBe(32 * KIB);
    expect(peek(queue, 0, 20 * KIB + 1)).toEqual(bytesOf(0, 20 * KIB + 1));
    queue.drop(20 * KIB + 1);
    expect([queue.length, queue.capacity]).toEqual([0, 4 * KIB]);
  });

  test('cleared, it takes no memory', () => {
    const queue = new ByteQueue(64 * KIB);
    append(queue, bytesOf(0, 20 * KIB));
    queue.clear();
    expect([queue.length, queue.capacity]).toEqual([0, 0]);
    append(queue, bytesOf(3, 5 * KIB));
    expect(peek(queue, 20 * KIB, 5 * KIB)).toEqual(bytesOf(3, 5 * KIB));
  });

  test('keeps a middling store while every filling needs it', () => {
    const queue = new ByteQueue(64 * KIB);
    for (let i = 0; i < 3; i++) {
      append(queue, bytesOf(0, 10 * KIB));
      queue.drop(10 * KIB);
      expect(queue.capacity).toBe(16 * KIB);
    }
    append(queue, bytesOf(0, 100));
    queue.drop(100);
    expect(queue.capacity).toBe(4 * KIB);
  });

  test('holds exactly its bound; beyond it, or below nothing, is a mistake of its owner', () => {
    const queue = new ByteQueue(5000);
    append(queue, bytesOf(0, 5000));
    expect(() => append(queue, bytesOf(0, 1))).toThrow('within its bound');
    expect(() => queue.drop(5001)).toThrow('what it holds');
    queue.drop(5000);
    expect(queue.length).toBe(0);
  });

  test('positions stay right beyond 2^31 bytes', () => {
    const queue = new ByteQueue(8 * KIB);
    const block = bytesOf(0, 4 * KIB);
    let position = 0;
    // A byte is left each time, so that the store never runs empty.
    append(queue, bytesOf(9, 1));
    const rounds = 2 ** 19 + 10;
    for (let i = 0; i < rounds; i++) {
      queue.append(block, 0, 4 * KIB);
      queue.drop(4 * KIB);
      position = (position + 4 * KIB) | 0;
    }
    expect(position).toBeLessThan(0);
    append(queue, bytesOf(50, 3000));
    expect(peek(queue, (position + 1) | 0, 3000)).toEqual(bytesOf(50, 3000));
  });

  test('agrees with an array, two queues and what moves between them', () => {
    const operation = fc.tuple(fc.constantFrom('append', 'drop', 'move'), fc.nat(6000));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60, size: 'max' }), (operations) => {
        const bound = 30 * KIB;
        const queues = [new ByteQueue(bound), new ByteQueue(bound)] as const;
        const models: [number[], number[]] = [[], []];
        const tails = [0, 0];
        const drop = (side: 0 | 1, count: number) => {
          tails[side] = (tails[side]! + count) | 0;
          return models[side].splice(0, count);
        };
        let next = 0;
        for (const [kind, n] of operations) {
          if (kind === 'append') {
            const bytes = bytesOf(next, Math.min(n, bound - models[0].length));
            next += bytes.length;
            append(queues[0], bytes);
            models[0].push(...bytes);
          } else if (kind === 'move') {
            const count = Math.min(n, models[0].length, bound - models[1].length);
            queues[0].moveTo(queues[1], count);
            models[1].push(...drop(0, count));
          } else {
            const count = Math.min(n, models[1].length);
            queues[1].drop(count);
            drop(1, count);
          }
          for (const side of [0, 1] as const) {
            expect(queues[side].length).toBe(models[side].length);
            const held = peek(queues[side], tails[side]!, models[side].length);
            expect(Buffer.compare(held, Uint8Array.from(models[side]))).toBe(0);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
