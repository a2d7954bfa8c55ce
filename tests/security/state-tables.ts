// The state tables of PROTOCOL.md as data, and what a datagram of simulated cryptography says, to compare with them.

import { readFileSync } from 'node:fs';
import {
  AckBlock,
  ByteReader,
  HEADER_BYTES,
  PacketKind,
  readKind,
  TAG_BYTES,
} from '@tickwire/protocol';

/** A row of a table. */
export interface Transition {
  readonly state: string;
  readonly event: string;
  readonly next: string;
  readonly effect: string;
}

const HEAD = '| state | event | next | effect |';

/** The tables in the order in which they stand. */
export function readTables(): Transition[][] {
  const page = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
  return page
    .split(HEAD)
    .slice(1)
    .map((text) => rowsOf(text.slice(1)));
}

function rowsOf(text: string): Transition[] {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(1, end).map((line) => {
    const [, state = '', event = '', next = '', effect = ''] = line.split('|').map((s) => s.trim());
    return { state, event, next, effect };
  });
}

/** A datagram that somebody said. */
export interface Said {
  readonly to: number;
  readonly bytes: Uint8Array;
}

const kinds: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(PacketKind).map(([name, kind]) => [kind, name]),
);

export function kindOf({ bytes }: Said): string {
  return kinds[readKind(bytes, 0, bytes.length)] ?? 'nothing';
}

/** Section types of a data packet. */
export function sectionsOf({ bytes }: Said): number[] {
  const reader = new ByteReader();
  reader.reset(bytes, HEADER_BYTES, bytes.length - TAG_BYTES);
  if (!new AckBlock().read(reader)) throw new Error('an ack block that cannot be read');
  const types: number[] = [];
  while (reader.remaining > 0) {
    types.push(reader.u8() & 0x7f);
    reader.skip(reader.varint());
  }
  return types;
}

const PING = 64;
const sections: readonly (readonly [string, number])[] = [
  ['a ping', PING],
  ['a close', 65],
  ['a path challenge', 66],
  ['a path response', 67],
];

/** What is wrong with what was said, by the words of an effect; undefined = nothing. `before` = said earlier. */
export function contradiction(
  effect: string,
  said: readonly Said[],
  before: readonly Said[],
): string | undefined {
  const [text = ''] = effect.split(';');
  const kind = /^`(\w+)`/.exec(text)?.[1] ?? 'none';
  const heard = [...new Set(said.map(kindOf))].join(' and ') || 'none';
  if (kind !== heard) return `says ${heard} instead of ${kind}`;
  if (kind === 'data') {
    const types = said.flatMap(sectionsOf);
    for (const [words, type] of sections) {
      // A ping may ride along with anything.
      const fits = text.includes(words)
        ? types.includes(type)
        : type === PING || !types.includes(type);
      if (!fits) return `${words}: ${types.join(' ')}`;
    }
    if (text.includes('bare ack') && types.length > 0) return `no bare ack: ${types.join(' ')}`;
  }
  const last = before.findLast((datagram) => kindOf(datagram) === kind);
  const same = last !== undefined && Buffer.compare(last.bytes, said[0]!.bytes) === 0;
  if (text.includes('the same') && !same) return 'not the same as before';
  return text.includes('all new') && same ? 'the same as before' : undefined;
}
