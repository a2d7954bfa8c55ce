// The flooder: requests of the right game from many addresses and ports, each with a new nonce, so that none can be told
// from a player's first. It hears the answers and does nothing with them.

import { createSocket, type Socket } from 'node:dgram';
import { getPriority, setPriority } from 'node:os';
import { NONCE_BYTES, PADDED_BYTES, writeRequest } from '@tickwire/protocol';
import { literalLookup, SERVER_HOST } from '../peers/loopback.ts';
import { NOTHING } from './order.ts';
import type { OpenSide, Side } from './side.ts';
import { FLOODER_GROUP, messages, sourceAddress } from './traffic.ts';

const SOCKETS = 64;
/** Most that is sent in one turn of the event loop: between turns it hears commands, and that the bench is gone. */
const TURN_MAX = 256;
/** What is overdue for longer than this is left out: made up for at once, it would be a burst that no flood has. */
const CATCH_UP_MS_MAX = 10;
/** How much nicer it is to others than the rest of the bench, and the most that the system knows. */
const NICER = 10;
const NICE_MAX = 19;
/** Where the nonce of a request stands (handshake.ts). */
const NONCE_AT = 15;
const WORD_BYTES = 4;

/** Opens the sockets. */
export const openFlooder: OpenSide = async ({ rate, port }, late) => {
  // The players, who may have to share a core with it, come first: only the flood may suffer from the flood's cost.
  setPriority(Math.min(NICE_MAX, getPriority() + NICER));
  const sockets = await Promise.all(
    Array.from({ length: SOCKETS }, (_, index) => openOne(index, port)),
  );
  return new Flooder(sockets, rate, late);
};

function openOne(index: number, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', lookup: literalLookup });
  // Refused while the target goes away at the end.
  socket.on('error', () => {});
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, sourceAddress(FLOODER_GROUP, index), () => {
      socket.connect(port, SERVER_HOST, () => {
        socket.off('error', reject);
        resolve(socket);
      });
    });
  });
}

class Flooder implements Side {
  readonly port = 0;
  readonly #sockets: readonly Socket[];
  readonly #perMs: number;
  readonly #late: (lateMs: number) => void;
  readonly #request = new Uint8Array(PADDED_BYTES);
  readonly #view = new DataView(this.#request.buffer);
  #startMs = 0;
  /** Sent and left out. */
  #done = 0;
  #sent = 0;
  #closed = false;

  constructor(sockets: readonly Socket[], rate: number, late: (lateMs: number) => void) {
    this.#sockets = sockets;
    this.#perMs = rate / 1000;
    this.#late = late;
    writeRequest(this.#request, 0, { game: messages, nonce: new Uint8Array(NONCE_BYTES) });
  }

  counts() {
    return { ...NOTHING, hostile: this.#sent };
  }

  start(): void {
    this.#startMs = performance.now();
    this.#turn();
  }

  open(): void {}

  /** The flood is over. */
  close(): void {
    this.#closed = true;
  }

  readonly #turn = (): void => {
    if (this.#closed) return;
    const due = this.#due();
    this.#late(due / this.#perMs);
    const count = Math.min(due, TURN_MAX);
    for (let i = 0; i < count; i++) this.#send();
    this.#done += count;
    if (count < due) setImmediate(this.#turn);
    else setTimeout(this.#turn, 1);
  };

  /** Requests that should have been sent by now and are not. */
  #due(): number {
    const due = Math.floor((performance.now() - this.#startMs) * this.#perMs) - this.#done;
    const most = Math.floor(CATCH_UP_MS_MAX * this.#perMs);
    if (due > most) this.#done += due - most;
    return Math.min(due, most);
  }

  #send(): void {
    for (let at = NONCE_AT; at < NONCE_AT + NONCE_BYTES; at += WORD_BYTES) {
      this.#view.setUint32(at, Math.random() * 2 ** 32);
    }
    this.#sockets[this.#sent++ % SOCKETS]!.send(this.#request);
  }
}
