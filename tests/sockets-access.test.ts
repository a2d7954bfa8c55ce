// Who may come in, and what becomes of a handler that throws, over real sockets on loopback: what listen and connect
// promise around the machines.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type MessageConnectOptions } from '@tickwire/client-node';
import { defineMessages, TickwireError, text } from '@tickwire/protocol';
import { createIdentity, createTokenKey, openTokenIssuer } from '@tickwire/protocol/token';
import { type Log, listen, type MessageListenOptions, refuse } from '@tickwire/server';
import { afterEach, describe, expect, test, vi } from 'vitest';

const chat = defineMessages({ say: { line: text(40) } });
const other = defineMessages({ say: { line: text(41) } });

const identity = await createIdentity();
const key = createTokenKey();
const serverKey = identity.publicKey;
const issuer = await openTokenIssuer({ key, serverKey, game: chat });

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function host(options: MessageListenOptions = {}, messages = chat) {
  const server = await listen(messages, {
    host: '127.0.0.1',
    identity: identity.secretKey,
    ...options,
  });
  open.push(() => server.close({ graceMs: 0 }));
  const address = `127.0.0.1:${server.address.port}`;
  return { server, address, url: `udp://${address}` };
}

async function visit(target: string, options: MessageConnectOptions = {}) {
  const client = await connect(chat, target, options);
  open.push(() => client.close('', { graceMs: 0 }));
  return client;
}

const tokenFor = (...servers: string[]) => issuer.issue({ userId: 'ann', servers });

async function failure(attempt: Promise<unknown>): Promise<TickwireError> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TickwireError);
  return error as TickwireError;
}

const codeOf = async (attempt: Promise<unknown>) => (await failure(attempt)).code;

/** A socket that answers nothing, and the number of datagrams that it got. */
async function silent(): Promise<{ address: string; heard: () => number }> {
  const socket: Socket = createSocket('udp4');
  let heard = 0;
  socket.on('message', () => heard++);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  open.push(() => void socket.close());
  return { address: `127.0.0.1:${socket.address().port}`, heard: () => heard };
}

/** A way to a server that can be cut, as when a process dies or a network is gone: nobody is told. */
async function relay(to: string): Promise<{ address: string; url: string; cut(): Promise<void> }> {
  const [host, port] = to.split(':') as [string, string];
  const [front, back] = [createSocket('udp4'), createSocket('udp4')];
  let client = 0;
  front.on('message', (bytes, from) => {
    client = from.port;
    back.send(bytes, Number(port), host);
  });
  back.on('message', (bytes) => front.send(bytes, client, host));
  for (const socket of [front, back]) {
    socket.bind(0, host);
    await once(socket, 'listening');
  }
  const address = `${host}:${front.address().port}`;
  const cut = async () => {
    for (const socket of [front, back].splice(0)) {
      socket.close();
      await once(socket, 'close');
    }
  };
  return { address, url: `udp://${address}`, cut };
}

describe('a password and a pre-shared key', () => {
  test('let in who has the right one, and say to others that one is wanted', async () => {
    const { server, url } = await host({ password: 'open sesame' });
    await visit(url, { password: 'open sesame' });
    expect([...server.sessions].map(({ user }) => user)).toEqual([undefined]);
    expect(await codeOf(connect(chat, url, { password: 'open says me' }))).toBe(
      'connect-credentials',
    );
    expect(await codeOf(connect(chat, url))).toBe('connect-credentials');
  });

  test('a key, as bytes or as text', async () => {
    const presharedKey = new Uint8Array(32).fill(9);
    const { url } = await host({ presharedKey });
    await visit(url, { presharedKey: Buffer.from(presharedKey).toString('base64url') });
    const wrong = new Uint8Array(32).fill(8);
    const { code, message } = await failure(connect(chat, url, { presharedKey: wrong }));
    expect([code, message]).toEqual([
      'connect-credentials',
      expect.stringContaining('the right password or pre-shared key is needed'),
    ]);
    const both = { presharedKey, password: 'x' };
    expect(await codeOf(connect(chat, url, both))).toBe('option-invalid');
  });
});

