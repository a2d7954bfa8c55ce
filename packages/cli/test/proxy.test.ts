import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { presets, resolveLink } from '@tickwire/netsim';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { argumentOptions, parseProxyArguments, proxyHelp, runProxy } from '../src/proxy.ts';
import { IDLE_MS, UdpProxy, type UdpProxyOptions } from '../src/udp-proxy.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function open(host: string): Promise<Socket> {
  const socket = createSocket(host === '::1' ? 'udp6' : 'udp4');
  closers.push(() => socket.close());
  socket.bind(0, host);
  await once(socket, 'listening');
  return socket;
}

/** An echo server, a proxy before it, and a client. */
async function openAll(host: string, options: Partial<UdpProxyOptions> = {}) {
  const server = await open(host);
  const serverSaw = new Set<number>();
  server.on('message', (bytes, from: AddressInfo) => {
    serverSaw.add(from.port);
    server.send(bytes, from.port, from.address);
  });
  const proxy = await UdpProxy.listen({
    listenHost: host,
    listenPort: 0,
    targetHost: host,
    targetPort: server.address().port,
    linkUp: {},
    linkDown: {},
    seed: 1,
    ...options,
  });
  closers.push(() => void proxy.close());
  const send = (client: Socket, text: string) => client.send(text, proxy.address.port, host);
  return { server, serverSaw, proxy, send, client: await open(host) };
}

async function reply(client: Socket): Promise<string> {
  const [bytes] = (await once(client, 'message')) as [Buffer];
  return bytes.toString();
}

describe.each(['127.0.0.1', '::1'])('UdpProxy on %s', (host) => {
  it('carries everything there and back when the link is perfect', async () => {
    const { proxy, send, client } = await openAll(host);
    const got: string[] = [];
    const all = new Promise<void>((resolve) => {
      client.on('message', (bytes) => {
        got.push(bytes.toString());
        if (got.length === 100) resolve();
        else if (got.length % 10 === 0) burst(got.length);
      });
    });
    const burst = (from: number) => {
      for (let i = from; i < from + 10; i++) send(client, `datagram ${i}`);
    };
    burst(0);
    await all;
    expect(got).toEqual(Array.from({ length: 100 }, (_, i) => `datagram ${i}`));
    const { clients, up, down, inFlight } = proxy.stats();
    expect({ clients, inFlight }).toEqual({ clients: 1, inFlight: 0 });
    expect(up).toMatchObject({ sent: 100, delivered: 100, lost: 0 });
    expect(down).toMatchObject({ sent: 100, delivered: 100, lost: 0 });
  });

  it('shows the server an address for each client and answers each its own', async () => {
    const { serverSaw, proxy, send, client } = await openAll(host);
    const other = await open(host);
    const replies = Promise.all([reply(client), reply(other)]);
    send(client, 'one');
    send(other, 'two');
    expect(await replies).toEqual(['one', 'two']);
    expect(serverSaw.size).toBe(2);
    expect(proxy.stats().clients).toBe(2);
  });

  it('delays each way', async () => {
    const links = { linkUp: { latencyMs: 20 }, linkDown: { latencyMs: 40 } };
    const { send, client, server } = await openAll(host, links);
    const startMs = performance.now();
    let thereMs = 0;
    server.once('message', () => {
      thereMs = performance.now() - startMs;
    });
    send(client, 'x');
    await reply(client);
    const backMs = performance.now() - startMs - thereMs;
    expect(thereMs).toBeGreaterThan(19);
    expect(backMs).toBeGreaterThan(39);
  });
});

