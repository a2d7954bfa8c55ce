// A power series cut off where the rest is below the last place: what deterministic math is summed with.

/** c[0] + c[1] z + c[2] z^2 + ..., smallest terms first. */
export function series(coefficients: Float64Array, z: number): number {
  let sum = 0;
  for (let i = coefficients.length - 1; i >= 0; i--) sum = sum * z + coefficients[i]!;
  return sum;
}
