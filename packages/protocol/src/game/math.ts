// Deterministic math: bit for bit the same on every engine, because it uses nothing but + - * / %, sqrt and floor,
// which are exactly specified. (Math.sin and friends are left to the engine, and Math.pow does differ.)

import { exp, log, pow } from './power.ts';
import { series } from './series.ts';

const PI = Math.PI;
const TURN = 2 * PI;
const HALF_PI = PI / 2;
/** π/2 in four parts: three of 30 bits, so that up to 2^20 times each is exact, and the rest of it. */
const FIRST = 1.570796325802803;
const SECOND = 9.920935791635221e-10;
const THIRD = 5.17018297889025e-19;
const LAST = 2.9038559739793605e-28;
/** Beyond it an angle is first taken modulo a double that is nearly 2π: less accurate, still deterministic. */
const MAX_REDUCIBLE = 2 ** 20;

/** Taylor's, of (sin(r) - r) / r^3 and of (cos(r) - 1 + r^2/2) / r^4, in r^2; for |r| <= π/4. */
const SIN = Float64Array.of(
  -1 / 6,
  1 / 120,
  -1 / 5040,
  1 / 362880,
  -1 / 39916800,
  1 / 6227020800,
  -1 / 1307674368000,
);
const COS = Float64Array.of(
  1 / 24,
  -1 / 720,
  1 / 40320,
  -1 / 3628800,
  1 / 479001600,
  -1 / 87178291200,
  1 / 20922789888000,
);
/** Gregory's, of (atan(t) - t) / t^3, in t^2; for |t| <= 1/8. */
const ATAN = Float64Array.of(-1 / 3, 1 / 5, -1 / 7, 1 / 9, -1 / 11, 1 / 13, -1 / 15, 1 / 17);
/** atan(i / 4), correctly rounded. */
const ATAN_OF_QUARTERS = Float64Array.of(
  0,
  0.24497866312686414,
  0.4636476090008061,
  0.6435011087932844,
  PI / 4,
);

/** sin(x + phase * π/2). */
function wave(x: number, phase: 0 | 1): number {
  const angle = Math.abs(x) > MAX_REDUCIBLE ? x % TURN : x;
  const quarterTurns = Math.floor(angle / HALF_PI + 0.5);
  const r = withoutTurns(angle, quarterTurns);
  const quadrant = (quarterTurns + phase) & 3;
  const value = (quadrant & 1) === 0 ? smallSin(r) : smallCos(r);
  return quadrant < 2 ? value : -value;
}

/** angle - quarterTurns * π/2, good to the last place also where nearly nothing is left (Cody and Waite's way). */
function withoutTurns(angle: number, quarterTurns: number): number {
  const a = angle - quarterTurns * FIRST;
  const b = a - quarterTurns * SECOND;
  const c = b - quarterTurns * THIRD;
  const lost = a - b - quarterTurns * SECOND + (b - c - quarterTurns * THIRD);
  return c + (lost - quarterTurns * LAST);
}

function smallSin(r: number): number {
  const z = r * r;
  return r + r * z * series(SIN, z);
}

function smallCos(r: number): number {
  const z = r * r;
  return 1 - (z / 2 - z * z * series(COS, z));
}

function sin(x: number): number {
  return x === 0 ? x : wave(x, 0);
}

function cos(x: number): number {
  return wave(x, 1);
}

function tan(x: number): number {
  return sin(x) / cos(x);
}

/** atan of t from [0, 1]: the nearest quarter's, and that of the angle between the two. */
function unitAtan(t: number): number {
  const quarter = Math.floor(4 * t + 0.5);
  const c = quarter / 4;
  const rest = (t - c) / (1 + c * t);
  const z = rest * rest;
  return ATAN_OF_QUARTERS[quarter]! + (rest + rest * z * series(ATAN, z));
}

function atan2(y: number, x: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN;
  const across = Math.abs(x);
  const up = Math.abs(y);
  const diagonal = up === 0 ? 0 : PI / 4;
  const steep = up > across;
  const flat = up === across ? diagonal : unitAtan(steep ? across / up : up / across);
  const right = steep ? HALF_PI - flat : flat;
  const angle = isNegative(x) ? PI - right : right;
  return isNegative(y) ? -angle : angle;
}

/** True for -0 as well. */
function isNegative(x: number): boolean {
  return x < 0 || Object.is(x, -0);
}

function atan(x: number): number {
  return atan2(x, 1);
}

function asin(x: number): number {
  return atan2(x, Math.sqrt((1 - x) * (1 + x)));
}

function acos(x: number): number {
  return atan2(Math.sqrt((1 - x) * (1 + x)), x);
}

function hypot(x: number, y: number): number {
  const sum = x * x + y * y;
  if (sum > 2 ** -960 && sum < Infinity) return Math.sqrt(sum);
  // The squares vanish or overflow: take the longer side out first.
  const a = Math.abs(x);
  const b = Math.abs(y);
  if (a === Infinity || b === Infinity) return Infinity;
  const longer = a > b ? a : b;
  if (longer === 0 || Number.isNaN(sum)) return sum;
  return longer * Math.sqrt((a / longer) * (a / longer) + (b / longer) * (b / longer));
}

/**
 * Math for simulate: the same bits on every engine, within 3 units in the last place of the exact value (angles
 * beyond 2^20 radians are less accurate); integer powers and powers of two that a double can hold are exact.
 * Coefficients are those of the Taylor series and, for exp, of Padé's approximant, written as fractions; constants
 * in several parts were computed with 300 bits. `sqrt`, `abs`, `floor`, `min` and `max` of Math are safe as they are.
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
