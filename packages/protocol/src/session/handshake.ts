// The four packets that open a connection, and the refusal. Padded packets are exactly 1200 bytes, so that no
// answer to a stranger is longer than what the stranger sent.
//
//   request (client)        proof (client)              challenge (server)    accept (server)        refuse (server)
//   0   1  kind 1           0   1  kind 3               0   1  kind 2         0   1  kind 4          0   1  kind 5
//   1   4  magic            1   4  magic                1  16  client nonce   1  16  client nonce    1  16  client nonce
//   5   1  version, lowest  5   1  version              17 20  cookie         17  4  server's id     17  1  reason
//   6   1  version, highest 6   1  0                                          21 32  server key      18 ..  text, UTF-8
//   7   4  game id hash     7   4  game id hash                               53 16  tag
//   11  4  schema digest    11  4  schema digest
//   15 16  client nonce     15 16  client nonce
//   31 ..  zero             31 20  cookie
//                           51  4  client's id
//                           55 32  client key
//                           87  2  token length, 0
//                           89 ..  zero

import { END_TEXT_BYTES_MAX, type EndReason, endReasons } from '../transport/end-reason.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { type Crypto, KEY_BYTES, TAG_BYTES } from '../wire/crypto.ts';
import { DATAGRAM_BYTES, PacketKind } from '../wire/packet.ts';
import { readText, writeText } from '../wire/text.ts';
import { COOKIE_BYTES } from './cookie.ts';

/** "TKWR", read as bytes. */
const MAGIC = 0x5257_4b54;

/** The wire version this code speaks. */
export const WIRE_VERSION = 1;

export const NONCE_BYTES = 16;

/** Requests and proofs are padded to this. */
export const PADDED_BYTES = DATAGRAM_BYTES;

export const CHALLENGE_BYTES = 1 + NONCE_BYTES + COOKIE_BYTES;
export const ACCEPT_BYTES = 1 + NONCE_BYTES + 4 + KEY_BYTES + TAG_BYTES;
/** The longest answer to somebody without a connection. */
export const REPLY_BYTES_MAX = 1 + NONCE_BYTES + 1 + END_TEXT_BYTES_MAX;

/** Names the game and the exact schema that both sides must share. */
export interface GameIdentity {
  readonly idHash: number;
  readonly digest: number;
}

/** A request or a proof as read; reused. Fields a request does not have keep their old values. */
export class Hello {
  versionMin = 0;
  versionMax = 0;
  idHash = 0;
  digest = 0;
  readonly nonce = new Uint8Array(NONCE_BYTES);
  readonly cookie = new Uint8Array(COOKIE_BYTES);
  clientId = 0;
  readonly clientKey = new Uint8Array(KEY_BYTES);
  readonly #reader = new ByteReader();

  /** Reads a request; false = not one of ours. */
  readRequest(bytes: Uint8Array, start: number, end: number): boolean {
    const reader = this.#begin(bytes, start, end);
    this.versionMin = reader.u8();
    this.versionMax = reader.u8();
    this.#readIdentity(reader);
    return this.#magic && !reader.failed && this.#zeroFrom(bytes, reader.position, end);
  }

  /** Reads a proof; false = not one of ours. */
  readProof(bytes: Uint8Array, start: number, end: number): boolean {
    const reader = this.#begin(bytes, start, end);
    this.versionMin = reader.u8();
    this.versionMax = this.versionMin;
    const reserved = reader.u8();
    this.#readIdentity(reader);
    reader.range(this.cookie, 0, COOKIE_BYTES);
    this.clientId = reader.u32();
    reader.range(this.clientKey, 0, KEY_BYTES);
    const tokenBytes = reader.u16();
    if (reserved !== 0 || tokenBytes !== 0 || this.clientId === 0) return false;
    return this.#magic && !reader.failed && this.#zeroFrom(bytes, reader.position, end);
  }

  #magic = false;

  #begin(bytes: Uint8Array, start: number, end: number): ByteReader {
    const reader = this.#reader;
    reader.reset(bytes, start + 1, end);
    this.#magic = end - start === PADDED_BYTES && reader.u32() === MAGIC;
    return reader;
  }

  #readIdentity(reader: ByteReader): void {
    this.idHash = reader.u32();
    this.digest = reader.u32();
    reader.range(this.nonce, 0, NONCE_BYTES);
  }

  #zeroFrom(bytes: Uint8Array, from: number, end: number): boolean {
    for (let at = from; at < end; at++) if (bytes[at] !== 0) return false;
    return true;
  }
}

/** What the client puts into its request and its proof. */
export interface HelloFields {
  readonly game: GameIdentity;
  readonly nonce: Uint8Array;
  readonly clientId: number;
  readonly clientKey: Uint8Array;
}

