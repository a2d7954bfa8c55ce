// The generator's UDP sockets: one for each client, the same for every UDP peer.

import { createSocket, type Socket } from 'node:dgram';
import { literalLookup, SERVER_HOST } from './loopback.ts';

/** While joining, what is unanswered is repeated so often. */
const REPEAT_MS = 50;
/** Clients that start in one round of joining: a server may bound what it owes to strangers. */
const STARTS_PER_ROUND = 32;

/** How a UDP peer's clients join. */
export interface Joining {
  joined(client: number): boolean;
  /** Sends what the client has to say now. */
  ask(client: number): void;
}

/** Opens `count` sockets, each connected to the server. `message` gets the client's number and the datagram. */
export function openClientSockets(
  count: number,
  port: number,
  message: (client: number, bytes: Buffer) => void,
): Promise<Socket[]> {
  return Promise.all(Array.from({ length: count }, (_, client) => openOne(client, port, message)));
}

function openOne(
  client: number,
  port: number,
  message: (client: number, bytes: Buffer) => void,
): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', lookup: literalLookup });
  socket.on('message', (bytes) => message(client, bytes));
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, SERVER_HOST, () => {
      socket.off('error', reject);
      // Refused while the server goes away at the end of a run: the counts tell, if it matters.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

/** Asks, a few clients at a time, until all of `count` have joined. The run's own deadline bounds the wait. */
export function joinAll(count: number, joining: Joining): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      let asked = 0;
      for (let client = 0; client < count && asked < STARTS_PER_ROUND; client++) {
        if (joining.joined(client)) continue;
        joining.ask(client);
        asked++;
      }
      if (asked > 0) return;
      clearInterval(timer);
      resolve();
    }, REPEAT_MS);
  });
}
