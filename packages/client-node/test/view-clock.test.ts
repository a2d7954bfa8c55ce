import { Prng } from '@tickwire/netsim';
import { describe, expect, test } from 'vitest';
import { ViewClock } from '../src/view-clock.ts';

const TICK_MS = 1000 / 60;

/** Snapshots of every `every`th tick, so much later than they were made; steered each tick. */
function run(
  clock: ViewClock,
  fromTick: number,
  ticks: number,
  every: number,
  delayMs: (tick: number) => number,
) {
  const arrivals: { tick: number; at: number }[] = [];
  for (let tick = fromTick; tick < fromTick + ticks; tick += every) {
    arrivals.push({ tick, at: tick * TICK_MS + delayMs(tick) });
  }
  arrivals.sort((a, b) => a.at - b.at);
  const positions: number[] = [];
  let next = 0;
  let starved = 0;
  for (let tick = fromTick; tick < fromTick + ticks; tick++) {
    const nowMs = tick * TICK_MS + 50;
    for (; next < arrivals.length && arrivals[next]!.at <= nowMs; next++) {
      const { tick: newest, at } = arrivals[next]!;
      if (newest > clock.newest) clock.received(at, newest);
    }
    clock.steer(nowMs);
    const position = clock.positionAt(nowMs);
    if (position > clock.newest) starved++;
    positions.push(position);
  }
  return { positions, starved };
}

describe('view clock', () => {
  test('nothing to show before the first snapshot; then a little behind it', () => {
    const clock = new ViewClock(60);
    clock.steer(5);
    expect(clock.positionAt(10)).toBeNaN();
    expect(clock.newest).toBe(-1);
    clock.received(100, 30);
    expect(clock.newest).toBe(30);
    expect(clock.positionAt(100)).toBe(30 - clock.delayTicks);
    expect(clock.positionAt(50)).toBe(clock.positionAt(100));
    const early = new ViewClock(60);
    early.received(100, 1);
    expect(early.positionAt(100)).toBe(0);
  });

  test('even arrivals: the view keeps about two snapshots behind', () => {
    for (const every of [1, 3]) {
      const clock = new ViewClock(60);
      const { positions, starved } = run(clock, 100, 900, every, () => 20);
      expect(clock.delayTicks).toBeGreaterThan(2 * every - 0.1);
      expect(clock.delayTicks).toBeLessThan(2 * every + 1);
      expect(positions.at(-1)! - positions.at(-61)!).toBeCloseTo(60, 0);
      expect(starved).toBe(0);
    }
  });

  test('the more arrivals vary, the longer the delay', () => {
    const delays = [0, 30, 90].map((jitterMs) => {
      const random = new Prng(11);
      const clock = new ViewClock(60);
      const { starved } = run(clock, 100, 1200, 1, () => random.next() * jitterMs);
      expect(starved / 1200).toBeLessThan(0.02);
      return clock.delayTicks;
    });
    expect(delays[1]!).toBeGreaterThan(delays[0]!);
    expect(delays[2]!).toBeGreaterThan(delays[1]!);
  });

  test('never backwards, never faster than a tenth, whatever arrives', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Prng(seed);
      const clock = new ViewClock(60);
      let tick = 100;
      let nowMs = 0;
      let before = Number.NEGATIVE_INFINITY;
      let beforeMs = 0;
      for (let n = 0; n < 400; n++) {
        nowMs += random.next() * 40;
        if (random.next() < 0.5) {
          tick += Math.floor(random.next() * 5) + 1;
          clock.received(nowMs, tick);
        }
        clock.steer(nowMs);
        if (random.next() < 0.1) clock.steer(nowMs - 30);
        const position = clock.positionAt(nowMs);
        if (Number.isNaN(position)) continue;
        expect(position, `seed ${seed}`).toBeGreaterThanOrEqual(before);
        const ticks = (nowMs - beforeMs) / TICK_MS;
        const jumped = position - before > 10;
        expect(jumped || position - before <= ticks * 1.1 + 1e-6, `seed ${seed}`).toBe(true);
        before = position;
        beforeMs = nowMs;
      }
    }
  });

  test('more than ten ticks behind it jumps ahead; ahead of where it should be it slows down', () => {
    const clock = new ViewClock(60);
    run(clock, 100, 300, 1, () => 20);
    const before = clock.positionAt(400 * TICK_MS + 50);
    run(clock, 450, 60, 1, () => 20 - 40 * TICK_MS);
    const behind = clock.newest - clock.positionAt(509 * TICK_MS + 50);
    expect(clock.positionAt(509 * TICK_MS + 50) - before).toBeGreaterThan(110);
    expect(behind).toBeLessThan(40);
    const slow = clock.positionAt(510 * TICK_MS + 50);
    const { positions } = run(clock, 520, 30, 1, () => 20 + 20 * TICK_MS);
    expect(positions.at(-1)!).toBeGreaterThan(slow);
    const paces = positions.slice(1).map((position, i) => position - positions[i]!);
    expect(Math.min(...paces)).toBeGreaterThanOrEqual(0.9 - 1e-9);
  });
});
