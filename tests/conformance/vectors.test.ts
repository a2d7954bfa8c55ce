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
  readConnectToken,
  readToken,
  uint,
  Way,
} from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { game } from './conversation.ts';
import {
  accept,
  crypto,
  generations,
  makeToken,
  prove,
  tokenKey,
} from './handshake-conversation.ts';
import {
  type Conversation,
  conversations,
  datagramVector,
  decoderAt,
  pairsVector,
  passwordVector,
  scheduleOf,
  scheduleVector,
  tokenVector,
} from './made-vectors.ts';
import { presharedKey } from './message-conversation.ts';
import { agree, hash, publicKeyOf } from './primitives.ts';
import * as page from './schema.ts';
import { hex } from './sources.ts';
import { readTokenText } from './token-reader.ts';
import { print, readVectors, writeVector } from './vector-page.ts';

const vectors = readVectors(
  readFileSync(join(import.meta.dirname, '..', '..', 'PROTOCOL.md'), 'utf8'),
);
const find = (name: string) => vectors.find((vector) => vector.name === name)!;
const textOf = (of: { readonly schema: string }) =>
  find(of.schema).meaning[1]!.slice('text = '.length);
const gameText = textOf({ schema: 'schema' });
const [inGame, inMessages] = conversations(gameText);
const datagrams = [inGame, inMessages].flatMap((of) =>
  of.sent.map(([name], index) => [name, of, index] as const),
);
/** What stands between the datagrams, and what has no bytes. */
const others = [pairsVector, scheduleVector(gameText), passwordVector, tokenVector()];

/** The value of a line of a vector. */
const lineOf = (vector: string, name: string) =>
  find(vector)
    .meaning.find((line) => line.startsWith(`${name} = `))!
    .slice(name.length + 3);

describe('the vectors of PROTOCOL.md', () => {
  test('are all there', () => {
    const made = [...others, ...datagrams.map(([name]) => ({ name }))].map(({ name }) => name);
    const named = [...made, 'schema', 'schema-messages', 'fields'];
    expect(vectors.map(({ name }) => name).sort()).toEqual(named.sort());
  });

  test('have the datagrams of each conversation in order', () => {
    const names = new Set(datagrams.map(([name]) => name));
    const printed = vectors.map(({ name }) => name).filter((name) => names.has(name));
    expect(printed).toEqual([...names]);
  });

  test.each([inGame, inMessages])('$schema: both hashes, from the code and from the page', (of) => {
    const schema = find(of.schema);
    const digests = (idHash: number, digest: number) =>
      print(new Uint8Array(Uint32Array.of(idHash, digest).buffer));
    expect(digests(of.declared.idHash, of.declared.digest)).toBe(schema.bytes);
    const { id } = page.readSchema(textOf(of));
    expect(`id = ${id}`).toBe(schema.meaning[0]);
    expect(digests(page.digestOf(id), page.digestOf(textOf(of)))).toBe(schema.bytes);
  });

  test.each(others)('$name', (vector) => {
    expect(writeVector(find(vector.name))).toBe(writeVector(vector));
  });

  test.each(datagrams)('%s', (name, of, index) => {
    const made = datagramVector(of, textOf(of), index);
    expect(writeVector(find(name))).toBe(writeVector(made));
  });

  test.each(datagrams)('no byte of %s could be another one', (name, of, index) => {
    const bytes = of.sent[index]![1];
    for (let at = 0; at < bytes.length; at++) {
      const other = bytes.slice();
      other[at]! ^= 1 << (at % 8);
      expect(outcome(of, index, other), `byte ${at}`).not.toEqual(find(name).meaning);
    }
  });

  test.each(find('fields').meaning)('%s', (line) => {
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

describe('the keys', () => {
  const key = (name: string) => Buffer.from(lineOf('pairs', name), 'hex');
  const step = (name: string) => lineOf('key-schedule', name);

  test('of the pairs belong together', () => {
    for (const [secret, known] of ['si SI', 'ce CE', 'se SE'].map((names) => names.split(' '))) {
      expect(hex(publicKeyOf(key(secret!)))).toBe(lineOf('pairs', known!));
    }
  });

  test('es and ee are the same seen from the client', () => {
    expect(hex(agree(key('ce'), key('SI')))).toBe(step('es'));
    expect(hex(agree(key('ce'), key('SE')))).toBe(step('ee'));
  });

  test('are those that the code draws', () => {
    const proof = prove(game, { way: Way.open });
    const { keys } = accept(proof);
    const { es, transcript } = proof.secrets;
    const drawn: [name: string, value: Uint8Array][] = [
      ['es', es],
      ['transcript', transcript],
      ['accept key', keys.accept],
      ['resume id', keys.resume.id],
      ['resume secret', keys.resume.secret],
    ];
    for (const way of ['clientToServer', 'serverToClient'] as const) {
      const name = way === 'clientToServer' ? 'client to server' : 'server to client';
      generations(keys[way]).forEach((value, n) => {
        drawn.push([`${name}, generation ${n}`, value]);
      });
    }
    for (const [name, value] of drawn) expect(hex(value), name).toBe(step(name));
    expect(drawn).toHaveLength(scheduleOf(gameText).length - 4);
  });

  test('of a password: the code stretches it as the page says', () => {
    expect(hex(presharedKey)).toBe(lineOf('password', 'pre-shared key'));
  });

  test('of a token: the code reads it, and what the client is given', () => {
    const { credential, text } = makeToken(game);
    const client = readTokenText(text);
    expect(hex(client.sealed)).toBe(hex(credential.sealed));
    for (const line of client.lines) expect(find('token').meaning).toContain(line);
    expect(hex(readConnectToken(text).sealed)).toBe(hex(client.sealed));
    const token = readToken(crypto, tokenKey, client.sealed, 0, client.sealed.length)!;
    expect(hex(token.secret)).toBe(lineOf('token', 'secret'));
    expect(token.userId).toBe(lineOf('token', 'user id'));
  });

  test('BLAKE2b of the decoder is that of the code, for each length of up to three blocks', () => {
    const input = Uint8Array.from({ length: 300 }, (_, i) => i);
    for (let length = 0; length <= input.length; length++) {
      const own = Buffer.alloc(32);
      crypto.hash(key('si'), input, 0, length, own, 0);
      expect(hex(hash(key('si'), input.subarray(0, length)))).toBe(hex(own));
    }
  });

  test('of one way in open nothing that another one sealed', () => {
    const of = { ...inMessages, secrets: inGame.secrets };
    expect(outcome(of, 0, of.sent[0]![1])).toEqual([]);
  });
});

function outcome(of: Conversation, index: number, bytes: Uint8Array): string[] {
  const decoder = decoderAt(of, textOf(of), index);
  try {
    return decoder.decode(bytes);
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
