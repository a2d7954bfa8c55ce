import { describe, expect, test } from 'vitest';
import { CATCH_UP_TICKS_MAX, FixedStep } from '../src/fixed-step.ts';

/** Runs what is due now; returns how many ticks. */
function run(step: FixedStep, nowMs: number): number {
  const due = step.due(nowMs);
  for (let i = 0; i < due; i++) step.take(nowMs);
  return due;
}

describe('FixedStep', () => {
  test('the first tick is due a tick after the start', () => {
    const step = new FixedStep(50, 1000);
    expect(step.nextMs).toBe(1020);
    expect(step.due(1019.999)).toBe(0);
    expect(step.due(1020)).toBe(1);
    expect(step.take(1023)).toBe(3);
    expect(step.nextMs).toBe(1040);
  });

  test('asking changes nothing', () => {
    const step = new FixedStep(50, 0);
    expect(step.due(45)).toBe(2);
    expect(step.due(45)).toBe(2);
    expect(step.dropped).toBe(0);
  });

  test.each([60, 128, 7, 30.3])('does not drift in a million ticks at %d Hz', (hz) => {
    const step = new FixedStep(hz, 12.345);
    for (let ticks = 1; ticks <= 1_000_000; ticks++) {
      const nowMs = step.nextMs;
      if (step.due(nowMs) !== 1) throw new Error(`${step.due(nowMs)} due at tick ${ticks}`);
      if (step.take(nowMs) !== 0) throw new Error(`late at tick ${ticks}`);
    }
    expect(step.nextMs).toBeCloseTo(12.345 + (1_000_001 * 1000) / hz, 5);
    expect(step.dropped).toBe(0);
  });

  test('a loop that wakes at odd moments runs every tick once', () => {
    const step = new FixedStep(60, 0);
    let ticks = 0;
    for (let nowMs = 0; nowMs < 60_000; nowMs += 11.37) ticks += run(step, nowMs);
    expect(step.dropped).toBe(0);
    expect(ticks).toBeGreaterThanOrEqual(3598);
    expect(ticks).toBeLessThanOrEqual(3600);
  });

  test('catches up four ticks at once, drops the fifth and goes on from there', () => {
    const step = new FixedStep(100, 0);
    expect(run(step, 40)).toBe(CATCH_UP_TICKS_MAX);
    expect(step.dropped).toBe(0);
    expect(run(step, 90)).toBe(CATCH_UP_TICKS_MAX);
    expect(step.dropped).toBe(1);
    expect(step.nextMs).toBe(100);
    expect(run(step, 99)).toBe(0);
    expect(run(step, 100)).toBe(1);
  });

  test('a long stall does not feed on itself', () => {
    const step = new FixedStep(60, 0);
    expect(run(step, 60_001)).toBe(4);
    expect(step.dropped).toBe(3596);
    expect(step.nextMs).toBeGreaterThan(60_001);
    expect(step.nextMs).toBeLessThanOrEqual(60_001 + 1000 / 60 + 1e-6);
    expect(run(step, 60_001)).toBe(0);
  });

  test('at low rates the bound is 250 ms, but never less than a tick', () => {
    const ten = new FixedStep(10, 0);
    expect(run(ten, 1000)).toBe(2);
    expect(ten.dropped).toBe(8);
    const one = new FixedStep(1, 0);
    expect(run(one, 5000)).toBe(1);
    expect(one.dropped).toBe(4);
    expect(one.nextMs).toBe(6000);
    const sixteen = new FixedStep(16, 0);
    expect(run(sixteen, 62.5 * 4)).toBe(4);
    expect(sixteen.dropped).toBe(0);
  });

  test('lateness is never negative, and time going backwards owes nothing', () => {
    const step = new FixedStep(50, 0);
    expect(step.due(-1e9)).toBe(0);
    expect(step.take(10)).toBe(0);
    expect(step.dropped).toBe(0);
  });
});
