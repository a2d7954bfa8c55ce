// The bad network of the delivery bench: for each connection a path of two simulated links between real sockets,
// which counts what both ends put onto it. The proxy command is the same for people; it has no counts by connection.

import { createSocket, type Socket } from 'node:dgram';
import { InFlight, Link, type LinkOptions, Prng } from '@tickwire/netsim';
import { Lateness } from '../lateness.ts';
import { literalLookup, SERVER_HOST } from '../peers/loopback.ts';

/** Datagrams under way on all paths together: 30 connections with a second of them. */
const DATAGRAMS_MAX = 8192;
const DATAGRAM_BYTES_MAX = 2048;
/** Headers of IPv4 and UDP. */
const HEADER_BYTES = 28;
const PUMP_EVERY_MS = 1;
/** What is due within half of a pump's period leaves now, so that the error is not one-sided. */
const EARLY_MS = PUMP_EVERY_MS / 2;

/** What both ends of a path put onto the wire, before any loss. Bytes include headers. */
export interface WireTraffic {
  readonly datagrams: number;
  readonly bytes: number;
}

/** All paths of a run. */
export class LinkProxy {
  /** How late datagrams leave. */
  readonly late = new Lateness();
  readonly #inFlight = new InFlight({
    datagrams: DATAGRAMS_MAX,
    datagramBytes: DATAGRAM_BYTES_MAX,
  });
  readonly #paths: LinkPath[] = [];
  readonly #timer = setInterval(() => this.#pump(), PUMP_EVERY_MS);

  /** Opens a path to a port, the same in both directions. `seed` decides its chances. */
  async open(targetPort: number, seed: number, options: LinkOptions): Promise<LinkPath> {
    const [near, far] = await Promise.all([bindSocket(), bindSocket()]);
    const random = new Prng(seed);
    const link = (name: string) => new Link(options, random.fork(name).u32(), this.#inFlight);
    const links = { up: link('up'), down: link('down') };
    const path = new LinkPath(this.#paths.length, near, far, targetPort, links);
    this.#paths.push(path);
    return path;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#paths.map((path) => path.close()));
  }

  #pump(): void {
    const inFlight = this.#inFlight;
    const nowMs = performance.now();
    for (;;) {
      const dueMs = inFlight.wakeAt();
      const slot = inFlight.pop(nowMs + EARLY_MS);
      if (slot < 0) return;
      this.late.record(nowMs - dueMs);
      // A copy: the system may still read it when the slot is used again.
      const bytes = Buffer.from(
        inFlight.storage.subarray(inFlight.startOf(slot), inFlight.endOf(slot)),
      );
      this.#paths[inFlight.from[slot]!]!.deliver(bytes, inFlight.to[slot]!);
      inFlight.release(slot);
    }
  }
}

/** One connection's way: a socket that faces the client, and one that faces the server. */
export class LinkPath {
  /** Where the client sends to. */
  readonly port: number;
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #links: { readonly up: Link; readonly down: Link };
  readonly #targetPort: number;
  /** 0 = it has not said anything yet. */
  #clientPort = 0;

  constructor(
    index: number,
    near: Socket,
    far: Socket,
    targetPort: number,
    links: { readonly up: Link; readonly down: Link },
  ) {
    this.port = near.address().port;
    this.#near = near;
    this.#far = far;
    this.#targetPort = targetPort;
    this.#links = links;
    near.on('message', (bytes, from) => {
      this.#clientPort = from.port;
      links.up.send(performance.now(), bytes, 0, bytes.length, index, targetPort);
    });
    far.on('message', (bytes) => {
      links.down.send(performance.now(), bytes, 0, bytes.length, index, this.#clientPort);
    });
  }

  get traffic(): WireTraffic {
    const { up, down } = this.#links;
    const datagrams = up.counters.sent + down.counters.sent;
    const payload = up.counters.sentBytes + down.counters.sentBytes;
    return { datagrams, bytes: payload + HEADER_BYTES * datagrams };
  }

  /** Datagrams that the simulation itself had no room for; any make the run worthless. */
  get overflowed(): number {
    return this.#links.up.counters.overflowed + this.#links.down.counters.overflowed;
  }

  /** Makes both directions so. */
  configure(options: LinkOptions): void {
    this.#links.up.configure(options);
    this.#links.down.configure(options);
  }

  /** For the proxy only. */
  deliver(bytes: Buffer, port: number): void {
    const socket = port === this.#targetPort ? this.#far : this.#near;
    socket.send(bytes, port, SERVER_HOST);
  }

  async close(): Promise<void> {
    await Promise.all([this.#near, this.#far].map(closeSocket));
  }
}

function bindSocket(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', lookup: literalLookup });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, SERVER_HOST, () => resolve(socket));
  });
}

function closeSocket(socket: Socket): Promise<void> {
  socket.removeAllListeners('message');
  return new Promise((resolve) => {
    socket.close(() => resolve());
  });
}
