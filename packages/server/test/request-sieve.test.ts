// Requests beside a flood of others, in virtual time. Nothing comes in an exact rhythm: a client that kept step with the
// flood would always come right before, or right after, an answer is to be had.

import { Prng } from '@tickwire/netsim';
import { describe, expect, test } from 'vitest';
import { resolveLimits } from '../src/limits.ts';
import { RequestSieve } from '../src/request-sieve.ts';

const NONCE_AT = 15;
const NONCE_BYTES = 16;
const SEEDS = 10;
const { requests } = resolveLimits({}, 1024);

function request(random: Prng): Uint8Array {
  const bytes = new Uint8Array(NONCE_AT + NONCE_BYTES);
  draw(random, bytes);
  return bytes;
}

function draw(random: Prng, bytes: Uint8Array): void {
  for (let i = 0; i < NONCE_BYTES; i++) bytes[NONCE_AT + i] = random.u32() >>> 24;
}

/** A request whose nonce begins with these six bytes. */
function named(...start: number[]): Uint8Array {
  const bytes = new Uint8Array(NONCE_AT + NONCE_BYTES);
  bytes.set(start, NONCE_AT);
  return bytes;
}

interface Flood {
  readonly seed: number;
  readonly perSecond: number;
  readonly seconds: number;
  /** How often each nonce of the flood comes, in a row. */
  readonly repeats?: number;
}

/**
 * Twenty clients that begin within 200 ms, a second after the flood, and ask about every 200 ms until they are answered;
 * how long each waited, ms.
 */
function besideFlood({ seed, perSecond, seconds, repeats = 1 }: Flood) {
  const random = new Prng(seed);
  const sieve = new RequestSieve(requests);
  const clients = Array.from({ length: 20 }, (_, n) => ({
    bytes: request(random),
    startMs: 1000 + n * 10,
    dueMs: 1000 + n * 10,
    waitedMs: Number.POSITIVE_INFINITY,
  }));
  const flood = request(random);
  let answered = 0;
  for (let sent = 0; sent < perSecond * seconds; sent++) {
    const nowMs = ((sent + random.next()) * 1000) / perSecond;
    for (const client of clients) {
      if (client.dueMs > nowMs) continue;
      client.dueMs += 195 + 10 * random.next();
      if (!sieve.admit(nowMs, client.bytes, NONCE_AT)) continue;
      client.waitedMs = nowMs - client.startMs;
      client.dueMs = Number.POSITIVE_INFINITY;
      answered++;
    }
    if (sent % repeats === 0) draw(random, flood);
    if (sieve.admit(nowMs, flood, NONCE_AT)) answered++;
  }
  return { sieve, answered, waits: clients.map(({ waitedMs }) => waitedMs) };
}

describe('a request', () => {
  test('is answered while there are no more than may be', () => {
    const sieve = new RequestSieve(requests);
    const random = new Prng(1);
    for (let ms = 0; ms < 1000; ms += 0.5) {
      expect(sieve.admit(ms, request(random), NONCE_AT)).toBe(true);
    }
    expect([sieve.limited, sieve.repeated]).toEqual([0, 0]);
  });

  test('of the burst all come through at once: half for new ones, half for those who come again', () => {
    const sieve = new RequestSieve({ perSecond: 10, burst: 8 });
    const all = Array.from({ length: 10 }, (_, n) => named(n, 0, 0, 0, n));
    const ask = () => all.map((bytes) => sieve.admit(0, bytes, NONCE_AT));
    expect(ask()).toEqual([...Array(4).fill(true), ...Array(6).fill(false)]);
    expect([sieve.limited, sieve.repeated]).toEqual([6, 0]);
    // The first four were answered, so they were not remembered.
    expect(ask()).toEqual([...Array(4).fill(false), ...Array(4).fill(true), false, false]);
    expect([sieve.limited, sieve.repeated]).toEqual([12, 4]);
  });

  test('which was answered, and whose answer was lost, comes through at its third time', () => {
    const sieve = new RequestSieve({ perSecond: 0.001, burst: 2 });
    const bytes = named(1, 2, 3, 4, 5, 6);
    const asked = [0, 200, 400].map((ms) => sieve.admit(ms, bytes, NONCE_AT));
    expect(asked).toEqual([true, false, true]);
  });

  test('is read where it stands, the first six bytes of its nonce only', () => {
    const sieve = new RequestSieve({ perSecond: 0.001, burst: 2 });
    sieve.admit(0, named(0), NONCE_AT);
    const bytes = named(9, 8, 7, 6, 5, 4);
    expect(sieve.admit(0, bytes, NONCE_AT)).toBe(false);
    const moved = new Uint8Array(100);
    moved.set([9, 8, 7, 6, 5, 4, 255], 50);
    expect(sieve.admit(0, moved, 50)).toBe(true);
  });

  test.each([0, 1, 2, 3, 4, 5])('that differs in byte %d of them is another one', (at) => {
    const sieve = new RequestSieve({ perSecond: 1e9, burst: 2 });
    const bytes = named(9, 8, 7, 6, 5, 4);
    sieve.admit(0, bytes, NONCE_AT);
    expect(sieve.admit(0, bytes, NONCE_AT)).toBe(false);
    bytes[NONCE_AT + at]! ^= 1;
    expect(sieve.admit(0, bytes, NONCE_AT)).toBe(false);
  });

  test('of zeros only is not taken for one that was seen', () => {
    const sieve = new RequestSieve({ perSecond: 0.001, burst: 2 });
    sieve.admit(0, named(1), NONCE_AT);
    expect(sieve.admit(0, named(), NONCE_AT)).toBe(false);
    expect(sieve.admit(0, named(), NONCE_AT)).toBe(true);
  });
});

