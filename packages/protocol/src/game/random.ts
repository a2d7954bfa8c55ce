// Randomness of a game. `hashRandom` is a hash, so that a replay of one entity draws what the server drew;
// `SecretRandom` is a stream that only the server can run.

const TO_UNIT = 2 ** -32;

/** Of [0, 1), a function of its arguments only. Mixing steps of MurmurHash3 (A. Appleby, public domain). */
export function hashRandom(seed: number, tick: number, entity: number, n: number): number {
  let h = mix(high(seed), seed);
  h = mix(mix(h, high(tick)), tick);
  h = mix(mix(h, entity), n);
  return (finish(h) >>> 0) * TO_UNIT;
}

/** A stream of [0, 1): xoshiro128** (D. Blackman, S. Vigna, public domain), seeded through the hash. */
export class SecretRandom {
  readonly #state = new Int32Array(4);

  constructor(seed: number) {
    for (let i = 0; i < 4; i++) {
      this.#state[i] = Math.floor(hashRandom(seed, 0, 0x5ec4e7, i) * 2 ** 32) | 0;
    }
    // All zero is the one state that never leaves.
    this.#state[0]! |= 1;
  }

  next(): number {
    const s = this.#state;
    const result = Math.imul(rotate(Math.imul(s[1]!, 5), 7), 9);
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotate(s[3]!, 11);
    return (result >>> 0) * TO_UNIT;
  }
}

function high(value: number): number {
  return Math.floor(value / 2 ** 32) | 0;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function mix(hash: number, value: number): number {
  let k = Math.imul(value | 0, 0xcc9e2d51);
  k = Math.imul(rotate(k, 15), 0x1b873593);
  return (Math.imul(rotate(hash ^ k, 13), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
