import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fragmentCount, writeFragmentHead } from '../src/transport/fragment.ts';
import {
  FRAGMENT_SILENCE_MS,
  FRAGMENT_SILENCE_PACKETS,
  FRAGMENT_SLOTS_MIN,
} from '../src/transport/fragment-ring.ts';
import { UnreliableChannel } from '../src/transport/unreliable.ts';
import { ByteWriter } from '../src/wire/bytes.ts';
import { type ChannelOptions, FRAGMENT_BYTES } from '../src/wire/channel-options.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { describeChannel } from './channel-contract.ts';
import { type ChannelKind, keyOf, message, Pair, ROOM, type Section } from './channel-pair.ts';

const kind: ChannelKind = {
  reliable: false,
  ordered: false,
  create: (limits, sink) => new UnreliableChannel(limits, sink),
};
describeChannel('unreliable', kind);

const TTL_MS = 250;
const pairOf = (options: Omit<ChannelOptions, 'kind'> = {}) =>
  new Pair('unreliable', kind, options);

/** A message of so many full fragments, in as many packets. */
function packetsOf(pair: Pair, number: number, fragments: number): Section[] {
  expect(pair.send(message(number, fragments * FRAGMENT_BYTES))).toBe('queued');
  const sections = pair.writeAll();
  expect(sections.length).toBe(fragments);
  return sections;
}

/** A section of one fragment that says what it likes. */
function fragment(id: number, index: number, last: boolean, length = FRAGMENT_BYTES): Uint8Array {
  const bytes = new Uint8Array(length + 6);
  const writer = new ByteWriter();
  writer.reset(bytes, 0, bytes.length);
  writeFragmentHead(writer, length, id, index, last);
  return bytes.subarray(0, writer.position + length);
}

describe('unreliable: on the wire', () => {
  test('whole messages have a length and no id', () => {
    const pair = pairOf();
    pair.send(Uint8Array.of(7, 8));
    pair.send(new Uint8Array(0));
    expect([...pair.write()!.bytes]).toEqual([4, 7, 8, 0]);
  });

  test('fragments count on through the channel, whole messages between them do not', () => {
    const pair = pairOf();
    const heads = [];
    for (const length of [FRAGMENT_BYTES + 1, 1, 2 * FRAGMENT_BYTES]) {
      pair.send(message(length, length));
      for (const { bytes } of pair.writeAll(FRAGMENT_BYTES + 6))
        heads.push([...bytes.subarray(0, 5)]);
    }
    const full = [0x99, 0x11];
    expect(heads[0]).toEqual([...full, 0, 0, 0]);
    expect(heads[1]!.slice(0, 4)).toEqual([3, 1, 0, 3]);
    expect(heads[2]![0]).toBe(2);
    expect(heads[3]).toEqual([...full, 2, 0, 0]);
    expect(heads[4]).toEqual([...full, 3, 0, 3]);
  });
});

describe('unreliable: what waits too long', () => {
  test('the rest of a message is given up when nothing of it leaves within its time', () => {
    const pair = pairOf();
    pair.sender.pending(0);
    pair.send(message(1, 3 * FRAGMENT_BYTES));
    const first = pair.write()!;
    pair.nowMs = TTL_MS;
    const second = pair.write()!;
    // The second fragment started its time anew; one more millisecond is too many.
    expect(pair.sender.pending(2 * TTL_MS)).toBe(true);
    expect(pair.sender.write(2 * TTL_MS, new Uint8Array(900), 0, 900, 9)).toBe(0);
    expect(pair.sender.pending(2 * TTL_MS + 1)).toBe(false);
    expect(pair.sender.statistics).toMatchObject({
      sent: 1,
      expired: 1,
      queued: 0,
      queuedBytes: 0,
    });
    for (const section of [first, second]) expect(pair.read(section)).toBe(Verdict.accepted);
    const next = packetsOf(pair, 2, 2);
    for (const section of next) expect(pair.read(section)).toBe(Verdict.accepted);
    expect(pair.received).toEqual([message(2, 2 * FRAGMENT_BYTES)]);
  });

  test('what waits behind a message that is being written expires on its own', () => {
    const pair = pairOf();
    pair.send(message(1, 2 * FRAGMENT_BYTES));
    pair.send(message(2, 10));
    pair.sender.pending(0);
    pair.nowMs = 200;
    pair.write(FRAGMENT_BYTES + 10);
    pair.nowMs = 300;
    const rest = pair.write()!;
    expect(rest.bytes.length).toBe(FRAGMENT_BYTES + 5);
    expect(pair.sender.pending(300)).toBe(false);
    expect(pair.sender.statistics).toMatchObject({ expired: 1, queued: 0 });
  });
});

