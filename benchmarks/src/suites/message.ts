// One message, from `send` to the other side's sink, by every kind of channel that is a queue: connection and all,
// under a sealer that does nothing. Directions take turns, so that acks flow and every packet meets its verdict.

import { DATAGRAM_BYTES_MAX } from '@tickwire/protocol';
import { ConnectionPair, type MessageKind, PlainSealer } from '../connection-pair.ts';
import { type Cases, expect } from './suite.ts';

const STEP_MS = 1000 / 120;
const MESSAGE_BYTES = 100;
const kinds: readonly MessageKind[] = [
  'unreliable',
  'unreliable-sequenced',
  'reliable-unordered',
  'reliable-ordered',
];

/** A message of 100 B, sent and received. */
export function messageCases(): Cases {
  return Object.fromEntries(
    kinds.map((kind) => [`${MESSAGE_BYTES} B ${kind}: send and receive`, carryOne(kind)]),
  );
}

function carryOne(kind: MessageKind): () => unknown {
  const { client, server } = new ConnectionPair(new PlainSealer(), kind);
  const payload = new Uint8Array(MESSAGE_BYTES);
  const datagram = new Uint8Array(DATAGRAM_BYTES_MAX * 2);
  let step = 0;
  const run = () => {
    const nowMs = ++step * STEP_MS;
    if (step % 2 === 0) return client.carry(nowMs, payload, datagram, server);
    return server.carry(nowMs, payload, datagram, client);
  };
  run();
  run();
  expect(client.received === 1 && server.received === 1, `a ${kind} message arrives`);
  return run;
}
