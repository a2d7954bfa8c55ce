import { simulatedCrypto } from '@tickwire/netsim';
import { describe, expect, test } from 'vitest';
import {
  agreed,
  createKeyPair,
  deriveKey,
  hashOf,
  KeyChain,
  KeyPurpose,
  keyPairOf,
  NO_SECRET,
  RESUME_ID_BYTES,
  sessionKeys,
} from '../src/session/keys.ts';
import { KEY_BYTES, type Sealer, TAG_BYTES } from '../src/wire/crypto.ts';

const crypto = simulatedCrypto(1);
const [one, two, three, four] = [1, 2, 3, 4].map((n) => new Uint8Array(KEY_BYTES).fill(n)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const changed = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte));

/** All keys differ from each other, in both halves. */
function expectDistinct(keys: readonly Uint8Array[]): void {
  const halves = keys.flatMap((key) => [
    key.subarray(0, key.length / 2).join(),
    key.subarray(key.length / 2).join(),
  ]);
  expect(new Set(halves).size).toBe(halves.length);
}

describe('deriveKey', () => {
  test('both ends get the same', () => {
    const key = deriveKey(crypto, one, KeyPurpose.accept, two, three);
    expect(key.length).toBe(KEY_BYTES);
    expect(deriveKey(simulatedCrypto(2), one, KeyPurpose.accept, two, three)).toEqual(key);
  });

  test('each purpose and each contribution makes another key', () => {
    expectDistinct([
      ...Object.values(KeyPurpose).map((purpose) => deriveKey(crypto, one, purpose, two, three)),
      deriveKey(crypto, changed(one), KeyPurpose.accept, two, three),
      deriveKey(crypto, one, KeyPurpose.accept, changed(two), three),
      deriveKey(crypto, one, KeyPurpose.accept, two, changed(three)),
      deriveKey(crypto, one, KeyPurpose.accept, three, two),
      deriveKey(crypto, one, KeyPurpose.accept, two),
    ]);
  });

  test('is the hash of the purpose and what follows', () => {
    expect(deriveKey(crypto, one, 9, two)).toEqual(hashOf(crypto, one, Uint8Array.of(9), two));
  });
});

describe('key pairs', () => {
  test('agree, whoever asks', () => {
    const [a, b] = [createKeyPair(crypto), createKeyPair(crypto)];
    expect(a).not.toEqual(b);
    expect(keyPairOf(crypto, a.secretKey)).toEqual(a);
    const common = agreed(crypto, a.secretKey, b.publicKey);
    expect(common).toBeInstanceOf(Uint8Array);
    expect(agreed(crypto, b.secretKey, a.publicKey)).toEqual(common);
  });

  test('with a key that means the same to everybody there is no agreement', () => {
    expect(agreed(crypto, one, new Uint8Array(KEY_BYTES))).toBeUndefined();
  });
});

describe('KeyChain', () => {
  const packet = () => Uint8Array.from({ length: 20 + TAG_BYTES }, (_, i) => i);
  const opens = (sealed: Uint8Array, sealer: Sealer, sequence = 5) =>
    sealer.open(sealed.slice(), 0, 7, 20, sequence);

  test('gives each generation a key of its own, the same on both sides', () => {
    const [out, into] = [new KeyChain(crypto, one), new KeyChain(simulatedCrypto(2), one)];
    const sealers = [0, 1, 2, 3].map(() => out.next());
    const openers = [0, 1, 2, 3].map(() => into.next());
    for (const [generation, sealer] of sealers.entries()) {
      const sealed = packet();
      sealer.seal(sealed, 0, 7, 20, 5);
      const by = openers.map((opener) => opens(sealed, opener));
      expect(by).toEqual([0, 1, 2, 3].map((other) => other === generation));
    }
  });

  test('begins with the key that it was given, and leaves it alone', () => {
    const key = one.slice();
    const chain = new KeyChain(crypto, key);
    const sealed = packet();
    chain.next().seal(sealed, 0, 7, 20, 5);
    chain.next();
    expect(opens(sealed, crypto.sealer(one))).toBe(true);
    expect(key).toEqual(one);
  });

  test('the next key is H(key, [6])', () => {
    const chain = new KeyChain(crypto, one);
    chain.next();
    const sealed = packet();
    chain.next().seal(sealed, 0, 7, 20, 5);
    expect(opens(sealed, crypto.sealer(hashOf(crypto, one, Uint8Array.of(6))))).toBe(true);
  });
});

describe('sessionKeys', () => {
  const make = (
    secret: Uint8Array = NO_SECRET,
    es: Uint8Array = one,
    transcript: Uint8Array = two,
    ee: Uint8Array = three,
    accept: Uint8Array = four,
  ) => {
    const keys = sessionKeys(crypto, secret, { es, transcript }, ee, accept);
    const { id, secret: resumeSecret } = keys.resume;
    expect(id.length).toBe(RESUME_ID_BYTES);
    return [keys.accept, keys.clientToServer, keys.serverToClient, resumeSecret, id];
  };

  test('differ by purpose and with everything that they follow from', () => {
    expect(make()).toEqual(make());
    expectDistinct([
      ...make(),
      ...make(four),
      ...make(NO_SECRET, changed(one)),
      ...make(NO_SECRET, one, changed(two)),
      ...make(NO_SECRET, one, two, changed(three)),
      ...make(NO_SECRET, one, two, three, changed(four)),
    ]);
  });
});
