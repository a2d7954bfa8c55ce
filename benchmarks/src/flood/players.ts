// The players: real clients, each with a socket and an address of its own, not in step with each other. Some more come
// while the window is open.

import { MessageClient } from '@tickwire/client-node/core';
import type { MessagesOf } from '@tickwire/protocol';
import { loadCrypto, MachineDriver } from '@tickwire/protocol/udp';
import { Pace } from '../pace.ts';
import { SERVER_HOST } from '../peers/loopback.ts';
import { type FloodOrder, NOTHING } from './order.ts';
import type { Side } from './side.ts';
import { INPUT_BYTES, messages, PLAYER_GROUP, sourceAddress, TICK_HZ } from './traffic.ts';

/** A tick has so many slices of about a millisecond; each client sends in its own. */
const SLICES = Math.floor(1000 / TICK_HZ);
/** Joining before the flood is bounded by the patience of the bench. */
const CONNECT_TIMEOUT_MS = 30_000;
/** Those who join in the window begin in this part of it, one after the other, and have the rest to complete. */
const JOINING_SHARE = 0.5;

type PlayerClient = MessageClient<MessagesOf<typeof messages>>;

/** Resolves when all players are connected. */
export async function openPlayers(
  order: FloodOrder,
  late: (lateMs: number) => void,
): Promise<Side> {
  const { players, port } = order;
  const clients = await Promise.all(
    Array.from({ length: players }, (_, index) => join(index, port, CONNECT_TIMEOUT_MS)),
  );
  const input = { measured: false, keys: new Uint8Array(INPUT_BYTES) };
  const joinMs: number[] = [];
  let inputs = 0;
  const step = (index: number) => {
    for (let client = index % SLICES; client < players; client += SLICES) {
      if (clients[client]!.send('input', input) === 'queued' && input.measured) inputs++;
    }
  };
  const pace = new Pace(1000 / TICK_HZ / SLICES, step, late);
  return {
    port: 0,
    counts: () => ({ ...NOTHING, inputs, joinMs }),
    start: () => pace.start(),
    open() {
      input.measured = true;
      joinOneByOne(order, (ms) => joinMs.push(ms));
    },
    close() {
      input.measured = false;
    },
  };
}

/** Tells `joined` of each that has, after how long. */
function joinOneByOne(
  { players, joins, port, windowMs }: FloodOrder,
  joined: (afterMs: number) => void,
): void {
  for (let index = 0; index < joins; index++) {
    const begin = async () => {
      const beganMs = performance.now();
      await join(players + index, port);
      joined(performance.now() - beganMs);
    };
    setTimeout(() => void begin(), (index * JOINING_SHARE * windowMs) / joins);
  }
}

/** Resolves when the client is connected; if it never is, never. */
async function join(index: number, port: number, connectTimeoutMs?: number): Promise<PlayerClient> {
  const crypto = await loadCrypto();
  const driver = await MachineDriver.open({
    host: sourceAddress(PLAYER_GROUP, index),
    memory: crypto.memory,
    sendTogether: true,
    onError() {},
  });
  const client = new MessageClient(messages, {
    crypto,
    server: driver.socket.resolve(SERVER_HOST, port),
    nowMs: driver.nowMs(),
    onQueued: () => setImmediate(() => driver.pump()),
    ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
  });
  client.onMessage('state', () => {});
  await new Promise<void>((resolve) => {
    client.on('connected', resolve);
    driver.attach(client);
  });
  return client;
}