function beginHello(out: Uint8Array, start: number, kind: number): ByteWriter {
  const writer = new ByteWriter();
  writer.reset(out, start, start + PADDED_BYTES);
  writer.u8(kind);
  writer.u32(MAGIC);
  writer.u8(WIRE_VERSION);
  writer.u8(kind === PacketKind.request ? WIRE_VERSION : 0);
  return writer;
}

function writeIdentity(writer: ByteWriter, fields: HelloFields): void {
  writer.u32(fields.game.idHash);
  writer.u32(fields.game.digest);
  writer.range(fields.nonce, 0, NONCE_BYTES);
}

/** Writes a request; returns its length. */
export function writeRequest(out: Uint8Array, start: number, fields: HelloFields): number {
  const writer = beginHello(out, start, PacketKind.request);
  writeIdentity(writer, fields);
  writer.zeros(writer.remaining);
  return PADDED_BYTES;
}

/** Writes a proof around the cookie that the challenge brought; returns its length. */
export function writeProof(
  out: Uint8Array,
  start: number,
  fields: HelloFields,
  cookie: Uint8Array,
): number {
  const writer = beginHello(out, start, PacketKind.proof);
  writeIdentity(writer, fields);
  writer.range(cookie, 0, COOKIE_BYTES);
  writer.u32(fields.clientId);
  writer.range(fields.clientKey, 0, KEY_BYTES);
  writer.u16(0);
  writer.zeros(writer.remaining);
  return PADDED_BYTES;
}

/** Writes a challenge; returns its length. */
export function writeChallenge(
  out: Uint8Array,
  start: number,
  nonce: Uint8Array,
  cookie: Uint8Array,
): number {
  out[start] = PacketKind.challenge;
  out.set(nonce, start + 1);
  out.set(cookie, start + 1 + NONCE_BYTES);
  return CHALLENGE_BYTES;
}

/** Writes an accept, tagged under the accept key; returns its length. */
export function writeAccept(
  out: Uint8Array,
  start: number,
  nonce: Uint8Array,
  serverId: number,
  serverKey: Uint8Array,
  crypto: Crypto,
  acceptKey: Uint8Array,
): number {
  const writer = new ByteWriter();
  writer.reset(out, start, start + ACCEPT_BYTES);
  writer.u8(PacketKind.accept);
  writer.range(nonce, 0, NONCE_BYTES);
  writer.u32(serverId);
  writer.range(serverKey, 0, KEY_BYTES);
  crypto.mac(acceptKey, out, start, writer.position, out, writer.position);
  return ACCEPT_BYTES;
}

/** Writes a refusal; returns its length. */
export function writeRefusal(
  out: Uint8Array,
  start: number,
  nonce: Uint8Array,
  reason: EndReason,
  text: string,
): number {
  out[start] = PacketKind.refuse;
  out.set(nonce, start + 1);
  out[start + 1 + NONCE_BYTES] = endReasons.indexOf(reason);
  const textStart = start + 2 + NONCE_BYTES;
  return writeText(text, out, textStart, textStart + END_TEXT_BYTES_MAX) - start;
}

/** Whether the reply bytes[start, end) echoes `nonce`; everything else is not for us. */
export function echoesNonce(
  bytes: Uint8Array,
  start: number,
  end: number,
  nonce: Uint8Array,
): boolean {
  if (end - start < 1 + NONCE_BYTES) return false;
  for (let i = 0; i < NONCE_BYTES; i++) if (bytes[start + 1 + i] !== nonce[i]) return false;
  return true;
}

/** An accept's fields; its tag is checked by the caller, who alone can derive the key. */
export function readAccept(
  bytes: Uint8Array,
  start: number,
  end: number,
): { serverId: number; serverKey: Uint8Array } | undefined {
  if (end - start !== ACCEPT_BYTES) return undefined;
  const reader = new ByteReader();
  reader.reset(bytes, start + 1 + NONCE_BYTES, end);
  const serverId = reader.u32();
  const serverKey = new Uint8Array(KEY_BYTES);
  reader.range(serverKey, 0, KEY_BYTES);
  return serverId === 0 ? undefined : { serverId, serverKey };
}

/** A refusal's reason and text. */
export function readRefusal(
  bytes: Uint8Array,
  start: number,
  end: number,
): { reason: EndReason; text: string } | undefined {
  const reasonAt = start + 1 + NONCE_BYTES;
  if (end <= reasonAt || end > start + REPLY_BYTES_MAX) return undefined;
  const reason = endReasons[bytes[reasonAt]!];
  return reason === undefined ? undefined : { reason, text: readText(bytes, reasonAt + 1, end) };
}
