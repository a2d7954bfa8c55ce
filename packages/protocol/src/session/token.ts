// The connect token: what a backend that knows a player seals for a game server, with a key that only these two have.
// The player carries it, and can neither read nor change it.
//
//   0    4  magic "TWT2"            in clear, authenticated
//   4   24  nonce, drawn at random  in clear, authenticated
//   28  16  token id                from here on sealed
//   44   8  issued at, unix ms
//   52   8  expires at, unix ms
//   60   1  wire version
//   61   4  game id hash
//   65   4  timeout ms, 0 = the server's own
//   69  32  server's identity key, public
//   101 32  token secret
//   133  1  user id length, 0 to 64
//   134 ..  user id, UTF-8
//   ..  ..  servers (server-list.ts)
//   ..   2  user data length, 0 to 512
//   ..  ..  user data
//   ..  16  tag
//
// Numbers are little endian; times are whole and below 2^53. Sealed with XChaCha20-Poly1305, whose nonce is long enough
// to be drawn at random by any number of backends that share a key.

import { ByteReader, ByteWriter, sameBytes } from '../wire/bytes.ts';
import { type Crypto, KEY_BYTES, TAG_BYTES, TOKEN_NONCE_BYTES } from '../wire/crypto.ts';
import { assert, TickwireError } from '../wire/errors.ts';
import { readText, writeText } from '../wire/text.ts';
import { readServers, SERVERS_BYTES_MAX, serversProblem, writeServers } from './server-list.ts';

/** "TWT2", read as bytes. */
const MAGIC = 0x3254_5754;

export const TOKEN_ID_BYTES = 16;

/** Bytes of a user id in UTF-8: every account id there is, and room for a prefix. */
const USER_ID_BYTES_MAX = 64;

/** Bytes of user data: what a proof has room for beside the servers. */
const USER_DATA_BYTES_MAX = 512;

/** Longest timeout that a token may ask for, ms: that of a connection. */
export const TOKEN_TIMEOUT_MS_MAX = 3_600_000;

const NONCE_AT = 4;
const BODY_AT = NONCE_AT + TOKEN_NONCE_BYTES;
const USER_ID_AT = BODY_AT + TOKEN_ID_BYTES + 8 + 8 + 1 + 4 + 4 + KEY_BYTES + KEY_BYTES;

/** The shortest token: no user id, no data. Whether it names a server is found out when it is open. */
export const TOKEN_BYTES_MIN = USER_ID_AT + 1 + 1 + 2 + TAG_BYTES;

/** The longest token; a proof has room for exactly that. */
export const TOKEN_BYTES_MAX =
  TOKEN_BYTES_MIN + USER_ID_BYTES_MAX + SERVERS_BYTES_MAX + USER_DATA_BYTES_MAX;

/** Everything that a token says. */
export interface ConnectToken {
  /** {@link TOKEN_ID_BYTES} that no other token has: it is used once. */
  readonly id: Uint8Array;
  /** Unix ms. */
  readonly issuedAtMs: number;
  /** Unix ms, later than `issuedAtMs`: from then on it is good for nothing. */
  readonly expiresAtMs: number;
  /** 1 to 255. */
  readonly wireVersion: number;
  /** u32. */
  readonly gameIdHash: number;
  /** Timeout of the connection, ms; 0 = the server's own. */
  readonly timeoutMs: number;
  /** Public identity key of the servers. */
  readonly serverKey: Uint8Array;
  /** What the client shows that it has, and what goes into the keys of the connection. Never logged, never sent. */
  readonly secret: Uint8Array;
  /** Up to 64 bytes in UTF-8; may be empty. */
  readonly userId: string;
  /** "host:port" or "[v6]:port", 1 to 8. */
  readonly servers: readonly string[];
  /** Up to 512 bytes, for the server's user code. */
  readonly userData: Uint8Array;
}

/**
 * Seals a token under `key` to out[0..), which has room for {@link TOKEN_BYTES_MAX}; returns its length. Throws
 * 'token-field-invalid', naming the field.
 */
