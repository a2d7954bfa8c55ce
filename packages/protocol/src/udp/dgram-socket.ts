// DatagramSocket over node:dgram. A flush is polled into one arena and sent from there without callbacks; the
// arena is used again once the socket's own queue is empty, which it nearly always is at once. Arena and incoming
// datagrams lie in memory of the cryptography, so that nothing is copied to be sealed or opened.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { MemoryRange, PacketMemory } from '../sodium/index.ts';
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

/** Of a server: holds the flush of a thousand clients at 250 bytes each. */
const SERVER_ARENA_BYTES = 256 * 1024;

/** Of a socket that sends together with others: there may be hundreds, and each has one flush of one client. */
const CLIENT_ARENA_BYTES = 16 * 1024;

/** Datagrams that are built before the first of them is sent, at most. */
const FLUSH_MAX = 1024;

/** Arenas waiting for the system, at most; what does not fit is dropped and counted, as a full queue does. */
const ARENAS_MAX = 16;

/** Options of {@link openSocket}. */
export interface SocketOptions {
  /** Literal IPv4 or IPv6 address to bind; '::' takes both families. Default '0.0.0.0'. */
  readonly host?: string;
  /** 0 = any free port. Default 0. */
  readonly port?: number;
  readonly sink: DatagramSink;
  /** Where datagrams are built and taken apart: `memory` of the process's SodiumCrypto. */
  readonly memory: Pick<PacketMemory, 'receiveSlot' | 'release' | 'reserve'>;
  /**
   * Sends at the end of the turn of the event loop, together with all other sockets that were opened so: for processes
   * with many clients, where one datagram at a time would wake its receiver each time. Default false.
   */
  readonly sendTogether?: boolean;
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
      resolve(new DgramSocket(socket, options));
    });
  });
}

/** Sockets with datagrams to send at the end of this turn of the event loop. */
const together: DgramSocket[] = [];

function sendTogether(): void {
  for (const socket of together.splice(0)) socket.endTurn();
}

type Counting = { -readonly [K in keyof SocketStatistics]: SocketStatistics[K] };

class DgramSocket implements DatagramSocket {
  readonly addresses = new AddressTable();
  readonly address: SocketAddress;
  readonly receiveBufferBytes: number;
  readonly statistics: Counting;
  readonly #socket: Socket;
  readonly #sink: DatagramSink;
  readonly #to: Destination = { address: 0 };
  readonly #starts = new Int32Array(FLUSH_MAX);
  readonly #lengths = new Int32Array(FLUSH_MAX);
  readonly #tos = new Float64Array(FLUSH_MAX);
  readonly #memory: SocketOptions['memory'];
  readonly #arenaBytes: number;
  /** The first arena's memory; undefined = there was none left, and it is a plain one. */
  readonly #reserved: MemoryRange | undefined;
  readonly #firstArena: Uint8Array;
  #arena: Uint8Array;
  readonly #together: boolean;
  /** Whether it is in the list of those that send at the end of the turn. */
  #waits = false;
  #draining = false;
  /** Datagrams in the arena that are not sent yet. */
  #filled = 0;
  #arenaAt = 0;
  #arenasLent = 0;
  #batchMs = 0;
  #inBatch = false;
  #closed = false;

