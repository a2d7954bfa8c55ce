// Cryptography for virtual time: a keyed checksum (HalfSipHash-2-4, stretched to 128 bits) behind the
// protocol's Crypto interface. It catches every corruption and every wrong key a test can make, fast and
// the same on every machine. It hides nothing and withstands no attacker: for tests only.
//
//   tag = H(key; sequence low, sequence high, header length, total length, header, body)

import { type Crypto, HASH_BYTES, KEY_BYTES, type Sealer, TAG_BYTES } from '@tickwire/protocol';
import { Prng } from './prng.ts';

const PREFIX_WORDS = 4;

/**
 * HalfSipHash with 2 and 4 rounds (Aumasson and Bernstein, reference implementation), with four 32-bit
 * outputs: the first two are those of its 64-bit form, two more follow by the same finalisation.
 * @param prefixWords how many words of `prefix` go before the bytes.
 */
function halfSipHash(
  key: Int32Array,
  prefix: Int32Array,
  prefixWords: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Int32Array,
): void {
  let v0 = key[0]!;
  let v1 = key[1]! ^ 0xee;
  let v2 = 0x6c796765 ^ key[0]!;
  let v3 = 0x74656462 ^ key[1]!;
  const wholeWords = (end - start) >> 2;
  const lastWord = prefixWords + wholeWords;
  // Steps up to lastWord take in a word; the four after it finalise, an output each.
  for (let step = 0; step <= lastWord + 4; step++) {
    let word = 0;
    let rounds = 2;
    if (step < prefixWords) word = prefix[step]!;
    else if (step < lastWord) word = wordAt(bytes, start + (step - prefixWords) * 4);
    else if (step === lastWord) {
      word = tailWord(bytes, start + wholeWords * 4, end, prefixWords * 4 + end - start);
    } else {
      rounds = 4;
      if (step === lastWord + 1) v2 ^= 0xee;
      else v1 ^= 0xdd;
    }
    v3 ^= word;
    for (let round = 0; round < rounds; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
    if (step > lastWord) out[step - lastWord - 1] = v1 ^ v3;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** The last word: what is left over, and the low byte of the total length on top. */
function tailWord(bytes: Uint8Array, at: number, end: number, totalBytes: number): number {
  let word = totalBytes << 24;
  for (let i = at; i < end; i++) word |= bytes[i]! << (8 * (i - at));
  return word;
}

/** The key halves for a key of any length: every byte of it counts. */
function foldKey(key: Uint8Array, out: Int32Array): Int32Array {
  const words = new Int32Array(PREFIX_WORDS);
  if (key.length === 8) words.set([wordAt(key, 0), wordAt(key, 4)]);
  else halfSipHash(words, words, 0, key, 0, key.length, words);
  out[0] = words[0]!;
  out[1] = words[1]!;
  return out;
}

class ChecksumSealer implements Sealer {
  readonly #key: Int32Array;
  readonly #prefix = new Int32Array(PREFIX_WORDS);
  readonly #tag = new Int32Array(TAG_BYTES / 4);

  constructor(key: Uint8Array) {
    this.#key = foldKey(key, new Int32Array(2));
  }

  seal(bytes: Uint8Array, start: number, bodyStart: number, end: number, sequence: number): void {
    this.#hash(bytes, start, bodyStart, end, sequence);
    writeWords(this.#tag, bytes, end);
  }

  open(
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
    sequence: number,
  ): boolean {
    if (end + TAG_BYTES > bytes.length) return false;
    this.#hash(bytes, start, bodyStart, end, sequence);
    let difference = 0;
    for (let i = 0; i < this.#tag.length; i++) {
      difference |= this.#tag[i]! ^ wordAt(bytes, end + 4 * i);
    }
    return difference === 0;
  }

  #hash(bytes: Uint8Array, start: number, bodyStart: number, end: number, sequence: number): void {
    const prefix = this.#prefix;
    prefix[0] = sequence;
    prefix[1] = sequence / 0x100000000;
    prefix[2] = bodyStart - start;
    prefix[3] = end - start;
    halfSipHash(this.#key, prefix, PREFIX_WORDS, bytes, start, end, this.#tag);
  }
}

function writeWords(words: Int32Array, out: Uint8Array, outStart: number): void {
  for (let i = 0; i < words.length * 4; i++) out[outStart + i] = words[i >> 2]! >>> (8 * (i & 3));
}

/** Stands between a secret key and its public one, so that mixing the two up is noticed. */
const PUBLIC_MASK = 0x5a;

/** The injected primitives of one node of a simulation, reproducible from `seed`. Not secret: for tests only. */
export function simulatedCrypto(seed: number): Crypto {
  const random = new Prng(seed).fork('crypto');
  const folded = new Int32Array(2);
  const prefix = new Int32Array(1);
  const words = new Int32Array(TAG_BYTES / 4);
  const hash: Crypto['hash'] = (key, bytes, start, end, out, outStart) => {
    foldKey(key, folded);
    for (let half = 0; half < HASH_BYTES / TAG_BYTES; half++) {
      prefix[0] = half;
      halfSipHash(folded, prefix, 1, bytes, start, end, words);
      writeWords(words, out, outStart + half * TAG_BYTES);
    }
  };
  const tokenSealer = (key: Uint8Array, nonce: Uint8Array) => {
    const own = new Uint8Array(HASH_BYTES);
    hash(key, nonce, 0, nonce.length, own, 0);
    return new ChecksumSealer(own);
  };
  return {
    provider: 'simulated',
    randomBytes(out) {
      for (let i = 0; i < out.length; i++) out[i] = random.u32() >>> 24;
    },
    hash,
    publicKey(secretKey, out) {
      for (let i = 0; i < KEY_BYTES; i++) out[i] = secretKey[i]! ^ PUBLIC_MASK;
    },
    agree(secretKey, publicKey, out) {
      if (publicKey.every((byte) => byte === 0)) return false;
      for (let i = 0; i < KEY_BYTES; i++) out[i] = secretKey[i]! ^ publicKey[i]! ^ PUBLIC_MASK;
      return true;
    },
    sealer: (key) => new ChecksumSealer(key),
    sealToken(key, nonce, bytes, start, bodyStart, end) {
      tokenSealer(key, nonce).seal(bytes, start, bodyStart, end, 0);
    },
    openToken(key, nonce, bytes, start, bodyStart, end) {
      return tokenSealer(key, nonce).open(bytes, start, bodyStart, end, 0);
    },
  };
}
