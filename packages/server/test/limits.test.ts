import { SimulatedAddressBook } from '@tickwire/netsim';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressLimits } from '../src/address-limits.ts';
import { type LimitOptions, resolveLimits } from '../src/limits.ts';

const SLOTS = 1024;

function invalid(options: object, ...words: string[]) {
  const act = () => resolveLimits(options as LimitOptions, SLOTS);
  expect(act).toThrow(expect.objectContaining({ code: 'option-invalid' }));
  for (const word of words) expect(act).toThrow(word);
}

describe('limits', () => {
  test('have defaults', () => {
    expect(resolveLimits({}, SLOTS)).toEqual({
      connectionsPerAddress: { perSecond: 16, burst: 32 },
      connections: { perSecond: 200, burst: 64 },
      halfOpen: 512,
      packets: { perSecond: 10_000, burst: 20_000 },
      requests: { perSecond: 5000, burst: 1000 },
      refusals: { perSecond: 100, burst: 100 },
      messages: { perSecond: 10_000, burst: 20_000 },
      tokens: 8192,
    });
  });

  test('are taken as given; a burst that is left out keeps the proportion', () => {
    const given = {
      connectionsPerAddress: { perSecond: 1, burst: 3.5 },
      connections: { perSecond: 50 },
      halfOpen: 7,
      packets: { perSecond: 300 },
      requests: { perSecond: 1 },
      refusals: { burst: 5 },
      messages: {},
      tokens: 77,
    };
    expect(resolveLimits(given, SLOTS)).toEqual({
      connectionsPerAddress: { perSecond: 1, burst: 3.5 },
      connections: { perSecond: 50, burst: 16 },
      halfOpen: 7,
      packets: { perSecond: 300, burst: 600 },
      requests: { perSecond: 1, burst: 1 },
      refusals: { perSecond: 100, burst: 5 },
      messages: { perSecond: 10_000, burst: 20_000 },
      tokens: 77,
    });
  });

  test('a burst in proportion to a rate is never none, and never more than a bucket holds', () => {
    expect(resolveLimits({ packets: { perSecond: 1e9 } }, SLOTS).packets.burst).toBe(1e9);
    expect(resolveLimits({ requests: { perSecond: 1 } }, SLOTS).requests.burst).toBe(1);
  });

  test('a number is no rate', () => {
    const given = { connections: 100 } as unknown as Parameters<typeof resolveLimits>[0];
    expect(() => resolveLimits(given, SLOTS)).toThrow(
      'limits.connections is 100; give { perSecond',
    );
  });

  test('half-open slots are never more than there are slots', () => {
    expect(resolveLimits({}, 511).halfOpen).toBe(511);
    expect(resolveLimits({}, 513).halfOpen).toBe(512);
    expect(resolveLimits({ halfOpen: 65_535 }, 300).halfOpen).toBe(300);
  });

  test('whatever rate is given, the limit is one', () => {
    const names = fc.constantFrom('connections', 'packets', 'requests', 'messages');
    const perSecond = fc.double({ min: 0, minExcluded: true, max: 1e9 });
    fc.assert(
      fc.property(
        names,
        perSecond.filter((value) => !Number.isNaN(value)),
        (name, value) => {
          const limit = resolveLimits({ [name]: { perSecond: value } }, SLOTS)[name as 'packets'];
          expect(limit.perSecond).toBe(value);
          expect(limit.burst).toBeGreaterThanOrEqual(1);
          expect(limit.burst).toBeLessThanOrEqual(1e9);
        },
      ),
    );
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e9 + 1])('no rate is %d', (value) => {
    invalid({ packets: { perSecond: value } }, 'limits.packets.perSecond', `${value}`);
    invalid({ refusals: { burst: value } }, 'limits.refusals.burst', `${value}`);
  });

  test.each([0, 65_536, 1.5, -1, Number.NaN, '5'])('no half-open count is %j', (value) => {
    invalid({ halfOpen: value }, 'limits.halfOpen', `${value}`);
  });

  test.each([0, 1_000_001, 1.5, Number.NaN, '5'])('no count of tokens is %j', (value) => {
    invalid({ tokens: value }, 'limits.tokens', `${value}`);
  });

  test.each([1, 1_000_000])('%d tokens are remembered', (tokens) => {
    expect(resolveLimits({ tokens }, SLOTS).tokens).toBe(tokens);
  });

  test('one that is misspelt is named, with those that there are', () => {
    invalid({ packet: {} }, "limits has no option 'packet'", 'packets', 'halfOpen');
    invalid({ toString: {} }, "limits has no option 'toString'");
    invalid({ packets: { perSec: 5 } }, "limits.packets has no option 'perSec'", 'burst');
  });
});

test('by default 64 players from behind one address are in within 3 s, all asking in the same second', () => {
  const { connectionsPerAddress, connections } = resolveLimits({}, SLOTS);
  for (const sameMoment of [true, false]) {
    const addresses = new SimulatedAddressBook();
    const limits = new AddressLimits(addresses, connectionsPerAddress, connections);
    const players = Array.from({ length: 64 }, (_, n) => ({
      dueMs: sameMoment ? 0 : n * 15,
      triesLeft: 25,
    }));
    let nowMs = 0;
    let inside = 0;
    for (; inside < 64 && nowMs < 10_000; nowMs++) {
      for (const player of players) {
        if (player.dueMs !== nowMs || player.triesLeft-- === 0) continue;
        if (limits.take(nowMs, 1)) inside++;
        else player.dueMs += 200;
      }
    }
    expect(inside).toBe(64);
    expect(nowMs).toBeLessThan(3000);
    expect(limits.limited).toBeGreaterThan(0);
  }
});
