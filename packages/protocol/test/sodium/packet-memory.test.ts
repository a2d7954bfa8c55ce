// Memory for datagrams: what it hands out, its bound, and that what was given back is handed out again.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MemoryRange, PacketMemory } from '../../src/sodium/packet-memory.ts';
import { loadModule, PACKET_MEMORY_BYTES } from '../../src/sodium/sodium-module.ts';
import { DATAGRAM_BYTES_MAX } from '../../src/wire/packet.ts';

const PAGE_BYTES = 16 * 1024;
/** One page is the receive slot's. */
const PAGES = PACKET_MEMORY_BYTES / PAGE_BYTES - 1;

const module = await loadModule();

test('the receive slot holds the longest datagram and nothing that is handed out', () => {
  const memory = new PacketMemory(module);
  const slot = memory.receiveSlot;
  expect(slot).toHaveLength(DATAGRAM_BYTES_MAX);
  slot.fill(1);
  for (let i = 0; i < PAGES; i++) memory.reserve(PAGE_BYTES)!.bytes.fill(2);
  expect(slot.every((byte) => byte === 1)).toBe(true);
});

test('a range is as long as it was asked for, in the memory of the module', () => {
  const memory = new PacketMemory(module);
  const { bytes } = memory.reserve(PAGE_BYTES + 1)!;
  expect(bytes).toHaveLength(PAGE_BYTES + 1);
  expect(bytes.buffer).toBe(module.heap.buffer);
  expect(memory.freeBytes).toBe((PAGES - 2) * PAGE_BYTES);
});

test('so many pages, and not one more; the memory does not grow', () => {
  const memory = new PacketMemory(module);
  const { byteLength } = module.heap.buffer;
  const ranges = Array.from({ length: PAGES }, () => memory.reserve(PAGE_BYTES)!);
  expect(memory.freeBytes).toBe(0);
  expect(memory.reserve(1)).toBeUndefined();
  memory.release(ranges[7]!);
  expect(memory.reserve(PAGE_BYTES + 1)).toBeUndefined();
  expect(memory.reserve(PAGE_BYTES)!.bytes.byteOffset).toBe(ranges[7]!.bytes.byteOffset);
  expect(module.heap.buffer.byteLength).toBe(byteLength);
});

test('all of it at once, and one byte more', () => {
  const memory = new PacketMemory(module);
  expect(memory.reserve(PAGES * PAGE_BYTES + 1)).toBeUndefined();
  const all = memory.reserve(PAGES * PAGE_BYTES)!;
  const end = all.bytes.byteOffset + all.bytes.length;
  expect(end).toBeLessThanOrEqual(module.heap.length);
  expect(end).toBe(module.packetsAt + PACKET_MEMORY_BYTES);
});

test('a range is given back once', () => {
  const memory = new PacketMemory(module);
  const range = memory.reserve(1)!;
  memory.release(range);
  expect(() => memory.release(range)).toThrow(/once/);
  expect(() => memory.reserve(0)).toThrow(/empty/);
});

test('whatever is reserved and released, ranges never overlap and all comes back', () => {
  const step = fc.record({ sizeBytes: fc.integer({ min: 1, max: 40 * PAGE_BYTES }), at: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const memory = new PacketMemory(module);
      const held: MemoryRange[] = [];
      for (const { sizeBytes, at } of steps) {
        const range = at % 2 === 0 ? memory.reserve(sizeBytes) : undefined;
        if (range !== undefined) held.push(range);
        else if (held.length > 0) memory.release(held.splice(at % held.length, 1)[0]!);
        const spans = held
          .map(({ bytes }) => [bytes.byteOffset, bytes.byteOffset + bytes.length] as const)
          .sort(([a], [b]) => a - b);
        for (const [i, [from]] of spans.entries()) {
          expect(from).toBeGreaterThanOrEqual(i === 0 ? module.packetsAt : spans[i - 1]![1]);
        }
      }
      for (const range of held) memory.release(range);
      expect(memory.freeBytes).toBe(PAGES * PAGE_BYTES);
    }),
  );
});
