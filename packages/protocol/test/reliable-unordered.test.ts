import { describe, expect, test } from 'vitest';
import { ReliableUnorderedChannel } from '../src/transport/reliable-unordered.ts';
import { message, Pair } from './channel-pair.ts';

function pairOf(options = {}): Pair {
  return new Pair(
    'reliable-unordered',
    {
      reliable: true,
      ordered: false,
      create: (limits, sink) => new ReliableUnorderedChannel(limits, sink),
    },
    options,
  );
}

describe('ReliableUnorderedChannel', () => {
  test('nothing waits for what was lost before it', () => {
    const pair = pairOf();
    const sections = [1, 2, 3].map((n) => {
      pair.send(message(n, 10));
      return pair.write()!;
    });
    pair.read(sections[2]!);
    pair.read(sections[1]!);
    expect(pair.received).toEqual([message(3, 10), message(2, 10)]);
    expect(pair.receiver.statistics.heldBytes).toBe(0);
    pair.sender.lost(0);
    pair.read(pair.write()!);
    pair.read(sections[0]!);
    expect(pair.received.length).toBe(3);
  });

  test('a small message overtakes the long one that lacks a fragment', () => {
    const pair = pairOf();
    pair.send(message(1, 5000));
    const sections = pair.writeAll();
    pair.send(message(2, 30));
    const small = pair.write()!;
    for (const section of [...sections.slice(1), small]) {
      pair.read(section);
      pair.sender.acked(section.sequence);
    }
    expect(pair.received).toEqual([message(2, 30)]);
    expect(pair.receiver.statistics.heldBytes).toBe(3900);
    pair.sender.lost(sections[0]!.sequence);
    pair.carryAll();
    expect(pair.received).toEqual([message(2, 30), message(1, 5000)]);
    expect(pair.sender.statistics).toMatchObject({ resent: 1, queued: 0, queuedBytes: 0 });
    expect(pair.receiver.statistics.heldBytes).toBe(0);
  });
});
