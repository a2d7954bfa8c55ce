import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ACK_HISTORY,
  ACK_REACH_STEP,
  REPLAY_WINDOW,
  ReceivedWindow,
} from '../src/transport/received-window.ts';
import { Verdict } from '../src/wire/verdict.ts';

/** The bit of the history that tells of `sequence`. */
function bit(window: ReceivedWindow, sequence: number): boolean {
  const n = window.newestKept - 1 - sequence;
  return ((window.word(n >> 5) >>> (n & 31)) & 1) === 1;
}

/** What the window should be: sets of everything that ever came. */
class Model {
  readonly received = new Set<number>();
  readonly kept = new Set<number>();
  newest = -1;
  newestKept = -1;

  check(sequence: number): Verdict {
    if (sequence < 0 || sequence <= this.newest - REPLAY_WINDOW) return Verdict.stale;
    return this.received.has(sequence) ? Verdict.duplicate : Verdict.accepted;
  }

  add(sequence: number, keep: boolean): void {
    this.received.add(sequence);
    this.newest = Math.max(this.newest, sequence);
    if (!keep) return;
    this.kept.add(sequence);
    this.newestKept = Math.max(this.newestKept, sequence);
  }

  /** The last sequences, as the wire says them. */
  wire(sequence: number): number {
    return ((sequence % 0x10000) + 0x10000) % 0x10000;
  }
}

function expectSame(window: ReceivedWindow, model: Model): void {
  expect([window.newest, window.newestKept]).toEqual([model.newest, model.newestKept]);
  for (let n = 0; n < ACK_HISTORY; n++) {
    const sequence = model.newestKept - 1 - n;
    const expected = sequence < 0 || model.kept.has(sequence);
    if (bit(window, sequence) !== expected) expect.fail(`${sequence} should be ${expected}`);
    if (window.kept(sequence) !== expected) expect.fail(`kept(${sequence}) is not ${expected}`);
  }
}

