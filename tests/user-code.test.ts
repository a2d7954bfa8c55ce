// What user code may do wrong, and what a client may be too slow for: each ends or is counted where it belongs.

import { GameClient } from '@tickwire/client-node/core';
import { simulatedCrypto } from '@tickwire/netsim';
import { LOOPBACK_SERVER, loopback, loopbackAddresses } from '@tickwire/protocol';
import { GameServer, type GameSession } from '@tickwire/server/core';
import { expect, test } from 'vitest';
import { arena } from '../examples/arena/src/arena.ts';

const BYTES = new Uint8Array([0]);

/** A server and a client over a loopback, joined to a match; `errors` as user code's `onError` got them. */
function scene() {
  const errors: string[] = [];
  const report = (error: Error, where: string) => errors.push(`${where}: ${error.message}`);
  const server = new GameServer(arena, {
    crypto: simulatedCrypto(1),
    addresses: loopbackAddresses,
    nowMs: 0,
    onError: report,
  });
  const matches = [server.createMatch(), server.createMatch()] as const;
  const ends: string[] = [];
  server.onEnd((_session, reason) => ends.push(reason));
  server.onSession((session) => matches[0].add(session));
  const client = new GameClient(arena, {
    crypto: simulatedCrypto(2),
    server: LOOPBACK_SERVER,
    nowMs: 0,
    onError: report,
  });
  const link = loopback(server, client);
  let nowMs = 0;
  const run = (forMs: number) => {
    const untilMs = nowMs + forMs;
    while (nowMs < untilMs) {
      nowMs = Math.max(nowMs, Math.min(link.wakeAt(), untilMs));
      link.advance(nowMs);
    }
  };
  run(500);
  const [session] = server.sessions.values();
  return { server, client, matches, session: session!, errors, ends, run };
}

/** Fills the events that a client has not acknowledged, all but `spare` of them. */
function fillEvents({ events }: GameSession<never>, spare: number): void {
  while (events.statistics.queued < 256 - spare) expect(events.send(BYTES, 0, 1)).toBe('queued');
  if (spare === 0) expect(events.send(BYTES, 0, 1)).toBe('full');
}

test('messages wait for their handler, 64 of them; one more is counted', () => {
  const { client, session, run } = scene();
  for (let i = 0; i < 64; i++) session.send('say', { line: `${i}` });
  run(500);
  expect(client.messagesUnheard).toBe(0);
  session.send('say', { line: 'one too many' });
  run(500);
  expect(client.messagesUnheard).toBe(1);
  const heard: string[] = [];
  client.onMessage('say', ({ line }) => heard.push(line));
  expect(heard).toEqual(Array.from({ length: 64 }, (_, i) => `${i}`));
});

test('a client that can just be told of its move is moved', () => {
  const { matches, session, ends, run } = scene();
  fillEvents(session as never, 2);
  matches[1].add(session);
  run(500);
  expect(ends).toEqual([]);
  expect(session.match).toBe(matches[1]);
});

test('a client too far behind to be told of its move is put out, not left in between', () => {
  const { client, matches, session, ends, run } = scene();
  fillEvents(session as never, 1);
  matches[1].add(session);
  run(500);
  expect(ends).toEqual(['overflow']);
  expect(client.ended).toBe('overflow');
  expect(matches[1].sessions.size).toBe(0);
});

test('a throw in onWritable ends that session and is reported', () => {
  const { session, errors, ends, run } = scene();
  while (session.send('say', { line: 'x'.repeat(200) }) === 'queued');
  session.onWritable(() => {
    throw new Error('planted');
  });
  run(1000);
  expect(errors).toEqual(['onWritable: planted']);
  expect(ends).toEqual(['error']);
});

test("a throw in the client's own handlers is reported, and never leaves the machine", () => {
  const { client, session, errors, run } = scene();
  client.on('end', () => {
    throw new Error('planted');
  });
  session.kick();
  run(500);
  expect(client.ended).toBe('kicked');
  expect(errors).toEqual(['handler: planted']);
});

test('a throw in onTick is reported and stops nothing', () => {
  const { matches, errors, run } = scene();
  matches[0].onTick(() => {
    throw new Error('planted');
  });
  const { tick } = matches[0];
  run(100);
  expect(matches[0].stoppedBy).toBeUndefined();
  expect(matches[0].tick).toBeGreaterThan(tick + 3);
  expect(new Set(errors)).toEqual(new Set(['onTick: planted']));
});
