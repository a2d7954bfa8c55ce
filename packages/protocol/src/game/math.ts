// Deterministic math: bit for bit the same on every engine, because it uses nothing but + - * / sqrt, floor
// and the bits of a double. (Math.sin and friends are left to the engine, and Math.pow does differ.)
// Algorithms and coefficients: fdlibm 5.3, whose notice is: Copyright (C) 1993-2004 by Sun Microsystems, Inc.
// All rights reserved. Permission to use, copy, modify, and distribute this software is freely granted,
// provided that this notice is preserved.

import { highWord, scale, withHighWord } from './double-bits.ts';
import { pow } from './power.ts';

const PI = Math.PI;
const HALF_PI = 1.5707963267948966;
/** π - PI and π/2 - HALF_PI. */
const PI_LOW = 1.2246467991473532e-16;
const HALF_PI_LOW = 6.123233995736766e-17;
const TWO_OVER_PI = 0.6366197723675814;
/** π/2 in three parts: the first two have 33 bits, so that n times them is exact for n < 2^20. */
const PIO2_1 = 1.5707963267341256;
const PIO2_2 = 6.077100506303966e-11;
const PIO2_3 = 2.0222662487111665e-21;
const PIO2_3_LOW = 8.4784276603689e-32;
/** Beyond it an angle is first taken modulo 2π as a double, which loses accuracy but stays deterministic. */
const MAX_REDUCIBLE = 2 ** 20;

/** Remainder of {@link reduce} in two parts. */
const rest = { high: 0, low: 0 };

/** Takes off multiples of π/2. Leaves what remains in `rest`, returns the quadrant. */
function reduce(x: number): number {
  const angle = x > MAX_REDUCIBLE || x < -MAX_REDUCIBLE ? x % (2 * PI) : x;
  const n = Math.floor(angle * TWO_OVER_PI + 0.5);
  let high = angle - n * PIO2_1;
  let taken = n * PIO2_2;
  let before = high;
  high = before - taken;
  let low = before - high - taken;
  taken = n * PIO2_3;
  before = high;
  high = before + (low - taken);
  low = before - high + (low - taken) - n * PIO2_3_LOW;
  rest.high = high;
  rest.low = low;
  return n & 3;
}

/** sin(x + y) for |x| <= π/4, y its tail. */
function sinKernel(x: number, y: number): number {
  const z = x * x;
  const v = z * x;
  const r =
    0.00833333333332249 +
    z *
      (-0.0001984126982985795 +
        z * (2.7557313707070068e-6 + z * (-2.5050760253406863e-8 + z * 1.58969099521155e-10)));
  return x - (z * (0.5 * y - v * r) - y - v * -0.16666666666666632);
}

/** cos(x + y) for |x| <= π/4, y its tail. */
function cosKernel(x: number, y: number): number {
  const z = x * x;
  const r =
    z *
    (0.0416666666666666 +
      z *
        (-0.001388888888887411 +
          z *
            (2.480158728947673e-5 +
              z *
                (-2.7557314351390663e-7 +
                  z * (2.087572321298175e-9 + z * -1.1359647557788195e-11)))));
  const half = 0.5 * z;
  const w = 1 - half;
  return w + (1 - w - half + (z * r - x * y));
}

function sin(x: number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  if (x === 0) return x;
  switch (reduce(x)) {
    case 0:
      return sinKernel(rest.high, rest.low);
    case 1:
      return cosKernel(rest.high, rest.low);
    case 2:
      return -sinKernel(rest.high, rest.low);
    default:
      return -cosKernel(rest.high, rest.low);
  }
}

function cos(x: number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  switch (reduce(x)) {
    case 0:
      return cosKernel(rest.high, rest.low);
    case 1:
      return -sinKernel(rest.high, rest.low);
    case 2:
      return -cosKernel(rest.high, rest.low);
    default:
      return sinKernel(rest.high, rest.low);
  }
}

function tan(x: number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  if (x === 0) return x;
  const odd = (reduce(x) & 1) === 1;
  const s = sinKernel(rest.high, rest.low);
  const c = cosKernel(rest.high, rest.low);
  return odd ? -c / s : s / c;
}

/** atan of 0.5, 1, 1.5 and ∞ in two parts. */
const ATAN_HIGH = [
  0.4636476090008061, 0.7853981633974483, 0.982793723247329, 1.5707963267948966,
] as const;
const ATAN_LOW = [
  2.2698777452961687e-17, 3.061616997868383e-17, 1.3903311031230998e-17, 6.123233995736766e-17,
] as const;

