// The whole connection, poll to receive, under a sealer that does nothing. Both ends send, so that acks flow and
// every packet meets its verdict.

import { DATAGRAM_BYTES_MAX } from '@tickwire/protocol';
import { ConnectionPair, PlainSealer } from '../connection-pair.ts';
import type { Cases } from './suite.ts';

const TICK_MS = 1000 / 60;
const UP_BYTES = 32;
const DOWN_BYTES = 200;

/** One client-tick: both packets written, carried over and accepted. */
export function connectionCases(): Cases {
  const sizes = [
    [UP_BYTES, DOWN_BYTES],
    [UP_BYTES, UP_BYTES],
  ] as const;
  return Object.fromEntries(
    sizes.map(([up, down]) => [
      `${up} B up and ${down} B down: poll and receive`,
      clientTick(up, down),
    ]),
  );
}

function clientTick(upBytes: number, downBytes: number): () => unknown {
  const { client, server } = new ConnectionPair(new PlainSealer(), 'unreliable-sequenced');
  const upPayload = new Uint8Array(upBytes);
  const downPayload = new Uint8Array(downBytes);
  const datagram = new Uint8Array(DATAGRAM_BYTES_MAX * 2);
  let tick = 0;
  return () => {
    const nowMs = ++tick * TICK_MS;
    client.carry(nowMs, upPayload, datagram, server);
    return server.carry(nowMs, downPayload, datagram, client);
  };
}
