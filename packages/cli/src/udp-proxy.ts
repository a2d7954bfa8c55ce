// The bad network for real sockets: datagrams from clients go to one target through a simulated link,
// answers come back through another. Each client has an upstream socket of its own, so the target sees as
// many addresses as there are clients.

import { createSocket, type Socket } from 'node:dgram';
import { type AddressInfo, isIPv6, SocketAddress } from 'node:net';
import {
  InFlight,
  Link,
  type LinkCounters,
  type LinkOptions,
  Prng,
  resolveLink,
  zeroCounters,
} from '@tickwire/netsim';

/** Clients at once; a stranger beyond is not served until one expires. Each costs a socket. */
const CLIENTS_MAX = 4096;
/** A client that neither sent nor got anything for so long is forgotten. */
export const IDLE_MS = 30_000;
/** Larger datagrams are dropped and counted; games stay well below. */
const DATAGRAM_BYTES = 2048;
/** Datagrams under way in both directions together. Memory never used costs nothing. */
const DATAGRAMS_MAX = 32_768;
/** Asked of the system for each socket; it may give less. */
const SOCKET_BUFFER_BYTES = 4 << 20;
/** Timers count whole milliseconds: what is due within half of one leaves now, so the error is not one-sided. */
const EARLY_MS = 0.5;
const SWEEP_EVERY_MS = 1000;

const TO_TARGET = 0;
const TO_CLIENT = 1;

/** What a {@link UdpProxy} needs to know. Hosts are IP addresses. */
export interface UdpProxyOptions {
  listenHost: string;
  /** 0 = any free port. */
  listenPort: number;
  targetHost: string;
  targetPort: number;
  /** From each client to the target. */
  linkUp: LinkOptions;
  /** From the target to each client. */
  linkDown: LinkOptions;
  seed: number;
  /** Default 4096. */
  clientsMax?: number;
}

/** Counts since the start; `up` is from the clients to the target. */
export interface UdpProxyStats {
  clients: number;
  clientsRefused: number;
  inFlight: number;
  up: LinkCounters;
  down: LinkCounters;
}

interface Client {
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly socket: Socket;
  readonly up: Link;
  readonly down: Link;
  activeMs: number;
}

/** A running proxy. Made by {@link UdpProxy.listen}. */
export class UdpProxy {
  /** Settles when the proxy is closed; rejects if its socket failed. */
  readonly closed: Promise<void>;

  readonly #options: UdpProxyOptions;
  readonly #random: Prng;
  readonly #inFlight = new InFlight({ datagrams: DATAGRAMS_MAX, datagramBytes: DATAGRAM_BYTES });
  readonly #socket: Socket;
  readonly #byId = new Map<number, Client>();
  // By port, then by comparing addresses: no key has to be built for each datagram.
  readonly #byPort = new Map<number, Client[]>();
  // Slots that the system has not taken yet, and the sockets that will send them.
  readonly #unsentSlots: number[] = [];
  readonly #unsentSockets: Socket[] = [];
  readonly #retiredUp = zeroCounters();
  readonly #retiredDown = zeroCounters();
  readonly #sweep: NodeJS.Timeout;
  #clientsSeen = 0;
  #clientsRefused = 0;
  #armedMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #settle: (error?: Error) => void = () => {};

