// DgramSocket over a socket that is not there: how it behaves when the system's queue is full cannot be had from a
// real one at will.
import { EventEmitter } from 'node:events';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { DatagramSocket } from '../../src/udp/datagram-socket.ts';
import { openSocket, type SocketOptions } from '../../src/udp/dgram-socket.ts';
import type { Destination, Machine } from '../../src/wire/machine.ts';
import { DATAGRAM_BYTES_MAX } from '../../src/wire/packet.ts';

const ARENA_BYTES = 256 * 1024;
const ARENAS_MAX = 16;
const LENGTH = 1000;
/** So many datagrams of LENGTH fill an arena: it must have room for the longest. */
const PER_ARENA = Math.floor((ARENA_BYTES - DATAGRAM_BYTES_MAX) / LENGTH) + 1;
/** Of a socket that sends together with others. */
const CLIENT_ARENA_BYTES = 16 * 1024;
const PER_CLIENT_ARENA = Math.floor((CLIENT_ARENA_BYTES - DATAGRAM_BYTES_MAX) / LENGTH) + 1;

interface Sent {
  readonly arena: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly port: number;
  readonly host: string;
}

class FakeSocket extends EventEmitter {
  readonly sent: Sent[] = [];
  /** What waits in the system; grows with each send while `full`. */
  queued = 0;
  full = false;
  throws: Error | undefined;
  closed = false;

  bind(_port: number, _host: string, bound: () => void): void {
    bound();
  }

  address() {
    return { address: '10.0.0.9', port: 4000, family: 'IPv4' };
  }

  getRecvBufferSize(): number {
    return 12_345;
  }

  getSendQueueCount(): number {
    return this.queued;
  }

  send(arena: Uint8Array, start: number, length: number, port: number, host: string): void {
    if (this.throws !== undefined) throw this.throws;
    if (this.closed) throw new Error('sent after close');
    this.sent.push({ arena, start, length, port, host });
    if (this.full) this.queued++;
  }

  close(done: () => void): void {
    this.closed = true;
    done();
  }
}

const fakes: FakeSocket[] = vi.hoisted(() => []);
vi.mock('node:dgram', () => ({
  createSocket: () => {
    const fake = new FakeSocket();
    fakes.push(fake);
    return fake;
  },
}));
afterEach(() => {
  fakes.length = 0;
});

const sink = { datagram: () => {}, batchEnd: () => {}, failed: vi.fn() };

/** Memory for one arena of any size, or for none. */
function memoryOf(ranges: number): SocketOptions['memory'] & { lent: Uint8Array[] } {
  const lent: Uint8Array[] = [];
  return {
    lent,
    receiveSlot: new Uint8Array(DATAGRAM_BYTES_MAX),
    reserve(sizeBytes) {
      if (lent.length === ranges) return undefined;
      const bytes = new Uint8Array(sizeBytes);
      lent.push(bytes);
      return { bytes };
    },
    release({ bytes }) {
      lent.splice(lent.indexOf(bytes), 1);
    },
  };
}

async function open(
  together = false,
  memory = memoryOf(1),
): Promise<{ socket: DatagramSocket; fake: FakeSocket }> {
  sink.failed.mockClear();
  const socket = await openSocket({ sink, memory, sendTogether: together });
  return { socket, fake: fakes.at(-1)! };
}

/** Offers `count` datagrams of `length` bytes, each filled with its number. */
class Source implements Machine {
  count: number;
  readonly length: number;
  readonly #to: number;
  #next = 0;

  constructor(count: number, to: number, length = LENGTH) {
    this.count = count;
    this.#to = to;
    this.length = length;
  }

  receive(): number {
    return 0;
  }

  advance(): void {}

