// Typed messages without a game: a server and its clients in virtual time, on good links and bad ones.

import { MessageClient, type MessageClientOptions } from '@tickwire/client-node/core';
import { type LinkOptions, SimulatedAddressBook, simulatedCrypto, World } from '@tickwire/netsim';
import {
  bytes,
  type DeliveryKind,
  defineMessages,
  type MessagesOf,
  PacketKind,
  readKind,
  text,
  uint,
} from '@tickwire/protocol';
import { MessageServer, type MessageServerOptions, type Session } from '@tickwire/server/core';
import { describe, expect, test } from 'vitest';

const chat = defineMessages(
  {
    say: { line: text(200) },
    blob: { data: bytes(60_000) },
    where: { x: uint(16) },
    score: { player: uint(16), points: uint(16) },
  },
  {
    fast: { kind: 'unreliable-sequenced', carries: ['where'] },
    scores: { kind: 'reliable-latest', carries: ['score'], key: 'player' },
  },
);
type Chat = MessagesOf<typeof chat>;

/** IP and UDP headers, which the path carries as well. */
const HEADER_BYTES = 28;

const ROUGH: LinkOptions = { latencyMs: 50, jitterMs: 20, loss: 0.2, duplicate: 0.1, reorder: 0.1 };

/** One server and its clients; what happens to them is written down. */
class Room {
  readonly world: World;
  readonly server: MessageServer<Chat>;
  readonly address: number;
  readonly clients: MessageClient<Chat>[] = [];
  readonly addresses: number[] = [];
  /** What the server heard, as 'id: line'. */
  readonly heard: string[] = [];
  /** How sessions ended, as 'id: reason text'. */
  readonly ends: string[] = [];
  readonly errors: string[] = [];
  readonly #seed: number;

  constructor(link: LinkOptions = {}, options: Partial<MessageServerOptions> = {}, seed = 1) {
    this.#seed = seed;
    this.world = new World({ seed, link });
    this.server = new MessageServer(chat, {
      crypto: simulatedCrypto(seed),
      addresses: new SimulatedAddressBook(),
      nowMs: 0,
      onError: (error, where) => this.errors.push(`server ${where}: ${error.message}`),
      ...options,
    });
    this.address = this.world.addNode(this.server, { server: true });
    this.server.onMessage('say', ({ id }, { line }) => this.heard.push(`${id}: ${line}`));
    this.server.onEnd(({ id }, reason, why) => this.ends.push(`${id}: ${reason} ${why}`));
  }

  join(options: Partial<MessageClientOptions> = {}, messages = chat): MessageClient<Chat> {
    const client = new MessageClient<Chat>(messages, {
      crypto: simulatedCrypto(this.#seed * 1000 + this.clients.length + 1),
      server: this.address,
      nowMs: this.world.nowMs,
      onError: (error, where) => this.errors.push(`client ${where}: ${error.message}`),
      ...options,
    });
    this.clients.push(client);
    this.addresses.push(this.world.addNode(client));
    return client;
  }

  run(forMs: number): void {
    this.world.run(this.world.nowMs + forMs);
  }

  session(id: number): Session<Chat> {
    for (const session of this.server.sessions.values()) if (session.id === id) return session;
    throw new Error(`there is no session ${id}`);
  }

  /** From now on nothing gets from the one to the other. */
  cut(from: number, to: number): void {
    this.world.tap = {
      sending: (_nowMs, datagram) => {
        if (datagram.from === from && datagram.to === to) datagram.dropped = true;
      },
    };
  }
}

/** How a client ended, as 'reason text'. */
function endOf(client: MessageClient<Chat>): string {
  return `${client.ended} ${client.endText}`;
}

function lines(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `line ${i}`);
}

