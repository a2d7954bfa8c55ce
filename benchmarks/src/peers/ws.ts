// ws over loopback TCP: no compression, no delay.

import { requirePeer, whyMissing } from '../peers-package.ts';
import { SERVER_HOST } from './loopback.ts';
import { type GeneratorEnd, type Load, type Peer, type ServerEnd, TrafficCount } from './peer.ts';

/** The part of ws that the bench uses. */
interface WebSocket {
  on(event: 'message', listener: (data: Buffer) => void): void;
  on(event: 'open', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  send(data: Uint8Array): void;
}

interface WebSocketServer {
  on(event: 'connection', listener: (socket: WebSocket) => void): void;
  on(event: 'listening', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  address(): { port: number };
}

interface WsModule {
  readonly WebSocket: new (url: string, options: { perMessageDeflate: boolean }) => WebSocket;
  readonly WebSocketServer: new (options: {
    host: string;
    port: number;
    perMessageDeflate: boolean;
    backlog: number;
  }) => WebSocketServer;
}

/** Clients that connect at once. */
const CONNECTS_AT_ONCE = 64;

class WsServer implements ServerEnd {
  readonly traffic = new TrafficCount();
  readonly port: number;
  readonly #sockets: WebSocket[] = [];
  readonly #payload: Buffer;

  constructor(server: WebSocketServer, { downBytes }: Load) {
    this.port = server.address().port;
    this.#payload = Buffer.alloc(downBytes);
    // ws itself turns Nagle's delay off on every socket.
    server.on('connection', (socket) => {
      this.#sockets.push(socket);
      socket.on('message', () => {
        this.traffic.received++;
      });
      socket.on('error', () => {});
    });
  }

  tick(): void {
    for (const socket of this.#sockets) socket.send(this.#payload);
    this.traffic.sent += this.#sockets.length;
  }
}

class WsGenerator implements GeneratorEnd {
  readonly traffic = new TrafficCount();
  readonly #sockets: WebSocket[] = [];
  readonly #payload: Buffer;

  constructor({ upBytes }: Load) {
    this.#payload = Buffer.alloc(upBytes);
  }

  async open(module: WsModule, { clients }: Load, port: number): Promise<this> {
    while (this.#sockets.length < clients) {
      const count = Math.min(CONNECTS_AT_ONCE, clients - this.#sockets.length);
      const opening = Array.from({ length: count }, () => this.#connect(module, port));
      this.#sockets.push(...(await Promise.all(opening)));
    }
    return this;
  }

  send(client: number): void {
    this.#sockets[client]!.send(this.#payload);
    this.traffic.sent++;
  }

  #connect(module: WsModule, port: number): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const url = `ws://${SERVER_HOST}:${port}`;
      const socket = new module.WebSocket(url, { perMessageDeflate: false });
      socket.on('message', () => {
        this.traffic.received++;
      });
      socket.on('error', reject);
      socket.on('open', () => resolve(socket));
    });
  }
}

function listen(run: Load): Promise<ServerEnd> {
  const module = requirePeer<WsModule>('ws');
  return new Promise((resolve, reject) => {
    const options = { host: SERVER_HOST, port: 0, perMessageDeflate: false, backlog: 1024 };
    const server = new module.WebSocketServer(options);
    server.on('error', reject);
    server.on('listening', () => resolve(new WsServer(server, run)));
  });
}

export const ws: Peer = {
  missing: () => whyMissing('ws'),
  listen,
  join: (run, port) => new WsGenerator(run).open(requirePeer<WsModule>('ws'), run, port),
};
