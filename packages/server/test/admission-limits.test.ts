// Each limit at its bound and one past it, with its counter.

import { SimulatedAddressBook } from '@tickwire/netsim';
import { describe, expect, test } from 'vitest';
import { AdmissionLimits } from '../src/admission-limits.ts';
import { type LimitOptions, resolveLimits } from '../src/limits.ts';

const plenty = { perSecond: 1e9, burst: 1e9 };
const none = {
  requestsLimited: 0,
  refusalsLimited: 0,
  addressesLimited: 0,
  addressesCrowded: 0,
  connectionsLimited: 0,
  halfOpenLimited: 0,
  packetsLimited: 0,
};

function create(options: LimitOptions, slots = 4): AdmissionLimits {
  return new AdmissionLimits(resolveLimits(options, slots), new SimulatedAddressBook(), slots);
}

/** How often the answer is yes. */
function admitted(times: number, ask: (n: number) => boolean): number {
  let count = 0;
  for (let n = 0; n < times; n++) if (ask(n)) count++;
  return count;
}

/** The nonce of request `n`. */
function nonce(n: number): Uint8Array {
  return Uint8Array.of(0, 1, 2, 3, 4, n, n >> 8, ...new Array(10).fill(5));
}

describe('limits', () => {
  test('requests: half for those who come first, half for those who come again', () => {
    const limits = create({ requests: { perSecond: 20, burst: 8 } });
    expect(admitted(10, (n) => limits.mayAnswer(0, nonce(n), 1))).toBe(4);
    expect(limits.statistics).toEqual({ ...none, requestsLimited: 6 });
    expect(admitted(6, (n) => limits.mayAnswer(0, nonce(4 + n), 1))).toBe(4);
    expect(limits.statistics.requestsLimited).toBe(8);
    expect(admitted(3, (n) => limits.mayAnswer(100, nonce(20 + n), 1))).toBe(1);
  });

  test('refusals: strangers and proven addresses have as many each', () => {
    const limits = create({ refusals: { perSecond: 2, burst: 3 } });
    expect(admitted(5, () => limits.mayRefuse(0))).toBe(3);
    expect(limits.statistics).toEqual({ ...none, refusalsLimited: 2 });
    expect(admitted(4, () => limits.mayRefuseProof(0))).toBe(3);
    expect(limits.statistics.refusalsLimited).toBe(3);
    expect(admitted(2, () => limits.mayRefuse(500))).toBe(1);
    expect(admitted(2, () => limits.mayRefuseProof(500))).toBe(1);
  });

  test('connections from one address, and in total', () => {
    const connectionsPerAddress = { perSecond: 1, burst: 2 };
    const limits = create({ connectionsPerAddress, connections: { perSecond: 5, burst: 5 } });
    expect(admitted(3, () => limits.mayConnect(0, 7, 0))).toBe(2);
    expect(limits.statistics).toEqual({ ...none, addressesLimited: 1 });
    expect(admitted(4, (n) => limits.mayConnect(0, 20 + n, 0))).toBe(3);
    expect(limits.statistics).toEqual({ ...none, addressesLimited: 1, connectionsLimited: 1 });
    expect(admitted(2, () => limits.mayConnect(1000, 7, 0))).toBe(1);
  });

  test('half-open: below the bound, and at it, whoever asks; nothing else is charged then', () => {
    const limits = create({ halfOpen: 3, connectionsPerAddress: { perSecond: 1, burst: 1 } });
    expect(limits.mayConnect(0, 1, 3)).toBe(false);
    expect(limits.mayConnect(0, 1, 4)).toBe(false);
    expect(limits.statistics).toEqual({ ...none, halfOpenLimited: 2 });
    expect(limits.mayConnect(0, 1, 2)).toBe(true);
    expect(limits.mayConnect(0, 1, 2)).toBe(false);
    expect(limits.statistics).toEqual({ ...none, halfOpenLimited: 2, addressesLimited: 1 });
  });

  test('half-open: an address has no more of them than are free, unless it has none', () => {
    const unlimited = { connectionsPerAddress: plenty, connections: plenty };
    const limits = create({ ...unlimited, halfOpen: 10 }, 16);
    let halfOpen = 0;
    const join = (address: number) => {
      if (!limits.mayConnect(0, address, halfOpen)) return false;
      limits.waits(halfOpen++);
      return true;
    };
    expect(admitted(20, () => join(1))).toBe(6);
    expect(limits.statistics).toEqual({ ...none, halfOpenLimited: 14 });
    expect(admitted(20, () => join(2))).toBe(3);
    expect([join(1), join(3), join(4)]).toEqual([false, true, false]);
    // One place of the first, then another one: it has four then, and three are free.
    for (const slot of [0, 0, 1]) limits.waited(slot);
    halfOpen = 8;
    expect(limits.mayConnect(0, 1, halfOpen)).toBe(false);
    expect(limits.mayConnect(0, 5, halfOpen)).toBe(true);
    limits.waited(2);
    limits.waited(3);
    expect(limits.mayConnect(0, 1, halfOpen)).toBe(true);
  });

  test('half-open is never more than there are slots', () => {
    const limits = create({ connectionsPerAddress: plenty, connections: plenty }, 4);
    expect([limits.mayConnect(0, 1, 3), limits.mayConnect(0, 1, 4)]).toEqual([true, false]);
  });

  test('packets: by slot, authentic ones only, and full again for the next in the slot', () => {
    const limits = create({ packets: { perSecond: 10, burst: 3 } });
    // Forgeries are looked at, and count for nothing.
    expect(admitted(100, () => limits.mayReceive(0, 1))).toBe(100);
    const one = (nowMs: number, slot: number) => {
      const may = limits.mayReceive(nowMs, slot);
      if (may) limits.received(slot);
      return may;
    };
    expect(admitted(5, () => one(0, 1))).toBe(3);
    expect(limits.statistics).toEqual({ ...none, packetsLimited: 2 });
    expect(admitted(5, () => one(0, 3))).toBe(3);
    expect(admitted(5, () => one(100, 1))).toBe(1);
    limits.restart(1);
    expect(admitted(5, () => one(100, 1))).toBe(3);
    expect(admitted(5, () => one(100, 3))).toBe(1);
  });

  test('the last slot has a bucket as well', () => {
    const limits = create({ packets: { perSecond: 1, burst: 1 } }, 4);
    for (const slot of [0, 3]) {
      expect(limits.mayReceive(0, slot)).toBe(true);
      limits.received(slot);
      expect(limits.mayReceive(0, slot)).toBe(false);
    }
  });
});
