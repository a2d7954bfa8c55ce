// What a message's fields can be, and the check that a value is one.

import { TickwireError } from '../wire/errors.ts';

/** A declared field. Quantised fields of games fit too: they only bound the number here, it travels exactly. */
export interface MessageField<T = unknown> {
  readonly kind: string;
  /** An empty value: gives the type. */
  readonly zero: T;
  readonly min: number;
  readonly step: number;
  /** Bytes for text and bytes; highest step for numbers. */
  readonly max: number;
}

/** A string of at most `maxBytes` bytes of UTF-8. */
export function text(maxBytes: number): MessageField<string> {
  return sized('text', maxBytes, '');
}

/** At most `maxBytes` bytes. */
export function bytes(maxBytes: number): MessageField<Uint8Array> {
  return sized('bytes', maxBytes, new Uint8Array(0));
}

/** Any finite number, exactly. */
export function real(): MessageField<number> {
  return Object.freeze({ kind: 'real', zero: 0, min: -Infinity, step: 1, max: Infinity });
}

/** Room that one text or bytes field may ask for: the longest message of any channel, whose heads come out of it too. */
const MAX_FIELD_BYTES = 256 * 1024;

function sized<T>(kind: string, maxBytes: number, zero: T): MessageField<T> {
  if (Number.isInteger(maxBytes) && maxBytes >= 1 && maxBytes <= MAX_FIELD_BYTES) {
    return Object.freeze({ kind, zero, min: 0, step: 1, max: maxBytes });
  }
  const why = `must be from 1 to ${MAX_FIELD_BYTES} bytes`;
  throw new TickwireError('message-invalid', `${kind}(${maxBytes}) ${why}`);
}

/** True when `value` is one that the field allows. */
export function allows(field: MessageField, value: unknown): boolean {
  switch (field.kind) {
    case 'text':
      return typeof value === 'string' && fitsUtf8(value, field.max);
    case 'bytes':
      return value instanceof Uint8Array && value.length <= field.max;
    case 'flag':
      return typeof value === 'boolean';
    case 'uint':
    case 'int':
      return Number.isInteger(value) && inRange(field, value as number);
    case 'fixed':
      return typeof value === 'number' && value >= field.min && value < pastEnd(field);
    case 'real':
    case 'angle':
      return Number.isFinite(value);
    default:
      return false;
  }
}

/** Kinds that {@link allows} knows. */
export const FIELD_KINDS: readonly string[] = [
  'text',
  'bytes',
  'flag',
  'uint',
  'int',
  'fixed',
  'real',
  'angle',
];

/** Most bytes that a value takes in MessagePack, its head included. */
export function encodedBytes(field: MessageField): number {
  if (field.kind === 'text' || field.kind === 'bytes') return field.max + 5;
  return 9;
}

/** `fixed` excludes its upper bound, which is a step past the highest one. */
function pastEnd(field: MessageField): number {
  return field.min + (field.max + 1) * field.step;
}

function inRange(field: MessageField, value: number): boolean {
  return value >= field.min && value <= field.min + field.max * field.step;
}

/** False also for lone surrogates: they would come out as something else. */
function fitsUtf8(value: string, maxBytes: number): boolean {
  if (value.length > maxBytes) return false;
  let size = 0;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x80) size += 1;
    else if (unit < 0x800) size += 2;
    else if (unit < 0xd800 || unit > 0xdfff) size += 3;
    else {
      const low = value.charCodeAt(++i);
      if (unit > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) return false;
      size += 4;
    }
  }
  return size <= maxBytes;
}
