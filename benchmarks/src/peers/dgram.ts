// Raw node:dgram with the same sends and receives: the limit. Its datagrams have Tickwire's size on the wire.
//
//   join (client, echoed by the server): 1 byte, JOIN
//   payload (both ways): zeros, of the measured size

import { createSocket, type Socket } from 'node:dgram';
import { joinAll, openClientSockets } from './client-sockets.ts';
import { literalLookup, SERVER_HOST, SERVER_RECEIVE_BUFFER_BYTES } from './loopback.ts';
import { type GeneratorEnd, type Load, type Peer, type ServerEnd, TrafficCount } from './peer.ts';
import { measureDatagramBytes } from './wire-size.ts';

const JOIN = Buffer.of(1);

/** The address of one client that joined. */
interface Client {
  readonly host: string;
  readonly port: number;
}

class DgramServer implements ServerEnd {
  readonly traffic = new TrafficCount();
  readonly port: number;
  readonly #socket: Socket;
  readonly #payload: Buffer;
  readonly #clients: Client[] = [];
  readonly #ports = new Set<number>();

  constructor(socket: Socket, load: Load) {
    this.#socket = socket;
    this.port = socket.address().port;
    this.#payload = Buffer.alloc(measureDatagramBytes(load).down);
    socket.on('message', (bytes, from) => {
      if (bytes.length === JOIN.length) return this.#join(from.address, from.port);
      this.traffic.received++;
      this.traffic.receivedBytes += bytes.length;
    });
  }

  tick(): void {
    const payload = this.#payload;
    for (const client of this.#clients) this.#socket.send(payload, client.port, client.host);
    this.traffic.sent += this.#clients.length;
    this.traffic.sentBytes += this.#clients.length * payload.length;
  }

  #join(host: string, port: number): void {
    if (!this.#ports.has(port)) {
      this.#ports.add(port);
      this.#clients.push({ host, port });
    }
    this.#socket.send(JOIN, port, host);
  }
}

class DgramGenerator implements GeneratorEnd {
  readonly traffic = new TrafficCount();
  readonly #joined = new Set<number>();
  readonly #payload: Buffer;
  #sockets: readonly Socket[] = [];

  constructor(load: Load) {
    this.#payload = Buffer.alloc(measureDatagramBytes(load).up);
  }

  async open({ clients }: Load, port: number): Promise<this> {
    this.#sockets = await openClientSockets(clients, port, (client, bytes) => {
      if (bytes.length === JOIN.length) {
        this.#joined.add(client);
        return;
      }
      this.traffic.received++;
      this.traffic.receivedBytes += bytes.length;
    });
    await joinAll(clients, {
      joined: (client) => this.#joined.has(client),
      ask: (client) => this.#sockets[client]!.send(JOIN),
    });
    return this;
  }

  send(client: number): void {
    this.#sockets[client]!.send(this.#payload);
    this.traffic.sent++;
    this.traffic.sentBytes += this.#payload.length;
  }
}

function listen(load: Load): Promise<ServerEnd> {
  const socket = createSocket({
    type: 'udp4',
    lookup: literalLookup,
    recvBufferSize: SERVER_RECEIVE_BUFFER_BYTES,
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, SERVER_HOST, () => resolve(new DgramServer(socket, load)));
  });
}

export const dgram: Peer = {
  missing: () => undefined,
  listen,
  join: (load, port) => new DgramGenerator(load).open(load, port),
};
