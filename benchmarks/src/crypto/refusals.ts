// What a connection takes for datagrams that somebody else sent in its peer's name, beside those of its peer: all of one
// size, through Connection.receive.

import { DATAGRAM_BYTES_MAX, KEY_BYTES, Verdict } from '@tickwire/protocol';
import type { SodiumCrypto } from '@tickwire/protocol/udp';
import { ConnectionPair } from '../connection-pair.ts';
import { usPerCall, type Work } from './work.ts';

/** Bytes of message in the datagram; the longest leaves room for the rest of a datagram that fits everywhere. */
export const messageSizes = [32, 64, 200, 600, 1100] as const;

/** Microseconds a datagram. */
export interface RefusalCosts {
  readonly good: number;
  readonly forged: number;
  readonly replayed: number;
  readonly random: number;
}

/** Packets of the peer that are under way at once. */
const BATCH = 32;
/** Replays of each of them. */
const REPLAYS = 32;
/** So many random packets have nearly the same share of those that are too old to be opened. */
const ALTERED = 1024;
const TICK_MS = 1000 / 60;
/** Kind and connection id: without them nothing comes this far. */
const ROUTED_BYTES = 5;

type Packets = readonly Uint8Array[];

/** Two ends, of which one receives. */
class Receiver {
  readonly #pair: ConnectionPair;
  readonly #crypto: SodiumCrypto;
  readonly #payload: Uint8Array;
  readonly #out = new Uint8Array(2 * DATAGRAM_BYTES_MAX);
  #nowMs = 0;

  constructor(crypto: SodiumCrypto, messageBytes: number) {
    this.#crypto = crypto;
    this.#payload = new Uint8Array(messageBytes);
    const sealer = crypto.sealer(new Uint8Array(KEY_BYTES).fill(1));
    this.#pair = new ConnectionPair(sealer, 'unreliable-sequenced');
  }

  /** The peer's next packets; all before are acknowledged. */
  next(): Packets {
    const { client, server } = this.#pair;
    this.#nowMs += TICK_MS;
    server.carry(this.#nowMs, this.#payload, this.#out, client);
    return Array.from({ length: BATCH }, () => {
      let length = 0;
      // The rate of a connection begins low: then it takes more than a tick.
      while (length === 0) {
        this.#nowMs += TICK_MS;
        length = client.write(this.#nowMs, this.#payload, this.#out);
      }
      return this.#out.slice(0, length);
    });
  }

  /** Receives all of them, as a socket would hand them over. Throws unless all are kept, or none is. */
  receive(packets: Packets, kept: boolean): void {
    const { receiveSlot } = this.#crypto.memory;
    const { connection } = this.#pair.server;
    for (let i = 0; i < packets.length; i++) {
      const packet = packets[i]!;
      receiveSlot.set(packet);
      const verdict = connection.receive(this.#nowMs, receiveSlot, 0, packet.length);
      if ((verdict === Verdict.accepted) !== kept) throw new Error(`verdict ${verdict}`);
    }
  }
}

/** Costs with messages of one size. */
export function refusalCosts(crypto: SodiumCrypto, messageBytes: number): RefusalCosts {
  const receiver = () => new Receiver(crypto, messageBytes);
  return usPerCall({
    good: good(receiver()),
    replayed: replayed(receiver()),
    forged: altered(receiver(), (packet) => {
      packet[packet.length - 1]! ^= 1;
    }),
    random: altered(receiver(), (packet) => {
      crypto.randomBytes(packet.subarray(ROUTED_BYTES));
    }),
  });
}

function good(receiver: Receiver): Work {
  let packets: Packets = [];
  return {
    calls: BATCH,
    prepare() {
      packets = receiver.next();
    },
    run: () => receiver.receive(packets, true),
  };
}

function replayed(receiver: Receiver): Work {
  const packets = receiver.next();
  receiver.receive(packets, true);
  return {
    calls: BATCH * REPLAYS,
    run() {
      for (let i = 0; i < REPLAYS; i++) receiver.receive(packets, false);
    },
  };
}

/** Like the peer's next packets, which never arrive. They change nothing, so they can come again and again. */
function altered(receiver: Receiver, change: (packet: Uint8Array) => void): Work {
  receiver.receive(receiver.next(), true);
  const next = receiver.next();
  const packets = Array.from({ length: ALTERED }, (_, i) => {
    const packet = next[i % BATCH]!.slice();
    change(packet);
    return packet;
  });
  return { calls: ALTERED, run: () => receiver.receive(packets, false) };
}
