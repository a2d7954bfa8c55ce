// The five packets that open a connection, as far as they are in clear. Padded packets are exactly 1200 bytes, so that
// no answer to a stranger is longer than what the stranger sent; what the padding holds is nobody's business.
//
//   request (client)        proof (client)              challenge (server)    accept (server)        refuse (server)
//   0   1  kind 1           0  31  as the request,      0   1  kind 2         0   1  kind 4          0   1  kind 5
//   1   4  magic                   but kind 3           1  16  client nonce   1  16  client nonce    1  16  client nonce
//   5   1  version, lowest  31  1  version              17  1  version        17  4  server's id     17  1  reason
//   6   1  version, highest 32 20  cookie               18 32  identity key   21 32  fresh key       18 ..  text, UTF-8
//   7   4  game id hash     52  4  client's id          50 20  cookie         53 16  tag
//   11  4  schema digest    56 32  fresh key
//   15 16  client nonce     88  2  credential length n
//   31 ..  padding          90  n  credential, sealed
//                           .. 16  tag
//                           .. ..  padding
//
// Keys are X25519 public keys. What is sealed stands in credential.ts, what it is sealed with in keys.ts.

import { END_TEXT_BYTES_MAX, type EndReason, endReasons } from '../transport/end-reason.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { KEY_BYTES, TAG_BYTES } from '../wire/crypto.ts';
import { DATAGRAM_BYTES, PacketKind } from '../wire/packet.ts';
import { readText, writeText } from '../wire/text.ts';
import { COOKIE_BYTES } from './cookie.ts';

/** "TKWR", read as bytes. */
const MAGIC = 0x5257_4b54;

/** The wire version this code speaks. */
export const WIRE_VERSION = 2;

export const NONCE_BYTES = 16;

/** Requests and proofs are padded to this. */
export const PADDED_BYTES = DATAGRAM_BYTES;

export const CHALLENGE_BYTES = 1 + NONCE_BYTES + 1 + KEY_BYTES + COOKIE_BYTES;

/** An accept up to its tag. */
export const ACCEPT_HEAD_BYTES = 1 + NONCE_BYTES + 4 + KEY_BYTES;
export const ACCEPT_BYTES = ACCEPT_HEAD_BYTES + TAG_BYTES;

/** A proof up to its credential. */
export const PROOF_HEAD_BYTES = 90;

/** The longest credential: what is left of a proof. */
export const CREDENTIAL_BYTES_MAX = PADDED_BYTES - PROOF_HEAD_BYTES - TAG_BYTES;

/** The longest answer to somebody without a connection. */
export const REPLY_BYTES_MAX = 1 + NONCE_BYTES + 1 + END_TEXT_BYTES_MAX;

/** Names the game and the exact schema that both sides must share. */
export interface GameIdentity {
  readonly idHash: number;
  readonly digest: number;
}

/** A request or a proof as read; reused. Fields that only a proof has keep their old values with a request. */
export class Hello {
  versionMin = 0;
  versionMax = 0;
  idHash = 0;
  digest = 0;
  readonly nonce = new Uint8Array(NONCE_BYTES);
  /** The version that the proof is made for. */
  version = 0;
  readonly cookie = new Uint8Array(COOKIE_BYTES);
  clientId = 0;
  readonly clientKey = new Uint8Array(KEY_BYTES);
  /** Bytes of the credential, its tag not counted. */
  credentialBytes = 0;
  readonly #reader = new ByteReader();

  /** Reads a request; false = not one of ours. */
  readRequest(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#readHead(bytes, start, end);
  }

  /** Reads a proof as far as it is in clear; false = not one of ours. */
  readProof(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.#readHead(bytes, start, end)) return false;
    const reader = this.#reader;
    this.version = reader.u8();
    reader.range(this.cookie, 0, COOKIE_BYTES);
    this.clientId = reader.u32();
    reader.range(this.clientKey, 0, KEY_BYTES);
    this.credentialBytes = reader.u16();
    const fits = this.credentialBytes >= 1 && this.credentialBytes <= CREDENTIAL_BYTES_MAX;
    return fits && this.clientId !== 0;
  }

  #readHead(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start !== PADDED_BYTES) return false;
    const reader = this.#reader;
    reader.reset(bytes, start + 1, end);
    if (reader.u32() !== MAGIC) return false;
    this.versionMin = reader.u8();
    this.versionMax = reader.u8();
    this.idHash = reader.u32();
    this.digest = reader.u32();
    reader.range(this.nonce, 0, NONCE_BYTES);
    return true;
  }
}

