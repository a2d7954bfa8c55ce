// A level of 4 MiB goes to a client in the background, as messages under the limit and with back-pressure, while small
// messages of a higher priority go on: how much later those arrive than without the level, in virtual time.

import { MessageClient } from '@tickwire/client-node/core';
import {
  type LinkOptions,
  presets,
  SimulatedAddressBook,
  simulatedCrypto,
  World,
} from '@tickwire/netsim';
import { bytes, defineMessages, type MessagesOf, real, uint } from '@tickwire/protocol';
import { MessageServer, type Session } from '@tickwire/server/core';
import { expect, test } from 'vitest';

const LEVEL_BYTES = 4 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const TICK_MS = 1000 / 60;

const messages = defineMessages(
  { note: { atMs: real() }, piece: { at: uint(24), data: bytes(PIECE_BYTES) } },
  { level: { kind: 'reliable-ordered', carries: ['piece'], priority: -1 } },
);
type Messages = MessagesOf<typeof messages>;

/** Sends piece after piece, as fast as the queue empties. */
function sendLevel(session: Session<Messages>, level: Uint8Array, from = 0): void {
  let at = from;
  while (at < level.length) {
    const data = level.subarray(at, at + PIECE_BYTES);
    if (session.send('piece', { at, data }) === 'full') {
      session.onWritable(() => sendLevel(session, level, at), 'level');
      return;
    }
    at += data.length;
  }
}

/** Delays of the small messages until the level is there, or for as long as it would take. */
function play(link: LinkOptions, withLevel: boolean, forMs: number): { p99Ms: number; ms: number } {
  const world = new World({ seed: 3, link });
  const options = { crypto: simulatedCrypto(3), nowMs: 0 };
  const server = new MessageServer(messages, { ...options, addresses: new SimulatedAddressBook() });
  const client = new MessageClient(messages, { ...options, server: 1 });
  const level = Uint8Array.from({ length: LEVEL_BYTES }, (_, i) => (i * 7) ^ (i >> 11));
  const received = new Uint8Array(LEVEL_BYTES);
  const delays: number[] = [];
  let got = 0;
  let session: Session<Messages> | undefined;
  server.onSession((one) => {
    session = one;
    if (withLevel) sendLevel(one, level);
  });
  client.onMessage('note', ({ atMs }) => delays.push(world.nowMs - atMs));
  client.onMessage('piece', ({ at, data }) => {
    received.set(data, at);
    got += data.length;
  });
  const host = world.addNode(server);
  world.addNode(client);
  const startMs = 1000;
  for (let atMs = startMs; atMs < startMs + forMs; atMs += 3 * TICK_MS) {
    world.at(atMs, () => {
      session?.send('note', { atMs: world.nowMs });
      world.touch(host);
    });
  }
  let ms = 0;
  while (world.nowMs < startMs + forMs && (ms === 0 || !withLevel)) {
    world.run(world.nowMs + 50);
    if (got === LEVEL_BYTES && ms === 0) ms = world.nowMs;
  }
  if (withLevel) expect(Buffer.compare(received, level), 'the level is intact').toBe(0);
  delays.sort((a, b) => a - b);
  return { p99Ms: delays[Math.floor(delays.length * 0.99)]!, ms };
}

const slow: LinkOptions = { latencyMs: 25, rateKbps: 256, queueBytes: 6400 };

test.each([
  ['cable', presets.cable.down, 2 * TICK_MS, 8000],
  ['256 kbit/s', slow, 80, 200_000],
] as const)('4 MiB over %s', (name, link, riseMs, forMs) => {
  const alone = play(link, false, Math.min(forMs, 20_000));
  const beside = play(link, true, forMs);
  expect(beside.p99Ms - alone.p99Ms, name).toBeLessThanOrEqual(riseMs);
});
