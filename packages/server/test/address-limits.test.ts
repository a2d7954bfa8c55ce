import { Prng, SimulatedAddressBook } from '@tickwire/netsim';
import { type AddressBook, HOST_BYTES_MAX, type RateLimit } from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressLimits } from '../src/address-limits.ts';
import { resolveLimits } from '../src/limits.ts';

const ENTRIES = 1024;
const each: RateLimit = { perSecond: 2, burst: 3 };
/** A token takes 1024 ms, so all sums are exact, in whatever steps they are made. */
const exact: RateLimit = { perSecond: 1000 / 1024, burst: 4 };
/** Of `exact`: burst by rate. */
const REST_MS = 4096;
const plenty: RateLimit = { perSecond: 1e6, burst: 1e6 };
const usual = resolveLimits({}, 1024);

function create(of = each, total = plenty, book: AddressBook = new SimulatedAddressBook()) {
  return new AddressLimits(book, of, total);
}

/** An address book whose addresses are indexes of what describes them. */
function bookOf(hosts: readonly (readonly number[])[]): AddressBook {
  const write = (address: number, out: Uint8Array, start: number) => {
    out.set(hosts[address]!, start);
    return hosts[address]!.length;
  };
  return { describe: write, describeHost: write, hold: (address) => address, release() {} };
}

/** How many of so many begin at once. */
function begun(limits: AddressLimits, nowMs: number, address: number, wanted: number): number {
  let count = 0;
  for (let i = 0; i < wanted; i++) if (limits.take(nowMs, address)) count++;
  return count;
}

describe('an address', () => {
  test('begins as many as its burst at once, then as its rate allows', () => {
    const limits = create();
    expect(begun(limits, 0, 7, 3)).toBe(3);
    expect(begun(limits, 0, 7, 1)).toBe(0);
    expect(begun(limits, 499, 7, 1)).toBe(0);
    expect(begun(limits, 500, 7, 9)).toBe(1);
    expect(begun(limits, 60_000, 7, 9)).toBe(3);
    expect([limits.limited, limits.limitedInTotal, limits.crowded]).toEqual([16, 0, 0]);
  });

  test('is not hindered by another one, and known by its host alone', () => {
    const book = new SimulatedAddressBook({ hostOf: (address) => address >>> 4 });
    const limits = create(each, plenty, book);
    expect(begun(limits, 0, 16, 2) + begun(limits, 0, 31, 2)).toBe(3);
    expect(begun(limits, 0, 32, 4)).toBe(3);
    expect(limits.size).toBe(2);
  });
});

describe('all together', () => {
  test('begin as many as the total allows, and nobody loses his share by it', () => {
    const limits = create(each, { perSecond: 10, burst: 4 });
    for (let address = 0; address < 4; address++) expect(limits.take(0, address)).toBe(true);
    for (let i = 0; i < 20; i++) expect(limits.take(0, 9)).toBe(false);
    expect([limits.limited, limits.limitedInTotal, limits.size]).toEqual([0, 20, 4]);
    expect(begun(limits, 1000, 9, 9)).toBe(2);
  });

  test('one that is above its own limit takes nothing from the total', () => {
    const limits = create(each, { perSecond: 10, burst: 5 });
    expect(begun(limits, 0, 1, 1000)).toBe(3);
    expect(begun(limits, 0, 2, 1000)).toBe(1);
    expect(begun(limits, 0, 3, 1000)).toBe(1);
  });

  test('half of the burst is for those who have begun none lately', () => {
    // An empty share of an address takes two seconds.
    const limits = create({ perSecond: 16, burst: 32 }, { perSecond: 10, burst: 20 });
    expect(begun(limits, 0, 1, 99)).toBe(10);
    for (let address = 2; address < 12; address++) expect(begun(limits, 0, address, 9)).toBe(1);
    expect(begun(limits, 0, 12, 1)).toBe(0);
    // Its share is full long before it has rested.
    expect(begun(limits, 1000, 1, 99)).toBe(0);
    expect(begun(limits, 1999, 1, 99)).toBe(9);
    expect(begun(limits, 3998, 1, 99)).toBe(10);
    // Once it has, it may take one of what is kept.
    expect([50, 1, 1, 51].map((address) => begun(limits, 5998, address, 99))).toEqual([
      10, 1, 0, 1,
    ]);
  });

  test('thirteen that begin as many as they may keep nobody out; nor fifty', () => {
    for (const attackers of [13, 14, 50]) {
      const limits = create(usual.connectionsPerAddress, usual.connections);
      let newcomers = 0;
      for (let ms = 0; ms < 20_000; ms++) {
        for (let address = 0; address < attackers; address++) limits.take(ms, address);
        if (ms % 50 === 49 && limits.take(ms, 1000 + ms)) newcomers++;
      }
      // With fifty it may be that one has to ask again.
      expect(newcomers, `${attackers} attackers`).toBeGreaterThanOrEqual(
        attackers === 50 ? 396 : 400,
      );
    }
  });
});