describe('a pinned identity', () => {
  test('lets the right server through, and no other', async () => {
    const { url, server } = await host();
    expect(server.identityKey).toBe(serverKey);
    await visit(url, { serverKey });
    const stranger = (await createIdentity()).publicKey;
    const pinned = { serverKey: stranger, connectTimeoutMs: 600 };
    expect(await codeOf(connect(chat, url, pinned))).toBe('connect-identity');
    expect([...server.sessions]).toHaveLength(1);
  });
});

describe('a resume', () => {
  test('takes the seat of a client that stands, with the data of its session', async () => {
    const { server, url } = await host();
    const heard: string[] = [];
    server.onSession((session) => {
      session.data = 'hers';
    });
    server.onLeft((session) => heard.push(`left ${session.data}`));
    server.onResumed((session) => heard.push(`resumed ${session.data}`));
    const before = await visit(url);
    const ended = new Promise((resolve) => before.onEnd(resolve));
    const resume = before.resumeState()!;
    const after = await visit(url, { resume });
    expect(await ended).toBe('replaced');
    expect(heard).toEqual(['left hers', 'resumed hers']);
    expect(server.statistics).toMatchObject({ sessions: 1, away: 0 });
    expect(after.resumeState()).not.toBe(resume);
    await after.close();
    expect(await codeOf(connect(chat, url, { resume }))).toBe('connect-resume-invalid');
    expect(await codeOf(connect(chat, url, { resume: 'twr2.x' }))).toBe('option-invalid');
  });

  test('waits for who was lost, for as many at a time as maxAway says', async () => {
    const { server, url, address } = await host({ timeoutMs: 800, keepAliveMs: 50, maxAway: 1 });
    const told: string[] = [];
    server.onSession((session) => {
      session.data = server.statistics.sessions;
    });
    server.onLeft((session) => told.push(`left ${session.data}`));
    server.onResumed((session) => told.push(`resumed ${session.data}`));
    server.onEnd((session, reason) => told.push(`end ${session.data} ${reason}`));
    const path = await relay(address);
    const mine = { timeoutMs: 800, keepAliveMs: 50 };
    const first = await visit(path.url, mine);
    const resume = first.resumeState()!;
    const ended = new Promise((resolve) => first.onEnd(resolve));
    await path.cut();
    expect(await ended).toBe('timeout');
    await vi.waitFor(() => expect(told).toEqual(['left 1']), { timeout: 5000 });
    expect(server.statistics).toMatchObject({ sessions: 0, away: 1 });
    const second = await relay(address);
    await visit(second.url, mine);
    await second.cut();
    await vi.waitFor(() => expect(told).toEqual(['left 1', 'end 1 timeout']), { timeout: 5000 });
    expect(first.resumeState()).toBe(resume);
    await visit(url, { ...mine, resume });
    await vi.waitFor(() => expect(told.at(-1)).toBe('resumed 1'));
    expect(server.statistics).toMatchObject({ sessions: 1, away: 0 });
  });
});

describe('a connect token', () => {
  test('lets in once at each server of its identity, unless they say where they are', async () => {
    const [a, b] = [await host({ tokens: { key } }), await host({ tokens: { key } })];
    const token = tokenFor(a.address);
    await visit(token);
    expect([...a.server.sessions].map(({ user }) => user?.id)).toEqual(['ann']);
    expect(await codeOf(connect(chat, token))).toBe('connect-token-used');
    expect([...b.server.sessions]).toHaveLength(0);
  });

  test.each(['', ' ', '\n'])('may have %j around it', async (blank) => {
    const { address } = await host({ tokens: { key } });
    await visit(`${blank}${tokenFor(address)}${blank}`);
  });

  test.each(['"', "'", '\u00a0x', 'udp://', 'http://', '<'])(
    'is not shown when it stands behind %j',
    async (before) => {
      const token = tokenFor('127.0.0.1:9');
      const { code, message } = await failure(connect(chat, `${before}${token}`));
      expect(code).toBe('url-invalid');
      expect(message).toContain('give it alone');
      // Nothing that is as long as the secret's first bytes.
      for (let at = 5; at < token.length - 8; at++) {
        expect(message).not.toContain(token.slice(at, at + 8));
      }
    },
  );

  test('nor is anything else that is no URL', async () => {
    for (const target of ['hunter2-hunter2', 'ws://hunter2', 7 as never, undefined as never]) {
      const { code, message } = await failure(connect(chat, target));
      expect([code, message.includes('hunter2')]).toEqual(['url-invalid', false]);
    }
    // A URL is shown, and a host may be called anything.
    expect((await failure(connect(chat, 'udp://127.0.0.1'))).message).toContain(
      "'udp://127.0.0.1'",
    );
    const named = await failure(connect(chat, 'udp://twc2.invalid:7'));
    expect([named.code, named.message]).toEqual([
      'host-unknown',
      expect.stringContaining('twc2.invalid'),
    ]);
    const damaged = await failure(connect(chat, 'twc2.hunter2'));
    expect([damaged.code, damaged.message.includes('hunter2')]).toEqual([
      'token-unreadable',
      false,
    ]);
  });
});

