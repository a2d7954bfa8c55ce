// Server and client in one process, without a network.

import { GameClient, MessageClient } from '@tickwire/client-node/core';
import { simulatedCrypto } from '@tickwire/netsim';
import {
  defineMessages,
  LOOPBACK_SERVER,
  loopback,
  loopbackAddresses,
  text,
} from '@tickwire/protocol';
import { GameServer, MessageServer } from '@tickwire/server/core';
import { expect, test } from 'vitest';
import { arena } from '../examples/arena/src/arena.ts';

test('a game over a loopback: joins, plays, talks, ends', () => {
  const said: string[] = [];
  const server = new GameServer(arena, {
    crypto: simulatedCrypto(1),
    addresses: loopbackAddresses,
    nowMs: 0,
  });
  const match = server.createMatch({ seed: 1 });
  match.onEnter((session) => match.own(session, match.world.player.spawn().id));
  server.onSession((session) => match.add(session));
  server.onMessage('say', (_session, { line }) => said.push(line));
  const ends: string[] = [];
  server.onEnd((_session, reason) => ends.push(reason));
  const client = new GameClient(arena, {
    crypto: simulatedCrypto(2),
    server: LOOPBACK_SERVER,
    nowMs: 0,
    sampleInput: (_tick, out) => {
      out.dx = 1;
    },
  });
  const link = loopback(server, client);
  let nowMs = 0;
  const runUntil = (untilMs: number) => {
    while (nowMs < untilMs) {
      nowMs = Math.max(nowMs, Math.min(link.wakeAt(), untilMs));
      link.advance(nowMs);
    }
  };
  runUntil(1000);
  expect(client.owned).toHaveLength(1);
  expect(client.send('say', { line: 'hello' })).toBe('queued');
  runUntil(3000);
  expect(said).toEqual(['hello']);
  const [x] = [...client.view(nowMs).player].map((player) => player.pose.x);
  expect(x).toBeGreaterThan(5);
  const { prediction } = client.statistics;
  expect(prediction.compared).toBeGreaterThan(50);
  expect(prediction.mispredicted).toBe(0);
  client.close(nowMs, 'enough');
  runUntil(4000);
  expect(ends).toEqual(['closed']);
  expect(client.over).toBe(true);
});

test('messages over a loopback: what was queued before there was a connection arrives', () => {
  const chat = defineMessages({ say: { line: text(40) } });
  const server = new MessageServer(chat, {
    crypto: simulatedCrypto(1),
    addresses: loopbackAddresses,
    nowMs: 0,
  });
  server.onMessage('say', (session, said) => session.send('say', said));
  const client = new MessageClient(chat, {
    crypto: simulatedCrypto(2),
    server: LOOPBACK_SERVER,
    nowMs: 0,
  });
  const heard: string[] = [];
  client.onMessage('say', ({ line }) => heard.push(line));
  client.send('say', { line: 'early' });
  const link = loopback(server, client);
  for (let nowMs = 0; nowMs < 200; nowMs = link.wakeAt()) link.advance(nowMs);
  expect(heard).toEqual(['early']);
  client.send('say', { line: 'last' });
  client.close(200, 'enough');
  for (let nowMs = 200; nowMs < 400; nowMs = link.wakeAt()) link.advance(nowMs);
  expect(heard).toEqual(['early', 'last']);
  expect([client.ended, client.over, server.sessions.size]).toEqual(['closed', true, 0]);
});
