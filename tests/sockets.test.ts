// The shells over real sockets on loopback, in one process: what listen and connect promise beyond the machines.

import { connect, type GameConnectOptions, type MessagingClient } from '@tickwire/client-node';
import {
  archetype,
  axis,
  bytes,
  component,
  defineGame,
  defineMessages,
  fixed,
  type MessagesOf,
  TickwireError,
  text,
  uint,
} from '@tickwire/protocol';
import {
  accept,
  type GameListenOptions,
  listen,
  type MessageListenOptions,
  refuse,
} from '@tickwire/server';
import { afterEach, describe, expect, test } from 'vitest';

const pose = component({ x: fixed(-8, 8, 1 / 256), y: fixed(-8, 8, 1 / 256) });

const game = defineGame({
  id: 'sockets',
  tickHz: 60,
  input: { dx: axis(4) },
  archetypes: { player: archetype({ pose }, { max: 8, controlled: true }) },
  messages: { say: { line: text(40) } },
  simulate(w) {
    for (const p of w.player) p.pose.x += p.input.dx * w.dt;
  },
});

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function serve(options: GameListenOptions = {}) {
  const server = await listen(game, { host: '127.0.0.1', ...options });
  open.push(() => server.close({ graceMs: 0 }));
  const match = server.createMatch({ seed: 1 });
  match.onEnter((session) => match.own(session, match.world.player.spawn().id));
  server.onSession((session) => match.add(session));
  const { host, port, family } = server.address;
  return { server, match, url: `udp://${family === 6 ? `[${host}]` : host}:${port}` };
}

async function join(url: string, options: GameConnectOptions<{ dx: number }> = {}) {
  const client = await connect(game, url, options);
  open.push(() => client.close());
  return client;
}

type GameClient = Awaited<ReturnType<typeof join>>;

/** Resolves when `ask` says yes after some tick of the client. */
function until(client: GameClient, ask: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    client.onTick(() => {
      if (ask()) resolve();
    });
  });
}

function ended(client: GameClient): Promise<string> {
  return new Promise((resolve) => {
    client.onEnd((reason, text) => resolve(`${reason}: ${text}`));
  });
}

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TickwireError);
  return (error as TickwireError).code;
}

describe.each(['127.0.0.1', '::1', '::'])('bound to %s', (host) => {
  test('a client joins, moves and talks', async () => {
    const { server, match } = await serve({ host });
    expect(server.address.port).toBeGreaterThan(0);
    const target = host === '::1' ? '[::1]' : '127.0.0.1';
    const heard: string[] = [];
    server.onMessage('say', (session, { line }) => {
      heard.push(line);
      session.send('say', { line: `${line} yourself` });
    });
    const client = await join(`udp://${target}:${server.address.port}`, {
      sampleInput: (_tick, out) => {
        out.dx = 1;
      },
    });
    const answer = new Promise<string>((resolve) => {
      client.onMessage('say', ({ line }) => resolve(line));
    });
    expect(client.send('say', { line: 'hello' })).toBe('queued');
    expect(await answer).toBe('hello yourself');
    expect(heard).toEqual(['hello']);
    await until(client, () => client.statistics.prediction.compared > 10);
    for (const player of match.world.player) expect(player.pose.x).toBeGreaterThan(0);
    for (const player of client.view(performance.now()).player) {
      expect(player.pose.x).toBeGreaterThan(0);
    }
    expect(server.statistics.ticksRun).toBeGreaterThan(10);
    expect(server.statistics.datagramsIn).toBeGreaterThan(10);
  });
});

