// The one source of chance of a simulation: sfc32, seeded through splitmix32. Pure 32-bit integer
// arithmetic, so a seed gives the same numbers on every engine. Not for secrets.

/** Mixes one step of splitmix32: a good 32-bit hash of its argument. */
function splitmix32(state: number): number {
  let z = (state + 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) | 0;
}

/** FNV-1a over UTF-16 code units; only has to tell labels apart. */
function hashLabel(label: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
  return hash | 0;
}

const WARM_UP_DRAWS = 12;

/** A small seeded generator of pseudo-random numbers (sfc32, period about 2^127). */
export class Prng {
  // A typed array rather than four fields: numbers above 2^31 in fields would be boxed on each draw.
  readonly #state = new Int32Array(4);
  readonly #seed: number;

  /** @param seed any number; its low 32 bits and its upper part both count. */
  constructor(seed: number) {
    const high = Math.floor(seed / 0x100000000) | 0;
    this.#seed = splitmix32((seed | 0) ^ splitmix32(high));
    let mixed = this.#seed;
    for (let i = 0; i < 3; i++) this.#state[i] = mixed = splitmix32(mixed ^ (i + 1));
    this.#state[3] = 1;
    for (let i = 0; i < WARM_UP_DRAWS; i++) this.u32();
  }

  /** The next integer in [0, 2^32). */
  u32(): number {
    const s = this.#state;
    const a = s[0]!;
    const b = s[1]!;
    const c = s[2]!;
    const d = s[3]!;
    const sum = (((a + b) | 0) + d) | 0;
    s[3] = d + 1;
    s[0] = b ^ (b >>> 9);
    s[1] = c + (c << 3);
    s[2] = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** The next number in [0, 1), a multiple of 2^-32. */
  next(): number {
    return this.u32() / 0x100000000;
  }

  /** An independent generator named by `label`. Draws made so far do not matter, only seed and label do. */
  fork(label: string): Prng {
    return new Prng(splitmix32(this.#seed ^ hashLabel(label)) >>> 0);
  }
}
