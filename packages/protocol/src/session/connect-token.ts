// The text that a backend hands to a player: the sealed connect token, and beside it, in clear, what the player's own
// client needs. Whoever has the text can connect with it, once: it travels over HTTPS and into no log.
//
//   "twc2." and in base64url:
//   size  field
//   8     expires at, unix ms
//   32    token secret
//   32    server's identity key, public
//   ..    servers (server-list.ts)
//   2     length of the sealed token
//   ..    sealed token (token.ts)

import { decodeBase64url, encodeBase64url } from '../wire/base64url.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { KEY_BYTES } from '../wire/crypto.ts';
import { assert, TickwireError } from '../wire/errors.ts';
import { readServers, SERVERS_BYTES_MAX, writeServers } from './server-list.ts';
import { readTime, TOKEN_BYTES_MAX, TOKEN_BYTES_MIN, writeTime } from './token.ts';

const PREFIX = 'twc2.';

const BYTES_MAX = 8 + KEY_BYTES + KEY_BYTES + 1 + SERVERS_BYTES_MAX + 2 + TOKEN_BYTES_MAX;

/** Characters of the longest text. */
export const CONNECT_TOKEN_CHARACTERS_MAX = PREFIX.length + Math.ceil((BYTES_MAX * 4) / 3);

/** What a client knows of its token. */
export interface ClientToken {
  /** Unix ms. */
  readonly expiresAtMs: number;
  /** Never logged, never sent. */
  readonly secret: Uint8Array;
  /** Public identity key of the servers: who answers with another one is not one of them. */
  readonly serverKey: Uint8Array;
  /** "host:port" or "[v6]:port", 1 to 8, in the order in which they are to be tried. */
  readonly servers: readonly string[];
  /** What goes into the proof. */
  readonly sealed: Uint8Array;
}

/** The text of a token. */
export function writeConnectToken(token: ClientToken): string {
  const bytes = new Uint8Array(BYTES_MAX);
  const writer = new ByteWriter();
  writer.reset(bytes, 0, BYTES_MAX);
  writeTime(writer, token.expiresAtMs);
  writer.range(token.secret, 0, KEY_BYTES);
  writer.range(token.serverKey, 0, KEY_BYTES);
  writeServers(writer, token.servers);
  writer.u16(token.sealed.length);
  writer.range(token.sealed, 0, token.sealed.length);
  assert(!writer.overflowed, 'the longest connect token fits');
  return PREFIX + encodeBase64url(bytes.subarray(0, writer.position));
}

/** Reads the text of a token. Throws 'token-unreadable', and never tells what the text was. */
export function readConnectToken(text: string): ClientToken {
  if (typeof text !== 'string' || !text.startsWith(PREFIX)) {
    throw unreadable(`a connect token is a text that begins with "${PREFIX}"`);
  }
  const whole = text.length <= CONNECT_TOKEN_CHARACTERS_MAX;
  const bytes = whole ? decodeBase64url(text.slice(PREFIX.length)) : undefined;
  const token = bytes === undefined ? undefined : readParts(bytes);
  if (token === undefined) throw unreadable('the connect token is cut off or damaged');
  return token;
}

function readParts(bytes: Uint8Array): ClientToken | undefined {
  const reader = new ByteReader();
  reader.reset(bytes, 0, bytes.length);
  const expiresAtMs = readTime(reader);
  const secret = new Uint8Array(KEY_BYTES);
  reader.range(secret, 0, KEY_BYTES);
  const serverKey = new Uint8Array(KEY_BYTES);
  reader.range(serverKey, 0, KEY_BYTES);
  const servers = readServers(reader, bytes);
  const length = reader.u16();
  if (servers === undefined || Number.isNaN(expiresAtMs)) return undefined;
  if (length < TOKEN_BYTES_MIN || length > TOKEN_BYTES_MAX) return undefined;
  if (reader.failed || reader.remaining !== length) return undefined;
  return { expiresAtMs, secret, serverKey, servers, sealed: bytes.slice(reader.position) };
}

function unreadable(what: string): TickwireError {
  return new TickwireError('token-unreadable', what);
}