describe('unreliable: fragments', () => {
  test('arrive in any order, and complete with the last that was missing', () => {
    const pair = pairOf();
    const sections = packetsOf(pair, 1, 5);
    for (const at of [4, 0, 3, 1]) expect(pair.read(sections[at]!)).toBe(Verdict.accepted);
    expect(pair.receiver.statistics.heldBytes).toBe(4 * FRAGMENT_BYTES);
    expect(pair.received).toEqual([]);
    expect(pair.read(sections[2]!)).toBe(Verdict.accepted);
    expect(pair.received).toEqual([message(1, 5 * FRAGMENT_BYTES)]);
    expect(pair.receiver.statistics).toMatchObject({ heldBytes: 0, incomplete: 0 });
  });

  test('an incomplete message goes when its place is needed, and not before', () => {
    const pair = pairOf();
    const lost = packetsOf(pair, 1, 2);
    pair.read(lost[0]!);
    // Its two ids and these fill the ring.
    for (let n = 2; n <= FRAGMENT_SLOTS_MIN - 2; n += 2)
      packetsOf(pair, n, 2).map((s) => pair.read(s));
    expect(pair.receiver.statistics).toMatchObject({ incomplete: 0, heldBytes: FRAGMENT_BYTES });
    packetsOf(pair, 99, 2).map((s) => pair.read(s));
    expect(pair.receiver.statistics).toMatchObject({ incomplete: 1, heldBytes: 0 });
    expect(pair.read(lost[1]!)).toBe(Verdict.accepted);
    expect(pair.receiver.statistics.heldBytes).toBe(0);
    expect(pair.received.length).toBe(FRAGMENT_SLOTS_MIN / 2);
  });

  test('incomplete messages go when no fragment comes for long', () => {
    const pair = pairOf();
    pair.nowMs = 1000;
    const sections = packetsOf(pair, 1, 2);
    pair.read(sections[0]!);
    pair.receiver.pending(1000 + FRAGMENT_SILENCE_MS);
    expect(pair.receiver.statistics).toMatchObject({ incomplete: 0, heldBytes: FRAGMENT_BYTES });
    pair.receiver.pending(1001 + FRAGMENT_SILENCE_MS);
    expect(pair.receiver.statistics).toMatchObject({ incomplete: 1, heldBytes: 0 });
  });

  test('ids go round, with gaps and idle times, and nothing is mixed up', () => {
    const pair = pairOf();
    const out = new Uint8Array(3 * ROOM);
    const bytes = message(1, 3 * FRAGMENT_BYTES);
    const ends = [0, 0, 0];
    let carried = 0;
    for (let n = 0; n < 25_000; n++) {
      bytes[n % bytes.length]!++;
      pair.sender.send(bytes, 0, bytes.length);
      if (n % 5000 === 0) pair.sequence += 70_000;
      for (let i = 0; i < 3; i++) {
        ends[i] = pair.sender.write(0, out, i * ROOM, (i + 1) * ROOM, pair.sequence + i);
      }
      const section = (i: number): Section => ({
        sequence: pair.sequence + i,
        bytes: out.slice(i * ROOM, i * ROOM + ends[i]!),
      });
      // Most never arrive, some do in part, and some whole, the last packet first.
      const arriving = n % 89 === 0 ? [2, 1, 0] : n % 7 === 0 ? [n % 3] : [];
      for (const i of arriving) expect(pair.read(section(i))).toBe(Verdict.accepted);
      pair.sequence += 3;
      if (arriving.length < 3) continue;
      carried++;
      expect(keyOf(pair.received.pop()!)).toBe(keyOf(bytes));
    }
    expect(carried).toBe(Math.ceil(25_000 / 89));
    expect(pair.received).toEqual([]);
  });

  test('after many packets without a fragment ids may have gone round: what is held is given up', () => {
    for (const [packets, incomplete] of [
      [FRAGMENT_SILENCE_PACKETS, 0],
      [FRAGMENT_SILENCE_PACKETS + 1, 1],
    ] as const) {
      const pair = pairOf();
      pair.read({ sequence: 0, bytes: fragment(5, 0, false) });
      expect(pair.read({ sequence: packets, bytes: fragment(6, 1, true) })).toBe(Verdict.accepted);
      expect(pair.received.length).toBe(1 - incomplete);
      expect(pair.receiver.statistics.incomplete).toBe(incomplete);
    }
  });
});

