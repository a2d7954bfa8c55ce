import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteQueue } from '../src/transport/byte-queue.ts';
import { MessageQueue } from '../src/transport/message-queue.ts';

function add(queue: MessageQueue, length: number): void {
  queue.add(new Uint8Array(length), 0, length);
}

describe('MessageQueue', () => {
  test('knows the length and the age of its oldest message', () => {
    const queue = new MessageQueue(4, 100);
    queue.see(1);
    add(queue, 7);
    queue.see(1000.5);
    add(queue, 9);
    queue.see(1010.5);
    expect([queue.count, queue.firstBytes]).toEqual([2, 7]);
    expect(queue.firstOlderThan(10)).toBe(false);
    expect(queue.firstOlderThan(9.5)).toBe(true);
    queue.drop();
    expect([queue.count, queue.firstBytes]).toEqual([1, 9]);
    expect(queue.firstOlderThan(0)).toBe(false);
  });

  test('a message waits from the time told next, also when others were dropped or moved meanwhile', () => {
    const queue = new MessageQueue(4, 100);
    queue.see(1);
    for (let i = 0; i < 3; i++) add(queue, 1);
    queue.drop();
    queue.moveTo(new ByteQueue(1));
    expect(queue.firstOlderThan(0)).toBe(false);
    queue.see(5000);
    expect(queue.firstOlderThan(0)).toBe(false);
    queue.see(5001);
    expect(queue.firstOlderThan(0)).toBe(true);
  });

  test('holds exactly its bound of messages', () => {
    const queue = new MessageQueue(40, 0);
    for (let i = 0; i < 40; i++) add(queue, 0);
    expect(() => add(queue, 0)).toThrow('within its bound');
  });

  test('cleared, it is empty and can be used again', () => {
    const queue = new MessageQueue(400, 4000);
    for (let i = 0; i < 400; i++) add(queue, 10);
    queue.clear();
    expect(queue.count).toBe(0);
    queue.see(5);
    add(queue, 4000);
    expect([queue.count, queue.firstBytes, queue.firstOlderThan(0)]).toEqual([1, 4000, false]);
  });

  test('agrees with an array', () => {
    const operation = fc.tuple(fc.constantFrom('add', 'add', 'drop', 'move'), fc.nat(30));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 1200, size: 'max' }), (operations) => {
        const queue = new MessageQueue(1200, 36_000);
        const other = new ByteQueue(36_000);
        const model: [length: number, atMs: number][] = [];
        let moved = 0;
        operations.forEach(([kind, n], nowMs) => {
          if (kind === 'add') {
            add(queue, n);
            model.push([n, nowMs]);
          } else if (model.length > 0) {
            const [length] = model.shift()!;
            if (kind === 'drop') queue.drop();
            else queue.moveTo(other);
            if (kind === 'move') moved += length;
          }
          if (n % 3 === 0) expect(model.length > 0 && queue.firstOlderThan(1e9)).toBe(false);
          queue.see(nowMs);
          expect([queue.count, other.length]).toEqual([model.length, moved]);
          if (model.length === 0) return;
          const [length, atMs] = model[0]!;
          expect(queue.firstBytes).toBe(length);
          expect(queue.firstOlderThan(nowMs - atMs)).toBe(false);
          expect(queue.firstOlderThan(nowMs - atMs - 0.5)).toBe(true);
        });
      }),
      { numRuns: 10 },
    );
  });
});
