import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UnreliableSequencedChannel } from '../src/transport/unreliable-sequenced.ts';
import { FRAGMENT_BYTES } from '../src/wire/channel-options.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { describeChannel } from './channel-contract.ts';
import { type ChannelKind, message, Pair, type Section } from './channel-pair.ts';

const kind: ChannelKind = {
  reliable: false,
  ordered: true,
  create: (limits, sink) => new UnreliableSequencedChannel(limits, sink),
};
describeChannel('unreliable-sequenced', kind);

const LONG = 3 * FRAGMENT_BYTES;

/** Sections of: a long message, then two short ones in one packet; all sent, nothing read. */
function longThenShort(): { pair: Pair; long: Section[]; short: Section } {
  const pair = new Pair('unreliable-sequenced', kind);
  pair.send(message(1, LONG));
  const long = pair.writeAll();
  pair.send(message(2, 20));
  pair.send(message(3, 30));
  return { pair, long, short: pair.write()! };
}

describe('unreliable-sequenced: what is overtaken', () => {
  test('older packets are dropped, message by message counted', () => {
    const pair = new Pair('unreliable-sequenced', kind);
    expect(pair.read({ sequence: 5, bytes: Uint8Array.of(2, 9) })).toBe(Verdict.accepted);
    expect(pair.read({ sequence: 4, bytes: Uint8Array.of(2, 7, 0) })).toBe(Verdict.accepted);
    expect(pair.read({ sequence: 6, bytes: Uint8Array.of(2, 8, 2, 9) })).toBe(Verdict.accepted);
    expect(pair.received.map((one) => [...one])).toEqual([[9], [8], [9]]);
    expect(pair.receiver.statistics).toMatchObject({ delivered: 3, overtaken: 2 });
  });

  test('a long message counts from its first fragment, whichever comes last', () => {
    for (const lateAt of [0, 1, 2]) {
      const { pair, long, short } = longThenShort();
      const late = long.splice(lateAt, 1)[0]!;
      for (const section of [...long, short, late]) {
        expect(pair.read(section)).toBe(Verdict.accepted);
      }
      expect(pair.received).toEqual([message(2, 20), message(3, 30)]);
      expect(pair.receiver.statistics).toMatchObject({ overtaken: 1, incomplete: 0, heldBytes: 0 });
    }
  });

  test('a long message that is whole in time is delivered before what follows', () => {
    const { pair, long, short } = longThenShort();
    for (const section of [...long.reverse(), short]) pair.read(section);
    expect(pair.received).toEqual([message(1, LONG), message(2, 20), message(3, 30)]);
    expect(pair.receiver.statistics.overtaken).toBe(0);
  });

  test('what shares a packet with the beginning of a long message does not overtake it', () => {
    const pair = new Pair('unreliable-sequenced', kind);
    pair.send(message(1, 20));
    pair.send(message(2, LONG));
    for (const section of pair.writeAll()) pair.read(section);
    expect(pair.received).toEqual([message(1, 20), message(2, LONG)]);
  });

  test('a sender that writes something between two fragments: the first one still tells the order', () => {
    const pair = new Pair('unreliable-sequenced', kind);
    pair.send(message(1, FRAGMENT_BYTES + 50));
    const [first, last] = pair.writeAll(FRAGMENT_BYTES + 10);
    pair.read(first!);
    pair.read({ sequence: 1, bytes: Uint8Array.of(2, 9) });
    pair.read({ sequence: 2, bytes: last!.bytes });
    expect(pair.received).toEqual([Uint8Array.of(9)]);
    expect(pair.receiver.statistics.overtaken).toBe(1);
  });

  test('whatever is lost or late: what is delivered was sent in that order', () => {
    const plan = fc.record({
      lengths: fc.array(fc.oneof(fc.integer({ min: 1, max: 500 }), fc.nat(4 * FRAGMENT_BYTES)), {
        minLength: 1,
        maxLength: 30,
      }),
      lateness: fc.array(fc.nat(12), { minLength: 1, maxLength: 40 }),
      lost: fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
    });
    fc.assert(
      fc.property(plan, ({ lengths, lateness, lost }) => {
        const pair = new Pair('unreliable-sequenced', kind);
        const sections: Section[] = [];
        for (const [n, length] of lengths.entries()) {
          if (pair.send(message(n, length + 2)) === 'full') break;
          if (n % 3 !== 1) sections.push(...pair.writeAll());
        }
        sections.push(...pair.writeAll());
        const due = ({ sequence }: Section) => sequence + lateness[sequence % lateness.length]!;
        const arriving = sections
          .filter(({ sequence }) => !lost[sequence % lost.length])
          .sort((a, b) => due(a) - due(b) || b.sequence - a.sequence);
        for (const section of arriving) expect(pair.read(section)).toBe(Verdict.accepted);
        // The first two bytes of message n are n and a constant.
        const numbers = pair.received.map((one) => one[0]!);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        expect(new Set(numbers).size).toBe(numbers.length);
        const { delivered, overtaken, incomplete } = pair.receiver.statistics;
        expect(delivered + overtaken + incomplete).toBeLessThanOrEqual(lengths.length);
      }),
      { numRuns: 300 },
    );
  });
});
