// What players and server say to each other, and from which addresses everybody comes.

import { bytes, defineMessages, flag } from '@tickwire/protocol';

/** Ticks a second of players and server. */
export const TICK_HZ = 60;

/** Payload of one client-tick, as in the tick bench: an input up, a snapshot down. */
export const INPUT_BYTES = 32;
export const STATE_BYTES = 200;

/** Inputs are never put together or left out by the sender, so what does not arrive is lost on the way. */
export const messages = defineMessages(
  { input: { measured: flag(), keys: bytes(INPUT_BYTES) }, state: { rows: bytes(STATE_BYTES) } },
  {
    inputs: { kind: 'unreliable', carries: ['input'] },
    states: { kind: 'unreliable-sequenced', carries: ['state'] },
  },
);

/** Linux has all of 127.0.0.0/8 on its loopback; elsewhere it is one address. */
export const MANY_ADDRESSES = process.platform === 'linux';

/** Hosts of one network of addresses; those with 0 and 255 are left out. */
const HOSTS = 250;

/** Address of the index-th of a group, 1 to 254, on the loopback: one for each where there are many. */
export function sourceAddress(group: number, index: number): string {
  if (!MANY_ADDRESSES) return '127.0.0.1';
  return `127.${group}.${1 + Math.floor(index / HOSTS)}.${1 + (index % HOSTS)}`;
}

/** Groups of {@link sourceAddress}. */
export const FLOODER_GROUP = 1;
export const PLAYER_GROUP = 2;
