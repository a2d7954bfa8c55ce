// The second conversation of PROTOCOL.md: messages without a game, in channels of the kinds that the first does not show,
// with fragments and a long ack, under a password.

import { bytes, defineMessages, int, MessageChannels, uint, Way } from '@tickwire/protocol';
import { stretchPassword } from '@tickwire/protocol/udp';
import { openConnection, START_MS, sendOne, take } from './conversation.ts';
import { accept, prove } from './handshake-conversation.ts';

export const messages = defineMessages(
  {
    page: { n: uint(8), ink: bytes(2000) },
    spark: { ink: bytes(2000) },
    score: { who: uint(4), points: int(20) },
  },
  {
    pages: { kind: 'reliable-unordered', carries: ['page'] },
    sparks: { kind: 'unreliable', carries: ['spark'] },
    scores: { kind: 'reliable-latest', carries: ['score'], key: 'who', keys: 8, priority: 1 },
  },
  'vectors-2',
);

/** Two of its letters have another form, and that is the normal one. */
export const password = 'gru\u0308ße ma\u030an';

export const presharedKey = await stretchPassword(password, messages.idHash);

/** Pings that are lost before anything arrives: with so many missing an ack needs a reach of 128. */
const LOST_PINGS = 70;
/** By then the rate allows another long packet. */
const INTERVAL_MS = 50;

/** Every datagram that is printed, by name, in the order in which they travel. */
export function converseInMessages(): Map<string, Uint8Array> {
  const receiver = { message() {}, forgotten() {} };
  const said = new MessageChannels(messages, receiver);
  const proof = prove(messages, { way: Way.key, secret: presharedKey });
  const { bytes: accepted, keys } = accept(proof);
  const client = openConnection('client', keys, said.plans(), { keepAliveMs: 1 });
  const server = openConnection('server', keys, new MessageChannels(messages, receiver).plans());
  let nowMs = START_MS;
  for (let n = 0; n < LOST_PINGS; n++) sendOne(client, nowMs++);
  const send = () => {
    nowMs += INTERVAL_MS;
    const datagram = sendOne(client, nowMs);
    take(server, nowMs, datagram);
    return datagram;
  };
  said.send('page', { n: 7, ink: new Uint8Array(1149) });
  said.send('score', { who: 3, points: -70000 });
  const first = send();
  said.send('spark', { ink: new Uint8Array(1120) });
  const second = send();
  said.forget('score', 3);
  const third = send();
  return new Map([
    ['proof-key', proof.bytes],
    ['accept-key', accepted],
    ['value-and-fragment', first],
    ['two-fragments', second],
    ['deletion-and-fragment', third],
    ['long-ack', sendOne(server, nowMs + 2.5)],
  ]);
}