describe('a token that names several servers', () => {
  const quick = { connectTimeoutMs: 600 };
  /** One that takes tokens, as the last of the list. */
  const last = () => host({ tokens: { key } });

  test('goes past a name that there is not, and past silence', async () => {
    const { address, server } = await last();
    const { address: nobody, heard } = await silent();
    const client = await visit(tokenFor('no-such-host.invalid:7', nobody, address), quick);
    expect([heard() > 0, [...server.sessions].length]).toEqual([true, 1]);
    await client.close();
  });

  test('goes past a server with another identity', async () => {
    const { address } = await last();
    const stranger = await host({ identity: (await createIdentity()).secretKey });
    await visit(tokenFor(stranger.address, address), quick);
    expect([...stranger.server.sessions]).toHaveLength(0);
  });

  test('goes past a full one, one that closes, and one whose code fails', async () => {
    const { address, server } = await last();
    const full = await host({ tokens: { key }, maxConnections: 1 });
    await visit(tokenFor(full.address));
    const failing = await host({ tokens: { key }, onError: () => {} });
    failing.server.onRequest(() => {
      throw new Error('planted');
    });
    const closing = await host({ tokens: { key } });
    const path = await relay(closing.address);
    await visit(tokenFor(path.address), { timeoutMs: 500 });
    await path.cut();
    // What its client will never have keeps it from closing at once.
    closing.server.broadcast('say', { line: 'goodbye' });
    const closed = closing.server.close({ graceMs: 1000 });
    await visit(tokenFor(full.address, failing.address, closing.address, address));
    expect(closing.server.statistics.sessions).toBe(1);
    await closed;
    expect([...server.sessions]).toHaveLength(1);
  });

  test('stops where the answer is no, or would be the same everywhere', async () => {
    const { address, server } = await last();
    const refusing = await host({ tokens: { key } });
    refusing.server.onRequest(() => refuse('banned'));
    expect(await codeOf(connect(chat, tokenFor(refusing.address, address)))).toBe(
      'connect-refused',
    );
    const elsewhere = await host({ tokens: { key: createTokenKey() } });
    expect(await codeOf(connect(chat, tokenFor(elsewhere.address, address)))).toBe(
      'connect-token-invalid',
    );
    const late = await openTokenIssuer({
      key,
      serverKey,
      game: chat,
      now: () => Date.now() - 90_000,
    });
    const expired = late.issue({ userId: 'ann', servers: [refusing.address, address] });
    expect(await codeOf(connect(chat, expired))).toBe('connect-token-expired');
    const another = await host({ tokens: { key } }, other as unknown as typeof chat);
    expect(await codeOf(connect(chat, tokenFor(another.address, address)))).toBe('connect-game');
    const controller = new AbortController();
    const nobody = await silent();
    const attempt = connect(chat, tokenFor(nobody.address, address), controller);
    setImmediate(() => controller.abort());
    expect(await codeOf(attempt)).toBe('connect-aborted');
    expect([...server.sessions]).toHaveLength(0);
  });

  test('tells what the last one said', async () => {
    const nobody = await silent();
    const token = tokenFor(nobody.address, nobody.address);
    expect(await codeOf(connect(chat, token, quick))).toBe('connect-unreachable');
  });

  test('lets in once at each of them; with an address, only at that one', async () => {
    const tokens = { key };
    const [a, b] = [await host({ tokens }), await host({ tokens })];
    const token = tokenFor(a.address, b.address);
    await visit(token);
    await a.server.close({ graceMs: 0 });
    await visit(token, quick);
    expect([...b.server.sessions]).toHaveLength(1);
    const elsewhere = await host({ tokens: { key, address: 'elsewhere.example:7' } });
    const error = await failure(connect(chat, tokenFor(elsewhere.address)));
    expect([error.code, error.message]).toEqual([
      'connect-token-invalid',
      expect.stringContaining('at another address'),
    ]);
  });
});

