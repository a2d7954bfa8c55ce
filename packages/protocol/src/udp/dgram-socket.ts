// DatagramSocket over node:dgram. A flush is polled into one arena and sent from there without callbacks; the
// arena is used again once the socket's own queue is empty, which it nearly always is at once.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { TickwireError } from '../wire/errors.ts';
import type { Destination, Machine } from '../wire/machine.ts';
import { DATAGRAM_BYTES_MAX } from '../wire/packet.ts';
import { AddressTable } from './address-table.ts';
import type {
  DatagramSink,
  DatagramSocket,
  SocketAddress,
  SocketStatistics,
} from './datagram-socket.ts';

/** A 100-byte datagram takes about 832 bytes of receive buffer: room for a burst of some thousands. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/** Holds the flush of a thousand clients at 250 bytes each. */
const ARENA_BYTES = 256 * 1024;

/** Arenas waiting for the system, at most; what does not fit is dropped and counted, as a full queue does. */
const ARENAS_MAX = 16;

/** Options of {@link openSocket}. */
export interface SocketOptions {
  /** Literal IPv4 or IPv6 address to bind; '::' takes both families. Default '0.0.0.0'. */
  readonly host?: string;
  /** 0 = any free port. Default 0. */
  readonly port?: number;
  readonly sink: DatagramSink;
}

/** Literal addresses need no lookup, and dgram's default would cost a tick of the event loop for each send. */
function literalLookup(
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, host, host.includes(':') ? 6 : 4);
}

/** Binds a UDP socket. Rejects with a TickwireError 'bind-failed' when the address cannot be had. */
export function openSocket(options: SocketOptions): Promise<DatagramSocket> {
  const host = options.host ?? '0.0.0.0';
  const socket = createSocket({
    type: isIPv6(host) ? 'udp6' : 'udp4',
    lookup: literalLookup as never,
    recvBufferSize: SOCKET_BUFFER_BYTES,
    sendBufferSize: SOCKET_BUFFER_BYTES,
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (cause) => {
      socket.close();
      const place = `${host} port ${options.port ?? 0}`;
      reject(new TickwireError('bind-failed', `cannot bind ${place}: ${cause.message}`, { cause }));
    });
    socket.bind(options.port ?? 0, host, () => {
      socket.removeAllListeners('error');
      resolve(new DgramSocket(socket, options.sink));
    });
  });
}

class DgramSocket implements DatagramSocket {
  readonly addresses = new AddressTable();
  readonly address: SocketAddress;
  readonly receiveBufferBytes: number;
  readonly statistics = {
    datagramsIn: 0,
    datagramsOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    dropped: 0,
    errors: 0,
  } satisfies SocketStatistics;
  readonly #socket: Socket;
  readonly #sink: DatagramSink;
  readonly #to: Destination = { address: 0 };
  #arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
  #arenaAt = 0;
  #arenasLent = 0;
  #batchMs = 0;
  #inBatch = false;
  #closed = false;

  constructor(socket: Socket, sink: DatagramSink) {
    this.#socket = socket;
    this.#sink = sink;
    const { address, port, family } = socket.address();
    this.address = { host: address, port, family: family === 'IPv6' ? 6 : 4 };
    this.receiveBufferBytes = socket.getRecvBufferSize();
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
    socket.on('error', (error) => this.#fail(error, false));
  }

  resolve(host: string, port: number): number {
    return this.addresses.hold(this.addresses.lookup(host, port));
  }

  describe(address: number): { host: string; port: number } {
    return { host: this.addresses.host(address), port: this.addresses.port(address) };
  }

  drain(nowMs: number, machine: Machine): void {
    while (!this.#closed) {
      if (this.#arenaAt + DATAGRAM_BYTES_MAX > ARENA_BYTES) this.#renewArena();
      const start = this.#arenaAt;
      const length = machine.poll(nowMs, this.#arena, start, this.#to);
      if (length === 0) break;
      this.#send(start, length, this.#to.address);
    }
    if (this.#arenaAt > 0 && this.#queueEmpty()) this.#arenaAt = 0;
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => {
      this.#socket.close(() => resolve());
    });
  }

  #send(start: number, length: number, to: number): void {
    if (this.#arenasLent >= ARENAS_MAX) {
      this.statistics.dropped++;
      return;
    }
    this.#arenaAt = start + length;
    this.statistics.datagramsOut++;
    this.statistics.bytesOut += length;
    const { addresses } = this;
    try {
      this.#socket.send(this.#arena, start, length, addresses.port(to), addresses.host(to));
    } catch (error) {
      this.#fail(error as Error, false);
    }
  }

  /** The arena is full: reuse it if nothing of it waits in the socket, else lend it to the system. */
  #renewArena(): void {
    if (this.#queueEmpty()) {
      this.#arenaAt = 0;
      return;
    }
    this.#arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
    this.#arenaAt = 0;
    this.#arenasLent++;
  }

  #queueEmpty(): boolean {
    if (this.#socket.getSendQueueCount() > 0) return false;
    this.#arenasLent = 0;
    return true;
  }

  #receive(bytes: Buffer, from: RemoteInfo): void {
    if (this.#closed) return;
    if (!this.#inBatch) {
      this.#inBatch = true;
      this.#batchMs = performance.now();
      setImmediate(this.#endBatch);
    }
    this.statistics.datagramsIn++;
    this.statistics.bytesIn += bytes.length;
    const address = this.addresses.lookup(from.address, from.port);
    try {
      this.#sink.datagram(this.#batchMs, bytes, 0, bytes.length, address);
    } catch (error) {
      this.#fail(error as Error, true);
    }
  }

  readonly #endBatch = (): void => {
    this.#inBatch = false;
    if (!this.#closed) this.#sink.batchEnd();
  };

  #fail(error: Error, fatal: boolean): void {
    this.statistics.errors++;
    this.#sink.failed(error, fatal);
  }
}
