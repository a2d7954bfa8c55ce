// A transfer without end on the presets of netsim, in virtual time: jitter and bursts of loss must not pass for
// congestion. What is asked of each is half or more of what a sender gets that sends at the link's rate from the first
// moment: on long and on lossy ways the window of a reliable channel is what limits, not the link.

import { MessageClient } from '@tickwire/client-node/core';
import {
  type ConditionName,
  presets,
  SimulatedAddressBook,
  simulatedCrypto,
  World,
} from '@tickwire/netsim';
import { bytes, defineMessages, type MessagesOf } from '@tickwire/protocol';
import { MessageServer, type Session } from '@tickwire/server/core';
import { expect, test } from 'vitest';

const PIECE_BYTES = 64 * 1024;
const FROM_MS = 10_000;
const UNTIL_MS = 20_000;

const messages = defineMessages(
  { piece: { data: bytes(PIECE_BYTES) } },
  { level: { kind: 'reliable-ordered', carries: ['piece'], priority: -1 } },
);
type Messages = MessagesOf<typeof messages>;

const data = new Uint8Array(PIECE_BYTES);

function sendOn(session: Session<Messages>): void {
  while (session.send('piece', { data }) !== 'full') {}
  session.onWritable(() => sendOn(session), 'level');
}

/** Bytes a second that arrive once the start is long over. */
function transfer(name: ConditionName, seed: number): number {
  const { up, down } = presets[name];
  const world = new World({ seed, linkUp: up, linkDown: down });
  const options = { crypto: simulatedCrypto(seed), nowMs: 0 };
  const server = new MessageServer(messages, { ...options, addresses: new SimulatedAddressBook() });
  const client = new MessageClient(messages, { ...options, server: 1 });
  let got = 0;
  server.onSession(sendOn);
  client.onMessage('piece', () => {
    got += PIECE_BYTES;
  });
  world.addNode(server);
  world.addNode(client);
  world.run(FROM_MS);
  const before = got;
  world.run(UNTIL_MS);
  return ((got - before) * 1000) / (UNTIL_MS - FROM_MS);
}

test.each([
  ['cable', 900_000],
  ['wifi', 1_000_000],
  ['lte', 600_000],
  ['bad-wifi', 150_000],
  ['satellite', 80_000],
] as const)('%s: at least %d bytes a second', (name, least) => {
  for (const seed of [1, 3]) expect(transfer(name, seed), `seed ${seed}`).toBeGreaterThan(least);
});
