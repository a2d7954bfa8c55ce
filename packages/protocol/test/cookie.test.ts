import { SimulatedAddressBook, simulatedCrypto } from '@tickwire/netsim';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COOKIE_BYTES, CookieJar } from '../src/session/cookie.ts';
import { HASH_BYTES, KEY_BYTES } from '../src/wire/crypto.ts';
import { ADDRESS_BYTES_MAX, type AddressBook } from '../src/wire/machine.ts';

const nonce = new Uint8Array(16).fill(5);

function jar(seed = 1, addresses: AddressBook = new SimulatedAddressBook()): CookieJar {
  return new CookieJar(simulatedCrypto(seed), addresses);
}

function make(from: CookieJar, nowMs: number, address = 1, forNonce = nonce): Uint8Array {
  const cookie = new Uint8Array(COOKIE_BYTES);
  from.make(nowMs, forNonce, address, cookie);
  return cookie;
}

describe('CookieJar', () => {
  test('knows its own cookie again', () => {
    const cookies = jar();
    const cookie = make(cookies, 5000);
    expect(cookies.check(5000, nonce, 1, cookie)).toBe(true);
    expect(make(cookies, 5000)).toEqual(cookie);
  });

  test('stands as documented: the slice of time, then half a hash keyed with the secret', () => {
    // The jar draws its secret first of all, so a second source from the same seed tells it.
    const crypto = simulatedCrypto(1);
    const secret = new Uint8Array(KEY_BYTES);
    simulatedCrypto(1).randomBytes(secret);
    const cookie = make(jar(), 5000, 7);
    const input = Uint8Array.of(2, 0, 0, 0, ...nonce, 7, 0, 0, 0);
    const hash = new Uint8Array(HASH_BYTES);
    crypto.hash(secret, input, 0, input.length, hash, 0);
    expect([...cookie]).toEqual([2, 0, 0, 0, ...hash.subarray(0, 16)]);
  });

  test('lasts from the first moment of its slice to the last of the fourth', () => {
    const cookies = jar();
    const cookie = make(cookies, 2 * 2048);
    expect(cookies.check(2 * 2048 - 1, nonce, 1, cookie)).toBe(false);
    expect(cookies.check(2 * 2048, nonce, 1, cookie)).toBe(true);
    expect(cookies.check(6 * 2048 - 1, nonce, 1, cookie)).toBe(true);
    expect(cookies.check(6 * 2048, nonce, 1, cookie)).toBe(false);
  });

  test('its time cannot be moved: the slice is hashed as well', () => {
    const cookies = jar();
    const cookie = make(cookies, 5000);
    for (let slice = 0; slice < 256; slice++) {
      const moved = cookie.slice();
      moved[0] = slice;
      expect(cookies.check(slice * 2048, nonce, 1, moved)).toBe(slice === cookie[0]);
    }
  });

  test('another address, another nonce, another process: no', () => {
    const cookies = jar();
    const cookie = make(cookies, 5000);
    expect(cookies.check(5000, nonce, 2, cookie)).toBe(false);
    expect(cookies.check(5000, new Uint8Array(16), 1, cookie)).toBe(false);
    expect(jar(2).check(5000, nonce, 1, cookie)).toBe(false);
  });

  test('is good for at least six seconds and not for nine, nor before it was made', () => {
    const cookies = jar();
    fc.assert(
      fc.property(fc.nat(10_000_000), (nowMs) => {
        const cookie = make(cookies, nowMs);
        expect(cookies.check(nowMs + 6000, nonce, 1, cookie)).toBe(true);
        expect(cookies.check(nowMs + 8192, nonce, 1, cookie)).toBe(false);
        expect(cookies.check(nowMs - 2048, nonce, 1, cookie)).toBe(false);
      }),
    );
  });

  test('no bit may differ', () => {
    const cookies = jar();
    for (let bit = 0; bit < COOKIE_BYTES * 8; bit++) {
      const cookie = make(cookies, 70_000);
      cookie[bit >> 3]! ^= 1 << (bit & 7);
      expect(cookies.check(70_000, nonce, 1, cookie)).toBe(false);
    }
  });

  test('random cookies are none', () => {
    const cookies = jar();
    const bytes = fc.uint8Array({ minLength: COOKIE_BYTES, maxLength: COOKIE_BYTES });
    fc.assert(
      fc.property(bytes, fc.nat(100_000), (cookie, nowMs) => {
        expect(cookies.check(nowMs, nonce, 1, cookie)).toBe(false);
      }),
    );
  });

  test('the longest address has room, and each byte of it counts', () => {
    const long: AddressBook = {
      describe(address, out, start) {
        out.fill(1, start, start + ADDRESS_BYTES_MAX);
        out[start + ADDRESS_BYTES_MAX - 1] = address;
        return ADDRESS_BYTES_MAX;
      },
      describeHost: () => 0,
      hold: (address) => address,
      release() {},
    };
    const cookies = jar(1, long);
    const cookie = make(cookies, 0, 8);
    expect(cookies.check(0, nonce, 8, cookie)).toBe(true);
    expect(cookies.check(0, nonce, 9, cookie)).toBe(false);
  });
});
