import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  HEADER_BYTES,
  PacketKind,
  readConnectionId,
  readKind,
  readPhase,
  readWireSequence,
  writeHeader,
} from '../src/wire/packet.ts';

describe('packet header', () => {
  test('has the documented layout', () => {
    const bytes = new Uint8Array(HEADER_BYTES + 2).fill(0xee);
    writeHeader(bytes, 1, 0x8765_4321, 0x1_abcd);
    expect([...bytes]).toEqual([0xee, 6, 0x21, 0x43, 0x65, 0x87, 0xcd, 0xab, 0xee]);
    writeHeader(bytes, 1, 0x8765_4321, 0x1_abcd, 3);
    expect([...bytes]).toEqual([0xee, 0x16, 0x21, 0x43, 0x65, 0x87, 0xcd, 0xab, 0xee]);
  });

  test('ids and sequences of any size survive', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        fc.maxSafeNat(),
        fc.nat(),
        (connectionId, sequence, generation) => {
          const bytes = new Uint8Array(HEADER_BYTES);
          writeHeader(bytes, 0, connectionId, sequence, generation);
          expect(readKind(bytes, 0, bytes.length)).toBe(PacketKind.data);
          expect(readConnectionId(bytes, 0)).toBe(connectionId);
          expect(readWireSequence(bytes, 0)).toBe(sequence % 0x10000);
          expect(readPhase(bytes, 0)).toBe(generation % 2);
        },
      ),
    );
  });

  test('only the six kinds without reserved bits are kinds; only data has a key phase', () => {
    const kinds = new Set<number>(Object.values(PacketKind));
    for (let first = 0; first < 256; first++) {
      const kind = first === (PacketKind.data | 0x10) ? PacketKind.data : first;
      expect(readKind(Uint8Array.of(first), 0, 1)).toBe(kinds.has(kind) ? kind : 0);
    }
  });

  test('an empty datagram has no kind', () => {
    expect(readKind(Uint8Array.of(PacketKind.data), 0, 0)).toBe(0);
    expect(readKind(Uint8Array.of(PacketKind.data, 6), 1, 1)).toBe(0);
  });
});
