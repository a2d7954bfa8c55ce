// Quantised value kinds. A field turns a number into an integer q of [0, max] and back. State lives as the
// numbers that q stands for, so that both ends compute with what the wire carries.

import { TickwireError } from '../wire/errors.ts';

/** What a field means. `axis` and `edge` are for inputs only. */
export type FieldKind = 'fixed' | 'angle' | 'uint' | 'int' | 'flag' | 'axis' | 'edge';

/** One quantised value: plain data, made by {@link fixed}, {@link angle} and the other makers below. */
export interface Field<T extends number | boolean = number | boolean> {
  readonly kind: FieldKind;
  /** Bits on the wire, 1 to 31. */
  readonly bits: number;
  /** Value of q = 0. */
  readonly min: number;
  /** Distance of neighbouring values. */
  readonly step: number;
  /** Highest q. */
  readonly max: number;
  /** True when the value after the highest is the lowest: angles. */
  readonly wraps: boolean;
  /** True when users see the value as a boolean. */
  readonly boolean: boolean;
  /** What a fresh row holds: the value nearest to 0. */
  readonly zero: T;
}

/** So that (value - min) / step keeps whole numbers exact in a double. */
const MAX_STEPS_FROM_ZERO = 2 ** 50;
const TURN = 2 * Math.PI;

/** Values from `min` up to but not including `max`, in units of `step`; what lies outside is clamped. */
export function fixed(min: number, max: number, step: number): Field<number> {
  const steps = Math.floor((max - min) / step + 0.5);
  const fits = Math.max(Math.abs(min), Math.abs(max)) / step <= MAX_STEPS_FROM_ZERO;
  if (!(step > 0 && min < max && steps >= 1 && steps <= 2 ** 31 && fits)) {
    const why = 'needs min < max, step > 0 and at most 2^31 steps';
    throw new TickwireError('field-invalid', `fixed(${min}, ${max}, ${step}) ${why}`);
  }
  return number('fixed', bitsFor(steps - 1), min, step, steps - 1);
}

/** Radians, wrapped into [0, 2π), `bits` fine. */
export function angle(bits: number): Field<number> {
  checkBits('angle', bits, 1);
  return number('angle', bits, 0, TURN / 2 ** bits, 2 ** bits - 1);
}

/** Whole numbers from 0 to 2^bits - 1. */
export function uint(bits: number): Field<number> {
  checkBits('uint', bits, 1);
  return number('uint', bits, 0, 1, 2 ** bits - 1);
}

/** Whole numbers from -2^(bits-1) to 2^(bits-1) - 1. */
export function int(bits: number): Field<number> {
  checkBits('int', bits, 2);
  return number('int', bits, -(2 ** (bits - 1)), 1, 2 ** bits - 1);
}

/** True or false. In an input: a button that is held. */
export function flag(): Field<boolean> {
  return boolean('flag');
}

/** Input only: -1 to 1, with -1, 0 and 1 exact. */
export function axis(bits: number): Field<number> {
  checkBits('axis', bits, 2);
  const half = 2 ** (bits - 1) - 1;
  return number('axis', bits, -1, 1 / half, 2 * half);
}

/** Input only: a press. Latched until it is sampled, never repeated when an input is missing. */
export function edge(): Field<boolean> {
  return boolean('edge');
}

/** Nearest q, always an integer of [0, field.max]. Clamps, angles wrap; NaN counts as 0. */
export function quantise(field: Field, value: number): number {
  if (field.wraps) return quantiseAngle(field, value);
  const q = Math.floor((value - field.min) / field.step + 0.5);
  if (q >= 0) return Math.min(q, field.max);
  return q < 0 ? 0 : quantise(field, 0);
}

/** The value that `q` stands for. `q` must be of [0, field.max]. */
export function dequantise(field: Field, q: number): number {
  if (field.kind !== 'axis') return field.min + q * field.step;
  const half = field.max / 2;
  return (q - half) / half;
}

function quantiseAngle(field: Field, value: number): number {
  const turns = value / TURN;
  const q = Math.floor((turns - Math.floor(turns)) * (field.max + 1) + 0.5);
  return q <= field.max ? q : 0;
}

function number(
  kind: FieldKind,
  bits: number,
  min: number,
  step: number,
  max: number,
): Field<number> {
  const blank = { kind, bits, min, step, max, wraps: kind === 'angle', boolean: false, zero: 0 };
  return Object.freeze({ ...blank, zero: dequantise(blank, quantise(blank, 0)) });
}

function boolean(kind: FieldKind): Field<boolean> {
  const shape = { kind, bits: 1, min: 0, step: 1, max: 1 };
  return Object.freeze({ ...shape, wraps: false, boolean: true, zero: false });
}

function bitsFor(max: number): number {
  return Math.max(1, 32 - Math.clz32(max));
}

function checkBits(kind: FieldKind, bits: number, least: number): void {
  if (Number.isInteger(bits) && bits >= least && bits <= 31) return;
  throw new TickwireError('field-invalid', `${kind}(${bits}): bits must be from ${least} to 31`);
}