describe('getting in', () => {
  test('a refusal says why', async () => {
    const { server, url } = await serve();
    const asked: string[] = [];
    server.onRequest(async ({ host, port }) => {
      asked.push(`${host} ${port > 0}`);
      return refuse('not today');
    });
    await expect(connect(game, url)).rejects.toThrow(/refused: not today/);
    expect(asked).toEqual(['127.0.0.1 true']);
  });

  test('a request may be decided later', async () => {
    const { server, url } = await serve();
    server.onRequest(() => new Promise((resolve) => setImmediate(() => resolve(accept()))));
    await join(url);
    expect([...server.sessions]).toHaveLength(1);
  });

  test('what the server says at once is heard, however late the handlers are set', async () => {
    const { server, match, url } = await serve();
    server.onSession((session) => {
      session.send('say', { line: 'welcome' });
      match.add(session);
    });
    const client = await join(url);
    await until(client, () => client.owned.length === 1);
    const heard: string[] = [];
    client.onMessage('say', ({ line }) => heard.push(line));
    let entered = 0;
    client.onEnter(() => entered++);
    expect(heard).toEqual(['welcome']);
    expect(entered).toBe(1);
  });

  test('a handler that decides nothing is an error like any other', async () => {
    const errors: string[] = [];
    const { server, url } = await serve({ onError: (_error, where) => errors.push(where) });
    server.onRequest(() => undefined as never);
    expect(await codeOf(connect(game, url))).toBe('connect-error');
    expect(errors).toEqual(['onRequest']);
  });

  test('a signal that fires while the name is looked up is honoured', async () => {
    const { url } = await serve();
    const controller = new AbortController();
    const attempt = connect(game, url.replace('127.0.0.1', 'localhost'), controller);
    controller.abort();
    expect(await codeOf(attempt)).toBe('connect-aborted');
  });

  test('a handler that throws lets nobody in, and is reported', async () => {
    const errors: string[] = [];
    const { server, url } = await serve({
      onError: (error, where) => errors.push(`${where}: ${error.message}`),
    });
    server.onRequest(() => {
      throw new Error('planted');
    });
    expect(await codeOf(connect(game, url))).toBe('connect-error');
    expect(errors).toEqual(['onRequest: planted']);
  });

  test('a full server says so', async () => {
    const { url } = await serve({ maxConnections: 1 });
    await join(url);
    expect(await codeOf(connect(game, url))).toBe('connect-full');
  });

  test('another schema is another game', async () => {
    const { url } = await serve();
    const other = defineGame({
      id: 'sockets',
      tickHz: 60,
      input: { dx: axis(5) },
      archetypes: { player: archetype({ pose }, { max: 8, controlled: true }) },
      simulate() {},
    });
    expect(await codeOf(connect(other, url))).toBe('connect-game');
  });

  test('nobody there, an odd URL, a fired signal', async () => {
    const { server, url } = await serve();
    await server.close();
    const quick = { connectTimeoutMs: 100 };
    expect(await codeOf(connect(game, url, quick))).toBe('connect-unreachable');
    expect(await codeOf(connect(game, 'http://127.0.0.1:1'))).toBe('url-invalid');
    expect(await codeOf(connect(game, 'udp://127.0.0.1:65536'))).toBe('url-invalid');
    const aborted = { signal: AbortSignal.abort() };
    expect(await codeOf(connect(game, url, aborted))).toBe('connect-aborted');
    const controller = new AbortController();
    const attempt = connect(game, url, { signal: controller.signal });
    setImmediate(() => controller.abort());
    expect(await codeOf(attempt)).toBe('connect-aborted');
  });

  test('an address that is taken', async () => {
    const { server } = await serve();
    const { port } = server.address;
    expect(await codeOf(listen(game, { host: '127.0.0.1', port }))).toBe('bind-failed');
    expect(await codeOf(listen(game, { signal: AbortSignal.abort() }))).toBe('aborted');
  });
});

describe('getting out', () => {
  test('a kick has a reason', async () => {
    const { server, url } = await serve();
    const client = await join(url);
    const end = ended(client);
    for (const session of server.sessions) session.kick('no shouting');
    expect(await end).toBe('kicked: no shouting');
  });

  test('closing tells everybody; the second call is the same promise', async () => {
    const { server, url } = await serve();
    const end = ended(await join(url));
    const closing = server.close({ reason: 'restart', graceMs: 500 });
    expect(server.close()).toBe(closing);
    expect(await end).toBe('shutdown: restart');
    await closing;
    expect([...server.sessions]).toHaveLength(0);
  });

  test('a client that leaves is gone, and so are its rows', async () => {
    const { server, match, url } = await serve();
    const client = await join(url);
    await until(client, () => client.owned.length === 1);
    const left = new Promise<string>((resolve) => {
      server.onEnd((_session, reason, text) => resolve(`${reason}: ${text}`));
    });
    await client.close('enough');
    expect(await left).toBe('closed: enough');
    expect([...match.world.player]).toHaveLength(0);
    expect(client.send('say', { line: 'too late' })).toBe('closed');
  });

  test('a handler that throws ends that session only', async () => {
    const errors: string[] = [];
    const { server, url } = await serve({
      onError: (error, where) => errors.push(`${where}: ${error.message}`),
    });
    server.onMessage('say', () => {
      throw new Error('planted');
    });
    const [loud, quiet] = [await join(url), await join(url)];
    const end = ended(loud);
    loud.send('say', { line: 'boo' });
    expect(await end).toBe('error: ');
    expect(errors).toEqual(['onMessage: planted']);
    expect([...server.sessions]).toHaveLength(1);
    expect(quiet.core.ended).toBeUndefined();
  });

  test('an ended session does nothing to whoever has its place now', async () => {
    const { server, url } = await serve();
    const first = await join(url);
    const [old] = [...server.sessions];
    await first.close();
    await new Promise<void>((resolve) => {
      const wait = () => (server.core.host.used === 0 ? resolve() : void setTimeout(wait, 50));
      wait();
    });
    const second = await join(url);
    const [now] = [...server.sessions];
    expect(now!.slot).toBe(old!.slot);
    old!.kick('too late');
    expect(old!.rttMs).toBe(0);
    await until(second, () => second.statistics.prediction.compared > 5);
    expect(second.core.ended).toBeUndefined();
  });

  test('a signal closes the server', async () => {
    const controller = new AbortController();
    const { url } = await serve({ signal: controller.signal });
    const end = ended(await join(url));
    controller.abort();
    expect(await end).toBe('shutdown: aborted');
  });
});

