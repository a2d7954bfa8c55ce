// Published vectors: RFC 7748 (X25519), RFC 8439 (ChaCha20-Poly1305), draft-irtf-cfrg-xchacha-03 (XChaCha20-Poly1305),
// RFC 7693 and the reference implementation's known answers (BLAKE2b).
import { describe, expect, test } from 'vitest';
import { loadCrypto } from '../../src/sodium/sodium-crypto.ts';
import { loadModule } from '../../src/sodium/sodium-module.ts';
import { HASH_BYTES, KEY_BYTES, TAG_BYTES } from '../../src/wire/crypto.ts';

const crypto = await loadCrypto();

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function counted(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i + from);
}

function agreed(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const out = new Uint8Array(KEY_BYTES);
  expect(crypto.agree(secretKey, publicKey, out)).toBe(true);
  return out;
}

describe('X25519', () => {
  test.each([
    [
      'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
      'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
      'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    ],
    [
      '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
      'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
      '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
    ],
  ])('RFC 7748, 5.2: %s', (scalar, point, result) => {
    expect(text(agreed(hex(scalar), hex(point)))).toBe(result);
  });

  test('RFC 7748, 5.2: iterated once, and a thousand times', () => {
    let scalar = new Uint8Array(KEY_BYTES);
    scalar[0] = 9;
    let point = scalar;
    for (let i = 1; i <= 1000; i++) {
      const result = new Uint8Array(KEY_BYTES);
      crypto.agree(scalar, point, result);
      point = scalar;
      scalar = result;
      if (i > 1) continue;
      expect(text(scalar)).toBe('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079');
    }
    expect(text(scalar)).toBe('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51');
  });

  test('RFC 7748, 6.1: Alice and Bob', () => {
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
    const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    const [a, b] = [new Uint8Array(KEY_BYTES), new Uint8Array(KEY_BYTES)];
    crypto.publicKey(alice, a);
    crypto.publicKey(bob, b);
    expect([text(a), text(b)]).toEqual([
      '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
      'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
    ]);
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    expect([text(agreed(alice, b)), text(agreed(bob, a))]).toEqual([shared, shared]);
  });

  // Of order 1, 2, 4 and 8, and what is the same modulo the prime.
  test.each([
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ])('a point of low order is refused: %s', (point) => {
    const out = new Uint8Array(KEY_BYTES);
    for (const secret of [1, 2, 3]) {
      expect(crypto.agree(new Uint8Array(KEY_BYTES).fill(secret), hex(point), out)).toBe(false);
      const high = hex(point);
      high[KEY_BYTES - 1]! |= 0x80;
      expect(crypto.agree(new Uint8Array(KEY_BYTES).fill(secret), high, out)).toBe(false);
    }
  });
});

const sunscreen = Buffer.from(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
);
const header = hex('50515253c0c1c2c3c4c5c6c7');
const key = counted(KEY_BYTES, 0x80);

/** Header, text, room for the tag. */
function packet(): Uint8Array {
  const bytes = new Uint8Array(header.length + sunscreen.length + TAG_BYTES);
  bytes.set(header);
  bytes.set(sunscreen, header.length);
  return bytes;
}

const end = header.length + sunscreen.length;

test('ChaCha20-Poly1305: RFC 8439, 2.8.2', async () => {
  // Its nonce begins with a 7, which a sealer never writes: the raw function, then.
  const { raw, heap, packetsAt: at, keyAt, nonceAt } = await loadModule();
  heap.set(packet(), at);
  heap.set(key, keyAt);
  heap.set(hex('070000004041424344454647'), nonceAt);
  const body = at + header.length;
  const { length } = sunscreen;
  const seal = raw._crypto_aead_chacha20poly1305_ietf_encrypt_detached;
  seal(body, at + end, 0, body, length, 0, at, header.length, 0, 0, nonceAt, keyAt);
  expect(text(heap.subarray(body, at + end))).toBe(
    'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6' +
      '3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36' +
      '92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc' +
      '3ff4def08e4b7a9de576d26586cec64b6116',
  );
  expect(text(heap.subarray(at + end, at + end + TAG_BYTES))).toBe(
    '1ae10b594f09e26a7e902ecbd0600691',
  );
  const open = raw._crypto_aead_chacha20poly1305_ietf_decrypt_detached;
  expect(open(body, 0, body, length, 0, at + end, at, header.length, 0, nonceAt, keyAt)).toBe(0);
  expect(Buffer.from(heap.subarray(body, at + end))).toEqual(sunscreen);
});

test('XChaCha20-Poly1305: draft-irtf-cfrg-xchacha-03, A.3.1', () => {
  const nonce = counted(24, 0x40);
  const bytes = packet();
  crypto.sealToken(key, nonce, bytes, 0, header.length, end);
  expect(text(bytes)).toBe(
    '50515253c0c1c2c3c4c5c6c7' +
      'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb' +
      '731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452' +
      '2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9' +
      '21f9664c97637da9768812f615c68b13b52e' +
      'c0875924c1c7987947deafd8780acf49',
  );
  expect(crypto.openToken(key, nonce, bytes, 0, header.length, end)).toBe(true);
  expect(text(bytes.subarray(0, end))).toBe(text(packet().subarray(0, end)));
});

describe('BLAKE2b', () => {
  // The raw function, for lengths that the protocol does not use.
  test.each([
    [
      'RFC 7693, appendix A: abc',
      Buffer.from('abc'),
      0,
      'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1' +
        '7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923',
    ],
    [
      'known answer, keyed, no input',
      counted(0),
      64,
      '10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786' +
        'b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568',
    ],
    [
      'known answer, keyed, 255 bytes',
      counted(255),
      64,
      '142709d62e28fcccd0af97fad0f8465b971e82201dc51070faa0372aa43e9248' +
        '4be1c1e73ba10906d5d1853db6a4106e0a7bf9800d373d6dee2d46d62ef2a461',
    ],
  ])('%s', async (_name, input, keyBytes, digest) => {
    const { raw, heap, packetsAt: at } = await loadModule();
    const [keyAt, inputAt] = [at + 64, at + 128];
    heap.set(counted(keyBytes), keyAt);
    heap.set(input, inputAt);
    raw._crypto_generichash(at, 64, inputAt, input.length, 0, keyBytes && keyAt, keyBytes);
    expect(text(heap.subarray(at, at + 64))).toBe(digest);
  });

  // hashlib.blake2b(bytes(i % 256 for i in range(n)), key=bytes(range(32)), digest_size=32)
  test.each([
    [0, '4e51e7a913fc80137da52880fecca175bf81e117d5c68126dc2774033517ea0d'],
    [1, '41ff93a4eaeebd3b78a93438a6f62a92ab5959c859e682b72c7def406197ca4d'],
    [64, '7f46f043d63dfb3c9b1102c8824b632cae1fce453e3c0e9dc9e7113f3c1acc36'],
    [128, '138893f1631ef3165629515d6ed800da3771b7926dced294205c7507351deebc'],
    [129, 'ca60f75cbb714330c046d8f28b4ed351a3ee81776bb02a96abb646fe573e3d5c'],
    [255, 'f60f5c4a575c43db6c93608515866ea998e04b35792f5a92b27aa5880cd6721e'],
    [1200, '27dfe09ebec0c26d48c181a016753903b659b4bc34d0a0661f4a24a22999f2cb'],
  ])('keyed, 32 bytes out, as Python has it: %i bytes', (length, digest) => {
    const out = new Uint8Array(HASH_BYTES);
    crypto.hash(counted(KEY_BYTES), counted(length), 0, length, out, 0);
    expect(text(out)).toBe(digest);
  });
});
