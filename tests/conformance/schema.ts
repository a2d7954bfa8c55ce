// Schema, fields and records as PROTOCOL.md describes them (sections 8, 10 and 12), written from that page alone.

import { type BitSource, demand } from './sources.ts';

/** A field of the canonical text. */
export type Field = readonly [
  name: string,
  kind: string,
  bits: number,
  min: number,
  step: number,
  max: number,
];

/** A component, cut out of its archetype. */
interface Component {
  readonly audience: number;
  readonly fields: readonly Field[];
}

export interface Archetype {
  readonly name: string;
  readonly components: readonly Component[];
}

export interface Schema {
  readonly id: string;
  /** False = messages alone. */
  readonly game: boolean;
  /** Delivery kinds by id, of the channels of messages and events. */
  readonly channels: ReadonlyMap<number, string>;
  readonly input: readonly Field[];
  readonly archetypes: readonly Archetype[];
  readonly effects: readonly (readonly [name: string, fields: readonly Field[]])[];
  readonly messages: readonly (readonly [name: string, fields: readonly unknown[]])[];
}

type ArchetypeText = [[string], [string, number, number][], Field[]];

export function readSchema(text: string): Schema {
  const parts = JSON.parse(text);
  const game = parts.length > 2;
  const [id, , input, archetypes, effects] = game ? parts : [parts[0], 0, [], [], []];
  const said = JSON.parse(parts.at(-1));
  const declared: [name: string, kind: string][] = said.channels ?? [['main', 'reliable-ordered']];
  const channels = new Map(declared.map(([, kind], n) => [n === 0 ? 1 : n + 2, kind]));
  if (game) channels.set(0, 'reliable-ordered');
  return {
    id,
    game,
    channels,
    input,
    effects,
    messages: said.messages ?? said,
    archetypes: archetypes.map(([[name], components, fields]: ArchetypeText) => {
      let first = 0;
      const cut = components.map(([, count, audience]) => {
        first += count;
        return { audience, fields: fields.slice(first - count, first) };
      });
      return { name, components: cut };
    }),
  };
}

/** FNV-1a (section 12). */
export function digestOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length * 2; i++) {
    const unit = text.charCodeAt(i >> 1);
    hash = Math.imul(hash ^ (i % 2 === 0 ? unit & 255 : unit >> 8), 0x01000193);
  }
  return hash >>> 0;
}

const TURN = 6.283185307179586;

/** A field from its kind and arguments (section 8). */
export function fieldOf(kind: string, args: readonly number[]): Field {
  const [a = 1, b = 0, s = 1] = args;
  if (kind === 'fixed') {
    const max = Math.floor((b - a) / s + 0.5) - 1;
    return ['', kind, Math.max(1, max.toString(2).length), a, s, max];
  }
  if (kind === 'angle') return ['', kind, a, 0, TURN / 2 ** a, 2 ** a - 1];
  if (kind === 'int') return ['', kind, a, -(2 ** (a - 1)), 1, 2 ** a - 1];
  if (kind === 'axis') return ['', kind, a, -1, 1 / (2 ** (a - 1) - 1), 2 * (2 ** (a - 1) - 1)];
  return ['', kind, a, 0, 1, 2 ** a - 1];
}

export function quantise([, kind, bits, min, step, max]: Field, value: number): number {
  if (kind === 'angle') {
    const turns = value / TURN;
    return Math.floor((turns - Math.floor(turns)) * 2 ** bits + 0.5) % 2 ** bits;
  }
  const number = Number.isNaN(value) ? 0 : value;
  return Math.min(max, Math.max(0, Math.floor((number - min) / step + 0.5)));
}

export function meaningOf([, kind, , min, step, max]: Field, q: number): number {
  return kind === 'axis' ? (q - max / 2) / (max / 2) : min + q * step;
}

export function readField(bits: BitSource, [name, , size, , , max]: Field): number {
  const q = bits.take(size);
  demand(q <= max, `${name} in its range`);
  return q;
}

/** A row as told: the q of every field by name. */
export type Row = ReadonlyMap<string, number>;

/** Reads a record; returns the row, and what stood in the record, as text. */
export function readRecord(
  bits: BitSource,
  archetype: Archetype,
  yours: boolean,
  base: Row | undefined,
): { row: Row; said: string } {
  const row = new Map<string, number>();
  const said: string[] = [];
  for (const { audience, fields } of archetype.components) {
    const told = audience <= (yours ? 1 : 0);
    const changed = told && (base === undefined || bits.take(1) === 1);
    for (const field of fields) {
      const before = base?.get(field[0]) ?? quantise(field, 0);
      const after = changed ? readValue(bits, field, before, base !== undefined, said) : before;
      row.set(field[0], after);
    }
  }
  return { row, said: said.join(', ') };
}

function readValue(
  bits: BitSource,
  field: Field,
  before: number,
  change: boolean,
  said: string[],
): number {
  const [name, kind, size, , , max] = field;
  if (change && bits.take(1) === 0) return before;
  const near = change && size >= 12 && bits.take(1) === 1;
  if (!near) {
    const q = readField(bits, field);
    said.push(`${name} ${q}`);
    return q;
  }
  const difference = bits.signed(Math.ceil(size / 2));
  const sum = before + difference;
  const q = kind === 'angle' ? (sum + 2 ** size) % 2 ** size : sum;
  demand(q >= 0 && q <= max, `${name} in its range`);
  said.push(`${name} ${before} ${difference < 0 ? '-' : '+'} ${Math.abs(difference)} = ${q}`);
  return q;
}
