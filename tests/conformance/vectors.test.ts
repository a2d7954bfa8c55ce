// The test vectors of PROTOCOL.md: they are what the code sends, and a decoder written from that page alone finds in
// them exactly what the page says.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  angle,
  axis,
  dequantise,
  edge,
  type Field,
  fixed,
  flag,
  int,
  quantise,
  uint,
} from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { converse, game } from './conversation.ts';
import { Decoder } from './decoder.ts';
import * as page from './schema.ts';
import { hex } from './sources.ts';

interface Vector {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly hexLines: string;
  readonly meaning: readonly string[];
}

/** The page has `00*n` for zeros that nobody wants to read. */
function parseHex(text: string): Uint8Array {
  const all = text.replaceAll(/00\*(\d+)/g, (_, count) => '00'.repeat(Number(count)));
  return Uint8Array.from(Buffer.from(all.replaceAll(/\s/g, ''), 'hex'));
}

function parseVectors(markdown: string): Vector[] {
  const blocks = markdown.matchAll(/^```vector name=(\S+)\n([\s\S]*?)^--\n([\s\S]*?)^```$/gm);
  return [...blocks].map(([, name, hexLines, meaning]) => ({
    name: name!,
    bytes: parseHex(hexLines!),
    hexLines: hexLines!,
    meaning: meaning!.trimEnd().split('\n'),
  }));
}

/** As the page prints it, so that a failure shows what would have to stand there. */
function print(bytes: Uint8Array): string {
  const zeros = bytes.length - 1 - bytes.findLastIndex((byte) => byte !== 0);
  const printed = zeros > 20 ? bytes.subarray(0, bytes.length - zeros) : bytes;
  const lines = (hex(printed).match(/.{1,64}/g) ?? []).map((line) => line.match(/../g)!.join(' '));
  return [...lines, ...(zeros > 20 ? [`00*${zeros}`] : []), ''].join('\n');
}

const vectors = parseVectors(
  readFileSync(join(import.meta.dirname, '..', '..', 'PROTOCOL.md'), 'utf8'),
);
const schema = vectors[0]!;
const conversation = vectors.slice(1, -1);
const fields = vectors.at(-1)!;
const schemaText = schema.meaning[1]!.slice('text = '.length);

/** The decoded lines of vector `index`, of which the bytes may be others than the page's. */
function decode(index: number, bytes = conversation[index]!.bytes): string[] {
  const decoder = new Decoder(schemaText);
  for (const { bytes: before } of conversation.slice(0, index)) decoder.decode(before);
  return decoder.decode(bytes);
}

describe('the vectors of PROTOCOL.md', () => {
  const sent = converse();

  test('are all there, in order', () => {
    expect(vectors.map(({ name }) => name)).toEqual(['schema', ...sent.keys(), 'fields']);
  });

  test('schema: both hashes, from the code and from the page', () => {
    const digests = (idHash: number, digest: number) =>
      print(new Uint8Array(Uint32Array.of(idHash, digest).buffer));
    expect(digests(game.idHash, game.digest)).toBe(schema.hexLines);
    const { id } = page.readSchema(schemaText);
    expect(`id = ${id}`).toBe(schema.meaning[0]);
    expect(digests(page.digestOf(id), page.digestOf(schemaText))).toBe(schema.hexLines);
  });

  test.each(conversation.map(({ name }, index) => [name, index] as const))('%s', (name, index) => {
    expect(print(sent.get(name)!)).toBe(conversation[index]!.hexLines);
    expect(decode(index)).toEqual(conversation[index]!.meaning);
  });

  test('no byte of them could be another one', () => {
    conversation.forEach(({ name, bytes, meaning }, index) => {
      for (let at = 0; at < bytes.length; at++) {
        const other = bytes.slice();
        other[at]! ^= 1 << (at % 8);
        expect(outcome(index, other), `${name}, byte ${at}`).not.toEqual(meaning);
      }
    });
  });

  test.each(fields.meaning)('%s', (line) => {
    const [, kind, list, value, q, meaning] = /^(\w+)\((.*)\) of (\S+) = (\S+) = (\S+)$/.exec(
      line,
    )!;
    const args = list === '' ? [] : list!.split(', ').map(Number);
    const made = makeField(kind!, args);
    const { bits, min, step, max } = made;
    const described = page.fieldOf(kind!, args);
    expect(described).toEqual(['', kind, bits, min, step, max]);
    for (const found of [quantise(made, Number(value)), page.quantise(described, Number(value))]) {
      expect(found).toBe(Number(q));
    }
    for (const found of [dequantise(made, Number(q)), page.meaningOf(described, Number(q))]) {
      expect(found).toBe(Number(meaning));
    }
  });
});

function outcome(index: number, bytes: Uint8Array): string[] {
  try {
    return decode(index, bytes);
  } catch {
    return [];
  }
}

function makeField(kind: string, [a = 0, b = 0, s = 0]: readonly number[]): Field {
  const makers: Record<string, () => Field> = {
    fixed: () => fixed(a, b, s),
    angle: () => angle(a),
    uint: () => uint(a),
    int: () => int(a),
    axis: () => axis(a),
    flag: () => flag(),
    edge: () => edge(),
  };
  return makers[kind]!();
}
