// Bits that turn over on the way.

/** One step of a 32-bit mixer (lowbias32, Chris Wellons), so that one draw gives as many positions as are needed. */
function mix(word: number): number {
  let z = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  z = Math.imul(z ^ (z >>> 15), 0x846ca68b);
  return z ^ (z >>> 16);
}

/** A number in [0, below) from 32 random bits. */
function pick(word: number, below: number): number {
  return Math.floor(((word >>> 0) / 0x100000000) * below);
}

/**
 * Flips 1, 2 or 3 different bits of bytes[start, end), which ones `pattern` decides, 32 random bits. Nothing happens
 * to an empty range.
 */
export function flipBits(bytes: Uint8Array, start: number, end: number, pattern: number): void {
  const bits = (end - start) * 8;
  if (bits === 0) return;
  const first = mix(pattern);
  const second = mix(first);
  const third = mix(second);
  const flips = 1 + pick(mix(third), 3);
  const at = pick(first, bits);
  // Distances from the first bit: neither is 0, and they differ.
  const near = 1 + pick(second, bits - 1);
  const drawn = 1 + pick(third, bits - 1);
  const far = drawn === near ? (drawn % (bits - 1)) + 1 : drawn;
  flip(bytes, start, at);
  if (flips > 1) flip(bytes, start, (at + near) % bits);
  if (flips > 2) flip(bytes, start, (at + far) % bits);
}

function flip(bytes: Uint8Array, start: number, bit: number): void {
  bytes[start + (bit >> 3)]! ^= 1 << (bit & 7);
}
