// Keys as users give them, in the shells and without.

import { describe, expect, test } from 'vitest';
import {
  checkCredential,
  checkKey,
  SEALED_TOKEN_BYTES_MAX,
  Way,
} from '../src/session/credential.ts';
import { readKey } from '../src/session/key-text.ts';
import { encodeBase64url } from '../src/wire/base64url.ts';

const key = new Uint8Array(32).fill(0xfb);
const zero = new Uint8Array(32);
/** One bit, in the last byte. */
const nearlyZero = new Uint8Array(32).fill(1, 31);

const refused = (call: () => void, message: string) =>
  expect(call).toThrow(
    expect.objectContaining({ code: 'option-invalid', message: expect.stringContaining(message) }),
  );

describe('a key', () => {
  test('is 32 bytes, or the same as text, and is copied', () => {
    const given = key.slice();
    const read = readKey('key', given);
    given.fill(0);
    expect(read).toEqual(key);
    expect(readKey('key', encodeBase64url(key))).toEqual(key);
    expect(readKey('key', Buffer.from(key))).toEqual(key);
    expect(readKey('key', nearlyZero)).toEqual(nearlyZero);
  });

  test('is never all zero, which stands for none', () => {
    refused(() => readKey('key', zero), 'key is all zero');
    refused(() => readKey('key', 'A'.repeat(43)), 'key is all zero');
    refused(() => checkKey('key', zero), 'key is all zero');
    expect(() => checkKey('key', nearlyZero)).not.toThrow();
  });

  test('of another length, or of another kind, is refused without being shown', () => {
    for (const length of [0, 31, 33]) {
      const bytes = new Uint8Array(length).fill(9);
      refused(() => readKey('key', bytes), `key has ${length} bytes instead of 32`);
    }
    for (const text of ['', 'hunter2', encodeBase64url(new Uint8Array(33).fill(9))]) {
      refused(() => readKey('key', text), 'key is not 32 bytes in base64url');
    }
    for (const other of [undefined, null, 7, [...key]]) {
      refused(() => readKey('key', other as never), 'key is not 32 bytes, nor text');
    }
    expect(() => readKey('key', 'hunter2')).not.toThrow(/hunter2/);
  });
});

describe('a credential', () => {
  test('brings a secret that is one', () => {
    const id = new Uint8Array(16);
    const sealed = new Uint8Array(SEALED_TOKEN_BYTES_MAX);
    for (const secret of [zero, new Uint8Array(31)]) {
      refused(() => checkCredential({ way: Way.key, secret }), 'the secret of the credential');
      refused(() => checkCredential({ way: Way.resume, secret, id }), 'the secret');
      refused(() => checkCredential({ way: Way.token, secret, sealed }), 'the secret');
    }
    expect(() => checkCredential({ way: Way.open })).not.toThrow();
    expect(() => checkCredential({ way: Way.key, secret: key })).not.toThrow();
    expect(() => checkCredential({ way: Way.token, secret: key, sealed })).not.toThrow();
    const longer = new Uint8Array(SEALED_TOKEN_BYTES_MAX + 1);
    refused(() => checkCredential({ way: Way.token, secret: key, sealed: longer }), 'longer than');
  });
});
