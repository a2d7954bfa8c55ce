import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MESSAGE_BYTES_MAX } from '../src/transport/reliable-ordered.ts';
import {
  SEQUENCED_BYTES_MAX,
  SEQUENCED_ENTRIES_MAX,
  UnreliableSequencedChannel,
} from '../src/transport/unreliable-sequenced.ts';
import { Verdict } from '../src/wire/verdict.ts';

class Fixture {
  readonly received: number[][] = [];
  readonly channel = new UnreliableSequencedChannel((bytes, start, end) =>
    this.received.push([...bytes.subarray(start, end)]),
  );

  send(...bytes: number[]): string {
    return this.channel.send(Uint8Array.from(bytes), 0, bytes.length);
  }

  write(room = 1160): Uint8Array {
    const out = new Uint8Array(room);
    return out.slice(0, this.channel.write(0, out, 0, room));
  }

  read(bytes: Uint8Array | readonly number[], sequence: number): Verdict {
    const range = Uint8Array.from(bytes);
    const verdict = this.channel.read(0, range, 0, range.length, sequence);
    if (verdict === Verdict.accepted) this.channel.commit();
    return verdict;
  }
}

describe('UnreliableSequencedChannel', () => {
  test('carries messages once', () => {
    const f = new Fixture();
    expect(f.channel.pending()).toBe(false);
    f.send(1, 2);
    f.send();
    expect(f.channel.pending()).toBe(true);
    const section = f.write();
    expect([...section]).toEqual([2, 1, 2, 0]);
    expect(f.channel.pending()).toBe(false);
    expect(f.write().length).toBe(0);
    expect(f.read(section, 0)).toBe(Verdict.accepted);
    expect(f.received).toEqual([[1, 2], []]);
    f.channel.lost();
    expect(f.channel.pending()).toBe(false);
  });

  test('what is overtaken is dropped and counted', () => {
    const f = new Fixture();
    expect(f.read([1, 9], 5)).toBe(Verdict.accepted);
    expect(f.read([1, 7, 0], 4)).toBe(Verdict.accepted);
    expect(f.read([1, 8], 6)).toBe(Verdict.accepted);
    expect(f.received).toEqual([[9], [8]]);
    expect(f.channel.overtaken).toBe(2);
  });

  test('bounds: the longest message, one byte more, entries, bytes', () => {
    const f = new Fixture();
    const longest = new Uint8Array(MESSAGE_BYTES_MAX + 1);
    expect(f.channel.send(longest, 0, MESSAGE_BYTES_MAX + 1)).toBe('too-large');
    expect(f.channel.send(longest, 0, MESSAGE_BYTES_MAX)).toBe('queued');
    expect(f.write().length).toBe(MESSAGE_BYTES_MAX + 2);
    for (let i = 0; i < SEQUENCED_ENTRIES_MAX; i++) expect(f.send(i)).toBe('queued');
    expect(f.send(0)).toBe('full');
    const g = new Fixture();
    let count = 0;
    while (g.channel.send(longest, 0, 1000) === 'queued') count++;
    expect(count).toBe(Math.floor(SEQUENCED_BYTES_MAX / 1000));
  });

  test('what does not fit waits for the next packet, in order', () => {
    const f = new Fixture();
    f.send(1, 1, 1);
    f.send(2, 2, 2);
    expect([...f.write(7)]).toEqual([3, 1, 1, 1]);
    expect(f.channel.pending()).toBe(true);
    expect(f.write(3).length).toBe(0);
    f.send(3);
    expect([...f.write(7)]).toEqual([3, 2, 2, 2, 1, 3].slice(0, 4).concat([1, 3]));
    expect(f.channel.pending()).toBe(false);
    expect(f.send(4)).toBe('queued');
    expect([...f.write()]).toEqual([1, 4]);
  });

  test('malformed sections change nothing', () => {
    const f = new Fixture();
    for (const bytes of [[], [1], [2, 0], [0x80, 0], [1, 5, 4, 0]]) {
      expect(f.read(bytes, 9)).toBe(Verdict.malformed);
    }
    expect(f.received).toEqual([]);
    expect(f.read([1, 5], 0)).toBe(Verdict.accepted);
    expect(f.received).toEqual([[5]]);
  });

  test('random bytes never throw', () => {
    const f = new Fixture();
    const property = fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(20),
      (bytes, sequence) => {
        f.read(bytes, sequence);
      },
    );
    fc.assert(property, { numRuns: 400 });
  });

  test('whatever is sent arrives in order when nothing is lost', () => {
    const message = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 20 }),
        fc.integer({ min: 310, max: 1160 }),
        (all, room) => {
          const f = new Fixture();
          const queued = all.filter((m) => f.channel.send(m, 0, m.length) === 'queued');
          for (let sequence = 0; f.channel.pending(); sequence++) {
            const section = f.write(room);
            expect(section.length).toBeGreaterThan(0);
            expect(f.read(section, sequence)).toBe(Verdict.accepted);
          }
          expect(f.received).toEqual(queued.map((m) => [...m]));
        },
      ),
    );
  });
});
