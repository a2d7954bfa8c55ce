// How long Tickwire's datagrams are for a given payload, asked of the real encoder, so that the raw dgram peer
// carries the same number of bytes.

import { DATAGRAM_BYTES_MAX } from '@tickwire/protocol';
import { ConnectionPair, PlainSealer } from '../connection-pair.ts';
import type { Load } from './peer.ts';

/** More ticks than the ack history is long, so that every field has its steady length. */
const TICKS = 256;
const TICK_MS = 1000 / 60;

/** UDP payload of one tick's datagram each way, tag included. */
export function measureDatagramBytes(load: Load): { up: number; down: number } {
  const pair = new ConnectionPair(new PlainSealer(), 'unreliable-sequenced');
  const upPayload = new Uint8Array(load.upBytes);
  const downPayload = new Uint8Array(load.downBytes);
  const datagram = new Uint8Array(DATAGRAM_BYTES_MAX);
  let up = 0;
  let down = 0;
  for (let tick = 1; tick <= TICKS; tick++) {
    up = pair.client.carry(tick * TICK_MS, upPayload, datagram, pair.server);
    down = pair.server.carry(tick * TICK_MS, downPayload, datagram, pair.client);
  }
  return { up, down };
}
