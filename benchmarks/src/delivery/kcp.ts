// node-kcp: the KCP algorithm compiled for Node. It has neither sockets nor a handshake, so each end gets a dgram
// socket, and answers go to where datagrams come from.

import { createSocket, type Socket } from 'node:dgram';
import { literalLookup, SERVER_HOST } from '../peers/loopback.ts';
import { requirePeer, whyMissing } from '../peers-package.ts';
import {
  type DeliveryPeer,
  type Received,
  type ReceivingEnd,
  SERVICE_MS,
  type SendingEnd,
} from './peer.ts';

/** The package's `main` names another file than its module. */
const FILE = 'node-kcp/index.js';
const CONVERSATION = 1;
const NODELAY = 1;
const INTERVAL_MS = 10;
const FAST_RESEND = 2;
/** 1 = the congestion window is off. */
const NO_CONGESTION = 1;
/** Both ends' windows, in messages: two seconds of them, so that they do not matter. */
const WINDOW = 128;

/** The part of node-kcp that the bench uses. */
interface Kcp {
  nodelay(nodelay: number, intervalMs: number, resend: number, noCongestion: number): void;
  wndsize(send: number, receive: number): void;
  output(callback: (bytes: Buffer) => void): void;
  send(bytes: Buffer): number;
  input(datagram: Buffer): number;
  /** The next message; undefined = none. */
  recv(): Buffer | undefined;
  update(nowMs: number): void;
  release(): void;
}

interface KcpModule {
  readonly KCP: new (conversation: number) => Kcp;
}

class KcpEnd implements ReceivingEnd, SendingEnd {
  readonly #socket: Socket;
  readonly #kcp: Kcp;
  readonly #received: Received;
  readonly #timer: NodeJS.Timeout;
  /** 0 = nobody has said anything yet. */
  #remotePort: number;

  constructor(socket: Socket, remotePort: number, received: Received) {
    this.#socket = socket;
    this.#remotePort = remotePort;
    this.#received = received;
    const { KCP } = requirePeer<KcpModule>(FILE);
    this.#kcp = new KCP(CONVERSATION);
    this.#kcp.nodelay(NODELAY, INTERVAL_MS, FAST_RESEND, NO_CONGESTION);
    this.#kcp.wndsize(WINDOW, WINDOW);
    this.#kcp.output((bytes) => this.#socket.send(bytes, this.#remotePort, SERVER_HOST));
    socket.on('message', (bytes, from) => this.#take(bytes, from.port));
    this.#timer = setInterval(() => this.#kcp.update(Math.floor(performance.now())), SERVICE_MS);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(bytes: Buffer): boolean {
    return this.#kcp.send(bytes) >= 0;
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    this.#socket.removeAllListeners('message');
    this.#kcp.release();
    return new Promise((resolve) => {
      this.#socket.close(() => resolve());
    });
  }

  #take(datagram: Buffer, port: number): void {
    this.#remotePort = port;
    this.#kcp.input(datagram);
    for (let bytes = this.#kcp.recv(); bytes !== undefined; bytes = this.#kcp.recv()) {
      this.#received(bytes);
    }
  }
}

function open(remotePort: number, received: Received): Promise<KcpEnd> {
  const socket = createSocket({ type: 'udp4', lookup: literalLookup });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, SERVER_HOST, () => resolve(new KcpEnd(socket, remotePort, received)));
  });
}

export const kcp: DeliveryPeer = {
  name: 'node-kcp',
  settings: `nodelay ${NODELAY}, interval ${INTERVAL_MS} ms, resend ${FAST_RESEND}, no congestion window, windows of ${WINDOW}, update every ${SERVICE_MS} ms`,
  tagBytes: 0,
  missing: () => whyMissing(FILE),
  listen: (received) => open(0, received),
  connect: (port) => open(port, () => {}),
};