describe('a set', () => {
  /** Sees a nonce, then so many others of its set; whether it is still known. */
  function remembered(others: number): boolean {
    const sieve = new RequestSieve({ perSecond: 1e9, burst: 2 });
    sieve.admit(0, named(255), NONCE_AT);
    const mine = named(1, 2, 3, 4, 5, 6);
    expect(sieve.admit(0, mine, NONCE_AT)).toBe(false);
    for (let n = 0; n < others; n++) {
      expect(sieve.admit(0, named(n, 99, 0, 0, 5, 6), NONCE_AT)).toBe(false);
    }
    return sieve.admit(0, mine, NONCE_AT);
  }

  test('remembers the last four', () => {
    expect([0, 3, 4, 100].map(remembered)).toEqual([true, true, false, false]);
  });

  test('puts one that comes again before the others', () => {
    const sieve = new RequestSieve({ perSecond: 1000, burst: 2 });
    const [a, b] = [named(1, 0, 0, 0, 5), named(2, 0, 0, 0, 5)];
    sieve.admit(0, named(255), NONCE_AT);
    for (const bytes of [a, b]) expect(sieve.admit(0, bytes, NONCE_AT)).toBe(false);
    expect(sieve.admit(0, a, NONCE_AT)).toBe(true);
    for (let n = 10; n < 13; n++) sieve.admit(0, named(n, 0, 0, 0, 5), NONCE_AT);
    // Three newer ones came: `a` is the fourth, `b` is out. One of each half has come back by then.
    expect(sieve.admit(2, named(255), NONCE_AT)).toBe(true);
    expect(sieve.admit(2, a, NONCE_AT)).toBe(true);
    expect(sieve.admit(4, named(255), NONCE_AT)).toBe(true);
    expect(sieve.admit(4, b, NONCE_AT)).toBe(false);
  });
});

describe('beside a flood', () => {
  test('of 100,000 random requests a second every client is answered within a second', () => {
    const waits: number[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const flood = { seed, perSecond: 100_000, seconds: 2.3 };
      const result = besideFlood(flood);
      const what = `besideFlood(${JSON.stringify(flood)})`;
      expect(Math.max(...result.waits), what).toBeLessThan(1000);
      expect(result.sieve.repeated, what).toBeLessThanOrEqual(20);
      waits.push(...result.waits);
    }
    waits.sort((a, b) => a - b);
    // Nearly all at their second request, and the last long before the second is over.
    expect(waits[Math.floor(waits.length * 0.9)]).toBeLessThanOrEqual(206);
    expect(waits.at(-1)).toBeLessThanOrEqual(616);
  });

  test('that repeats each nonce a client still has its share, and is answered in its time', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const flood = { seed, perSecond: 100_000, seconds: 6.2, repeats: 2 };
      const { waits } = besideFlood(flood);
      const answered = waits.filter((waitedMs) => waitedMs < 5000).length;
      expect(answered, `besideFlood(${JSON.stringify(flood)})`).toBeGreaterThanOrEqual(10);
    }
  });

  test.each([1, 2, 10])('no more are answered than may be; each nonce %d times', (repeats) => {
    const { sieve, answered } = besideFlood({ seed: 1, perSecond: 100_000, seconds: 2, repeats });
    expect(answered).toBeLessThanOrEqual(requests.burst + 2 * requests.perSecond);
    expect(answered).toBeGreaterThan(0.5 * 2 * requests.perSecond);
    expect(answered + sieve.limited).toBeGreaterThanOrEqual(200_000);
  });

  test('nothing grows', () => {
    const random = new Prng(1);
    const sieve = new RequestSieve(requests);
    const flood = request(random);
    const pass = () => {
      for (let i = 0; i < 300_000; i++) {
        draw(random, flood);
        sieve.admit(i / 100, flood, NONCE_AT);
      }
      global.gc!();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    pass();
    const before = pass();
    expect(pass() - before).toBeLessThan(65_536);
  });
});

test.each([
  { perSecond: 0, burst: 1 },
  { perSecond: 1, burst: 0 },
])('%j is no limit', (wrong) => {
  expect(() => new RequestSieve(wrong)).toThrow(
    expect.objectContaining({ code: 'option-invalid' }),
  );
});
