// exp, log and pow of deterministic math (math.ts). The logarithm comes in two doubles, high + low, good to some
// 65 bits: so many it takes for y * log(x) to leave all 53 of a power right.

import { series } from './series.ts';

/** ln 2 in two parts: the first has 40 bits, so that an exponent times it is exact. */
const LN2_HIGH = 0.6931471805592082;
const LN2_LOW = 7.371002565167799e-13;
/** 1/3 minus the double nearest to it. */
const THIRD_LOW = 1.850371707708594e-17;
/** Of (atanh(s) - s - s^3 / 3) / s^5, in s^2; for |s| <= 0.172. */
const ATANH = Float64Array.from({ length: 11 }, (_, i) => 1 / (2 * i + 5));
/** Beyond them exp is infinite or 0. */
const MAX_EXPONENT = 710;
const MIN_EXPONENT = -746;

const bits = new DataView(new ArrayBuffer(8));
/** What `wideLog` leaves beside its result. */
const lowOfLog = new Float64Array(1);

/** e to the x. */
export function exp(x: number): number {
  return wideExp(x, 0);
}

/** Natural logarithm. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : Number.NaN;
  return x === Infinity ? x : wideLog(x);
}

/** x to the y, with the special cases of Math.pow. */
export function pow(x: number, y: number): number {
  if (y === 0) return 1;
  if (y === 1) return x;
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN;
  const size = Math.abs(x);
  const power = powerOf(size, y);
  if (x > 0 || Object.is(x, 0)) return power;
  const odd = y - 2 * Math.floor(y / 2) === 1;
  if (odd) return -power;
  const undefinedRoot = Math.floor(y) !== y && size > 0 && size < Infinity;
  return undefinedRoot ? Number.NaN : power;
}

/** For size >= 0. */
function powerOf(size: number, y: number): number {
  if (size === 1) return Math.abs(y) === Infinity ? Number.NaN : 1;
  const extreme = size > 1 === y > 0 ? Infinity : 0;
  if (size === 0 || size === Infinity || Math.abs(y) === Infinity) return extreme;
  const high = wideLog(size);
  const product = y * high;
  if (product > MAX_EXPONENT || product < MIN_EXPONENT) return extreme;
  return wideExp(product, lostInProduct(y, high, product) + y * lowOfLog[0]!);
}

/** e to the (high + low), low being far below the last place of a result. */
function wideExp(high: number, low: number): number {
  if (high > MAX_EXPONENT) return Infinity;
  if (high < MIN_EXPONENT) return 0;
  const k = Math.floor(high / Math.LN2 + 0.5);
  const rough = high - k * LN2_HIGH;
  const taken = k * LN2_LOW - low;
  const r = rough - taken;
  // Padé's approximant of order 6: e^r = (q + p) / (q - p), from which 1 + r is split off and added last.
  const z = r * r;
  const q = 665280 + z * (75600 + z * (840 + z));
  const p = r * (332640 + z * (10080 + z * 42));
  const bend = 332640 + z * (10080 + z * 42) - r * (55440 + z * (756 + z));
  const one = 1 + r;
  const lost = 1 - one + r + (rough - r - taken);
  return scale(one + (lost + (z * bend) / (q - p)), k);
}

/** log(x) for finite x > 0, rounded; what rounding took stands in `lowOfLog`. */
function wideLog(x: number): number {
  const normal = x < 2 ** -1022 ? x * 2 ** 54 : x;
  const exponent = exponentOf(normal);
  const mantissa = scale(normal, -exponent);
  const upper = mantissa > Math.SQRT2;
  const m = upper ? mantissa / 2 : mantissa;
  const k = exponent + (upper ? 1 : 0) - (normal === x ? 0 : 54);
  // s + sLow = (m - 1) / (m + 1); log(m) = 2 atanh(s) = 2 s (1 + s^2 / 3 + s^4 / 5 + ...).
  const top = m - 1;
  const bottom = m + 1;
  const s = top / bottom;
  const product = s * bottom;
  const rest = top - product - lostInProduct(s, bottom, product) - s * (m - (bottom - 1));
  const sLow = rest / bottom;
  const z = s * s;
  const zLow = lostInProduct(s, s, z) + 2 * s * sLow;
  const third = z * (1 / 3);
  const thirdLow = lostInProduct(z, 1 / 3, third) + z * THIRD_LOW + zLow / 3;
  const factor = 1 + third;
  const factorLow = 1 - factor + third + (thirdLow + z * z * series(ATANH, z));
  const half = s * factor;
  const halfLow = lostInProduct(s, factor, half) + s * factorLow + sLow * factor;
  const whole = k * LN2_HIGH;
  const high = whole + 2 * half;
  const low = (k === 0 ? 0 : whole - high + 2 * half) + (k * LN2_LOW + 2 * halfLow);
  const sum = high + low;
  lowOfLog[0] = high - sum + low;
  return sum;
}

/** a * b - product, exactly, where product is a * b rounded: Dekker's, for factors below 2^996. */
function lostInProduct(a: number, b: number, product: number): number {
  const aUpper = upperHalf(a);
  const bUpper = upperHalf(b);
  const aLower = a - aUpper;
  const bLower = b - bUpper;
  return aUpper * bUpper - product + aUpper * bLower + aLower * bUpper + aLower * bLower;
}

/** The upper 26 bits of a double, by Veltkamp's split. */
function upperHalf(a: number): number {
  const shifted = a * (2 ** 27 + 1);
  return shifted - (shifted - a);
}

/** Exponent of a normal number: 0 for [1, 2). */
function exponentOf(x: number): number {
  bits.setFloat64(0, x);
  return ((bits.getUint32(0) >>> 20) & 0x7ff) - 1023;
}

/** x * 2^exponent for x of a moderate size: in two steps, of which only the last can round. */
function scale(x: number, exponent: number): number {
  const half = Math.floor(exponent / 2);
  return x * powerOfTwo(half) * powerOfTwo(exponent - half);
}

function powerOfTwo(exponent: number): number {
  bits.setUint32(0, (exponent + 1023) << 20);
  bits.setUint32(4, 0);
  return bits.getFloat64(0);
}