describe('talking', () => {
  test.each([1, 2, 3])('all kinds, both ways, on a rough link (seed %i)', (seed) => {
    const room = new Room(ROUGH, {}, seed);
    const client = room.join();
    room.run(2000);
    const answers: string[] = [];
    const where: number[] = [];
    const scores = new Map<number, number>();
    room.server.onMessage('say', (session, { line }) =>
      session.send('say', { line: `re ${line}` }),
    );
    client.onMessage('say', ({ line }) => answers.push(line));
    client.onMessage('where', ({ x }) => where.push(x));
    client.onMessage('score', ({ player, points }) => scores.set(player, points));
    client.onForget('score', (player) => scores.delete(player));
    for (let i = 0; i < 100; i++) {
      expect(client.send('say', { line: `${i}` })).toBe('queued');
      room.session(1).send('where', { x: i });
      room.session(1).send('score', { player: i % 5, points: i });
      room.run(20);
    }
    room.session(1).forget('score', 0);
    room.run(8000);
    expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => `re ${i}`));
    expect(where).toEqual([...where].sort((a, b) => a - b));
    expect(where.length).toBeGreaterThan(40);
    expect([...scores].sort()).toEqual([
      [1, 96],
      [2, 97],
      [3, 98],
      [4, 99],
    ]);
    expect(client.statistics.channels.main).toMatchObject({ sent: 100, delivered: 100, queued: 0 });
    expect(room.errors).toEqual([]);
  });

  test('what was queued together leaves together', () => {
    const room = new Room({ latencyMs: 10 });
    const client = room.join();
    room.run(500);
    const before = client.statistics.connection!.packetsOut;
    for (const line of lines(20)) client.send('say', { line });
    client.send('where', { x: 1 });
    room.run(20);
    expect(room.heard).toHaveLength(20);
    expect(client.statistics.connection!.packetsOut).toBe(before + 1);
  });

  test('the first message after a silence leaves at once', () => {
    const room = new Room({ latencyMs: 10 });
    const client = room.join();
    room.run(1500);
    client.send('say', { line: 'now' });
    room.run(10.5);
    expect(room.heard).toEqual(['1: now']);
  });

  test('a broadcast goes to everybody but one, and says how many took it', () => {
    const room = new Room();
    const clients = [room.join(), room.join(), room.join()];
    const heard: string[] = [];
    for (const [i, client] of clients.entries()) {
      client.onMessage('say', ({ line }) => heard.push(`${i}: ${line}`));
    }
    room.run(500);
    expect(room.server.broadcast('say', { line: 'all' })).toBe(3);
    expect(room.server.broadcast('say', { line: 'others' }, room.session(2))).toBe(2);
    room.run(100);
    expect(heard.sort()).toEqual(['0: all', '0: others', '1: all', '2: all', '2: others']);
  });

  test('what comes before there is a handler waits for it, in order', () => {
    const room = new Room();
    const client = room.join();
    room.server.onSession((session) => {
      session.send('say', { line: 'welcome' });
      session.send('score', { player: 7, points: 1 });
    });
    room.run(200);
    room.session(1).forget('score', 7);
    room.run(200);
    const heard: unknown[] = [];
    client.onMessage('say', ({ line }) => heard.push(line));
    client.onMessage('score', (score) => heard.push(score));
    client.onForget('score', (player) => heard.push(player));
    expect(heard).toEqual(['welcome', { player: 7, points: 1 }, 7]);
  });

  test('back-pressure: full, then writable at half of the queue', () => {
    const room = new Room({ latencyMs: 20, rateKbps: 4000 });
    const client = room.join();
    room.run(500);
    const data = new Uint8Array(60_000);
    let sent = 0;
    let got = 0;
    room.server.onMessage('blob', (_session, blob) => {
      expect(blob.data).toHaveLength(60_000);
      got++;
    });
    const fill = () => {
      while (sent < 20) {
        const result = client.send('blob', { data });
        if (result === 'queued') sent++;
        else {
          expect(result).toBe('full');
          client.onWritable(fill);
          return;
        }
      }
    };
    fill();
    expect(sent).toBe(2);
    room.run(20_000);
    expect([sent, got]).toEqual([20, 20]);
    expect(client.statistics.channels.main!.full).toBeGreaterThan(5);
  });

  test('what nobody handles is counted, on the server at once', () => {
    const room = new Room();
    const client = room.join();
    room.run(500);
    client.send('say', { line: 'heard' });
    client.send('score', { player: 1, points: 1 });
    client.send('where', { x: 1 });
    room.run(100);
    client.forget('score', 1);
    room.run(100);
    expect(room.server.messagesUnheard).toBe(3);
  });

  test('there are no other messages', () => {
    const room = new Room();
    const client = room.join();
    const invalid = expect.objectContaining({ code: 'message-invalid' });
    expect(() => room.server.onMessage('sing' as 'say', () => {})).toThrow(invalid);
    expect(() => room.server.onForget('sing' as 'say', () => {})).toThrow(invalid);
    expect(() => room.server.broadcast('sing' as 'say', { line: '' })).toThrow(invalid);
    expect(() => client.onMessage('sing' as 'say', () => {})).toThrow(invalid);
    expect(() => client.onForget('sing' as 'say', () => {})).toThrow(invalid);
    expect(() => client.send('say', { line: 'x'.repeat(201) })).toThrow(invalid);
  });
});

