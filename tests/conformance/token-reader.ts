// Connect tokens as PROTOCOL.md describes them (section 3), written from that page alone. Whatever it forbids throws.

import { openX } from './primitives.ts';
import { ByteSource, demand, hex, hex32, utf8 } from './sources.ts';

const TOKEN_MAGIC = '54575432';

const unixMs = (source: ByteSource) => {
  const ms = source.u(8);
  demand(Number.isSafeInteger(ms), 'a time below 2^53');
  return ms;
};

function readServers(source: ByteSource): string[] {
  const count = source.u(1);
  demand(count >= 1 && count <= 8, '1 to 8 servers');
  return Array.from({ length: count }, () => utf8(source.take(source.u(1))));
}

/** Opens a sealed token; `clear` is what was sealed, `lines` say it. */
export function readToken(key: Uint8Array, token: Uint8Array) {
  demand(hex(token.subarray(0, 4)) === TOKEN_MAGIC, 'the magic of a token');
  const clear = openX(key, token.subarray(4, 28), token.subarray(0, 28), token.subarray(28));
  const source = new ByteSource(clear);
  const lines = [`token id = ${hex(source.take(16))}`];
  const [issuedAtMs, expiresAtMs] = [unixMs(source), unixMs(source)];
  demand(issuedAtMs < expiresAtMs, 'a token that lives');
  lines.push(`issued at = ${issuedAtMs}`, `expires at = ${expiresAtMs}`);
  const version = source.u(1);
  demand(version !== 0, 'a wire version');
  lines.push(`wire version = ${version}`, `game id hash = ${hex32(source.u(4))}`);
  const timeoutMs = source.u(4);
  demand(timeoutMs <= 3_600_000, 'a timeout of at most an hour');
  lines.push(`timeout = ${timeoutMs} ms`);
  const identityKey = source.take(32);
  const secret = source.take(32);
  lines.push(`SI = ${hex(identityKey)}`, `secret = ${hex(secret)}`);
  const userId = utf8(source.take(source.u(1)));
  const servers = readServers(source);
  const userData = source.take(source.u(2));
  source.finish();
  demand(userId.length <= 64 && userData.length <= 512, 'lengths within their limits');
  lines.push(`user id = ${userId}`, `servers = ${servers.join(' ')}`);
  lines.push(`user data = ${hex(userData)}`);
  return { clear, lines, secret, userId };
}

/** What a client reads in the text that it was given. */
export function readTokenText(text: string) {
  demand(/^twc2\.[\w-]+$/.test(text), 'twc2. and base64url without padding');
  const source = new ByteSource(Buffer.from(text.slice(5), 'base64url'));
  const expiresAtMs = unixMs(source);
  const [secret, identityKey] = [source.take(32), source.take(32)];
  const servers = readServers(source);
  const sealed = source.take(source.u(2));
  source.finish();
  const lines = [`expires at = ${expiresAtMs}`, `SI = ${hex(identityKey)}`];
  lines.push(`secret = ${hex(secret)}`, `servers = ${servers.join(' ')}`);
  return { sealed, lines };
}
