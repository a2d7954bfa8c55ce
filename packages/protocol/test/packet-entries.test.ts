import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PacketEntries } from '../src/transport/packet-entries.ts';

function takeAll(packets: PacketEntries, sequence: number): number[] {
  const taken: number[] = [];
  for (let at = packets.take(sequence); at >= 0; at = packets.after(at)) taken.push(at);
  return taken;
}

describe('PacketEntries', () => {
  test('gives back what travelled in a packet, in the order of writing, once', () => {
    const packets = new PacketEntries(8);
    for (const entry of [3, 0, 7]) packets.add(1000, entry);
    packets.add(1001, 5);
    expect(takeAll(packets, 999)).toEqual([]);
    expect(takeAll(packets, 1000)).toEqual([3, 0, 7]);
    expect(takeAll(packets, 1000)).toEqual([]);
    expect(takeAll(packets, 1001)).toEqual([5]);
  });

  test('tells packets apart that share a chain', () => {
    const packets = new PacketEntries(8);
    packets.add(7, 1);
    packets.add(7 + 512, 2);
    packets.add(7 + 0x10000, 3);
    packets.add(7, 4);
    expect(takeAll(packets, 7 + 512)).toEqual([2]);
    expect(takeAll(packets, 7)).toEqual([1, 4]);
    expect(takeAll(packets, 7 + 0x10000)).toEqual([3]);
  });

  test('an entry is in one packet at a time', () => {
    const packets = new PacketEntries(4);
    packets.add(1, 0);
    packets.add(1, 1);
    packets.add(2, 0);
    packets.remove(3);
    expect(takeAll(packets, 1)).toEqual([1]);
    packets.remove(0);
    expect(takeAll(packets, 2)).toEqual([]);
  });

  test('agrees with a map of lists', () => {
    const operation = fc.tuple(
      fc.constantFrom('add', 'remove', 'take'),
      fc.integer({ min: 0, max: 15 }),
      fc.constantFrom(0, 1, 2, 512, 513, 2 ** 40, 2 ** 40 + 1),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120, size: 'max' }), (operations) => {
        const packets = new PacketEntries(16);
        const model = new Map<number, number[]>();
        const forget = (entry: number) => {
          for (const [key, list] of model) {
            model.set(
              key,
              list.filter((one) => one !== entry),
            );
          }
        };
        for (const [kind, entry, sequence] of operations) {
          if (kind === 'take') {
            expect(takeAll(packets, sequence)).toEqual(model.get(sequence) ?? []);
            model.delete(sequence);
            continue;
          }
          forget(entry);
          if (kind === 'remove') packets.remove(entry);
          else {
            packets.add(sequence, entry);
            model.set(sequence, [...(model.get(sequence) ?? []), entry]);
          }
        }
      }),
    );
  });
});