describe('ending', () => {
  test.each([1, 2, 3])('a client closes, and all it said arrives first (seed %i)', (seed) => {
    const room = new Room(ROUGH, {}, seed);
    const client = room.join();
    room.run(2000);
    for (const line of lines(300)) client.send('say', { line });
    client.send('score', { player: 1, points: 2 });
    client.close(room.world.nowMs, 'bye', { graceMs: 10_000 });
    expect(client.send('say', { line: 'too late' })).toBe('closed');
    expect(client.ended).toBeUndefined();
    room.run(20_000);
    expect(room.heard).toEqual(lines(300).map((line) => `1: ${line}`));
    expect(room.ends).toEqual(['1: closed bye']);
    expect(endOf(client)).toBe('closed bye');
    expect(client.over).toBe(true);
  });

  test('with nothing under way it closes at once', () => {
    const room = new Room({ latencyMs: 10 });
    const client = room.join();
    room.run(500);
    client.close(room.world.nowMs, 'bye');
    expect(client.ended).toBe('closed');
    room.run(11);
    expect(room.ends).toEqual(['1: closed bye']);
  });

  test('what is unreliable leaves first as well, once, from both sides', () => {
    const room = new Room({ latencyMs: 10 });
    const [closing, closed] = [room.join(), room.join()];
    const heard: string[] = [];
    room.server.onMessage('where', ({ id }, { x }) => heard.push(`${id}: ${x}`));
    closed.onMessage('where', ({ x }) => heard.push(`client: ${x}`));
    room.run(1900);
    closing.send('where', { x: 1 });
    closing.close(room.world.nowMs, 'bye');
    room.session(2).send('where', { x: 2 });
    room.session(2).close('bye');
    expect([closing.ended, closed.ended]).toEqual([undefined, undefined]);
    room.run(21);
    expect([closing.ended, room.server.sessions.size]).toEqual(['closed', 0]);
    room.run(100);
    expect(heard.sort()).toEqual(['1: 1', 'client: 2']);
    expect([endOf(closing), endOf(closed)]).toEqual(['closed bye', 'closed bye']);
    expect(room.ends.sort()).toEqual(['1: closed bye', '2: closed bye']);
  });

  test('the grace is not longer than was asked for', () => {
    const room = new Room({ latencyMs: 10 });
    const client = room.join();
    room.run(500);
    room.cut(room.addresses[0]!, room.address);
    client.send('say', { line: 'into nothing' });
    client.close(room.world.nowMs, '', { graceMs: 300 });
    room.run(295);
    expect(client.ended).toBeUndefined();
    room.run(20);
    expect(client.ended).toBe('closed');
    room.run(8000);
    expect(client.over).toBe(true);
  });

  test('a session is closed the same way; a kick does not wait', () => {
    const room = new Room({ latencyMs: 30 });
    const [polite, kicked] = [room.join(), room.join()];
    const heard: string[] = [];
    for (const client of [polite, kicked]) client.onMessage('say', ({ line }) => heard.push(line));
    // Long asleep: the grace counts from now on all the same.
    room.run(1900);
    for (const id of [1, 2]) room.session(id).send('say', { line: `goodbye ${id}` });
    const [first, second] = [room.session(1), room.session(2)];
    first.close('enough', { graceMs: 200 });
    second.kick('out');
    expect(first.send('say', { line: 'more' })).toBe('closed');
    expect([first.ended, second.ended]).toEqual([undefined, 'kicked']);
    room.run(1000);
    expect(heard).toEqual(['goodbye 1']);
    expect([endOf(polite), endOf(kicked)]).toEqual(['closed enough', 'kicked out']);
    expect(room.ends).toEqual(['2: kicked out', '1: closed enough']);
    expect([first.connection, first.rttMs]).toEqual([undefined, 0]);
    first.close('again');
    room.run(1000);
    expect(room.server.host.used).toBe(0);
    expect(room.server.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('a server closes: everybody gets what was said, and hears why', () => {
    const room = new Room(ROUGH, {}, 4);
    const clients = [room.join(), room.join()];
    const heard: string[] = [];
    for (const client of clients) client.onMessage('say', ({ line }) => heard.push(line));
    room.run(2000);
    for (const line of lines(50)) room.server.broadcast('say', { line });
    room.server.close(room.world.nowMs, { reason: 'restart', graceMs: 5000 });
    const late = room.join();
    room.run(10_000);
    expect(heard).toHaveLength(100);
    expect(clients.map(endOf)).toEqual(['shutdown restart', 'shutdown restart']);
    expect(endOf(late)).toBe('shutdown restart');
    expect(room.server.over).toBe(true);
    expect(room.server.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('a client that falls silent is away after the timeout, and given up after the grace', () => {
    const room = new Room({}, { timeoutMs: 3000, resumeMs: 5000 });
    room.join();
    room.run(500);
    room.cut(room.addresses[0]!, room.address);
    room.run(2400);
    expect([room.server.sessions.size, [...room.server.away].length]).toEqual([1, 0]);
    room.run(1000);
    expect([room.server.sessions.size, [...room.server.away].length]).toEqual([0, 1]);
    room.run(4000);
    expect(room.ends).toEqual([]);
    room.run(1000);
    expect(room.ends).toEqual(['1: timeout ']);
  });

  test('without a grace it is given up at once', () => {
    const room = new Room({}, { timeoutMs: 3000, resumeMs: 0 });
    room.join();
    room.run(500);
    room.cut(room.addresses[0]!, room.address);
    room.run(2400);
    expect(room.ends).toEqual([]);
    room.run(1000);
    expect(room.ends).toEqual(['1: timeout ']);
  });
});

describe('getting in', () => {
  test('a full server says so, and what else there is to say', () => {
    const room = new Room({ loss: 0.1 }, { maxConnections: 1, fullText: 'try port 7778' });
    room.join();
    room.run(2000);
    const late = room.join();
    room.run(3000);
    expect(endOf(late)).toBe('full try port 7778');
    expect(room.server.sessions.size).toBe(1);
  });

  test('who is refused is told why, also when that takes a while', () => {
    const room = new Room();
    const requests: { refuse(text: string): void }[] = [];
    room.server.onRequest((request) => requests.push(request));
    const client = room.join();
    room.run(1000);
    requests[0]!.refuse('not today');
    room.run(1000);
    expect(endOf(client)).toBe('refused not today');
    expect(room.server.sessions.size).toBe(0);
  });

  test('other messages, other bounds or another id are something else', () => {
    const declared = { say: { line: text(200) } };
    const strangers = [
      defineMessages(declared),
      defineMessages(declared, { main: { kind: 'reliable-ordered', priority: 1 } }),
      defineMessages(declared, {}, 'other'),
    ];
    const room = new Room();
    for (const messages of strangers) room.join({}, messages as unknown as typeof chat);
    room.run(1000);
    expect(room.clients.map(endOf)).toEqual(['game ', 'game ', 'game ']);
  });

  test('who never comes back after the accept is forgotten', () => {
    const room = new Room();
    const client = room.join();
    room.world.tap = {
      sending: (_nowMs, datagram) => {
        const kind = readKind(datagram.bytes, datagram.start, datagram.end);
        if (kind === PacketKind.accept) datagram.dropped = true;
      },
    };
    room.run(2000);
    expect(room.server.host.used).toBe(1);
    room.run(10_000);
    expect(client.ended).toBe('unreachable');
    expect(room.server.host.used).toBe(0);
    expect(room.server.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('options are checked at once', () => {
    const invalid = expect.objectContaining({ code: 'option-invalid' });
    for (const flushMs of [0, 1001, Number.NaN]) {
      expect(() => new Room({}, { flushMs })).toThrow(invalid);
      expect(() => new Room().join({ flushMs })).toThrow(invalid);
    }
    expect(new Room({}, { flushMs: 1 }).join({ flushMs: 1000 }).ended).toBeUndefined();
  });
});

describe('user code that throws', () => {
  test('on the server ends that session and no other', () => {
    const room = new Room();
    const [loud, quiet] = [room.join(), room.join()];
    room.server.onMessage('say', ({ id }, { line }) => {
      room.heard.push(`${id}: ${line}`);
      if (line === 'boo') throw new Error('planted');
    });
    room.run(500);
    for (const line of ['hm', 'boo', 'unheard']) loud.send('say', { line });
    quiet.send('say', { line: 'hello' });
    room.run(500);
    expect(endOf(loud)).toBe('error ');
    expect(quiet.ended).toBeUndefined();
    expect(room.heard.sort()).toEqual(['1: boo', '1: hm', '2: hello']);
    expect(room.errors).toEqual(['server onMessage: planted']);
  });

  test('wherever it is called, is reported with the place', () => {
    const room = new Room();
    const fail = () => {
      throw new Error('planted');
    };
    room.server.onForget('score', fail);
    room.server.onEnd(fail);
    const [first, second] = [room.join(), room.join()];
    room.run(500);
    first.send('score', { player: 1, points: 1 });
    room.run(100);
    first.forget('score', 1);
    room.session(2).onWritable(fail);
    room.session(2).send('say', { line: 'x' });
    room.run(500);
    expect([first.ended, second.ended]).toEqual(['error', 'error']);
    expect(room.errors.sort()).toEqual([
      'server onEnd: planted',
      'server onEnd: planted',
      'server onForget: planted',
      'server onWritable: planted',
    ]);
  });

  test('on a client, and then in its onError: the connection has ended before', () => {
    const room = new Room();
    const seen: unknown[] = [];
    const client: MessageClient<Chat> = room.join({
      onError: (error) => {
        seen.push(error.message, client.ended);
        throw new Error('planted in onError');
      },
    });
    client.onMessage('say', () => {
      throw new Error('planted');
    });
    room.run(500);
    for (const line of ['a', 'b']) room.session(1).send('say', { line });
    expect(() => room.run(500)).toThrow('planted in onError');
    room.run(500);
    expect(seen).toEqual(['planted', 'error']);
    expect(endOf(client)).toBe('error ');
    expect(room.ends).toEqual(['1: error ']);
  });

  test('on a client ends its connection', () => {
    const room = new Room();
    const client = room.join();
    client.onMessage('say', () => {
      throw new Error('planted');
    });
    room.run(500);
    room.session(1).send('say', { line: 'x' });
    room.run(500);
    expect(endOf(client)).toBe('error ');
    expect(room.errors).toEqual(['client handler: planted']);
    expect(room.ends).toEqual(['1: error ']);
  });
});

describe('time to live', () => {
  const kinds = ['unreliable', 'unreliable-sequenced', 'reliable-unordered', 'reliable-ordered'];

  test.each(kinds)('counts from the flush, however long it was silent before: %s', (kind) => {
    const set = defineMessages(
      { tick: { n: uint(8) } },
      { lane: { kind: kind as DeliveryKind, carries: ['tick'], ttlMs: 100 } },
    );
    const world = new World({ seed: 1, link: { latencyMs: 20 } });
    const addresses = new SimulatedAddressBook();
    const server = new MessageServer(set, { crypto: simulatedCrypto(1), addresses, nowMs: 0 });
    const address = world.addNode(server, { server: true });
    const crypto = simulatedCrypto(2);
    const client = new MessageClient(set, { crypto, server: address, nowMs: 0 });
    world.addNode(client);
    const heard: string[] = [];
    server.onMessage('tick', (_, { n }) => heard.push(`up ${n}`));
    client.onMessage('tick', ({ n }) => heard.push(`down ${n}`));
    world.run(1000);
    const [session] = server.sessions.values();
    const sent: string[] = [];
    for (let n = 0; n < 12; n++) {
      client.send('tick', { n });
      session!.send('tick', { n });
      sent.push(`down ${n}`, `up ${n}`);
      world.run(world.nowMs + (n < 6 ? 1000 : 400));
    }
    expect(heard.sort()).toEqual(sent.sort());
    for (const { channels } of [client, session!]) expect(channels.lane!.expired).toBe(0);
  });
});

describe('room', () => {
  test('who asks while there is room hears of it within a flush, on both sides', () => {
    const room = new Room();
    const client = room.join();
    room.run(1900);
    const calls: string[] = [];
    client.onWritable(() => calls.push('client'));
    room.session(1).onWritable(() => calls.push('server'), 'scores');
    expect(calls).toEqual([]);
    room.run(20);
    expect(calls.sort()).toEqual(['client', 'server']);
  });

  test('to ask when it wakes calls nobody and changes nothing', () => {
    const room = new Room();
    const client = room.join();
    room.run(1900);
    let calls = 0;
    client.onWritable(() => calls++);
    room.session(1).onWritable(() => calls++);
    client.send('where', { x: 1 });
    const before = JSON.stringify([client.channels, room.session(1).channels]);
    const wakes = [0, 1, 2].map(() => [client.wakeAt(), room.server.wakeAt()].join());
    expect(new Set(wakes).size).toBe(1);
    expect(calls).toBe(0);
    expect(JSON.stringify([client.channels, room.session(1).channels])).toBe(before);
  });

  test('a shell that sleeps is told of those who ask, too', () => {
    let asked = 0;
    const room = new Room();
    const client = room.join({ onQueued: () => asked++ });
    room.run(1900);
    asked = 0;
    client.onWritable(() => {});
    client.onWritable(() => {}, 'fast');
    expect(asked).toBe(1);
    expect(() => client.onWritable(() => {}, 'slow')).toThrow('no channel');
  });

  test('what a callback sends on another channel leaves too', () => {
    const room = new Room();
    const client = room.join();
    room.run(1900);
    client.onWritable(() => client.send('say', { line: 'room' }), 'scores');
    room.session(1).onWritable(() => room.session(1).send('where', { x: 3 }), 'scores');
    let where = 0;
    client.onMessage('where', ({ x }) => {
      where = x;
    });
    room.run(50);
    expect(room.heard).toEqual(['1: room']);
    expect(where).toBe(3);
  });

  test('how much is queued, all channels together', () => {
    const room = new Room({ latencyMs: 20 });
    const client = room.join();
    room.run(500);
    const session = room.session(1);
    for (const end of [client, session]) {
      end.send('say', { line: 'abc' });
      end.send('where', { x: 1 });
      end.send('score', { player: 1, points: 2 });
      const bytes = Object.values(end.channels).map(({ queuedBytes }) => queuedBytes);
      expect(end.queued).toBe(3);
      expect(end.queuedBytes).toBe(bytes.reduce((a, b) => a + b));
    }
    room.run(15);
    // The unreliable one has left.
    expect([client.queued, session.queued]).toEqual([2, 2]);
    room.run(200);
    expect([client.queued, client.queuedBytes, session.queued]).toEqual([0, 0, 0]);
  });
});

describe('sleeping', () => {
  test('noise from strangers drives no flushes', () => {
    const room = new Room();
    room.join();
    room.run(3000);
    let flushes = 0;
    const { host } = room.server;
    const flush = host.flush.bind(host);
    host.flush = (nowMs) => {
      flushes++;
      flush(nowMs);
    };
    const random = room.world.random('noise');
    const stranger = room.world.addNode({
      receive: () => 0,
      advance() {},
      poll: () => 0,
      wakeAt: () => Number.POSITIVE_INFINITY,
    });
    for (let i = 0; i < 200; i++) {
      const noise = Uint8Array.from({ length: 1 + (random.u32() % 80) }, () => random.u32() & 255);
      room.world.inject(noise, stranger, room.address);
      room.run(10);
    }
    expect(flushes).toBeLessThan(10);
  });

  test('what has to wait for the rate wakes nobody before it may leave, least of all when the client has vanished', () => {
    const rate = { initialBytesPerSecond: 20_000, maxBytesPerSecond: 20_000 };
    const room = new Room({ latencyMs: 20 }, { timeoutMs: 8000, rate });
    room.join();
    room.run(1000);
    room.cut(room.addresses[0]!, room.address);
    const data = new Uint8Array(60_000);
    while (room.session(1).send('blob', { data }) === 'queued');
    const before = room.world.counters(room.address).advances;
    room.run(5000);
    expect(room.session(1).unsettled).toBe(2);
    expect((room.world.counters(room.address).advances - before) / 5).toBeLessThan(25);
  });

  test('an idle connection costs at most 0.5 kbit/s each way, and wakes nobody for nothing', () => {
    const room = new Room({ latencyMs: 40 });
    const client = room.join();
    room.run(5000);
    const bits = { up: 0, down: 0 };
    room.world.tap = {
      sending: (_nowMs, { from, start, end }) => {
        bits[from === room.address ? 'down' : 'up'] += (end - start + HEADER_BYTES) * 8;
      },
    };
    const before = room.world.counters(room.address).advances;
    const seconds = 60;
    room.run(seconds * 1000);
    expect(bits.up / seconds / 1000).toBeLessThanOrEqual(0.5);
    expect(bits.down / seconds / 1000).toBeLessThanOrEqual(0.5);
    expect(bits.up).toBeGreaterThan(0);
    expect((room.world.counters(room.address).advances - before) / seconds).toBeLessThan(5);
    expect([client.ended, room.server.sessions.size]).toEqual([undefined, 1]);
  });

  test('after whatever datagram it is awake no longer than until the next flush', () => {
    const room = new Room();
    room.join();
    room.run(3000);
    const random = room.world.random('noise');
    for (let i = 0; i < 500; i++) {
      const noise = Uint8Array.from({ length: 1 + (random.u32() % 80) }, () => random.u32() & 255);
      room.world.inject(noise, room.addresses[0]!, room.address);
      const before = room.world.counters(room.address).advances;
      room.run(40);
      expect(room.world.counters(room.address).advances - before).toBeLessThanOrEqual(6);
    }
    expect(room.server.sessions.size).toBe(1);
  });

  test('a shell that sleeps is told once that something was queued', () => {
    let asked = 0;
    const room = new Room({ latencyMs: 10 }, { onQueued: () => asked++ });
    let clientAsked = 0;
    const client = room.join({ onQueued: () => clientAsked++ });
    room.run(1500);
    [asked, clientAsked] = [0, 0];
    for (const line of lines(5)) {
      client.send('say', { line });
      room.session(1).send('say', { line });
    }
    expect([asked, clientAsked]).toEqual([1, 1]);
    expect(client.wakeAt()).toBeLessThanOrEqual(room.world.nowMs);
    expect(room.server.wakeAt()).toBeLessThanOrEqual(room.world.nowMs);
    room.run(100);
    room.session(1).kick();
    expect(asked).toBe(2);
  });

  test('a connection that sends nothing reliable still hears of its acks in time', () => {
    const room = new Room({ latencyMs: 10 });
    const client = room.join();
    room.run(500);
    client.send('say', { line: 'x' });
    room.run(60);
    expect(client.channels.main!.queued).toBe(0);
  });
});