/** What an attempt of a client says of itself in its request, and again in its proof. */
export interface HelloFields {
  readonly game: GameIdentity;
  readonly nonce: Uint8Array;
}

/** What only the proof says, in clear. */
export interface ProofFields extends HelloFields {
  readonly version: number;
  readonly cookie: Uint8Array;
  readonly clientId: number;
  /** Public half of the client's fresh pair. */
  readonly clientKey: Uint8Array;
}

function writeHello(writer: ByteWriter, kind: number, { game, nonce }: HelloFields): void {
  writer.u8(kind);
  writer.u32(MAGIC);
  writer.u8(WIRE_VERSION);
  writer.u8(WIRE_VERSION);
  writer.u32(game.idHash);
  writer.u32(game.digest);
  writer.range(nonce, 0, NONCE_BYTES);
}

/** Writes a request; returns its length. */
export function writeRequest(out: Uint8Array, start: number, fields: HelloFields): number {
  const writer = new ByteWriter();
  writer.reset(out, start, start + PADDED_BYTES);
  writeHello(writer, PacketKind.request, fields);
  writer.zeros(writer.remaining);
  return PADDED_BYTES;
}

/** Writes a proof up to its credential of `credentialBytes`, and zeros behind it; returns the length of it all. */
export function writeProofHead(
  out: Uint8Array,
  start: number,
  fields: ProofFields,
  credentialBytes: number,
): number {
  const writer = new ByteWriter();
  writer.reset(out, start, start + PADDED_BYTES);
  writeHello(writer, PacketKind.proof, fields);
  writer.u8(fields.version);
  writer.range(fields.cookie, 0, COOKIE_BYTES);
  writer.u32(fields.clientId);
  writer.range(fields.clientKey, 0, KEY_BYTES);
  writer.u16(credentialBytes);
  writer.zeros(writer.remaining);
  return PADDED_BYTES;
}

/** What a challenge says, besides the nonce. */
export interface Challenge {
  readonly version: number;
  /** The server's identity key, public half. */
  readonly serverKey: Uint8Array;
  readonly cookie: Uint8Array;
}

/** Writes a challenge; returns its length. */
export function writeChallenge(
  out: Uint8Array,
  start: number,
  nonce: Uint8Array,
  challenge: Challenge,
): number {
  const writer = new ByteWriter();
  writer.reset(out, start, start + CHALLENGE_BYTES);
  writer.u8(PacketKind.challenge);
  writer.range(nonce, 0, NONCE_BYTES);
  writer.u8(challenge.version);
  writer.range(challenge.serverKey, 0, KEY_BYTES);
  writer.range(challenge.cookie, 0, COOKIE_BYTES);
  return CHALLENGE_BYTES;
}

/** A challenge; the caller has compared the nonce. Undefined = not one. */
export function readChallenge(
  bytes: Uint8Array,
  start: number,
  end: number,
): Challenge | undefined {
  if (end - start !== CHALLENGE_BYTES) return undefined;
  const reader = new ByteReader();
  reader.reset(bytes, start + 1 + NONCE_BYTES, end);
  const version = reader.u8();
  const serverKey = new Uint8Array(KEY_BYTES);
  const cookie = new Uint8Array(COOKIE_BYTES);
  reader.range(serverKey, 0, KEY_BYTES);
  reader.range(cookie, 0, COOKIE_BYTES);
  return { version, serverKey, cookie };
}

/** Writes an accept up to its tag, which follows from the keys that this head goes into; returns its length so far. */
export function writeAcceptHead(
  out: Uint8Array,
  start: number,
  nonce: Uint8Array,
  serverId: number,
  freshKey: Uint8Array,
): number {
  const writer = new ByteWriter();
  writer.reset(out, start, start + ACCEPT_HEAD_BYTES);
  writer.u8(PacketKind.accept);
  writer.range(nonce, 0, NONCE_BYTES);
  writer.u32(serverId);
  writer.range(freshKey, 0, KEY_BYTES);
  return ACCEPT_HEAD_BYTES;
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
): { serverId: number; freshKey: Uint8Array } | undefined {
  if (end - start !== ACCEPT_BYTES) return undefined;
  const reader = new ByteReader();
  reader.reset(bytes, start + 1 + NONCE_BYTES, end);
  const serverId = reader.u32();
  const freshKey = new Uint8Array(KEY_BYTES);
  reader.range(freshKey, 0, KEY_BYTES);
  return serverId === 0 ? undefined : { serverId, freshKey };
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
