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
import { converseInMessages, messages } from './message-conversation.ts';
import * as page from './schema.ts';

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
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const lines = pairs.split(/((?:00(?: |$)){21,})/).flatMap((part, n) => {
    if (n % 2 === 1) return [`00*${part.match(/00/g)!.length}`];
    return (part.match(/(?:.. ?){1,32}/g) ?? []).map((line) => line.trimEnd());
  });
  return [...lines, ''].join('\n');
}

const vectors = parseVectors(
  readFileSync(join(import.meta.dirname, '..', '..', 'PROTOCOL.md'), 'utf8'),
);
const find = (name: string) => vectors.findIndex((vector) => vector.name === name);
const fields = vectors[find('fields')]!;

/** A schema, what the code knows of it, and the datagrams of a conversation under it: on the page, and as sent. */
interface Conversation {
  readonly schema: Vector;
  readonly text: string;
  readonly declared: { readonly idHash: number; readonly digest: number };
  readonly printed: readonly Vector[];
  readonly sent: ReadonlyMap<string, Uint8Array>;
  /** Datagrams that stand before them. */
  readonly before: readonly Vector[];
}

function conversation(
  [from, end]: readonly [from: string, end: string],
  declared: Conversation['declared'],
  sent: Conversation['sent'],
  before: readonly Vector[] = [],
): Conversation {
  const schema = vectors[find(from)]!;
  const text = schema.meaning[1]!.slice('text = '.length);
  return {
    schema,
    text,
    declared,
    printed: vectors.slice(find(from) + 1, find(end)),
    sent,
    before,
  };
}
const inGame = conversation(['schema', 'schema-messages'], game, converse());
const handshake = inGame.printed.filter(({ meaning }) => meaning[0] !== 'kind = data');
const inMessages = conversation(
  ['schema-messages', 'fields'],
  messages,
  converseInMessages(),
  handshake,
);
const conversations = [inGame, inMessages];
const printed = conversations.flatMap((of) =>
  of.printed.map(({ name }, index) => [name, of, index] as const),
);

/** The decoded lines of a conversation's vector `index`, of which the bytes may be others than the page's. */
function decode(of: Conversation, index: number, bytes = of.printed[index]!.bytes): string[] {
  const decoder = new Decoder(of.text);
  for (const vector of [...of.before, ...of.printed.slice(0, index)]) decoder.decode(vector.bytes);
  return decoder.decode(bytes);
}

describe('the vectors of PROTOCOL.md', () => {
  test('are all there, in order', () => {
    const [first, second] = conversations.map(({ schema, sent }) => [schema.name, ...sent.keys()]);
    expect(vectors.map(({ name }) => name)).toEqual([...first!, ...second!, 'fields']);
  });

  test.each(conversations)('schema: both hashes, from the code and from the page', (of) => {
    const { schema, text, declared } = of;
    const digests = (idHash: number, digest: number) =>
      print(new Uint8Array(Uint32Array.of(idHash, digest).buffer));
    expect(digests(declared.idHash, declared.digest)).toBe(schema.hexLines);
    const { id } = page.readSchema(text);
    expect(`id = ${id}`).toBe(schema.meaning[0]);
    expect(digests(page.digestOf(id), page.digestOf(text))).toBe(schema.hexLines);
  });

  test.each(printed)('%s', (name, of, index) => {
    expect(print(of.sent.get(name)!)).toBe(of.printed[index]!.hexLines);
    expect(decode(of, index)).toEqual(of.printed[index]!.meaning);
  });

  test.each(printed)('no byte of %s could be another one', (_name, of, index) => {
    const { bytes, meaning } = of.printed[index]!;
    for (let at = 0; at < bytes.length; at++) {
      const other = bytes.slice();
      other[at]! ^= 1 << (at % 8);
      expect(outcome(of, index, other), `byte ${at}`).not.toEqual(meaning);
    }
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

function outcome(of: Conversation, index: number, bytes: Uint8Array): string[] {
  try {
    return decode(of, index, bytes);
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
