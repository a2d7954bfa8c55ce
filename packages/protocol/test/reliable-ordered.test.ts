import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MESSAGE_BYTES_MAX,
  RELIABLE_BYTES_MAX,
  RELIABLE_WINDOW,
  ReliableOrderedChannel,
} from '../src/transport/reliable-ordered.ts';
import { Verdict } from '../src/wire/verdict.ts';

/** One direction: a sender, a receiver and what arrived there. */
class Fixture {
  readonly received: number[][] = [];
  readonly sender = new ReliableOrderedChannel(() => {});
  readonly receiver = new ReliableOrderedChannel((bytes, start, end) =>
    this.received.push([...bytes.subarray(start, end)]),
  );
  sequence = 0;

  send(...bytes: number[]): string {
    return this.sender.send(Uint8Array.from(bytes), 0, bytes.length);
  }

  /** The next section, and under which sequence; undefined when there is none. */
  write(room = 1160): { sequence: number; bytes: Uint8Array } | undefined {
    const out = new Uint8Array(room);
    const length = this.sender.write(0, out, 0, room, this.sequence);
    if (length === 0) return undefined;
    return { sequence: this.sequence++, bytes: out.slice(0, length) };
  }

  read(bytes: Uint8Array | readonly number[]): Verdict {
    const range = Uint8Array.from(bytes);
    const verdict = this.receiver.read(0, range, 0, range.length);
    if (verdict === Verdict.accepted) this.receiver.commit();
    return verdict;
  }
}

