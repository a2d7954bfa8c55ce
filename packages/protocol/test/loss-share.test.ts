import { describe, expect, it } from 'vitest';
import { LossShare } from '../src/transport/loss-share.ts';

/** Windows of packets, each sent in a second of its own. */
class Judged {
  readonly loss = new LossShare();
  readonly #sentAtMs = new Float64Array(1);
  #nowMs = 0;

  /** A window of 100 packets of which so many are lost; `late` of those arrive after all. True = congestion. */
  window(lost: number, late = 0): boolean {
    this.#sentAtMs[0] = this.#nowMs;
    for (let i = 0; i < 100; i++) {
      // Spread evenly, so that no window ends early.
      const isLost = Math.floor(((i + 1) * lost) / 100) > Math.floor((i * lost) / 100);
      this.loss.settle(this.#sentAtMs, 0, isLost);
    }
    for (let i = 0; i < late; i++) this.loss.correct(this.#sentAtMs, 0);
    this.#nowMs += 1000;
    return this.loss.judge(this.#nowMs);
  }
}

describe('LossShare', () => {
  it('takes the least loss of the recent windows for the path’s own', () => {
    const judged = new Judged();
    expect([5, 8, 3, 9].map((lost) => judged.window(lost))).toEqual([false, false, false, false]);
    expect(judged.loss.floor).toBeCloseTo(0.03);
    for (let i = 0; i < 10; i++) judged.window(9);
    expect(judged.loss.floor).toBeCloseTo(0.03);
    judged.window(9);
    expect(judged.loss.floor).toBeCloseTo(0.09);
  });

  it('calls it congestion at a fifth above one and a half times the floor, not before', () => {
    expect([10, 35].map((lost) => new Judged().window(lost))).toEqual([false, false]);
    const at = (lost: number) => {
      const judged = new Judged();
      judged.window(10);
      return [lost, lost].map((share) => judged.window(share));
    };
    expect(at(35)).toEqual([false, false]);
    expect(at(36)).toEqual([false, true]);
  });

  it('knows the loss for the path’s own when a cut did not help', () => {
    const judged = new Judged();
    expect([0, 30, 30, 29, 30, 31].map((lost) => judged.window(lost))).toEqual([
      false,
      false,
      true,
      false,
      false,
      false,
    ]);
    expect(judged.loss.floor).toBeCloseTo(0.29);
  });

  it('cuts again after one that helped', () => {
    const judged = new Judged();
    const [, , first, , , second] = [0, 30, 30, 0, 30, 30].map((lost) => judged.window(lost));
    expect([first, second]).toEqual([true, true]);
  });

  it('lets one window alone be, as a burst fills it', () => {
    const judged = new Judged();
    const windows = [0, 60, 0, 60, 0, 60, 5].map((lost) => judged.window(lost));
    expect(windows).not.toContain(true);
  });

  it('does not count what was late', () => {
    const judged = new Judged();
    judged.window(0);
    expect(judged.window(40, 30)).toBe(false);
    expect(judged.window(40, 30)).toBe(false);
    expect(judged.window(40, 0)).toBe(false);
    expect(judged.window(40, 0)).toBe(true);
  });

  it('judges early when a third is lost, and leaves out what was sent before it began', () => {
    const loss = new LossShare();
    const sentAtMs = new Float64Array([0, 2000]);
    loss.restart(1000);
    for (let i = 0; i < 100; i++) loss.settle(sentAtMs, 0, true);
    expect(loss.judge(2000)).toBe(false);
    for (let i = 0; i < 20; i++) loss.settle(sentAtMs, 1, false);
    for (let i = 0; i < 11; i++) loss.settle(sentAtMs, 1, true);
    expect(loss.judge(2000)).toBe(false);
    loss.settle(sentAtMs, 1, true);
    loss.judge(2000);
    expect(loss.floor).toBeCloseTo(12 / 32);
  });
});