// Where a machine is so busy that a repeat is due before the answer is read, it says nothing: once more then.
describe('a store of used tokens', { retry: 2 }, () => {
  test('lets the accept leave as soon as it has answered, with no proof repeated', async () => {
    const ids: string[] = [];
    const consume = async (id: string) => {
      await new Promise((resolve) => setImmediate(resolve));
      ids.push(id);
      return true;
    };
    const { address, server } = await host({ tokens: { key, consume } });
    await visit(tokenFor(address));
    expect(ids).toEqual([expect.stringMatching(/^[\da-f]{32}$/)]);
    // A request and a proof, and the first packet of the connection; a repeat would be a duplicate.
    expect(server.statistics.verdicts.duplicate).toBe(0);
  });

  test('says no at once', async () => {
    const { address, server } = await host({ tokens: { key, consume: async () => false } });
    expect(await codeOf(connect(chat, tokenFor(address)))).toBe('connect-token-used');
    expect(server.statistics.datagramsIn).toBe(2);
  });

  test('that fails ends the attempt, whatever onError does, and can be asked again', async () => {
    let fails = true;
    const lines: unknown[] = [];
    const log: Log = (_level, event, data) => void (event === 'user-error' && lines.push(data));
    const consume = async () => {
      if (fails) throw new Error('no connection to the database');
      return true;
    };
    const onError = () => {
      throw new Error('planted in onError');
    };
    const { address, server } = await host({ tokens: { key, consume }, onError, log });
    const token = tokenFor(address);
    expect(await codeOf(connect(chat, token))).toBe('connect-error');
    expect(lines).toEqual([
      { where: 'tokens.consume', error: 'Error: no connection to the database' },
      { where: 'onError', error: 'Error: planted in onError' },
    ]);
    fails = false;
    await visit(token);
    expect([...server.sessions]).toHaveLength(1);
  });
});

describe('an onError that throws', () => {
  const onError = () => {
    throw new Error('planted in onError');
  };

  test('of a server: the session ends whose handler threw, and nothing else does', async () => {
    const { server, url } = await host({ onError });
    server.onMessage('say', (session, { line }) => {
      if (line === 'boo') throw new Error('planted');
      session.send('say', { line });
    });
    const [loud, quiet] = [await visit(url), await visit(url)];
    const end = new Promise((resolve) => loud.onEnd(resolve));
    loud.send('say', { line: 'boo' });
    expect(await end).toBe('error');
    const said = new Promise((resolve) => quiet.onMessage('say', resolve));
    quiet.send('say', { line: 'still here' });
    expect(await said).toEqual({ line: 'still here' });
    expect(server.statistics).toMatchObject({ sessions: 1, errors: 0 });
  });

  test('of a client: it ends, and the process lives', async () => {
    const { server, url } = await host();
    const client = await visit(url, { onError });
    const end = new Promise((resolve) => client.onEnd(resolve));
    client.onMessage('say', () => {
      throw new Error('planted');
    });
    server.broadcast('say', { line: 'hello' });
    expect(await end).toBe('error');
    await vi.waitFor(() => expect([...server.sessions]).toHaveLength(0));
  });
});

test('both ends say who seals, and whether their socket shares its memory', async () => {
  const { server, url } = await host();
  const client = await visit(url);
  expect(client.statistics.crypto).toMatch(/sodium/);
  expect(server.statistics).toMatchObject({
    crypto: client.statistics.crypto,
    arena: 'shared',
    away: 0,
  });
});
