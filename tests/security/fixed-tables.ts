// What strangers can make a server hold, in bytes: the figure that SECURITY.md gives, from the constants in the sources
// that it names.

import { readFileSync } from 'node:fs';
import { getHeapSpaceStatistics } from 'node:v8';
import { REPLY_BYTES_MAX } from '@tickwire/protocol';

const root = new URL('../../', import.meta.url);

/** A constant, a number, of a source file. Throws when it is not there any more. */
function constantOf(path: string, name: string): number {
  const source = readFileSync(new URL(path, root), 'utf8');
  const [, digits] = new RegExp(`const ${name} = ([\\d_]+);`).exec(source) ?? [];
  if (digits === undefined) throw new Error(`${path} has no ${name}`);
  return Number(digits.replaceAll('_', ''));
}

/** Length, held flag and address of a reply, beside its bytes. */
const REPLY_BESIDE_BYTES = 4 + 1 + 8;

/** The longest name that a socket gives a host: IPv6 with the name of an interface. */
export const HOST_CHARACTERS_MAX = 61;

/** Head of a string, its characters, padding; the slot that points to it, and that of the port. */
const STRANGER_BYTES = 16 + HOST_CHARACTERS_MAX + 3 + 8 + 8;

/** By table, in bytes. */
export function fixedTables(): Readonly<Record<string, number>> {
  const ring = 'packages/server/src/reply-ring.ts';
  const sieve = 'packages/server/src/request-sieve.ts';
  const addresses = 'packages/protocol/src/udp/address-table.ts';
  return {
    'answers that wait': constantOf(ring, 'REPLIES_MAX') * (REPLY_BYTES_MAX + REPLY_BESIDE_BYTES),
    'nonces seen': constantOf(sieve, 'SETS') * constantOf(sieve, 'WAYS') * 4,
    'addresses being read': constantOf(addresses, 'STRANGERS') * STRANGER_BYTES,
  };
}

/** All of them together. */
export function fixedBytes(): number {
  return Object.values(fixedTables()).reduce((sum, bytes) => sum + bytes, 0);
}

/** Compiled code comes and goes by the compiler's own measure, whatever is held. */
const CODE_SPACES = /^(shared_)?(code|trusted)/;

/** Bytes that the process holds, after collecting, but for compiled code. The test command exposes the collector. */
export function heldBytes(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('needs --expose-gc');
  gc();
  gc();
  const spaces = getHeapSpaceStatistics().filter((space) => !CODE_SPACES.test(space.space_name));
  const heapBytes = spaces.reduce((sum, space) => sum + space.space_used_size, 0);
  return heapBytes + process.memoryUsage().external;
}
