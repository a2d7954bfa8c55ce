// The test vectors as they have to stand in PROTOCOL.md: the bytes are what the code makes of fixed numbers, the meaning
// is what a decoder finds in them that was written from the page alone.

import { scryptSync } from 'node:crypto';
import { converse, game } from './conversation.ts';
import { Decoder } from './decoder.ts';
import { challenge, makeToken, pairs, request, tokenKey } from './handshake-conversation.ts';
import type { Secrets } from './handshake-reader.ts';
import { converseInMessages, messages, password } from './message-conversation.ts';
import { hex, hex32 } from './sources.ts';
import { readToken } from './token-reader.ts';
import { print, printPacket, type Vector } from './vector-page.ts';

/** Datagrams under a schema, in order, and how to read them. */
export interface Conversation {
  /** Names the vector that has the schema. */
  readonly schema: string;
  readonly declared: { readonly idHash: number; readonly digest: number };
  readonly secrets: Secrets;
  /** Read before them, and not printed. */
  readonly before: readonly Uint8Array[];
  readonly sent: readonly (readonly [name: string, bytes: Uint8Array])[];
}

const pair = { identity: pairs.identity.secretKey, fresh: pairs.server.secretKey };
const token = makeToken(game);

/** The first packets of the game's conversation, up to its accept. */
const sentInGame = [...converse()];
const HANDSHAKE = 4;

/** What the resume of the vectors brings, read out of the key schedule. */
function resumeOf(text: string): NonNullable<Secrets['resume']> {
  const lines = scheduleOf(text);
  const find = (name: string) =>
    Buffer.from(lines.find((line) => line.startsWith(name))!.slice(name.length), 'hex');
  return { id: find('resume id = '), secret: find('resume secret = ') };
}

/** Every step of the key schedule of the game's conversation, under the canonical text of its schema. */
export function scheduleOf(text: string): string[] {
  const decoder = new Decoder(text, pair);
  for (const [, bytes] of sentInGame.slice(0, HANDSHAKE)) decoder.decode(bytes);
  return decoder.schedule();
}

const salt = `tickwire password ${messages.idHash}`;
const stretched = scryptSync(password.normalize('NFC'), salt, 32, {
  N: 32768,
  r: 8,
  p: 3,
  maxmem: 1 << 26,
});

/** Both conversations; `text` is the canonical text of the game. */
export function conversations(text: string): readonly [Conversation, Conversation] {
  const secrets = { ...pair, tokenKey, resume: resumeOf(text) };
  return [
    { schema: 'schema', declared: game, secrets, before: [], sent: sentInGame },
    {
      schema: 'schema-messages',
      declared: messages,
      secrets: { ...pair, presharedKey: stretched },
      before: [request(messages), challenge()],
      sent: [...converseInMessages()],
    },
  ];
}

/** A decoder that has read what stands before the datagram `index` of a conversation. */
export function decoderAt(of: Conversation, text: string, index: number): Decoder {
  const decoder = new Decoder(text, of.secrets);
  for (const bytes of of.before) decoder.decode(bytes);
  for (const [, bytes] of of.sent.slice(0, index)) decoder.decode(bytes);
  return decoder;
}

/** The vector of the datagram `index` of a conversation. */
export function datagramVector(of: Conversation, text: string, index: number): Vector {
  const [name, bytes] = of.sent[index]!;
  const decoder = decoderAt(of, text, index);
  const meaning = decoder.decode(bytes);
  const { clear } = decoder;
  const data = meaning[0] === 'kind = data';
  return {
    name,
    bytes: data ? printPacket(bytes) : print(bytes),
    clear: clear === undefined ? undefined : print(clear),
    meaning,
  };
}

const listed = (name: string, meaning: readonly string[]): Vector => {
  return { name, bytes: '', clear: undefined, meaning };
};

export const pairsVector: Vector = listed('pairs', [
  `si = ${hex(pairs.identity.secretKey)}`,
  `SI = ${hex(pairs.identity.publicKey)}`,
  `ce = ${hex(pairs.client.secretKey)}`,
  `CE = ${hex(pairs.client.publicKey)}`,
  `se = ${hex(pairs.server.secretKey)}`,
  `SE = ${hex(pairs.server.publicKey)}`,
]);

export const scheduleVector = (text: string): Vector => listed('key-schedule', scheduleOf(text));

export const passwordVector: Vector = listed('password', [
  `password = ${inAscii(password)}`,
  `game id hash = ${hex32(messages.idHash)}`,
  `salt = ${salt}`,
  `pre-shared key = ${hex(stretched)}`,
]);

export function tokenVector(): Vector {
  const { clear, lines } = readToken(tokenKey, token.credential.sealed);
  const meaning = [`token key = ${hex(tokenKey)}`, ...lines, `text = ${token.text}`];
  const bytes = print(token.credential.sealed);
  return { name: 'token', bytes, clear: print(clear), meaning };
}

/** As JSON, all that is not ASCII by its code. */
function inAscii(text: string): string {
  return JSON.stringify(text).replaceAll(/[^ -~]/g, (one) => {
    return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