const chat = defineMessages(
  {
    say: { line: text(40) },
    blob: { data: bytes(50_000) },
    score: { of: uint(8), points: uint(8) },
  },
  { scores: { kind: 'reliable-latest', carries: ['score'], key: 'of' } },
);
type Chat = MessagesOf<typeof chat>;

describe('messages without a game', () => {
  async function host(options: MessageListenOptions = {}) {
    const server = await listen(chat, { host: '127.0.0.1', ...options });
    open.push(() => server.close({ graceMs: 0 }));
    return { server, url: `udp://127.0.0.1:${server.address.port}` };
  }

  async function visit(url: string): Promise<MessagingClient<Chat>> {
    const client = await connect(chat, url);
    open.push(() => client.close('', { graceMs: 0 }));
    return client;
  }

  /** The next message of that name. */
  function next<K extends keyof Chat & string>(client: MessagingClient<Chat>, name: K) {
    return new Promise<unknown>((resolve) => {
      client.onMessage(name, resolve);
    });
  }

  test('they go both ways, small and large, and values can be taken back', async () => {
    const { server, url } = await host();
    server.onMessage('say', (session, said) => session.send('say', { line: `re ${said.line}` }));
    server.onMessage('blob', (_session, blob) => server.broadcast('blob', blob));
    server.onSession((session) => session.send('score', { of: 1, points: 9 }));
    const client = await visit(url);
    expect(await next(client, 'score')).toEqual({ of: 1, points: 9 });
    client.send('say', { line: 'hello' });
    expect(await next(client, 'say')).toEqual({ line: 're hello' });
    const data = Uint8Array.from({ length: 50_000 }, (_, i) => i);
    client.send('blob', { data });
    const back = (await next(client, 'blob')) as { data: Uint8Array };
    expect(Buffer.compare(back.data, data)).toBe(0);
    const forgotten = new Promise((resolve) => {
      client.onForget('score', resolve);
    });
    for (const session of server.sessions) session.forget('score', 1);
    expect(await forgotten).toBe(1);
    expect(client.statistics.channels.main).toMatchObject({ sent: 2, delivered: 2 });
    expect(client.statistics.connection!.rttMs).toBeLessThan(200);
    expect(server.statistics).toMatchObject({ sessions: 1, messagesMalformed: 0 });
  });

  test('closing a client takes what it said along; the server hears why', async () => {
    const { server, url } = await host();
    const heard: string[] = [];
    const end = new Promise((resolve) => {
      server.onEnd((_session, reason, why) => resolve(`${reason}: ${why}`));
    });
    server.onMessage('say', (_session, { line }) => heard.push(line));
    const client = await visit(url);
    for (let i = 0; i < 500; i++) client.send('say', { line: `${i}` });
    await client.close('enough');
    expect(await end).toBe('closed: enough');
    expect(heard).toHaveLength(500);
    expect(client.send('say', { line: 'late' })).toBe('closed');
    const again = new Promise((resolve) => {
      client.onEnd((reason, why) => resolve(`${reason}: ${why}`));
    });
    expect(await again).toBe('closed: enough');
  });

  test('closing a server takes what it said along; it is over quickly', async () => {
    const { server, url } = await host();
    const client = await visit(url);
    const said = next(client, 'say');
    const end = new Promise((resolve) => {
      client.onEnd((reason, why) => resolve(`${reason}: ${why}`));
    });
    server.broadcast('say', { line: 'goodbye' });
    const startMs = performance.now();
    await server.close({ reason: 'restart', graceMs: 5000 });
    expect(performance.now() - startMs).toBeLessThan(2000);
    expect(await said).toEqual({ line: 'goodbye' });
    expect(await end).toBe('shutdown: restart');
  });

  test('a full server says what else there is', async () => {
    const { url } = await host({ maxConnections: 1, fullText: 'try port 7778' });
    await visit(url);
    await expect(connect(chat, url)).rejects.toThrow(/full: try port 7778/);
  });

  test('a game is not a set of messages', async () => {
    const { url } = await host();
    expect(await codeOf(connect(game, url))).toBe('connect-game');
  });

  test('bad options leave no socket behind', async () => {
    const handles = () => process.getActiveResourcesInfo().filter((it) => /UDP/.test(it)).length;
    // The system takes a few turns to let go of a socket that was closed, those of earlier tests included.
    const settled = async () => {
      for (let turn = 0; turn < 1000 && handles() > 0; turn++) await new Promise(setImmediate);
      return handles();
    };
    expect(await settled()).toBe(0);
    expect(await codeOf(listen(chat, { flushMs: 0 }))).toBe('option-invalid');
    expect(await codeOf(connect(chat, 'udp://127.0.0.1:9', { flushMs: 0 }))).toBe('option-invalid');
    expect(await settled()).toBe(0);
  });
});
