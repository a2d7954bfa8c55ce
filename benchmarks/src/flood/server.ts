// The target that is a real server, as its users start it, with its default limits.

import { PADDED_BYTES } from '@tickwire/protocol';
import { listen } from '@tickwire/server';
import { Pace } from '../pace.ts';
import { SERVER_HOST } from '../peers/loopback.ts';
import { droppedDatagrams } from './dropped.ts';
import { type FloodOrder, NOTHING } from './order.ts';
import type { Side } from './side.ts';
import { MANY_ADDRESSES, messages, STATE_BYTES, TICK_HZ } from './traffic.ts';

/** Where all clients have one address they are not what the limit of an address is against. */
const limits = MANY_ADDRESSES
  ? {}
  : { connectionsPerAddress: { perSecond: 100_000, burst: 100_000 } };

/** Listens; sends to every player once a tick. */
export async function openServer(
  _order: FloodOrder,
  late: (lateMs: number) => void,
): Promise<Side> {
  const server = await listen(messages, { host: SERVER_HOST, limits });
  const state = { rows: new Uint8Array(STATE_BYTES) };
  let inputs = 0;
  server.onMessage('input', (_session, { measured }) => {
    if (measured) inputs++;
  });
  const pace = new Pace(1000 / TICK_HZ, () => void server.broadcast('state', state), late);
  const { port } = server.address;
  return {
    port,
    start: () => pace.start(),
    open() {},
    close() {},
    counts() {
      const { unprovenBytesIn, receiveBufferBytes } = server.statistics;
      // The few requests of those who join are among them.
      const hostile = unprovenBytesIn / PADDED_BYTES;
      return { ...NOTHING, hostile, inputs, receiveBufferBytes, dropped: droppedDatagrams(port) };
    },
  };
}
