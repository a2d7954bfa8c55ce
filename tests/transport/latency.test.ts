// How long a small reliable message takes when packets are lost, in virtual time and so exactly: 100-byte messages at 60
// a second over a round trip of 100 ms, as `npm run bench:delivery` measures it in real time beside other libraries.

import { MessageClient } from '@tickwire/client-node/core';
import { SimulatedAddressBook, simulatedCrypto, World } from '@tickwire/netsim';
import { bytes, defineMessages, real } from '@tickwire/protocol';
import { MessageServer } from '@tickwire/server/core';
import { expect, test } from 'vitest';

const MESSAGES = 4000;
const PERIOD_MS = 1000 / 60;
const START_MS = 5000;

const messages = defineMessages({ piece: { atMs: real(), data: bytes(100) } });

interface Figures {
  readonly p99Ms: number;
  /** With 28 bytes of headers a datagram and without tags, both ways, a message. */
  readonly bytes: number;
}

function deliver(seed: number, loss: number): Figures {
  const world = new World({ seed, link: { latencyMs: 50 } });
  const server = new MessageServer(messages, {
    crypto: simulatedCrypto(seed),
    addresses: new SimulatedAddressBook(),
    nowMs: 0,
  });
  const delays: number[] = [];
  server.onMessage('piece', (_, { atMs }) => delays.push(world.nowMs - atMs));
  world.addNode(server);
  const client = new MessageClient(messages, {
    crypto: simulatedCrypto(seed + 1),
    server: 1,
    nowMs: 0,
  });
  const address = world.addNode(client);
  const data = new Uint8Array(86);
  for (let n = 0; n < MESSAGES; n++) {
    world.at(START_MS + n * PERIOD_MS, () => {
      client.send('piece', { atMs: world.nowMs, data });
      world.touch(address);
    });
  }
  world.run(START_MS - 1);
  const link = { latencyMs: 50, loss };
  world.linkUp(address).configure(link);
  world.linkDown(address).configure(link);
  const before = bytesOf(world, address);
  world.run(START_MS + MESSAGES * PERIOD_MS + 5000);
  expect(delays).toHaveLength(MESSAGES);
  delays.sort((a, b) => a - b);
  return {
    p99Ms: delays[Math.floor(MESSAGES * 0.99)]!,
    bytes: (bytesOf(world, address) - before) / MESSAGES,
  };
}

function bytesOf(world: World, address: number): number {
  const [up, down] = [world.linkUp(address).counters, world.linkDown(address).counters];
  return up.sentBytes + down.sentBytes + (up.sent + down.sent) * (28 - 16);
}

test.each([
  [0, 50, 165],
  [1, 168, 171],
  [5, 178, 188],
  [10, 196, 208],
])('%d %% loss: p99 at most %d ms, at most %d bytes', (lossPct, p99Ms, most) => {
  const runs = [1, 2, 3].map((seed) => deliver(seed, lossPct / 100));
  const median = (of: (run: Figures) => number) => runs.map(of).sort((a, b) => a - b)[1]!;
  expect(median((run) => run.p99Ms)).toBeLessThanOrEqual(p99Ms + 0.01);
  expect(median((run) => run.bytes)).toBeLessThanOrEqual(most);
});
