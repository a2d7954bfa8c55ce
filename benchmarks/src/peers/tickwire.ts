// Tickwire's transport: the host and dialers of the real server and client with their real tags, each message
// in an unreliable-sequenced channel, as snapshots and inputs travel. No game above it.

import type { Socket } from 'node:dgram';
import { Dialer } from '@tickwire/client-node/core';
import {
  type ChannelPlan,
  createMessageChannel,
  DATAGRAM_BYTES_MAX,
  type Destination,
  type MessageChannel,
  resolveChannel,
} from '@tickwire/protocol';
import { type DatagramSocket, loadCrypto, openSocket } from '@tickwire/protocol/udp';
import { ConnectionHost, type HostSink } from '@tickwire/server/core';
import { joinAll, openClientSockets } from './client-sockets.ts';
import { SERVER_HOST } from './loopback.ts';
import { type GeneratorEnd, type Load, type Peer, type ServerEnd, TrafficCount } from './peer.ts';

const crypto = await loadCrypto();
const CHANNEL = 1;
const GAME = { idHash: 1, digest: 1 };
const LIMITS = resolveChannel({ kind: 'unreliable-sequenced' });
/** A client knows one address: its server's. */
const SERVER_ADDRESS = 0;
/** More than any run asks for. */
const PLENTY = { perSecond: 100_000, burst: 100_000 };
/** Joining is bounded by the run's deadline. */
const CONNECT_TIMEOUT_MS = 60_000;
/** A tick of one client is one datagram; twice that leaves room for another. */
const OUT_BYTES = 2 * DATAGRAM_BYTES_MAX;

class TickwireServer implements ServerEnd {
  readonly traffic = new TrafficCount();
  readonly #payload: Uint8Array;
  readonly #channels: MessageChannel[] = [];
  readonly #live: number[] = [];
  #socket!: DatagramSocket;
  #host!: ConnectionHost;

  constructor({ downBytes }: Load) {
    this.#payload = new Uint8Array(downBytes);
  }

  get port(): number {
    return this.#socket.address.port;
  }

  async open(maxConnections: number): Promise<this> {
    this.#socket = await openSocket({
      host: SERVER_HOST,
      memory: crypto.memory,
      sink: {
        datagram: (nowMs, bytes, start, end, from) => {
          this.#host.receive(nowMs, bytes, start, end, from);
          this.traffic.receivedBytes += end - start;
        },
        batchEnd: () => this.#answer(),
        failed: (error) => {
          throw error;
        },
      },
    });
    this.#host = new ConnectionHost({
      game: GAME,
      crypto,
      addresses: this.#socket.addresses,
      sink: this.#sink(),
      maxConnections,
      // All clients come at once, and from one address.
      limits: { connectionsPerAddress: PLENTY, connections: PLENTY, halfOpen: maxConnections },
    });
    return this;
  }

  tick(): void {
    const nowMs = performance.now();
    const { bytesOut } = this.#socket.statistics;
    for (const slot of this.#live)
      this.#channels[slot]!.send(this.#payload, 0, this.#payload.length);
    this.#host.advance(nowMs);
    this.#host.flush(nowMs);
    this.#socket.drain(nowMs, this.#host);
    this.traffic.sent += this.#live.length;
    this.traffic.sentBytes += this.#socket.statistics.bytesOut - bytesOut;
  }

  /** Answers to strangers leave at once; connections wait for the tick. */
  #answer(): void {
    const nowMs = performance.now();
    if (this.#host.wakeAt() <= nowMs) this.#socket.drain(nowMs, this.#host);
  }

  #sink(): HostSink {
    const received = () => {
      this.traffic.received++;
    };
    return {
      requested: (slot, ticket) => this.#host.accept(slot, ticket),
      channels: (slot) => {
        const channel = createMessageChannel(LIMITS, received);
        this.#channels[slot] = channel;
        return [{ id: CHANNEL, channel }];
      },
      opened: (slot) => this.#live.push(slot),
      closed: (slot) => this.#live.splice(this.#live.indexOf(slot), 1),
    };
  }
}

/** One client: the real dialer over one of the generator's sockets. */
class Client {
  readonly #dialer: Dialer;
  readonly #channel: MessageChannel;
  /** Written again a tick later, when the system has long taken what it held. */
  readonly #out = Buffer.alloc(OUT_BYTES);
  readonly #to: Destination = { address: SERVER_ADDRESS };

  constructor(received: () => void) {
    this.#channel = createMessageChannel(LIMITS, received);
    const channels: readonly ChannelPlan[] = [{ id: CHANNEL, channel: this.#channel }];
    this.#dialer = new Dialer({
      game: GAME,
      crypto,
      server: SERVER_ADDRESS,
      nowMs: performance.now(),
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      sink: { channels: () => channels, opened() {}, closed() {} },
    });
  }

  get joined(): boolean {
    return this.#dialer.connection !== undefined;
  }

  receive(bytes: Buffer, socket: Socket): void {
    const nowMs = performance.now();
    const joining = !this.joined;
    this.#dialer.receive(nowMs, bytes, 0, bytes.length, SERVER_ADDRESS);
    if (!joining) return;
    // The greeting makes it live: a place that waits for it is counted against the address that all share.
    this.#dialer.advance(nowMs);
    this.#dialer.flush(nowMs);
    this.drain(nowMs, socket);
  }

  /** Sends this tick's payload; returns the bytes that went out. */
  send(payload: Uint8Array, socket: Socket): number {
    const nowMs = performance.now();
    this.#channel.send(payload, 0, payload.length);
    this.#dialer.advance(nowMs);
    this.#dialer.flush(nowMs);
    return this.drain(nowMs, socket);
  }

  /** Sends what the dialer offers; returns how many bytes. */
  drain(nowMs: number, socket: Socket): number {
    let at = 0;
    while (at + DATAGRAM_BYTES_MAX <= OUT_BYTES) {
      const length = this.#dialer.poll(nowMs, this.#out, at, this.#to);
      if (length === 0) break;
      socket.send(this.#out.subarray(at, at + length));
      at += length;
    }
    return at;
  }
}

class TickwireGenerator implements GeneratorEnd {
  readonly traffic = new TrafficCount();
  readonly #payload: Uint8Array;
  readonly #clients: readonly Client[];
  #sockets: readonly Socket[] = [];

  constructor({ clients, upBytes }: Load) {
    this.#payload = new Uint8Array(upBytes);
    const received = () => {
      this.traffic.received++;
    };
    this.#clients = Array.from({ length: clients }, () => new Client(received));
  }

  async open({ clients }: Load, port: number): Promise<this> {
    this.#sockets = await openClientSockets(clients, port, (client, bytes) => {
      this.traffic.receivedBytes += bytes.length;
      this.#clients[client]!.receive(bytes, this.#sockets[client]!);
    });
    await joinAll(clients, {
      joined: (client) => this.#clients[client]!.joined,
      ask: (client) => this.#clients[client]!.drain(performance.now(), this.#sockets[client]!),
    });
    return this;
  }

  send(client: number): void {
    this.traffic.sentBytes += this.#clients[client]!.send(this.#payload, this.#sockets[client]!);
    this.traffic.sent++;
  }
}

export const tickwire: Peer = {
  missing: () => undefined,
  listen: (load) => new TickwireServer(load).open(load.clients),
  join: (load, port) => new TickwireGenerator(load).open(load, port),
};