describe('unreliable: whoever lies', () => {
  const kept = () => {
    const pair = pairOf({ messageBytes: 5 * FRAGMENT_BYTES });
    expect(pair.read({ sequence: 20, bytes: fragment(100, 1, false) })).toBe(Verdict.accepted);
    expect(pair.read({ sequence: 40, bytes: fragment(102, 3, true) })).toBe(Verdict.accepted);
    return pair;
  };

  test.each<[what: string, bytes: Uint8Array]>([
    ['a fragment again', fragment(100, 1, false)],
    ['an id that another message has', fragment(100, 0, false)],
    ['a second last one', fragment(101, 2, true)],
    ['one behind the last', fragment(103, 4, true)],
    ['an index beyond the limit', fragment(105, 5, true)],
    ['a message that begins before the first id', fragment(0, 1, true)],
    ['an index that leaves no room for a last one', fragment(104, 4, false)],
    ['a first one that is the last', fragment(103, 0, true)],
    ['a short one in the middle', fragment(101, 2, false, FRAGMENT_BYTES - 1)],
    ['a long one', fragment(101, 2, false, FRAGMENT_BYTES + 1)],
    ['an empty last one', fragment(105, 2, true, 0)],
    [
      'two in one packet that do not follow',
      join(fragment(110, 0, false), fragment(112, 2, false)),
    ],
    ['two in one packet, the index astray', join(fragment(110, 0, false), fragment(111, 2, false))],
    ['two in one packet, no end between', join(fragment(110, 0, false), fragment(111, 0, false))],
    ['a good one, then half a record', join(fragment(101, 2, false), Uint8Array.of(9, 1))],
  ])('%s is malformed and changes nothing', (_what, bytes) => {
    const pair = kept();
    const before = { ...pair.receiver.statistics };
    // Ids from 103 on come in a packet that is newer than those which were kept, the others in an older one.
    const sequence = bytes[2]! > 102 ? 41 : 30;
    expect(pair.read({ sequence, bytes })).toBe(Verdict.malformed);
    expect(pair.receiver.statistics).toEqual(before);
    expect(pair.read({ sequence: 10, bytes: fragment(99, 0, false) })).toBe(Verdict.accepted);
    expect(pair.read({ sequence: 30, bytes: fragment(101, 2, false) })).toBe(Verdict.accepted);
    expect(pair.received.map((one) => one.length)).toEqual([4 * FRAGMENT_BYTES]);
  });

  test('the last fragment may not make the message longer than agreed', () => {
    for (const [length, verdict] of [
      [50, Verdict.accepted],
      [51, Verdict.malformed],
    ] as const) {
      const pair = pairOf({ messageBytes: 2 * FRAGMENT_BYTES + 50 });
      const bytes = fragment(2, 2, true, length);
      expect(pair.read({ sequence: 1, bytes })).toBe(verdict);
    }
  });

  test('a jump of ids ends what was incomplete, and nothing else', () => {
    const pair = kept();
    expect(pair.read({ sequence: 41, bytes: fragment(60_000, 0, false) })).toBe(Verdict.accepted);
    expect(pair.receiver.statistics).toMatchObject({ incomplete: 1, heldBytes: FRAGMENT_BYTES });
    expect(pair.read({ sequence: 42, bytes: fragment(60_001, 1, true, 5) })).toBe(Verdict.accepted);
    expect(pair.received.length).toBe(1);
  });

  test('a last one before one that came already is malformed', () => {
    const pair = pairOf();
    pair.read({ sequence: 1, bytes: fragment(12, 2, false) });
    expect(pair.read({ sequence: 0, bytes: fragment(11, 1, true) })).toBe(Verdict.malformed);
    expect(pair.read({ sequence: 0, bytes: fragment(11, 1, false) })).toBe(Verdict.accepted);
  });

  test('however far ids jump, what began a ring or more before is given up, and only that', () => {
    for (let jump = 1; jump <= 3 * FRAGMENT_SLOTS_MIN; jump++) {
      const pair = pairOf();
      pair.read({ sequence: 0, bytes: fragment(100, 0, false) });
      pair.read({ sequence: 1, bytes: fragment(100 + jump, 1, false) });
      const gone = jump >= FRAGMENT_SLOTS_MIN ? 1 : 0;
      expect(pair.receiver.statistics.incomplete).toBe(gone);
      const held = jump === 1 ? 2 : 2 - gone;
      expect(pair.receiver.statistics.heldBytes).toBe(held * FRAGMENT_BYTES);
    }
  });

  test('whatever ids and indexes are claimed: no throw, and no more held than there are slots', () => {
    const fragments = fragmentCount(16 * 1024);
    const claims = fc.array(
      fc.record({
        sequence: fc.nat(300),
        id: fc.oneof(fc.nat(40), fc.nat(0xffff)),
        index: fc.nat(fragments),
        last: fc.boolean(),
      }),
      { minLength: 40, maxLength: 120 },
    );
    fc.assert(
      fc.property(claims, (all) => {
        const pair = pairOf();
        for (const { sequence, id, index, last } of all) {
          pair.read({ sequence, bytes: fragment(id, index, last) });
          const { heldBytes } = pair.receiver.statistics;
          expect(heldBytes).toBeGreaterThanOrEqual(0);
          expect(heldBytes).toBeLessThanOrEqual(FRAGMENT_SLOTS_MIN * FRAGMENT_BYTES);
        }
        pair.receiver.pending(FRAGMENT_SILENCE_MS + 1);
        expect(pair.receiver.statistics.heldBytes).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
