// Server and client in one process through the same machines: a link without a network, for single player, for
// tests and for whoever wants to see a whole game step by step.

import type { AddressBook, Destination, Machine } from './machine.ts';
import { DATAGRAM_BYTES_MAX } from './packet.ts';

/** The address of the server on a loopback; give it to the client. */
export const LOOPBACK_SERVER = 1;
const LOOPBACK_CLIENT = 2;

/** Datagrams of one exchange; two machines that answer each other for ever would never come to rest. */
const EXCHANGE_MAX = 10_000;

/** The address book for a server on a loopback. */
export const loopbackAddresses: AddressBook = {
  describe(address, out, start) {
    out[start] = address;
    return 1;
  },
  describeHost(address, out, start) {
    return loopbackAddresses.describe(address, out, start);
  },
  hold: (address) => address,
  release() {},
};

/** One server and one client, joined by {@link loopback}. */
export class Loopback {
  readonly #server: Machine;
  readonly #client: Machine;
  readonly #bytes = new Uint8Array(DATAGRAM_BYTES_MAX);
  readonly #to: Destination = { address: 0 };

  constructor(server: Machine, client: Machine) {
    this.#server = server;
    this.#client = client;
  }

  /** Lets both do what is due at `nowMs` and hands over what they say, until neither has more to say. */
  advance(nowMs: number): void {
    let left = EXCHANGE_MAX;
    let before = 0;
    do {
      before = left;
      left -= this.#carry(nowMs, this.#client, this.#server, LOOPBACK_CLIENT);
      left -= this.#carry(nowMs, this.#server, this.#client, LOOPBACK_SERVER);
    } while (left < before && left > 0);
  }

  /** The next moment at which either has something to do. */
  wakeAt(): number {
    return Math.min(this.#server.wakeAt(), this.#client.wakeAt());
  }

  #carry(nowMs: number, from: Machine, to: Machine, address: number): number {
    from.advance(nowMs);
    for (let count = 0; ; count++) {
      const length = from.poll(nowMs, this.#bytes, 0, this.#to);
      if (length === 0) return count;
      to.receive(nowMs, this.#bytes, 0, length, address);
    }
  }
}

/**
 * Joins a server machine and a client machine. The server is made with {@link loopbackAddresses}, the client with
 * {@link LOOPBACK_SERVER}; then `advance(nowMs)` drives both.
 */
export function loopback(server: Machine, client: Machine): Loopback {
  return new Loopback(server, client);
}
