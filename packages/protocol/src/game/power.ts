// pow, from fdlibm 5.3 (e_pow.c), whose notice is: Copyright (C) 2004 by Sun Microsystems, Inc. All rights
// reserved. Permission to use, copy, modify, and distribute this software is freely granted, provided that
// this notice is preserved. log2(x) and y * log2(x) are kept in two doubles each, which is what makes it exact.

import { highWord, scale, truncated, withHighWord } from './double-bits.ts';

/** 2/(3 ln2), and in two parts. */
const CP = 0.9617966939259756;
const CP_HIGH = 0.9617967009544373;
const CP_LOW = -7.028461650952758e-9;
/** log2(1.5) in two parts. */
const LOG2_1_5_HIGH = 0.5849624872207642;
const LOG2_1_5_LOW = 1.350039202129749e-8;
const LN2 = Math.LN2;
const LN2_HIGH = 0.6931471824645996;
const LN2_LOW = -1.904654299957768e-9;
/** -(1024 - log2(largest double + half a step)): what overflows beyond 1024. */
const OVERFLOW_TAIL = 8.008566259537294e-17;

/** log2 of the last argument of {@link log2}, in two parts. */
const logarithm = { high: 0, low: 0 };

/** x to the y, with the special cases of Math.pow. */
export function pow(x: number, y: number): number {
  if (y === 0) return 1;
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN;
  const size = Math.abs(x);
  if (Math.abs(y) === Infinity) return infinitePower(size, y);
  const odd = isOdd(y);
  if (size === 0 || size === Infinity || size === 1) {
    const power = size === 1 ? 1 : (size === 0) === y > 0 ? 0 : Infinity;
    if (x === -1 && !Number.isInteger(y)) return Number.NaN;
    return odd && (x < 0 || Object.is(x, -0)) ? -power : power;
  }
  if (x < 0 && !Number.isInteger(y)) return Number.NaN;
  const power = positivePower(size, y);
  return x < 0 && odd ? -power : power;
}

function infinitePower(size: number, y: number): number {
  if (size === 1) return Number.NaN;
  return size > 1 === y > 0 ? Infinity : 0;
}

function isOdd(y: number): boolean {
  return Number.isInteger(y) && Math.abs(y % 2) === 1;
}

/** For finite x > 0, not 1, and finite y. */
function positivePower(x: number, y: number): number {
  // Beyond it the result is 0 or infinite for every x but those right beside 1.
  if (Math.abs(y) > 2 ** 64) return infinitePower(x, y);
  log2(x);
  const yHigh = truncated(y);
  const low = (y - yHigh) * logarithm.high + y * logarithm.low;
  const high = yHigh * logarithm.high;
  const sum = low + high;
  if (sum > 1024 || (sum === 1024 && low + OVERFLOW_TAIL > sum - high)) return Infinity;
  if (sum < -1075 || (sum === -1075 && low <= sum - high)) return 0;
  return exp2(high, low, sum);
}

/** Leaves log2(x) in `logarithm`. */
function log2(x: number): void {
  const subnormal = x < 2 ** -1022;
  const value = subnormal ? x * 2 ** 53 : x;
  const word = highWord(value);
  const fraction = word & 0x000fffff;
  let exponent = (word >> 20) - 1023 - (subnormal ? 53 : 0);
  let normal = fraction | 0x3ff00000;
  // Near 1, near 1.5, or near 2, which is 1 with the next exponent.
  const near1 = fraction <= 0x3988e;
  const near1_5 = !near1 && fraction < 0xbb67a;
  if (!near1 && !near1_5) {
    exponent++;
    normal -= 0x00100000;
  }
  const a = withHighWord(value, normal);
  const base = near1_5 ? 1.5 : 1;
  // ss = (a - base) / (a + base), in two parts.
  const u = a - base;
  const v = 1 / (a + base);
  const ss = u * v;
  const sHigh = truncated(ss);
  const step = ((normal >> 1) | 0x20000000) + 0x00080000 + (near1_5 ? 0x40000 : 0);
  const tHigh = withHighWord(0, step);
  const tLow = a - (tHigh - base);
  const sLow = v * (u - sHigh * tHigh - sHigh * tLow);
  logOfRatio(ss, sHigh, sLow, exponent, near1_5);
}

function logOfRatio(
  ss: number,
  sHigh: number,
  sLow: number,
  exponent: number,
  near1_5: boolean,
): void {
  const s2 = ss * ss;
  const series =
    s2 *
      s2 *
      (0.5999999999999946 +
        s2 *
          (0.4285714285785502 +
            s2 *
              (0.33333332981837743 +
                s2 *
                  (0.272728123808534 + s2 * (0.23066074577556175 + s2 * 0.20697501780033842))))) +
    sLow * (sHigh + ss);
  const square = sHigh * sHigh;
  const tHigh = truncated(3 + square + series);
  const tLow = series - (tHigh - 3 - square);
  const u = sHigh * tHigh;
  const v = sLow * tHigh + tLow * ss;
  const pHigh = truncated(u + v);
  const pLow = v - (pHigh - u);
  const zHigh = CP_HIGH * pHigh;
  const zLow = CP_LOW * pHigh + pLow * CP + (near1_5 ? LOG2_1_5_LOW : 0);
  const baseHigh = near1_5 ? LOG2_1_5_HIGH : 0;
  logarithm.high = truncated(zHigh + zLow + baseHigh + exponent);
  logarithm.low = zLow - (logarithm.high - exponent - baseHigh - zHigh);
}

/** 2^(high + low), where sum = high + low. */
function exp2(high: number, low: number, sum: number): number {
  const n = Math.abs(sum) > 0.5 ? Math.floor(sum + 0.5) : 0;
  const rest = high - n;
  const t = truncated(low + rest);
  const u = t * LN2_HIGH;
  const v = (low - (t - rest)) * LN2 + t * LN2_LOW;
  const z = u + v;
  const w = v - (z - u);
  const s = z * z;
  const t1 =
    z -
    s *
      (0.16666666666666602 +
        s *
          (-0.0027777777777015593 +
            s * (6.613756321437934e-5 + s * (-1.6533902205465252e-6 + s * 4.1381367970572385e-8))));
  const r = (z * t1) / (t1 - 2) - (w + z * w);
  return scale(1 - (r - z), n);
}
