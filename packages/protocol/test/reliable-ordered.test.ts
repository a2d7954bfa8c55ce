import { describe, expect, test } from 'vitest';
import { ReliableOrderedChannel } from '../src/transport/reliable-ordered.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { keyOf, message, Pair, type Section } from './channel-pair.ts';

function pairOf(options = {}): Pair {
  return new Pair(
    'reliable-ordered',
    {
      reliable: true,
      ordered: true,
      create: (limits, sink) => new ReliableOrderedChannel(limits, sink),
    },
    options,
  );
}

describe('ReliableOrderedChannel', () => {
  test('the bytes of a section', () => {
    const pair = pairOf();
    pair.send(Uint8Array.of(1, 2));
    pair.send(new Uint8Array(0));
    expect([...pair.write()!.bytes]).toEqual([0, 0, 4, 1, 2, 1, 0, 0]);
    pair.send(message(1, 1103));
    const { bytes } = pair.write()!;
    expect([...bytes.subarray(0, 5)]).toEqual([2, 0, 0x99, 0x11, 0]);
    expect(bytes.subarray(5, 1105)).toEqual(message(1, 1103).subarray(0, 1100));
    expect([...bytes.subarray(1105, 1109)]).toEqual([3, 0, 7, 3]);
    expect(bytes.length).toBe(1112);
  });

  test('what is lost is said again and delivered in its turn, what is acked never again', () => {
    const pair = pairOf();
    const sections = [1, 2, 3].map((n) => {
      pair.send(message(n, 10));
      return pair.write()!;
    });
    pair.read(sections[2]!);
    pair.read(sections[1]!);
    expect(pair.received).toEqual([]);
    expect(pair.receiver.statistics.heldBytes).toBe(20);
    pair.sender.acked(2);
    pair.sender.acked(1);
    pair.sender.lost(0);
    const again = pair.write()!;
    expect(again.bytes).toEqual(sections[0]!.bytes);
    pair.read(again);
    expect(pair.received).toEqual([message(1, 10), message(2, 10), message(3, 10)]);
    pair.sender.acked(again.sequence);
    expect(pair.sender.pending(0)).toBe(false);
    expect(pair.sender.statistics).toMatchObject({ resent: 1, queued: 0 });
  });

  test('what a sender within its bounds can have on the way is never refused', () => {
    // All but the first record arrive, for message sizes around every edge: the most a receiver has to hold.
    for (const size of [0, 1, 255, 256, 257, 1100, 1101, 5000, 65_536]) {
      const pair = pairOf({ messageBytes: Math.max(size, 1), queueBytes: 65_536 });
      let sent = 0;
      while (pair.send(message(sent, size)) === 'queued') sent++;
      const late: Section[] = [];
      const rest: Section[] = [];
      for (let all = pair.writeAll(300); all.length > 0; all = pair.writeAll()) rest.push(...all);
      late.push(rest.shift() ?? pair.write()!);
      for (const section of rest) {
        expect(pair.read(section)).toBe(Verdict.accepted);
        pair.sender.acked(section.sequence);
      }
      expect(pair.read(late[0]!)).toBe(Verdict.accepted);
      pair.sender.acked(late[0]!.sequence);
      pair.carryAll();
      expect(pair.received.map(keyOf)).toEqual(
        Array.from({ length: sent }, (_, i) => keyOf(message(i, size))),
      );
    }
  });

  test('ids wrap, with the connection going on meanwhile', () => {
    const pair = pairOf();
    let next = 0;
    while (next < 0x10000 + 300) {
      for (let i = 0; i < 250; i++) pair.send(message(next++, 2));
      pair.carryAll();
      pair.sequence += 40_000;
    }
    expect(pair.received.length).toBe(next);
    expect(pair.received.every((bytes, i) => bytes[0] === (i & 0xff))).toBe(true);
  });
});
