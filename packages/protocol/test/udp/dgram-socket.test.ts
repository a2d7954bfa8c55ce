// DgramSocket over real loopback sockets.
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadCrypto } from '../../src/sodium/index.ts';
import type { DatagramSocket } from '../../src/udp/datagram-socket.ts';
import { openSocket, type SocketOptions } from '../../src/udp/dgram-socket.ts';
import type { Destination, Machine } from '../../src/wire/machine.ts';

const { memory } = await loadCrypto();

interface Received {
  readonly bytes: number[];
  readonly from: { host: string; port: number };
}

interface Peer {
  readonly socket: DatagramSocket;
  readonly received: Received[];
  /** Resolves when that many have come. */
  has(count: number): Promise<void>;
}

async function open(options: Omit<SocketOptions, 'memory' | 'sink'> = {}): Promise<Peer> {
  const received: Received[] = [];
  let waiting: { count: number; resolve: () => void } | undefined;
  const socket: DatagramSocket = await openSocket({
    host: '127.0.0.1',
    memory,
    ...options,
    sink: {
      datagram: (_nowMs, bytes, start, end, from) => {
        received.push({ bytes: [...bytes.subarray(start, end)], from: socket.describe(from) });
      },
      batchEnd: () => {
        if (waiting !== undefined && received.length >= waiting.count) waiting.resolve();
      },
      failed: (error) => expect.fail(error.message),
    },
  });
  onTestFinished(() => socket.close());
  const has = (count: number) =>
    new Promise<void>((resolve) => {
      waiting = { count, resolve };
      if (received.length >= count) resolve();
    });
  return { socket, received, has };
}

/** Offers these datagrams, once. */
function source(datagrams: readonly number[][], to: number): Machine {
  const left = [...datagrams];
  return {
    receive: () => 0,
    advance: () => {},
    poll(_nowMs: number, out: Uint8Array, start: number, destination: Destination) {
      const next = left.shift();
      if (next === undefined) return 0;
      out.set(next, start);
      destination.address = to;
      return next.length;
    },
    wakeAt: () => Number.POSITIVE_INFINITY,
  };
}

describe.each([false, true])('sendTogether: %s', (sendTogether) => {
  test('a flush arrives, with the address that it was sent from', async () => {
    const [a, b] = [await open({ sendTogether }), await open()];
    const { host, port } = b.socket.address;
    const flush = Array.from({ length: 50 }, (_, i) => [i, i + 1, i + 2]);
    a.socket.drain(0, source(flush, a.socket.resolve(host, port)));
    await b.has(50);
    expect(b.received.map(({ bytes }) => bytes)).toEqual(flush);
    const { port: from } = a.socket.address;
    expect(b.received[49]!.from).toEqual({ host: '127.0.0.1', port: from });
    expect(a.socket.statistics).toMatchObject({ datagramsOut: 50, bytesOut: 150, dropped: 0 });
    expect(b.socket.statistics).toMatchObject({ datagramsIn: 50, bytesIn: 150, errors: 0 });
  });
});

test('port 0 becomes a port, and a buffer is granted', async () => {
  const { socket } = await open();
  expect(socket.address).toMatchObject({ host: '127.0.0.1', family: 4 });
  expect(socket.address.port).toBeGreaterThan(0);
  expect(socket.receiveBufferBytes).toBeGreaterThan(0);
});

test('a port that is taken is refused, with the place named', async () => {
  const { socket } = await open();
  const { port } = socket.address;
  await expect(open({ port })).rejects.toMatchObject({
    code: 'bind-failed',
    message: expect.stringContaining(`127.0.0.1 port ${port}`),
  });
});

test('hundreds of sockets: memory is given back when they close', async () => {
  const before = memory.freeBytes;
  for (let round = 0; round < 3; round++) {
    const sink = { datagram() {}, batchEnd() {}, failed() {} };
    const options = { host: '127.0.0.1', memory, sink, sendTogether: true };
    const sockets = await Promise.all(Array.from({ length: 300 }, () => openSocket(options)));
    expect(memory.freeBytes).toBe(0);
    await Promise.all(sockets.map((socket) => socket.close()));
    expect(memory.freeBytes).toBe(before);
  }
});

test('a drain that user code asks for while a datagram is built leaves it whole', async () => {
  const [a, b] = [await open(), await open()];
  const { host, port } = b.socket.address;
  const to = a.socket.resolve(host, port);
  const machine = source([[1], [2], [3]], to);
  const poll = machine.poll.bind(machine);
  let inner = 0;
  machine.poll = (nowMs, out, start, destination) => {
    const length = poll(nowMs, out, start, destination);
    if (inner++ === 0) a.socket.drain(nowMs, machine);
    return length;
  };
  a.socket.drain(0, machine);
  await b.has(3);
  expect(b.received.map(({ bytes }) => bytes)).toEqual([[1], [2], [3]]);
});
