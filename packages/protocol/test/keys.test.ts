import { simulatedCrypto } from '@tickwire/netsim';
import { describe, expect, test } from 'vitest';
import { deriveKey, KeyPurpose } from '../src/session/keys.ts';
import { KEY_BYTES } from '../src/wire/crypto.ts';

const crypto = simulatedCrypto(1);
const client = new Uint8Array(KEY_BYTES).fill(1);
const server = new Uint8Array(KEY_BYTES).fill(2);
const nonce = new Uint8Array(16).fill(3);

describe('deriveKey', () => {
  test('both ends get the same', () => {
    const one = deriveKey(crypto, KeyPurpose.accept, client, server, nonce);
    expect(one.length).toBe(KEY_BYTES);
    expect(deriveKey(simulatedCrypto(2), KeyPurpose.accept, client, server, nonce)).toEqual(one);
  });

  test('each purpose and each contribution makes another key, in both halves', () => {
    const changed = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte));
    const keys = [
      ...Object.values(KeyPurpose).map((p) => deriveKey(crypto, p, client, server, nonce)),
      deriveKey(crypto, 1, changed(client), server, nonce),
      deriveKey(crypto, 1, client, changed(server), nonce),
      deriveKey(crypto, 1, client, server, changed(nonce)),
      deriveKey(crypto, 1, server, client, nonce),
    ];
    const halves = keys.flatMap((key) => [key.subarray(0, 16).join(), key.subarray(16).join()]);
    expect(new Set(halves).size).toBe(halves.length);
  });
});