describe('UdpProxy', () => {
  it('serves clients up to its bound and none past it, until one has been idle', async () => {
    const { proxy, send, client } = await openAll('127.0.0.1', { clientsMax: 1 });
    const other = await open('127.0.0.1');
    send(client, 'one');
    await reply(client);
    send(other, 'two');
    send(client, 'three');
    expect(await reply(client)).toBe('three');
    expect(proxy.stats()).toMatchObject({ clients: 1, clientsRefused: 1 });
    const nowMs = performance.now();
    proxy.expireIdle(nowMs);
    expect(proxy.stats().clients).toBe(1);
    proxy.expireIdle(nowMs + IDLE_MS);
    expect(proxy.stats().clients).toBe(0);
    send(other, 'four');
    expect(await reply(other)).toBe('four');
    expect(proxy.stats().up.delivered).toBe(3);
  });

  it('drops what is lost and what is too large', async () => {
    const { proxy, send, client } = await openAll('127.0.0.1');
    send(client, 'x'.repeat(2049));
    send(client, 'y'.repeat(2048));
    expect(await reply(client)).toHaveLength(2048);
    expect(proxy.stats().up).toMatchObject({ sent: 2, overflowed: 1, delivered: 1 });
  });

  it('passes on empty datagrams', async () => {
    const { send, client } = await openAll('127.0.0.1');
    send(client, '');
    expect(await reply(client)).toBe('');
  });

  it('listens to nobody but the server on its upstream sockets', async () => {
    const { server, send, client, serverSaw } = await openAll('127.0.0.1');
    send(client, 'one');
    await reply(client);
    const upstream = [...serverSaw][0]!;
    const stranger = await open('127.0.0.1');
    stranger.send('forged', upstream, '127.0.0.1');
    await new Promise((resolve) => server.send('true', upstream, '127.0.0.1', resolve));
    expect(await reply(client)).toBe('true');
  });

  it('knows the server however its address is written', async () => {
    const { send, client } = await openAll('::1', { targetHost: '0:0:0:0:0:0:0:1' });
    send(client, 'one');
    expect(await reply(client)).toBe('one');
  });

  it('rejects a port in use and options out of range, and closes twice', async () => {
    const { proxy } = await openAll('127.0.0.1');
    const rest = { listenHost: '127.0.0.1', targetHost: '127.0.0.1', targetPort: 9, seed: 1 };
    const taken = { ...rest, listenPort: proxy.address.port, linkUp: {}, linkDown: {} };
    await expect(UdpProxy.listen(taken)).rejects.toThrow(/EADDRINUSE/);
    for (const wrong of [{ linkUp: { loss: 2 } }, { linkDown: { loss: 2 } }]) {
      const options = { ...taken, listenPort: 0, ...wrong };
      await expect(UdpProxy.listen(options)).rejects.toThrow(/loss is 2/);
    }
    await proxy.close();
    await proxy.close();
  });
});

describe('tickwire proxy', () => {
  it('prints counts when something passed, and at the end', async () => {
    const server = await open('127.0.0.1');
    const printed: string[] = [];
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed.push(String(text));
      return true;
    });
    closers.push(() => write.mockRestore());
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    closers.push(() => vi.useRealTimers());
    const to = `127.0.0.1:${server.address().port}`;
    const done = runProxy(['--listen', '0', '--to', to, '--stats']);
    await vi.waitUntil(() => printed.length === 1);
    const port = Number(printed[0]!.split(':').pop());
    vi.advanceTimersByTime(3000);
    expect(printed).toHaveLength(1);
    const client = await open('127.0.0.1');
    client.send('x', port, '127.0.0.1');
    await once(server, 'message');
    vi.advanceTimersByTime(3000);
    expect(printed).toHaveLength(2);
    process.emit('SIGINT');
    await done;
    expect(printed).toHaveLength(3);
    const counts = printed.slice(1).map((line) => JSON.parse(line).up.delivered);
    expect(counts).toEqual([1, 1]);
  });
});