export function writeToken(
  crypto: Crypto,
  key: Uint8Array,
  fields: ConnectToken,
  out: Uint8Array,
): number {
  assert(key.length === KEY_BYTES && out.length >= TOKEN_BYTES_MAX, 'key and room for a token');
  checkFields(fields);
  const nonce = new Uint8Array(TOKEN_NONCE_BYTES);
  crypto.randomBytes(nonce);
  const writer = new ByteWriter();
  writer.reset(out, 0, TOKEN_BYTES_MAX - TAG_BYTES);
  writer.u32(MAGIC);
  writer.range(nonce, 0, TOKEN_NONCE_BYTES);
  writeBody(writer, fields);
  assert(!writer.overflowed, 'the longest token fits');
  crypto.sealToken(key, nonce, out, 0, BODY_AT, writer.position);
  return writer.position + TAG_BYTES;
}

/**
 * Opens the token bytes[start, end), which stay as they are. Undefined: sealed under another key, damaged, or not what
 * {@link writeToken} writes. Whether it is good here and now is for `judgeToken` to say.
 */
export function readToken(
  crypto: Crypto,
  key: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): ConnectToken | undefined {
  const length = end - start;
  if (length < TOKEN_BYTES_MIN || length > TOKEN_BYTES_MAX) return undefined;
  const own = bytes.slice(start, end);
  const reader = new ByteReader();
  reader.reset(own, 0, own.length);
  if (own.length !== length || reader.u32() !== MAGIC) return undefined;
  const nonce = own.subarray(NONCE_AT, BODY_AT);
  const bodyEnd = length - TAG_BYTES;
  if (!crypto.openToken(key, nonce, own, 0, BODY_AT, bodyEnd)) return undefined;
  reader.reset(own, BODY_AT, bodyEnd);
  return readBody(reader, own);
}

function checkFields(fields: ConnectToken): void {
  const { issuedAtMs, expiresAtMs, wireVersion, gameIdHash, timeoutMs, userData } = fields;
  need(hasBytes(fields.id, TOKEN_ID_BYTES), `id: ${TOKEN_ID_BYTES} bytes`);
  need(isWhole(issuedAtMs, 0, Number.MAX_SAFE_INTEGER), 'issuedAtMs: whole unix ms');
  need(isWhole(expiresAtMs, 0, Number.MAX_SAFE_INTEGER), 'expiresAtMs: whole unix ms');
  need(issuedAtMs < expiresAtMs, 'expiresAtMs: later than issuedAtMs');
  need(isWhole(wireVersion, 1, 0xff), 'wireVersion: 1 to 255');
  need(isWhole(gameIdHash, 0, 0xffff_ffff), 'gameIdHash: u32');
  need(isWhole(timeoutMs, 0, TOKEN_TIMEOUT_MS_MAX), `timeoutMs: 0 to ${TOKEN_TIMEOUT_MS_MAX}`);
  need(hasBytes(fields.serverKey, KEY_BYTES), `serverKey: ${KEY_BYTES} bytes`);
  need(hasBytes(fields.secret, KEY_BYTES), `secret: ${KEY_BYTES} bytes`);
  need(isUserId(fields.userId), `userId: a text of at most ${USER_ID_BYTES_MAX} bytes in UTF-8`);
  const problem = serversProblem(fields.servers);
  need(problem === undefined, problem ?? '');
  const dataFits = userData instanceof Uint8Array && userData.length <= USER_DATA_BYTES_MAX;
  need(dataFits, `userData: at most ${USER_DATA_BYTES_MAX} bytes`);
}

function need(condition: boolean, rule: string): void {
  if (!condition) throw new TickwireError('token-field-invalid', `connect token, ${rule}`);
}

function isWhole(value: number, low: number, high: number): boolean {
  return Number.isSafeInteger(value) && value >= low && value <= high;
}

function hasBytes(value: unknown, count: number): boolean {
  return value instanceof Uint8Array && value.length === count;
}