describe('ReliableOrderedChannel', () => {
  test('carries messages in one section', () => {
    const f = new Fixture();
    expect(f.send(1, 2)).toBe('queued');
    expect(f.send()).toBe('queued');
    expect(f.sender.pending()).toBe(true);
    const section = f.write()!;
    expect([...section.bytes]).toEqual([0, 0, 2, 1, 2, 1, 0, 0]);
    expect(f.sender.pending()).toBe(false);
    expect(f.read(section.bytes)).toBe(Verdict.accepted);
    expect(f.received).toEqual([[1, 2], []]);
    expect(f.sender.unacked).toBe(2);
    f.sender.acked(section.sequence);
    expect(f.sender.unacked).toBe(0);
  });

  test('resends what was lost, and only that', () => {
    const f = new Fixture();
    f.send(1);
    const first = f.write()!;
    f.send(2);
    const second = f.write()!;
    f.read(second.bytes);
    expect(f.received).toEqual([]);
    f.sender.acked(second.sequence);
    f.sender.lost(first.sequence);
    const again = f.write()!;
    expect(again.bytes).toEqual(first.bytes);
    f.read(again.bytes);
    expect(f.received).toEqual([[1], [2]]);
    f.read(first.bytes);
    expect(f.received.length).toBe(2);
    f.sender.acked(again.sequence);
    expect(f.sender.unacked).toBe(0);
  });

  test('nothing is kept without a commit', () => {
    const f = new Fixture();
    f.send(1);
    const { bytes } = f.write()!;
    expect(f.receiver.read(0, bytes, 0, bytes.length)).toBe(Verdict.accepted);
    expect(f.received).toEqual([]);
    expect(f.read(bytes)).toBe(Verdict.accepted);
    expect(f.received).toEqual([[1]]);
  });

  test('bounds: the longest message, one byte more, a full window, full bytes', () => {
    const f = new Fixture();
    const longest = new Uint8Array(MESSAGE_BYTES_MAX + 1);
    expect(f.sender.send(longest, 0, MESSAGE_BYTES_MAX + 1)).toBe('too-large');
    expect(f.sender.send(longest, 0, MESSAGE_BYTES_MAX)).toBe('queued');
    expect(f.write()!.bytes.length).toBeLessThanOrEqual(1160);
    for (let i = 1; i < RELIABLE_WINDOW; i++) expect(f.send(i & 0xff)).toBe('queued');
    expect(f.send(0)).toBe('full');
    const g = new Fixture();
    let count = 0;
    while (g.sender.send(longest, 0, 1000) === 'queued') count++;
    expect(count).toBe(Math.floor(RELIABLE_BYTES_MAX / 1000));
  });

  test('says once when half of it is free again', () => {
    const f = new Fixture();
    while (f.send(7) === 'queued');
    let calls = 0;
    f.sender.onWritable(() => calls++);
    const sections = [f.write(400)!, f.write(400)!, f.write(400)!];
    f.sender.acked(sections[0]!.sequence);
    expect(calls).toBe(0);
    f.sender.acked(sections[1]!.sequence);
    expect(calls).toBe(1);
    f.sender.acked(sections[2]!.sequence);
    expect(calls).toBe(1);
  });

  test('malformed sections change nothing', () => {
    const bad = [
      [], // no message
      [0, 0], // no length
      [0, 0, 2, 1], // cut off
      [0, 0, 0x80, 0], // padded length
      [RELIABLE_WINDOW & 0xff, RELIABLE_WINDOW >> 8, 0], // one beyond the window
      [0, 0, 1, 5, 9], // good, then cut off
    ];
    const f = new Fixture();
    for (const bytes of bad) expect(f.read(bytes)).toBe(Verdict.malformed);
    const big = [0, 0, 0x80 | (1151 & 0x7f), 1151 >> 7, ...new Array(1151).fill(0)];
    expect(f.read(big)).toBe(Verdict.malformed);
    expect(f.received).toEqual([]);
    expect(f.read([RELIABLE_WINDOW - 1, 0, 0])).toBe(Verdict.accepted);
    expect(f.read([0, 0, 1, 42])).toBe(Verdict.accepted);
    expect(f.received).toEqual([[42]]);
  });

  test('what comes early is bounded in bytes, even behind the message that is due', () => {
    const f = new Fixture();
    const body = new Array(1000).fill(0);
    const message = (id: number, bytes: number[]) => [
      id & 0xff,
      id >> 8,
      ...(bytes.length < 128 ? [bytes.length] : [0x80 | (bytes.length & 0x7f), bytes.length >> 7]),
      ...bytes,
    ];
    let refused = 0;
    for (let i = 0; i < 100; i++) {
      const section = [...message(i, []), ...message(i + 120, body)];
      if (f.read(section) === Verdict.refused) refused++;
    }
    // The first one refused is not delivered, so all after it are early as well.
    expect(f.received.length).toBe(Math.floor(RELIABLE_BYTES_MAX / 1000));
    expect(refused).toBe(100 - f.received.length);
    const due = f.received.length;
    expect(f.read(message(due, [1]))).toBe(Verdict.accepted);
    expect(f.received.length).toBe(due + 1);
  });

  test('a message known already takes no room a second time', () => {
    const f = new Fixture();
    const longest = new Uint8Array(1000);
    while (f.sender.send(longest, 0, 1000) === 'queued');
    const sections = [];
    for (let s = f.write(); s !== undefined; s = f.write()) sections.push(s);
    for (const { bytes } of sections.slice(1)) expect(f.read(bytes)).toBe(Verdict.accepted);
    for (const { bytes } of sections.slice(1)) expect(f.read(bytes)).toBe(Verdict.accepted);
    expect(f.read(sections[0]!.bytes)).toBe(Verdict.accepted);
    expect(f.received.length).toBe(sections.length);
  });

  test('exactly once and in order, whatever is lost, late or double, across the wrap of ids', () => {
    const event = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('send' as const), n: fc.nat(60) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('write' as const), n: fc.nat(1160) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('arrive' as const), n: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), n: fc.nat(9) }) },
    );
    const warmUp = (f: Fixture) => {
      // Ids close to the wrap, cheaply.
      for (let sent = 0; sent < 0x10000 - 200; ) {
        for (let i = 0; i < 200; i++, sent++) f.send();
        for (let s = f.write(); s !== undefined; s = f.write()) {
          f.read(s.bytes);
          f.sender.acked(s.sequence);
        }
      }
      f.received.length = 0;
    };
    const run = (events: { kind: string; n: number }[], f: Fixture) => {
      const way: { sequence: number; bytes: Uint8Array; settled: boolean }[] = [];
      let sent = 0;
      for (const { kind, n } of events) {
        const packet = way.at(-1 - n);
        if (kind === 'send') {
          const body = [sent & 0xff, sent >> 8, ...new Array(n * 8).fill(3)];
          if (f.send(...body) === 'queued') sent++;
        } else if (kind === 'write') {
          const section = f.write(n);
          if (section) way.push({ ...section, settled: false });
        } else if (packet && kind === 'arrive') {
          expect(f.read(packet.bytes)).toBe(Verdict.accepted);
          if (!packet.settled) f.sender.acked(packet.sequence);
          packet.settled = true;
        } else if (packet && !packet.settled) {
          packet.settled = true;
          f.sender.lost(packet.sequence);
        }
        const numbers = f.received.map(([low, high]) => low! | (high! << 8));
        expect(numbers).toEqual(numbers.map((_, i) => i));
      }
      for (const { sequence, settled } of way) if (!settled) f.sender.lost(sequence);
      for (let s = f.write(); s !== undefined; s = f.write()) {
        expect(f.read(s.bytes)).toBe(Verdict.accepted);
        f.sender.acked(s.sequence);
      }
      expect(f.received.length).toBe(sent);
      expect(f.sender.unacked).toBe(0);
    };
    const events = fc.array(event, { maxLength: 80 });
    fc.assert(fc.property(events, (list) => run(list, new Fixture())));
    const wrapped = new Fixture();
    warmUp(wrapped);
    const busy = fc.sample(fc.array(event, { minLength: 600, maxLength: 600 }), {
      seed: 5,
      numRuns: 1,
    });
    run(busy[0]!, wrapped);
  });

  test('random bytes never throw', () => {
    const f = new Fixture();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        f.read(bytes);
      }),
      { numRuns: 500 },
    );
  });
});