  poll(_nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    if (this.#next === this.count) return 0;
    expect(out.length - start).toBeGreaterThanOrEqual(1200);
    to.address = this.#to;
    out.fill(this.#next++ % 251, start, start + this.length);
    return this.length;
  }

  wakeAt(): number {
    return Number.POSITIVE_INFINITY;
  }
}

function flush(socket: DatagramSocket, count: number): void {
  socket.drain(0, new Source(count, socket.resolve('10.0.0.1', 5000)));
}

/** Every datagram still stands where the system was told to read it. */
function expectIntact(sent: readonly Sent[]): void {
  for (const [i, { arena, start, length }] of sent.entries()) {
    expect([arena[start], arena[start + length - 1]], `datagram ${i}`).toEqual([i % 251, i % 251]);
  }
}

test('a flush is sent whole, in order, from one arena', async () => {
  const { socket, fake } = await open();
  flush(socket, 200);
  expect(fake.sent).toHaveLength(200);
  expect(new Set(fake.sent.map(({ arena }) => arena)).size).toBe(1);
  expect(fake.sent[3]).toMatchObject({ length: LENGTH, port: 5000, host: '10.0.0.1' });
  expectIntact(fake.sent);
  expect(socket.statistics).toMatchObject({ datagramsOut: 200, bytesOut: 200 * LENGTH });
});

test('an empty queue: the arena is used again from its start, however much is flushed', async () => {
  const { socket, fake } = await open();
  for (let round = 0; round < 3; round++) flush(socket, 2 * PER_ARENA);
  expect(fake.sent).toHaveLength(6 * PER_ARENA);
  expect(new Set(fake.sent.map(({ arena }) => arena)).size).toBe(1);
  expect(fake.sent.filter(({ start }) => start === 0)).toHaveLength(6);
  expect(socket.statistics.dropped).toBe(0);
});

test('a queue that is not empty keeps its arenas to itself', async () => {
  const { socket, fake } = await open();
  fake.full = true;
  flush(socket, 5 * PER_ARENA);
  expect(new Set(fake.sent.map(({ arena }) => arena)).size).toBe(5);
  expectIntact(fake.sent);
});

test('as many arenas wait as there may be; what does not fit is dropped and counted', async () => {
  const { socket, fake } = await open();
  fake.full = true;
  flush(socket, (ARENAS_MAX + 4) * PER_ARENA + 7);
  expect(fake.sent).toHaveLength(ARENAS_MAX * PER_ARENA);
  expect(new Set(fake.sent.map(({ arena }) => arena)).size).toBe(ARENAS_MAX);
  expectIntact(fake.sent);
  const { datagramsOut, dropped } = socket.statistics;
  expect([datagramsOut, dropped]).toEqual([ARENAS_MAX * PER_ARENA, 4 * PER_ARENA + 7]);
  expect(sink.failed).not.toHaveBeenCalled();
});

test('once the queue is empty the very next flush is sent', async () => {
  const { socket, fake } = await open();
  fake.full = true;
  flush(socket, (ARENAS_MAX + 1) * PER_ARENA);
  const { dropped } = socket.statistics;
  expect(dropped).toBe(PER_ARENA);
  flush(socket, 3);
  expect(socket.statistics.dropped).toBe(dropped + 3);
  fake.full = false;
  fake.queued = 0;
  const before = fake.sent.length;
  flush(socket, 10);
  expect(fake.sent).toHaveLength(before + 10);
  expect(socket.statistics.dropped).toBe(dropped + 3);
  // And a queue that fills up again is given all arenas again.
  fake.full = true;
  flush(socket, ARENAS_MAX * PER_ARENA);
  expect(socket.statistics.dropped).toBe(dropped + 3);
});

test('a send that throws is reported and counted; the others leave', async () => {
  const { socket, fake } = await open();
  fake.throws = new Error('no route');
  flush(socket, 2);
  expect(sink.failed.mock.calls).toEqual([
    [fake.throws, false],
    [fake.throws, false],
  ]);
  fake.throws = undefined;
  flush(socket, 1);
  expect(fake.sent).toHaveLength(1);
  expect(socket.statistics.errors).toBe(2);
});

test('a sink that throws while it is told of an error ends nothing', async () => {
  const { socket, fake } = await open();
  sink.failed.mockImplementation(() => {
    throw new Error('planted in failed');
  });
  onTestFinished(() => void sink.failed.mockReset());
  fake.throws = new Error('no route');
  flush(socket, 2);
  expect(() => fake.emit('error', new Error('of the system'))).not.toThrow();
  expect(sink.failed).toHaveBeenCalledTimes(3);
  fake.throws = undefined;
  flush(socket, 1);
  expect(fake.sent).toHaveLength(1);
});

test('sendTogether: nothing leaves before the end of the turn, then all of it, socket by socket', async () => {
  const [a, b] = [await open(true), await open(true)];
  flush(a.socket, 3);
  flush(b.socket, 2);
  flush(a.socket, 4);
  expect([a.fake.sent.length, b.fake.sent.length]).toEqual([0, 0]);
  await new Promise(setImmediate);
  expect([a.fake.sent.length, b.fake.sent.length]).toEqual([7, 2]);
  expect(a.fake.sent.map(({ start }) => start / LENGTH)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  flush(b.socket, 1);
  await new Promise(setImmediate);
  expect([a.fake.sent.length, b.fake.sent.length]).toEqual([7, 3]);
});

test('sendTogether: a full arena leaves at once, the rest at the end of the turn', async () => {
  const { socket, fake } = await open(true);
  const count = 3 * PER_CLIENT_ARENA + 2;
  flush(socket, count);
  expect(fake.sent).toHaveLength(3 * PER_CLIENT_ARENA);
  flush(socket, 1);
  await new Promise(setImmediate);
  expect(fake.sent).toHaveLength(count + 1);
  expect(new Set(fake.sent.map(({ arena }) => arena)).size).toBe(1);
  flush(socket, 1);
  expect(fake.sent).toHaveLength(count + 1);
  await new Promise(setImmediate);
  expect(fake.sent).toHaveLength(count + 2);
});

test.each([
  [false, ARENA_BYTES],
  [true, CLIENT_ARENA_BYTES],
])(
  'the arena is memory of the cryptography, given back at close; together: %s',
  async (together, sizeBytes) => {
    const memory = memoryOf(1);
    const { socket, fake } = await open(together, memory);
    const arena = memory.lent[0]!;
    expect(arena).toHaveLength(sizeBytes);
    expect(socket.statistics.arena).toBe('shared');
    flush(socket, 1);
    await new Promise(setImmediate);
    expect(fake.sent[0]!.arena).toBe(arena);
    await socket.close();
    expect(memory.lent).toEqual([]);
    await socket.close();
    expect(memory.lent).toEqual([]);
  },
);

test('without memory left, the arena is a plain one', async () => {
  const memory = memoryOf(0);
  const { socket, fake } = await open(false, memory);
  expect(socket.statistics.arena).toBe('own');
  flush(socket, PER_ARENA);
  expect(fake.sent).toHaveLength(PER_ARENA);
  expectIntact(fake.sent);
  await socket.close();
  expect(memory.lent).toEqual([]);
});

test('arenas after the first are plain ones; with the queue empty, the first is used again', async () => {
  const memory = memoryOf(16);
  const { socket, fake } = await open(false, memory);
  fake.full = true;
  flush(socket, 3 * PER_ARENA);
  expect(memory.lent).toHaveLength(1);
  expect(fake.sent.filter(({ arena }) => arena === memory.lent[0])).toHaveLength(PER_ARENA);
  fake.full = false;
  fake.queued = 0;
  flush(socket, 1);
  flush(socket, 1);
  expect(fake.sent.at(-1)!.arena).toBe(memory.lent[0]);
});

test('closing sends what was filled in, and nothing after', async () => {
  const { socket, fake } = await open(true);
  flush(socket, 3);
  await socket.close();
  expect(fake.sent).toHaveLength(3);
  flush(socket, 3);
  await new Promise(setImmediate);
  expect(fake.sent).toHaveLength(3);
  await socket.close();
});

test('datagrams of one turn share a time, and end with one batchEnd; none comes after close', async () => {
  const times: number[] = [];
  let ends = 0;
  const memory = memoryOf(1);
  const socket = await openSocket({
    memory,
    sink: {
      datagram: (nowMs, bytes, start, end, from) => {
        expect(bytes).toBe(memory.receiveSlot);
        times.push(nowMs);
        expect([...bytes.subarray(start, end)]).toEqual([1, 2]);
        expect(socket.describe(from)).toEqual({ host: '10.0.0.3', port: 77 });
      },
      batchEnd: () => ends++,
      failed: (error) => expect.fail(error.message),
    },
  });
  const fake = fakes.at(-1)!;
  const from = { address: '10.0.0.3', port: 77 };
  for (let i = 0; i < 3; i++) fake.emit('message', Buffer.from([1, 2]), from);
  expect(ends).toBe(0);
  await new Promise(setImmediate);
  expect(ends).toBe(1);
  expect(times).toHaveLength(3);
  expect(new Set(times).size).toBe(1);
  expect(socket.statistics).toMatchObject({ datagramsIn: 3, bytesIn: 6 });
  fake.emit('message', Buffer.from([1, 2]), from);
  await socket.close();
  fake.emit('message', Buffer.from([1, 2]), from);
  await new Promise(setImmediate);
  expect([times.length, ends]).toEqual([4, 1]);
});

test('a throw out of the sink is reported as fatal, and the next datagram is taken', async () => {
  const failed = vi.fn();
  let taken = 0;
  await openSocket({
    memory: memoryOf(1),
    sink: {
      datagram: () => {
        if (taken++ === 0) throw new Error('planted');
      },
      batchEnd: () => {},
      failed,
    },
  });
  const fake = fakes.at(-1)!;
  for (let i = 0; i < 2; i++) fake.emit('message', Buffer.from([1]), { address: '::1', port: 1 });
  expect(taken).toBe(2);
  expect(failed.mock.calls).toEqual([[expect.objectContaining({ message: 'planted' }), true]]);
});

test('a datagram goes into the receive slot as long as it fits; a longer one is passed on as it is', async () => {
  const memory = memoryOf(1);
  const seen: { bytes: Uint8Array; start: number; end: number }[] = [];
  await openSocket({
    memory,
    sink: {
      datagram: (_nowMs, bytes, start, end) => seen.push({ bytes, start, end }),
      batchEnd: () => {},
      failed: (error) => expect.fail(error.message),
    },
  });
  const fake = fakes.at(-1)!;
  const from = { address: '10.0.0.3', port: 77 };
  const longest = Buffer.alloc(DATAGRAM_BYTES_MAX, 1);
  const longer = Buffer.alloc(DATAGRAM_BYTES_MAX + 1, 2);
  fake.emit('message', Buffer.alloc(0), from);
  fake.emit('message', longest, from);
  fake.emit('message', longer, from);
  const { receiveSlot } = memory;
  expect(seen).toEqual([
    { bytes: receiveSlot, start: 0, end: 0 },
    { bytes: receiveSlot, start: 0, end: DATAGRAM_BYTES_MAX },
    { bytes: longer, start: 0, end: DATAGRAM_BYTES_MAX + 1 },
  ]);
  expect(seen[1]!.bytes).toBe(receiveSlot);
  expect(receiveSlot.every((byte) => byte === 1)).toBe(true);
});