  constructor(socket: Socket, { sink, memory, sendTogether = false }: SocketOptions) {
    this.#socket = socket;
    this.#together = sendTogether;
    this.#sink = sink;
    this.#memory = memory;
    this.#arenaBytes = sendTogether ? CLIENT_ARENA_BYTES : SERVER_ARENA_BYTES;
    this.#reserved = memory.reserve(this.#arenaBytes);
    this.statistics = {
      datagramsIn: 0,
      datagramsOut: 0,
      bytesIn: 0,
      bytesOut: 0,
      dropped: 0,
      errors: 0,
      arena: this.#reserved === undefined ? 'own' : 'shared',
    };
    this.#firstArena = this.#reserved?.bytes ?? new Uint8Array(this.#arenaBytes);
    this.#arena = this.#firstArena;
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
    // User code that runs while a datagram is built may ask for a drain. The one under way is it, and the place of the
    // datagram is taken.
    if (this.#draining) return;
    this.#draining = true;
    try {
      this.#fillAndSend(nowMs, machine);
    } finally {
      this.#draining = false;
    }
    if (this.#filled === 0 || this.#waits) return;
    this.#waits = true;
    if (together.push(this) === 1) setImmediate(sendTogether);
  }

  #fillAndSend(nowMs: number, machine: Machine): void {
    while (!this.#closed && this.#fill(nowMs, machine)) {
      if (this.#together && this.#hasRoom) return;
      this.sendFilled();
    }
  }

  /** Sends what was filled in. For this file only. */
  sendFilled(): void {
    if (this.#closed) return;
    const count = this.#filled;
    this.#filled = 0;
    // The queue may have emptied since the last flush: a full one is asked again before anything is dropped.
    if (this.#arenasLent >= ARENAS_MAX) this.#queueEmpty();
    for (let i = 0; i < count; i++) {
      this.#send(this.#starts[i]!, this.#lengths[i]!, this.#tos[i]!);
    }
    if (this.#queueEmpty()) this.#restart();
  }

  /** Sends what was kept back for the end of the turn. For this file only. */
  endTurn(): void {
    this.#waits = false;
    this.sendFilled();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.sendFilled();
    this.#closed = true;
    return new Promise((resolve) => {
      this.#socket.close(() => {
        if (this.#reserved !== undefined) this.#memory.release(this.#reserved);
        resolve();
      });
    });
  }

  /**
   * Polls the machine until it is drained or there is no more room; false = it had nothing. Sending comes after that,
   * one right behind the other: a receiver that is awake takes them for a fraction of what waking it each time costs.
   */
  #fill(nowMs: number, machine: Machine): boolean {
    const before = this.#filled;
    if (before === 0 && !this.#hasRoom) this.#renewArena();
    while (this.#hasRoom) {
      const length = machine.poll(nowMs, this.#arena, this.#arenaAt, this.#to);
      if (length === 0) break;
      this.#starts[this.#filled] = this.#arenaAt;
      this.#lengths[this.#filled] = length;
      this.#tos[this.#filled++] = this.#to.address;
      this.#arenaAt += length;
    }
    return this.#filled > before;
  }

  /** Whether one more datagram can be built, however long. */
  get #hasRoom(): boolean {
    return this.#filled < FLUSH_MAX && this.#arenaAt + DATAGRAM_BYTES_MAX <= this.#arenaBytes;
  }

  #send(start: number, length: number, to: number): void {
    if (this.#arenasLent >= ARENAS_MAX) {
      this.statistics.dropped++;
      return;
    }
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
    // With all arenas lent, what was in this one has been dropped.
    if (this.#queueEmpty()) {
      this.#restart();
      return;
    }
    this.#arenaAt = 0;
    if (this.#arenasLent >= ARENAS_MAX) return;
    this.#arena = new Uint8Array(this.#arenaBytes);
    this.#arenasLent++;
  }

  /** The system has let go of all arenas: back to the start of the first. */
  #restart(): void {
    this.#arena = this.#firstArena;
    this.#arenaAt = 0;
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
      this.#sink.datagram(this.#batchMs, this.#slotted(bytes), 0, bytes.length, address);
    } catch (error) {
      this.#fail(error as Error, true);
    }
  }

  /** The datagram in the receive slot; where it is, when it is too long to be one of ours. */
  #slotted(bytes: Buffer): Uint8Array {
    const slot = this.#memory.receiveSlot;
    if (bytes.length > slot.length) return bytes;
    slot.set(bytes);
    return slot;
  }

  readonly #endBatch = (): void => {
    this.#inBatch = false;
    if (!this.#closed) this.#sink.batchEnd();
  };

  #fail(error: Error, fatal: boolean): void {
    this.statistics.errors++;
    // It may be user code that is told. Nothing above would catch what it throws but the end of the process.
    try {
      this.#sink.failed(error, fatal);
    } catch {}
  }
}