describe('ReceivedWindow', () => {
  test('forgets its losses when the path is another one, and nothing else', () => {
    const window = new ReceivedWindow();
    for (let sequence = 0; sequence < 400; sequence += 2) window.received(sequence, sequence, true);
    expect(window.lossShare).toBeGreaterThan(0.4);
    const words = () => Array.from({ length: ACK_HISTORY / 32 }, (_, i) => window.word(i));
    const before = words();
    window.forgetLosses();
    expect(window.lossShare).toBe(0);
    expect([window.newest, words()]).toEqual([398, before]);
    expect(window.check(397)).toBe(Verdict.accepted);
    expect(window.check(398)).toBe(Verdict.duplicate);
  });

  test('tells new from known', () => {
    const window = new ReceivedWindow();
    expect(window.newest).toBe(-1);
    expect(window.check(0)).toBe(Verdict.accepted);
    window.received(0, 0, true);
    expect(window.check(0)).toBe(Verdict.duplicate);
    expect(window.check(1)).toBe(Verdict.accepted);
    expect(window.check(-1)).toBe(Verdict.stale);
  });

  test('checking changes nothing', () => {
    const window = new ReceivedWindow();
    window.received(0, 3, true);
    window.check(90);
    expect(window.newest).toBe(3);
    expect(window.check(90)).toBe(Verdict.accepted);
  });

  test('reaches back over its whole window and no further', () => {
    const window = new ReceivedWindow();
    window.received(0, 1000, true);
    expect(window.check(1000 - REPLAY_WINDOW + 1)).toBe(Verdict.accepted);
    expect(window.check(1000 - REPLAY_WINDOW)).toBe(Verdict.stale);
    window.received(0, 1000 - REPLAY_WINDOW + 1, true);
    expect(window.check(1000 - REPLAY_WINDOW + 1)).toBe(Verdict.duplicate);
    window.received(0, 1001, true);
    expect(window.check(1000 - REPLAY_WINDOW + 1)).toBe(Verdict.stale);
  });

  test('received but not kept is known, and not acked', () => {
    const window = new ReceivedWindow();
    window.received(0, 0, true);
    window.received(0, 1, false);
    expect(window.newest).toBe(1);
    expect(window.newestKept).toBe(0);
    expect(window.check(1)).toBe(Verdict.duplicate);
    expect(window.kept(1)).toBe(false);
    window.received(0, 2, true);
    expect(window.kept(1)).toBe(false);
    expect(bit(window, 1)).toBe(false);
  });

  test('the history counts what never was as kept, so that a young connection has short acks', () => {
    const window = new ReceivedWindow();
    window.received(0, 2, true);
    expect(window.word(0)).toBe(~0b11);
    for (let w = 1; w < ACK_HISTORY / 32; w++) expect(window.word(w)).toBe(-1);
    expect([window.kept(-1), window.kept(0), window.kept(2), window.kept(3)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  test('tells of the oldest of its history, and not of the one before', () => {
    const window = new ReceivedWindow();
    window.received(0, 0, true);
    window.received(0, ACK_HISTORY, true);
    expect(window.kept(0)).toBe(true);
    window.received(0, ACK_HISTORY + 1, true);
    expect(window.kept(0)).toBe(false);
    // Everything forgotten at once: by exactly the history, by one more, by very much.
    for (const step of [ACK_HISTORY, ACK_HISTORY + 1, 30_000]) {
      const before = window.newestKept;
      window.received(0, before + step, true);
      expect(window.kept(before)).toBe(step <= ACK_HISTORY);
      for (let n = 0; n < ACK_HISTORY - 1; n++)
        expect(window.kept(before + step - 1 - n)).toBe(false);
    }
  });

  test('tells what left a gap, or fell into one, from what came in order', () => {
    const window = new ReceivedWindow();
    expect(window.received(0, 0, true)).toBe(false);
    expect(window.received(0, 1, false)).toBe(false);
    expect(window.received(0, 2, true)).toBe(false);
    expect(window.received(0, 5, true)).toBe(true);
    expect(window.received(0, 6, true)).toBe(false);
    expect(window.received(0, 4, false)).toBe(true);
    expect(window.received(0, 3, true)).toBe(true);
    expect(window.received(0, 7, true)).toBe(false);
    expect(new ReceivedWindow().received(0, 1, true)).toBe(true);
  });

  test('expands across the wrap of the wire', () => {
    const window = new ReceivedWindow();
    window.received(0, 0xfffe, true);
    expect(window.expand(1)).toBe(0x10001);
    expect(window.expand(0xfff0)).toBe(0xfff0);
    expect(new ReceivedWindow().expand(0xffff)).toBe(-1);
  });
});

describe('the reach of acks', () => {
  test('is one step for nobody, and for whoever says little', () => {
    const window = new ReceivedWindow();
    expect(window.reach).toBe(ACK_REACH_STEP);
    for (let s = 0; s < 1000; s++) window.received(s * 16, s, true);
    expect(window.reach).toBe(ACK_REACH_STEP);
  });

  test('covers what came within 300 ms, whatever the rhythm, and what came over 400 ms ago no more', () => {
    for (const perSecond of [30, 120, 250, 400, 700, 1500]) {
      const window = new ReceivedWindow();
      const stepMs = 1000 / perSecond;
      for (let s = 0; s < 3 * perSecond; s++) {
        window.received(s * stepMs, s, true);
        if (s < perSecond) continue;
        const needed = Math.min(ACK_HISTORY, Math.floor(300 / stepMs));
        expect(window.reach, `${perSecond} a second`).toBeGreaterThanOrEqual(needed);
        const most = Math.ceil((400 / stepMs + 2) / ACK_REACH_STEP) * ACK_REACH_STEP;
        expect(window.reach, `${perSecond} a second`).toBeLessThanOrEqual(
          Math.min(ACK_HISTORY, most),
        );
      }
    }
  });

  test('forgets a burst after four intervals with packets', () => {
    const window = new ReceivedWindow();
    for (let s = 0; s < 250; s++) window.received(1000, s, true);
    const reaches: number[] = [];
    for (let i = 1; i <= 5; i++) {
      window.received(1000 + i * 100, 249 + i, true);
      reaches.push(window.reach);
    }
    expect(reaches).toEqual([256, 256, 256, 64, 64]);
  });

  test('silence does not shorten it: what was kept last may still be untold', () => {
    const window = new ReceivedWindow();
    for (let s = 0; s < 250; s++) window.received(1000, s, true);
    window.received(61_000, 250, true);
    expect(window.reach).toBe(ACK_HISTORY);
  });

  test('packets that are not kept do not count', () => {
    const window = new ReceivedWindow();
    for (let s = 0; s < 250; s++) window.received(0, s, s < 10);
    expect(window.reach).toBe(ACK_REACH_STEP);
  });
});

describe('the loss of the peer', () => {
  function after(arrives: (sequence: number) => boolean, count = 1000): number {
    const window = new ReceivedWindow();
    for (let s = 0; s < count; s++) if (arrives(s)) window.received(s * 16, s, true);
    return window.lossShare;
  }

  test('is none without losses, and none before the first verdicts', () => {
    expect(new ReceivedWindow().lossShare).toBe(0);
    expect(after(() => true)).toBe(0);
    // A sequence counts when 64 later ones came.
    expect(after((s) => s === 0 || s > 1, 65)).toBe(0);
    expect(after((s) => s === 0 || s > 1, 66)).toBe(1 / 64);
  });

  test('is about the share that never came', () => {
    expect(after((s) => s % 10 !== 0)).toBeCloseTo(0.1, 1);
    expect(after((s) => s % 2 === 0)).toBeCloseTo(0.5, 1);
  });

  test('counts the late as come, and the refused as well', () => {
    const window = new ReceivedWindow();
    for (let s = 0; s < 1000; s++) window.received(s, s ^ 1, s % 3 === 0);
    expect(window.lossShare).toBe(0);
  });

  test('is bounded by one when a peer jumps ahead, and costs no more than a window', () => {
    const window = new ReceivedWindow();
    for (let s = 0; s < 20 * 32_000; s += 32_000) window.received(s, s, true);
    expect(window.lossShare).toBeGreaterThan(0.9);
    expect(window.lossShare).toBeLessThanOrEqual(1);
  });
});

describe('ReceivedWindow and sets of everything that ever came', () => {
  const arrival = fc.record({
    offset: fc.oneof(
      fc.constant(1),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: -300, max: 300 }),
      fc.constantFrom(-256, -255, 255, 256, 257, 32_000),
    ),
    keep: fc.oneof(fc.constant(true), fc.boolean()),
    afterMs: fc.oneof(fc.nat(20), fc.constant(5000)),
  });

  test('say the same of any arrivals, from any sequence on', () => {
    fc.assert(
      fc.property(
        fc.array(arrival, { maxLength: 200 }),
        fc.oneof(fc.constant(-1), fc.nat(400), fc.constantFrom(0xfff0, 0x1fff0)),
        (arrivals, first) => {
          const window = new ReceivedWindow();
          const model = new Model();
          let nowMs = 0;
          if (first >= 0) {
            window.received(0, first, true);
            model.add(first, true);
          }
          for (const { offset, keep, afterMs } of arrivals) {
            nowMs += afterMs;
            const sequence = model.newest + offset;
            const verdict = window.check(sequence);
            expect(verdict).toBe(model.check(sequence));
            if (sequence >= 0) expect(window.expand(model.wire(sequence))).toBe(sequence);
            if (verdict !== Verdict.accepted) continue;
            const outOfOrder = sequence !== model.newest + 1;
            expect(window.received(nowMs, sequence, keep)).toBe(outOfOrder);
            model.add(sequence, keep);
            expect([64, 128, 192, 256]).toContain(window.reach);
          }
          expectSame(window, model);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('say the same past three wraps, with losses, reordering and gaps of silence', () => {
    const window = new ReceivedWindow();
    const model = new Model();
    let random = 1;
    const below = (n: number) => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      return (random >>> 8) % n;
    };
    let nowMs = 0;
    while (model.newest < 3.2 * 0x10000) {
      nowMs += below(1000) === 0 ? 30_000 : 4;
      // Now and then much is lost at once, as in a silence of one direction.
      const ahead = below(500) === 0 ? below(20_000) : 1 + below(3);
      const sequence = model.newest + (below(10) === 0 ? -below(300) : ahead);
      const verdict = window.check(sequence);
      if (verdict !== model.check(sequence)) expect.fail(`${sequence} is said to be ${verdict}`);
      if (window.expand(model.wire(sequence)) !== sequence && sequence >= 0) {
        expect.fail(`${sequence} was expanded wrongly`);
      }
      if (verdict !== Verdict.accepted) continue;
      const keep = below(20) !== 0;
      window.received(nowMs, sequence, keep);
      model.add(sequence, keep);
      if (below(50) === 0) expectSame(window, model);
    }
    expectSame(window, model);
  });
});