/** Whether UTF-8 gives the same text back: what is too long or has half a surrogate pair would become another user's. */
function isUserId(userId: unknown): boolean {
  if (typeof userId !== 'string') return false;
  const utf8 = new Uint8Array(USER_ID_BYTES_MAX);
  return readText(utf8, 0, writeText(userId, utf8, 0, USER_ID_BYTES_MAX)) === userId;
}

function writeBody(writer: ByteWriter, fields: ConnectToken): void {
  const utf8 = new Uint8Array(USER_ID_BYTES_MAX);
  const utf8Bytes = writeText(fields.userId, utf8, 0, USER_ID_BYTES_MAX);
  writer.range(fields.id, 0, TOKEN_ID_BYTES);
  writeTime(writer, fields.issuedAtMs);
  writeTime(writer, fields.expiresAtMs);
  writer.u8(fields.wireVersion);
  writer.u32(fields.gameIdHash);
  writer.u32(fields.timeoutMs);
  writer.range(fields.serverKey, 0, KEY_BYTES);
  writer.range(fields.secret, 0, KEY_BYTES);
  writer.u8(utf8Bytes);
  writer.range(utf8, 0, utf8Bytes);
  writeServers(writer, fields.servers);
  writer.u16(fields.userData.length);
  writer.range(fields.userData, 0, fields.userData.length);
}

function readBody(reader: ByteReader, bytes: Uint8Array): ConnectToken | undefined {
  const id = readBytes(reader, TOKEN_ID_BYTES);
  const issuedAtMs = readTime(reader);
  const expiresAtMs = readTime(reader);
  const wireVersion = reader.u8();
  const gameIdHash = reader.u32();
  const timeoutMs = reader.u32();
  const serverKey = readBytes(reader, KEY_BYTES);
  const secret = readBytes(reader, KEY_BYTES);
  const userId = readUserId(reader, bytes);
  const servers = readServers(reader, bytes);
  const userDataBytes = reader.u16();
  if (userId === undefined || servers === undefined) return undefined;
  if (userDataBytes > USER_DATA_BYTES_MAX || userDataBytes !== reader.remaining) return undefined;
  const userData = readBytes(reader, userDataBytes);
  // An unreadable time is NaN, which is not less than anything.
  if (reader.failed || !(issuedAtMs < expiresAtMs)) return undefined;
  if (wireVersion === 0 || timeoutMs > TOKEN_TIMEOUT_MS_MAX) return undefined;
  const head = { id, issuedAtMs, expiresAtMs, wireVersion, gameIdHash, timeoutMs };
  return { ...head, serverKey, secret, userId, servers, userData };
}

function readBytes(reader: ByteReader, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  reader.range(bytes, 0, count);
  return bytes;
}

/** Undefined: too long, cut off, or not UTF-8. */
function readUserId(reader: ByteReader, bytes: Uint8Array): string | undefined {
  const length = reader.u8();
  const at = reader.position;
  reader.skip(length);
  if (reader.failed || length > USER_ID_BYTES_MAX) return undefined;
  const userId = readText(bytes, at, at + length);
  const utf8 = new Uint8Array(USER_ID_BYTES_MAX);
  // Bytes that are not UTF-8 were read as another character, which is written in other bytes.
  const written = writeText(userId, utf8, 0, USER_ID_BYTES_MAX);
  const same = sameBytes(utf8.subarray(0, written), bytes.subarray(at, at + length));
  return same ? userId : undefined;
}

/** A u64 of unix ms, low half first. */
export function writeTime(writer: ByteWriter, unixMs: number): void {
  writer.u32(unixMs);
  writer.u32(Math.floor(unixMs / 0x1_0000_0000));
}

/** The reverse of {@link writeTime}; NaN at 2^53 and above, where numbers are not exact. */
export function readTime(reader: ByteReader): number {
  const low = reader.u32();
  const high = reader.u32();
  return high > 0x1f_ffff ? Number.NaN : high * 0x1_0000_0000 + low;
}
