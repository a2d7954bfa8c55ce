// The two 32-bit words of a double, and multiplication by powers of two. Both are exact on every engine.

const view = new DataView(new ArrayBuffer(8));

/** Sign, exponent and the upper 20 bits of the fraction. */
export function highWord(value: number): number {
  view.setFloat64(0, value);
  return view.getInt32(0);
}

export function withHighWord(value: number, word: number): number {
  view.setFloat64(0, value);
  view.setInt32(0, word);
  return view.getFloat64(0);
}

/** With the lower 32 bits of the fraction zero: what remains multiplies without rounding. */
export function truncated(value: number): number {
  view.setFloat64(0, value);
  view.setInt32(4, 0);
  return view.getFloat64(0);
}

/** value * 2^exponent, rounded once; exponent of [-2000, 2000]. */
export function scale(value: number, exponent: number): number {
  if (exponent > 1023)
    return value * powerOfTwo(1023) * powerOfTwo(Math.min(exponent - 1023, 1023));
  if (exponent >= -1022) return value * powerOfTwo(exponent);
  // The last step is the one that rounds: what stands before it is still a normal number.
  return value * powerOfTwo(-969) * powerOfTwo(Math.max(exponent + 969, -1022));
}

/** Exponent of [-1022, 1023]. */
function powerOfTwo(exponent: number): number {
  return withHighWord(0, (exponent + 1023) << 20);
}