  /** Opens the listening socket. Rejects if it cannot be bound; throws TickwireError `option-invalid`. */
  static async listen(options: UdpProxyOptions): Promise<UdpProxy> {
    resolveLink(options.linkUp);
    resolveLink(options.linkDown);
    const socket = openSocket(options.listenHost);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port: options.listenPort, address: options.listenHost }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    return new UdpProxy(options, socket);
  }

  private constructor(options: UdpProxyOptions, socket: Socket) {
    this.#options = { ...options, targetHost: spellAsSystem(options.targetHost) };
    this.#random = new Prng(options.seed);
    this.#socket = socket;
    this.closed = new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.#sweep = setInterval(() => this.expireIdle(performance.now()), SWEEP_EVERY_MS);
    this.#sweep.unref();
    socket.on('message', (bytes, from) => this.#takeFromClient(bytes, from));
    socket.on('error', (error) => this.#stop(error));
  }

  /** Where the proxy listens. */
  get address(): AddressInfo {
    return this.#socket.address();
  }

  /** Counts since the start, over all clients that there have been. */
  stats(): UdpProxyStats {
    const up = { ...this.#retiredUp };
    const down = { ...this.#retiredDown };
    for (const client of this.#byId.values()) {
      addCounters(up, client.up.counters);
      addCounters(down, client.down.counters);
    }
    const inFlight = this.#inFlight.held;
    return { clients: this.#byId.size, clientsRefused: this.#clientsRefused, inFlight, up, down };
  }

  /** Forgets clients that have been silent for {@link IDLE_MS}. Called every second. */
  expireIdle(nowMs: number): void {
    for (const client of this.#byId.values()) {
      if (nowMs - client.activeMs >= IDLE_MS) this.#remove(client);
    }
  }

  /** Closes all sockets; what is on its way is lost. */
  close(): Promise<void> {
    this.#stop();
    return this.closed;
  }

  #stop(error?: Error): void {
    if (this.#settle === done) return;
    clearInterval(this.#sweep);
    this.#disarm();
    for (const client of this.#byId.values()) this.#remove(client);
    const settle = this.#settle;
    this.#settle = done;
    this.#socket.removeAllListeners('message');
    this.#socket.close(() => settle(error));
  }

  #takeFromClient(bytes: Uint8Array, from: AddressInfo): void {
    const client = this.#find(from.address, from.port) ?? this.#admit(from.address, from.port);
    if (client === undefined) return;
    const nowMs = performance.now();
    client.activeMs = nowMs;
    client.up.send(nowMs, bytes, 0, bytes.length, client.id, TO_TARGET);
    this.#arm(nowMs);
  }

  #takeFromTarget(client: Client, bytes: Uint8Array, from: AddressInfo): void {
    // The upstream socket hears everybody; only the target is answered for.
    if (from.port !== this.#options.targetPort || from.address !== this.#options.targetHost) return;
    const nowMs = performance.now();
    client.activeMs = nowMs;
    client.down.send(nowMs, bytes, 0, bytes.length, client.id, TO_CLIENT);
    this.#arm(nowMs);
  }

  #find(address: string, port: number): Client | undefined {
    const clients = this.#byPort.get(port);
    if (clients === undefined) return undefined;
    for (let i = 0; i < clients.length; i++) {
      if (clients[i]!.address === address) return clients[i];
    }
    return undefined;
  }

  #admit(address: string, port: number): Client | undefined {
    if (this.#byId.size >= (this.#options.clientsMax ?? CLIENTS_MAX)) {
      this.#clientsRefused++;
      return undefined;
    }
    const id = ++this.#clientsSeen;
    const client: Client = {
      id,
      address,
      port,
      socket: openSocket(this.#options.targetHost),
      up: this.#makeLink(this.#options.linkUp, `up ${id}`),
      down: this.#makeLink(this.#options.linkDown, `down ${id}`),
      activeMs: 0,
    };
    this.#byId.set(id, client);
    const samePort = this.#byPort.get(port);
    if (samePort === undefined) this.#byPort.set(port, [client]);
    else samePort.push(client);
    client.socket.on('message', (bytes, from) => this.#takeFromTarget(client, bytes, from));
    client.socket.on('error', () => this.#remove(client));
    client.socket.bind({ port: 0, exclusive: true });
    // The system may have no socket left, which takes the client off again at once.
    return this.#byId.has(id) ? client : undefined;
  }

  #makeLink(options: LinkOptions, label: string): Link {
    return new Link(options, this.#random.fork(label).u32(), this.#inFlight);
  }

  #remove(client: Client): void {
    if (!this.#byId.delete(client.id)) return;
    const rest = this.#byPort.get(client.port)!.filter((other) => other !== client);
    if (rest.length === 0) this.#byPort.delete(client.port);
    else this.#byPort.set(client.port, rest);
    addCounters(this.#retiredUp, client.up.counters);
    addCounters(this.#retiredDown, client.down.counters);
    this.#releaseUnsent(client.socket);
    client.socket.removeAllListeners('message');
    client.socket.close();
  }

  /** Sees to it that the earliest datagram on its way is sent in time. Nothing on its way, nothing armed. */
  #arm(nowMs: number): void {
    const wakeMs = this.#inFlight.wakeAt();
    if (wakeMs >= this.#armedMs) return;
    this.#disarm();
    this.#armedMs = wakeMs;
    const waitMs = wakeMs - nowMs;
    // An immediate only for what leaves in this turn of the loop: it never follows itself, so nothing spins.
    if (waitMs <= EARLY_MS) this.#immediate = setImmediate(this.#pump);
    else this.#timer = setTimeout(this.#pump, Math.max(1, Math.floor(waitMs)));
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#armedMs = Number.POSITIVE_INFINITY;
  }

  readonly #pump = (): void => {
    this.#disarm();
    this.#releaseSent();
    const nowMs = performance.now();
    const inFlight = this.#inFlight;
    for (
      let slot = inFlight.pop(nowMs + EARLY_MS);
      slot >= 0;
      slot = inFlight.pop(nowMs + EARLY_MS)
    ) {
      this.#forward(slot);
    }
    this.#arm(nowMs);
  };

  #forward(slot: number): void {
    const inFlight = this.#inFlight;
    const client = this.#byId.get(inFlight.from[slot]!);
    if (client === undefined) {
      inFlight.release(slot);
      return;
    }
    const up = inFlight.to[slot] === TO_TARGET;
    const socket = up ? client.socket : this.#socket;
    const port = up ? this.#options.targetPort : client.port;
    const host = up ? this.#options.targetHost : client.address;
    const start = inFlight.startOf(slot);
    socket.send(inFlight.storage, start, inFlight.endOf(slot) - start, port, host);
    if (socket.getSendQueueCount() === 0) {
      inFlight.release(slot);
      return;
    }
    this.#unsentSlots.push(slot);
    this.#unsentSockets.push(socket);
  }

  /** Gives back the slots of sockets whose queue has drained; until then the system reads their memory. */
  #releaseSent(): void {
    for (let i = this.#unsentSlots.length - 1; i >= 0; i--) {
      if (this.#unsentSockets[i]!.getSendQueueCount() === 0) this.#releaseUnsentAt(i);
    }
  }

  #releaseUnsent(socket: Socket): void {
    for (let i = this.#unsentSlots.length - 1; i >= 0; i--) {
      if (this.#unsentSockets[i] === socket) this.#releaseUnsentAt(i);
    }
  }

  #releaseUnsentAt(index: number): void {
    this.#inFlight.release(this.#unsentSlots[index]!);
    this.#unsentSlots.splice(index, 1);
    this.#unsentSockets.splice(index, 1);
  }
}

/** Stands in for the settler once a proxy stops. */
function done(): void {}

function openSocket(host: string): Socket {
  const family = isIPv6(host) ? 6 : 4;
  return createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    recvBufferSize: SOCKET_BUFFER_BYTES,
    sendBufferSize: SOCKET_BUFFER_BYTES,
    // Hosts are addresses by now. Answering at once spares each send a trip through the resolver.
    lookup: (hostname, _options, callback) => callback(null, hostname, family),
  });
}

/** An address the way a received datagram spells it, so that the two can be compared. */
function spellAsSystem(address: string): string {
  return new SocketAddress({ address, family: isIPv6(address) ? 'ipv6' : 'ipv4' }).address;
}

function addCounters(sum: LinkCounters, more: LinkCounters): void {
  for (const name of Object.keys(sum) as (keyof LinkCounters)[]) sum[name] += more[name];
}
