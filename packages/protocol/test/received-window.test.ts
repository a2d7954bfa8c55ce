import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACK_HISTORY, REPLAY_WINDOW, ReceivedWindow } from '../src/transport/received-window.ts';
import { Verdict } from '../src/wire/verdict.ts';

describe('ReceivedWindow', () => {
  test('tells new from known', () => {
    const window = new ReceivedWindow();
    expect(window.newest).toBe(-1);
    expect(window.check(0)).toBe(Verdict.accepted);
    window.received(0, true);
    expect(window.check(0)).toBe(Verdict.duplicate);
    expect(window.check(1)).toBe(Verdict.accepted);
    expect(window.check(-1)).toBe(Verdict.stale);
  });

  test('checking changes nothing', () => {
    const window = new ReceivedWindow();
    window.received(3, true);
    window.check(90);
    expect(window.newest).toBe(3);
    expect(window.check(90)).toBe(Verdict.accepted);
  });

  test('reaches back over its whole window and no further', () => {
    const window = new ReceivedWindow();
    window.received(1000, true);
    expect(window.check(1000 - REPLAY_WINDOW + 1)).toBe(Verdict.accepted);
    expect(window.check(1000 - REPLAY_WINDOW)).toBe(Verdict.stale);
    window.received(1000 - REPLAY_WINDOW + 1, true);
    expect(window.check(1000 - REPLAY_WINDOW + 1)).toBe(Verdict.duplicate);
    window.received(1001, true);
    expect(window.check(1000 - REPLAY_WINDOW + 1)).toBe(Verdict.stale);
  });

  test('received but not kept is known, and not acked', () => {
    const window = new ReceivedWindow();
    window.received(0, true);
    window.received(1, false);
    expect(window.newest).toBe(1);
    expect(window.newestKept).toBe(0);
    expect(window.check(1)).toBe(Verdict.duplicate);
    expect(window.kept(1)).toBe(false);
  });

  test('the history counts what never was as kept, so that a young connection has short acks', () => {
    const window = new ReceivedWindow();
    window.received(2, true);
    expect([...window.history()]).toEqual([0b1111_1100, 255, 255, 255, 255, 255, 255, 255]);
  });

  test('expands across the wrap of the wire', () => {
    const window = new ReceivedWindow();
    window.received(0xfffe, true);
    expect(window.expand(1)).toBe(0x10001);
    expect(window.expand(0xfff0)).toBe(0xfff0);
    expect(new ReceivedWindow().expand(0xffff)).toBe(-1);
  });

  test('accepts each sequence at most once, and remembers what it kept, as a set would', () => {
    const arrival = fc.record({ offset: fc.integer({ min: -300, max: 20 }), keep: fc.boolean() });
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 100 }), (arrivals) => {
        const window = new ReceivedWindow();
        const seen = new Map<number, boolean>();
        let newest = -1;
        for (const { offset, keep } of arrivals) {
          const sequence = newest + offset;
          const verdict = window.check(sequence);
          const stale = sequence < 0 || sequence <= newest - REPLAY_WINDOW;
          const expected = seen.has(sequence) ? Verdict.duplicate : Verdict.accepted;
          expect(verdict).toBe(stale ? Verdict.stale : expected);
          if (verdict !== Verdict.accepted) continue;
          window.received(sequence, keep);
          seen.set(sequence, keep);
          newest = Math.max(newest, sequence);
        }
        const newestKept = Math.max(-1, ...[...seen].filter(([, k]) => k).map(([s]) => s));
        expect(window.newestKept).toBe(newestKept);
        for (let n = 0; n < ACK_HISTORY; n++) {
          const sequence = newestKept - 1 - n;
          // What lies behind the replay window is forgotten: not acked again.
          if (sequence <= newest - REPLAY_WINDOW && sequence >= 0) continue;
          const bit = ((window.history()[n >> 3]! >> (n & 7)) & 1) === 1;
          expect(bit).toBe(sequence < 0 || seen.get(sequence) === true);
        }
      }),
    );
  });
});
