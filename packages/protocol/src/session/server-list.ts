// The addresses that a connect token is good for, as text, "host:port" or "[v6]:port", in the order in which they are
// to be tried.
//
//   size  field
//   1     count, 1 to 8
//   for each:
//   1     length, 1 to 255
//   ..    text, ASCII

import type { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { TickwireError } from '../wire/errors.ts';
import { readText, writeText } from '../wire/text.ts';

/** Servers of one token: more alternatives than anybody waits for. */
const SERVERS_MAX = 8;

/** Bytes of one server's text: what its length byte can say. */
const SERVER_BYTES_MAX = 255;

/** All servers together, a length byte each: what a proof has room for, with 64 bytes of user id and 512 of data. */
export const SERVERS_BYTES_MAX = 332;

const IPV6_GROUPS = 8;

const HOST_AND_PORT = /^(?:\[([\dA-Fa-f:.]{2,45})\]|([\w.-]{1,253})):([1-9]\d{0,4})$/;

/** A server's host, an IPv6 address without brackets, and port; undefined = no such text. */
export function splitServer(text: string): { host: string; port: number } | undefined {
  const [, v6, name, digits] = HOST_AND_PORT.exec(text) ?? [];
  const port = Number(digits);
  if (v6 !== undefined && v6.indexOf(':') === v6.lastIndexOf(':')) return undefined;
  const host = v6 ?? name;
  return host === undefined || port > 65535 ? undefined : { host, port };
}

/** Throws 'option-invalid' unless `text`, which the option `name` holds, names a server. */
export function checkServer(name: string, text: string): void {
  if (isServer(text)) return;
  throw new TickwireError(
    'option-invalid',
    `${name} is '${text}'; give "host:port" or "[v6]:port"`,
  );
}

/** Whether two texts name the same server: letters of either case, an IPv6 address however it is abbreviated. */
export function namesSameServer(a: string, b: string): boolean {
  return normalised(a) === normalised(b);
}

/** What is wrong with a list; undefined = nothing. For whoever makes one. */
export function serversProblem(servers: readonly string[]): string | undefined {
  const some = Array.isArray(servers) && servers.length > 0 && servers.length <= SERVERS_MAX;
  if (!some) return `servers: give a list of 1 to ${SERVERS_MAX}`;
  if (!servers.every(isServer)) return 'servers: each is "host:port" or "[v6]:port"';
  if (bytesOf(servers) <= SERVERS_BYTES_MAX) return undefined;
  return `servers: together they may take ${SERVERS_BYTES_MAX} bytes, one more than its text each`;
}

/** Writes a list without a {@link serversProblem}. */
export function writeServers(writer: ByteWriter, servers: readonly string[]): void {
  const ascii = new Uint8Array(SERVER_BYTES_MAX);
  writer.u8(servers.length);
  for (const server of servers) {
    const length = writeText(server, ascii, 0, ascii.length);
    writer.u8(length);
    writer.range(ascii, 0, length);
  }
}

/** Reads a list at the reader's position in `bytes`; undefined = malformed. */
export function readServers(reader: ByteReader, bytes: Uint8Array): readonly string[] | undefined {
  const count = reader.u8();
  if (count > SERVERS_MAX) return undefined;
  const servers: string[] = [];
  for (let i = 0; i < count; i++) {
    const length = reader.u8();
    const at = reader.position;
    reader.skip(length);
    if (reader.failed) return undefined;
    servers.push(readText(bytes, at, at + length));
  }
  return serversProblem(servers) === undefined ? servers : undefined;
}

function isServer(text: unknown): boolean {
  if (typeof text !== 'string' || text.length > SERVER_BYTES_MAX) return false;
  return splitServer(text) !== undefined;
}

function normalised(text: string): string {
  const { host, port } = splitServer(text) ?? { host: text, port: 0 };
  return `${host.includes(':') ? writtenOut(host) : host.toLowerCase()} ${port}`;
}

/** An IPv6 address with all eight groups in hexadecimal, without leading zeros. */
function writtenOut(host: string): string {
  const [front = '', back] = inHexadecimal(host).split('::');
  const before = groupsOf(front);
  const after = groupsOf(back ?? '');
  const missing = back === undefined ? 0 : Math.max(0, IPV6_GROUPS - before.length - after.length);
  const groups = [...before, ...new Array<string>(missing).fill('0'), ...after];
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}

/** Four numbers with dots at the end are the last two groups. */
function inHexadecimal(host: string): string {
  return host.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

/** Texts without a problem are ASCII: a character is a byte. */
function bytesOf(servers: readonly string[]): number {
  return servers.reduce((sum, server) => sum + 1 + server.length, 0);
}