/** x minus atan(x), for |x| < 0.4375. */
function atanTail(x: number): number {
  const z = x * x;
  const w = z * z;
  const even =
    z *
    (0.3333333333333293 +
      w *
        (0.14285714272503466 +
          w *
            (0.09090887133436507 +
              w * (0.06661073137387531 + w * (0.049768779946159324 + w * 0.016285820115365782)))));
  const odd =
    w *
    (-0.19999999999876483 +
      w *
        (-0.11111110405462356 +
          w * (-0.0769187620504483 + w * (-0.058335701337905735 + w * -0.036531572744216916))));
  return x * (even + odd);
}

function atan(x: number): number {
  if (Number.isNaN(x) || x === 0) return x;
  const size = Math.abs(x);
  const sign = x < 0 ? -1 : 1;
  if (size < 0.4375) return x - atanTail(x);
  if (size > 1e20) return sign * HALF_PI;
  if (size < 0.6875) return sign * atanFrom(0, (2 * size - 1) / (2 + size));
  if (size < 1.1875) return sign * atanFrom(1, (size - 1) / (size + 1));
  if (size < 2.4375) return sign * atanFrom(2, (size - 1.5) / (1 + 1.5 * size));
  return sign * atanFrom(3, -1 / size);
}

function atanFrom(part: 0 | 1 | 2 | 3, x: number): number {
  return ATAN_HIGH[part] - (atanTail(x) - ATAN_LOW[part] - x);
}

function atan2(y: number, x: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN;
  const leftwards = x < 0 || Object.is(x, -0);
  if (y === 0) return leftwards ? (Object.is(y, -0) ? -PI : PI) : y;
  const sign = y < 0 ? -1 : 1;
  if (x === 0) return sign * HALF_PI;
  const ratio = Math.abs(y) === Math.abs(x) ? 1 : Math.abs(y / x);
  const angle = ratio === Infinity ? HALF_PI + HALF_PI_LOW : atan(ratio);
  return leftwards ? sign * (PI - (angle - PI_LOW)) : sign * angle;
}

function asin(x: number): number {
  return Math.abs(x) <= 1 ? (x === 0 ? x : atan2(x, Math.sqrt((1 - x) * (1 + x)))) : Number.NaN;
}

function acos(x: number): number {
  return Math.abs(x) <= 1 ? atan2(Math.sqrt((1 - x) * (1 + x)), x) : Number.NaN;
}

const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const ONE_OVER_LN2 = Math.LOG2E;
const MAX_EXP = 709.782712893384;
const MIN_EXP = -745.1332191019411;

function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > MAX_EXP) return Infinity;
  if (x < MIN_EXP) return 0;
  const k = Math.floor(x * ONE_OVER_LN2 + 0.5);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  const t = r * r;
  const c =
    r -
    t *
      (0.16666666666666602 +
        t *
          (-0.0027777777777015593 +
            t * (6.613756321437934e-5 + t * (-1.6533902205465252e-6 + t * 4.1381367970572385e-8))));
  return scale(1 - (low - (r * c) / (2 - c) - high), k);
}

function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : Number.NaN;
  if (x === Infinity) return x;
  const subnormal = x < 2 ** -1022;
  const value = subnormal ? x * 2 ** 54 : x;
  const word = highWord(value);
  const fraction = word & 0x000fffff;
  // Puts the mantissa into [sqrt(2)/2, sqrt(2)].
  const over = (fraction + 0x95f64) & 0x100000;
  const k = (word >> 20) - 1023 + (over >> 20) - (subnormal ? 54 : 0);
  const f = withHighWord(value, fraction | (over ^ 0x3ff00000)) - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const t1 = w * (0.3999999999940942 + w * (0.22222198432149784 + w * 0.15313837699209373));
  const t2 =
    z *
    (0.6666666666666735 +
      w * (0.2857142874366239 + w * (0.1818357216161805 + w * 0.14798198605116586)));
  const half = 0.5 * f * f;
  return k * LN2_HIGH - (half - (s * (half + (t1 + t2)) + k * LN2_LOW) - f);
}

function hypot(x: number, y: number): number {
  const a = Math.abs(x);
  const b = Math.abs(y);
  if (a === Infinity || b === Infinity) return Infinity;
  const most = a > b ? a : b;
  // Squares of these neither overflow nor vanish.
  if (most < 1e150 && most > 1e-140) return Math.sqrt(a * a + b * b);
  if (most === 0 || Number.isNaN(a + b)) return a + b;
  return most * Math.sqrt((a / most) * (a / most) + (b / most) * (b / most));
}

/**
 * Math for simulate: the same bits on every engine. Within 2 units in the last place of the exact value; angles
 * beyond 2^20 radians are less accurate. `sqrt`, `abs`, `floor`, `min` and `max` of Math are safe as they are.
 */
export const math = Object.freeze({
  PI,
  sin,
  cos,
  tan,
  atan,
  atan2,
  asin,
  acos,
  exp,
  log,
  pow,
  /** Length of (x, y). */
  hypot,
  sqrt: Math.sqrt,
});