describe('the table', () => {
  test('takes 1024, refuses one more, and takes it when somebody has rested', () => {
    const limits = create(exact);
    for (let address = 0; address < ENTRIES; address++) limits.take(address, address);
    expect([limits.size, limits.crowded]).toEqual([ENTRIES, 0]);
    expect(limits.take(1024, ENTRIES)).toBe(false);
    expect(limits.take(REST_MS - 0.5, ENTRIES)).toBe(false);
    expect(limits.crowded).toBe(2);
    expect(limits.take(REST_MS, ENTRIES)).toBe(true);
    expect(limits.take(REST_MS, ENTRIES + 1)).toBe(false);
    expect(limits.take(REST_MS + 1, ENTRIES + 1)).toBe(true);
    expect([limits.size, limits.crowded, limits.limited]).toEqual([ENTRIES, 3, 0]);
  });

  test('never lets one in debt begin anew, whoever else comes', () => {
    const limits = create({ perSecond: 0.1, burst: 3 });
    expect(begun(limits, 0, 0, 9)).toBe(3);
    for (let address = 1; address < 5000; address++) limits.take(1, address);
    expect(begun(limits, 2, 0, 9)).toBe(0);
    // The others are out of debt, and have not rested: nobody else comes in.
    for (let address = 5000; address < 9000; address++) limits.take(10_500, address);
    expect([limits.crowded, begun(limits, 10_500, 0, 9)]).toEqual([3976 + 4000, 1]);
    // Now their places go round, that of the first does not.
    for (let address = 5000; address < 9000; address++) limits.take(30_001, address);
    expect([limits.crowded, begun(limits, 30_001, 0, 9)]).toEqual([7976 + 2977, 2]);
  });

  test('when it is full, those who are in it go on', () => {
    const limits = create();
    for (let address = 0; address < ENTRIES; address++) limits.take(0, address);
    expect(limits.take(0, ENTRIES)).toBe(false);
    for (let address = 0; address < ENTRIES; address++) {
      expect(begun(limits, 0, address, 9)).toBe(2);
    }
  });

  test('does not grow while few have not rested', () => {
    const limits = create();
    for (let n = 0; n < 20_000; n++) expect(limits.take(n * 50, n)).toBe(true);
    expect(limits.size).toBe(30);
  });

  test.each([
    ['each once', 1],
    ['each as often as it may', 32],
  ])('is never full with the default limits: 100,000 addresses, %s', (_how, times) => {
    const limits = create(usual.connectionsPerAddress, usual.connections);
    let address = 0;
    let begins = 0;
    for (let ms = 0; ms < 20_000; ms++) {
      for (let i = 0; i < 5; i++) {
        for (let n = 0; n < times && limits.take(ms, address); n++) begins++;
        address++;
      }
    }
    expect(limits.crowded).toBe(0);
    expect(limits.size).toBeLessThanOrEqual(600);
    expect(begins).toBeLessThanOrEqual(200 + 20 * 200);
    expect(begins).toBeGreaterThan(3900);
  });
});

describe('hosts', () => {
  test('are told apart by every byte and by their length, and by nothing else', () => {
    const host = fc.array(fc.constantFrom(0, 1, 255), { minLength: 1, maxLength: HOST_BYTES_MAX });
    fc.assert(
      fc.property(fc.array(host, { minLength: 1, maxLength: 30 }), (hosts) => {
        const limits = create(each, plenty, bookOf(hosts));
        const left = new Map<string, number>();
        for (const [address, bytes] of hosts.entries()) {
          const key = bytes.join();
          const before = left.get(key) ?? 3;
          const count = begun(limits, 0, address, 2);
          expect(count).toBe(Math.min(2, before));
          left.set(key, before - count);
        }
        expect(limits.size).toBe(left.size);
      }),
    );
  });

  test('a longer one leaves nothing behind for a shorter one', () => {
    const long = new Array(HOST_BYTES_MAX).fill(255);
    const limits = create(each, plenty, bookOf([[4, 1], long, [4, 1]]));
    expect([0, 1, 2].map((address) => begun(limits, 0, address, 3))).toEqual([3, 3, 0]);
  });
});

test('is as a plain model says, with more addresses than entries', () => {
  let crowded = 0;
  for (let seed = 1; seed <= 5; seed++) {
    const random = new Prng(seed);
    const limits = create(exact);
    const model = new Map<number, { tokens: number; atMs: number }>();
    const rested = (address: number, nowMs: number) =>
      nowMs - (model.get(address)?.atMs ?? -REST_MS) >= REST_MS;
    const tokensOf = (address: number, nowMs: number) => {
      const known = model.get(address);
      return known === undefined ? 4 : Math.min(4, known.tokens + (nowMs - known.atMs) / 1024);
    };
    let nowMs = 0;
    for (let step = 0; step < 6000; step++) {
      if (random.u32() % 1000 === 0) nowMs += random.u32() % 2000;
      else nowMs += random.u32() % 2;
      const address = random.u32() % 2000;
      const tokens = tokensOf(address, nowMs);
      let may = tokens >= 1;
      if (rested(address, nowMs)) {
        model.delete(address);
        if (model.size >= ENTRIES) {
          for (const other of model.keys()) if (rested(other, nowMs)) model.delete(other);
        }
        may = model.size < ENTRIES;
        if (!may) crowded++;
      }
      const what = `seed ${seed}, step ${step}; vitest run packages/server/test/address-limits.test.ts`;
      expect(limits.take(nowMs, address), what).toBe(may);
      if (may) model.set(address, { tokens: tokens - 1, atMs: nowMs });
    }
    expect(limits.size).toBeLessThanOrEqual(ENTRIES);
  }
  expect(crowded).toBeGreaterThan(100);
});