describe('parseProxyArguments', () => {
  const least = ['--listen', '0', '--to', '127.0.0.1:7777'];

  it('fills in a network without faults', () => {
    expect(parseProxyArguments(least)).toEqual({
      help: false,
      stats: false,
      listenHost: '127.0.0.1',
      listenPort: 0,
      targetHost: '127.0.0.1',
      targetPort: 7777,
      linkUp: {},
      linkDown: {},
      seed: 1,
    });
  });

  it('reads every option', () => {
    const text =
      '--listen 9000 --to [::1]:65535 --host ::1 --latency 50 --jitter 10.5 --loss 5 --duplicate 1 ' +
      '--reorder 2 --corrupt 3 --mtu 1400 --rate 256 --queue 8000 --queue-policy head --seed 7 --stats';
    const link = {
      latencyMs: 50,
      jitterMs: 10.5,
      loss: 0.05,
      duplicate: 0.01,
      reorder: 0.02,
      corrupt: 0.03,
      mtuBytes: 1400,
      rateKbps: 256,
      queueBytes: 8000,
      queuePolicy: 'head',
    };
    expect(parseProxyArguments(text.split(' '))).toEqual({
      help: false,
      stats: true,
      listenHost: '::1',
      listenPort: 9000,
      targetHost: '::1',
      targetPort: 65535,
      linkUp: link,
      linkDown: link,
      seed: 7,
    });
  });

  it('takes a preset, each direction its own, and lets options override', () => {
    const parse = (...args: string[]) => parseProxyArguments([...least, ...args]);
    const { up, down } = presets.lte;
    expect(up).not.toEqual(down);
    expect(parse('--preset', 'lte')).toMatchObject({ linkUp: up, linkDown: down });
    const lossy = parse('--loss', '0', '--preset', 'lte', '--rate', '100');
    expect(lossy.linkUp).toEqual({ ...up, loss: 0, rateKbps: 100 });
    expect(lossy.linkDown).toEqual({ ...down, loss: 0, rateKbps: 100 });
    for (const name of Object.keys(presets)) resolveLink(parse('--preset', name).linkUp);
  });

  it('names every option and every preset in its help', () => {
    const options = parseProxyArguments(['--help']);
    expect(options.help).toBe(true);
    const named = [...proxyHelp.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name);
    expect(named.sort()).toEqual(Object.keys(argumentOptions).sort());
    for (const name of Object.keys(presets)) expect(proxyHelp).toContain(name);
  });

  it('needs nothing else for help', () => {
    expect(parseProxyArguments(['--help']).help).toBe(true);
  });

  it.each([
    [[], /--to is missing; give HOST:PORT/],
    [['--to', 'x:1'], /--listen is missing; give an integer from 0 to 65535/],
    [['--listen', '65536', '--to', 'x:1'], /--listen is '65536'/],
    [['--listen', '1.5', '--to', 'x:1'], /--listen is '1.5'/],
    [['--listen', '1', '--to', '::1:80'], /--to is '::1:80'.*\[::1\]/],
    [['--listen', '1', '--to', 'x:0'], /--to is '0'/],
    [[...least, '--loss', '101'], /--loss is '101'; give a number from 0 to 100/],
    [[...least, '--loss', ''], /--loss is ''/],
    [[...least, '--latency=-1'], /--latency is '-1'/],
    [[...least, '--rate', '0'], /--rate is '0'/],
    [[...least, '--seed', 'x'], /--seed is 'x'/],
    [[...least, '--corrupt', '101'], /--corrupt is '101'/],
    [[...least, '--mtu', '27'], /--mtu is '27'; give an integer from 28 to 65535/],
    [[...least, '--queue', '-1'], /--queue/],
    [[...least, '--queue-policy', 'middle'], /--queue-policy is 'middle'; give tail or head/],
    [[...least, '--preset', 'dsl'], /'dsl'; give one of: lan, cable, wifi, lte, bad-wifi, sat/],
    [[...least, '--lag', '1'], /--lag/],
    [[...least, 'more'], /more/],
  ])('refuses %j', (args, message) => {
    expect(() => parseProxyArguments(args)).toThrow(message);
  });
});
