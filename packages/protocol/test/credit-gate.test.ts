import { describe, expect, test } from 'vitest';
import { CreditGate } from '../src/transport/credit-gate.ts';
import { RateController } from '../src/transport/rate-controller.ts';

/** 100 bytes a ms, whatever happens. */
const BYTES_PER_MS = 100;
const bytesPerSecond = BYTES_PER_MS * 1000;
const rate = {
  initialBytesPerSecond: bytesPerSecond,
  minBytesPerSecond: bytesPerSecond,
  maxBytesPerSecond: bytesPerSecond,
};
const DEBT = 1500;

/** A gate whose credit is `credit` at 1000 ms. */
function gateWith(credit: number) {
  const controller = new RateController(1000, rate);
  controller.sent(1000, 0, controller.credit(1000) - credit, false);
  expect(controller.credit(1000)).toBe(credit);
  const gate = new CreditGate(controller);
  gate.open();
  gate.ready(1000, DEBT);
  return gate;
}

describe('CreditGate', () => {
  test('with credit everybody passes, and nobody waits', () => {
    const gate = gateWith(1);
    expect(gate.passes(1000, true)).toBe(true);
    expect(gate.passes(1000, false)).toBe(true);
    expect(gate.waits(1000)).toBe(false);
    expect(gate.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('without any, the background waits and the others do not', () => {
    const gate = gateWith(0);
    expect(gate.passes(1000, false)).toBe(true);
    expect(gate.passes(1000, true)).toBe(false);
    expect(gate.waits(1000)).toBe(true);
    expect(gate.wakeAt()).toBeCloseTo(1000 + 1 / BYTES_PER_MS, 9);
  });

  test('in debt by one packet, all wait, and the next try is for the first that may go', () => {
    const gate = gateWith(-DEBT);
    expect(gate.passes(1000, true)).toBe(false);
    expect(gate.wakeAt()).toBeCloseTo(1000 + (DEBT + 1) / BYTES_PER_MS, 9);
    expect(gate.passes(1000, false)).toBe(false);
    expect(gate.wakeAt()).toBeCloseTo(1000 + 1 / BYTES_PER_MS, 9);
    expect(gate.passes(1000, true)).toBe(false);
    expect(gate.wakeAt()).toBeCloseTo(1000 + 1 / BYTES_PER_MS, 9);
    expect(gate.waits(1001)).toBe(false);
  });

  test('a new flush forgets who waited', () => {
    const gate = gateWith(0);
    gate.passes(1000, true);
    gate.open();
    expect(gate.waits(1000)).toBe(false);
    expect(gate.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });
});
