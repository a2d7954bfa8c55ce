// A server besieged from real addresses, and players who want in. Each attacker returns its cookies and has a limit of its
// own to use up. In virtual time, from a seed.

import { Dialer, MessageClient } from '@tickwire/client-node/core';
import { SimulatedAddressBook, simulatedCrypto, World } from '@tickwire/netsim';
import {
  type Credential,
  type Destination,
  defineMessages,
  KEY_BYTES,
  type Machine,
  type MessagesOf,
  PADDED_BYTES,
  PacketKind,
  readKind,
  uint,
  Verdict,
  Way,
} from '@tickwire/protocol';
import { MessageServer } from '@tickwire/server/core';

const moves = defineMessages({ move: { n: uint(8) } });

/** What attackers do. */
export type Siege =
  /** Proofs with a wrong key, a thousand a second each: they cost the server a key agreement. */
  | 'wrong key'
  /** Handshakes without a wrong thing, of which none is ever finished: they take places. */
  | 'unfinished';

/** What a world is made of. */
export interface SiegeOptions {
  readonly seed: number;
  readonly attackers: number;
  readonly siege: Siege;
  /** An attacker sends a proof so often. Default: every millisecond. */
  readonly everyMs?: number;
  /** All players are behind one address. */
  readonly behindOne?: boolean;
}

const SERVER = 1;
const TICK_MS = 16;
/** Half of what a cookie lives. */
const RENEW_MS = 2000;
/** An unfinished handshake begins so often: more than twice as often as the limit of an address allows. */
const BEGIN_MS = 25;
/** Of an attacker at a time; the oldest is given up. */
const ATTEMPTS = 20;
const RIGHT = new Uint8Array(KEY_BYTES).fill(7);
const WRONG = new Uint8Array(KEY_BYTES).fill(8);
/** No attacker's host. */
const HOUSEHOLD = 1_000_000;

/** See the head of the file. */
export class SiegeWorld {
  readonly world: World;
  readonly server: MessageServer<MessagesOf<typeof moves>>;
  /** How long each player took to get in, ms, in the order of their getting in. */
  readonly joinedMs: number[] = [];
  readonly ended: string[] = [];
  /** Proofs of attackers. */
  proofs = 0;
  readonly #seed: number;
  readonly #credential: Credential;
  #players = 0;

  constructor({ seed, attackers, siege, everyMs = 1, behindOne = false }: SiegeOptions) {
    this.#seed = seed;
    const open = siege === 'unfinished';
    this.#credential = open ? { way: Way.open } : { way: Way.key, secret: RIGHT };
    const hostOf = (address: number) => {
      return behindOne && address > SERVER + attackers ? HOUSEHOLD : address;
    };
    this.world = new World({
      seed,
      link: { latencyMs: 20, jitterMs: 4 },
      receiveTurnDatagrams: 1000,
      receiveQueueDatagrams: 1000,
    });
    this.server = new MessageServer(moves, {
      crypto: simulatedCrypto(seed),
      addresses: new SimulatedAddressBook({ hostOf }),
      nowMs: 0,
      flushMs: TICK_MS,
      access: open ? { way: 'open' } : { way: 'key', key: RIGHT },
    });
    this.world.addNode(this.server);
    for (let n = 0; n < attackers; n++) {
      this.world.addNode(open ? new Idler(seed, n) : new Prover(seed, n, everyMs));
    }
    this.world.tap = {
      sending: (_nowMs, { bytes, start, end, from }) => {
        if (from > SERVER + attackers || from === SERVER) return;
        if (readKind(bytes, start, end) === PacketKind.proof) this.proofs++;
      },
    };
  }

  /** Players come, all of them within so long. */
  join(players: number, withinMs: number): void {
    const nowMs = this.world.nowMs;
    for (let n = 0; n < players; n++) {
      const atMs = nowMs + (n * withinMs) / players;
      this.world.at(atMs, () => this.#join(atMs));
    }
  }

  run(forMs: number): void {
    this.world.run(this.world.nowMs + forMs);
  }

  #join(nowMs: number): void {
    const crypto = simulatedCrypto(this.#seed * 10_000 + this.#players++);
    const credential = this.#credential;
    const options = { crypto, server: SERVER, nowMs, flushMs: TICK_MS, credential };
    const client = new MessageClient(moves, options);
    client.on('connected', () => this.joinedMs.push(this.world.nowMs - nowMs));
    client.on('end', (reason) => this.ended.push(reason));
    this.world.addNode(client);
  }
}

/** An attempt that wants in, and a proof that the server's cookie is in. */
function dialerOf(seed: number, credential: Credential, nowMs: number): Dialer {
  const crypto = simulatedCrypto(seed);
  const sink = { channels: () => [], opened() {}, closed() {} };
  return new Dialer({ game: moves, crypto, server: SERVER, nowMs, credential, sink });
}

/** Repeats a proof, and gets itself a new one before the cookie is too old. */
class Prover implements Machine {
  readonly #seed: number;
  readonly #proof = new Uint8Array(PADDED_BYTES);
  #dialer: Dialer;
  #hasProof = false;
  #renewMs = RENEW_MS;
  readonly #everyMs: number;
  #sentMs = 0;
  #nowMs = 0;
  #renewed = 0;

  constructor(seed: number, number: number, everyMs: number) {
    this.#everyMs = everyMs;
    this.#seed = seed * 10_000_000 + number * 10_000;
    this.#dialer = this.#dial(0);
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): number {
    // It would be told that it is refused, and give up.
    if (readKind(bytes, start, end) !== PacketKind.challenge) return Verdict.unexpected;
    return this.#dialer.receive(nowMs, bytes, start, end, from);
  }

  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    if (nowMs >= this.#renewMs) {
      this.#renewMs = nowMs + RENEW_MS;
      this.#dialer = this.#dial(nowMs);
    }
    this.#dialer.advance(nowMs);
    this.#dialer.flush(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    const length = this.#dialer.poll(nowMs, out, start, to);
    if (length > 0 && readKind(out, start, start + length) === PacketKind.proof) {
      this.#proof.set(out.subarray(start, start + length));
      this.#hasProof = true;
    }
    if (length > 0) return length;
    if (!this.#hasProof || nowMs < this.#sentMs + this.#everyMs) return 0;
    this.#sentMs = nowMs;
    to.address = SERVER;
    out.set(this.#proof, start);
    return PADDED_BYTES;
  }

  wakeAt(): number {
    return this.#nowMs + this.#everyMs;
  }

  #dial(nowMs: number): Dialer {
    return dialerOf(this.#seed + this.#renewed++, { way: Way.key, secret: WRONG }, nowMs);
  }
}

/** Begins handshake after handshake, and is never heard again once it was accepted. */
class Idler implements Machine {
  readonly #seed: number;
  readonly #dialers: Dialer[] = [];
  #begunMs = -BEGIN_MS;
  #begun = 0;

  constructor(seed: number, number: number) {
    this.#seed = seed * 10_000_000 + number * 10_000;
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): number {
    if (readKind(bytes, start, end) !== PacketKind.challenge) return Verdict.unexpected;
    for (const dialer of this.#dialers) {
      if (dialer.receive(nowMs, bytes, start, end, from) === Verdict.accepted) break;
    }
    return Verdict.accepted;
  }

  advance(nowMs: number): void {
    if (nowMs >= this.#begunMs + BEGIN_MS) {
      this.#begunMs = nowMs;
      this.#dialers.push(dialerOf(this.#seed + this.#begun++, { way: Way.open }, nowMs));
      if (this.#dialers.length > ATTEMPTS) this.#dialers.shift();
    }
    for (const dialer of this.#dialers) {
      dialer.advance(nowMs);
      dialer.flush(nowMs);
    }
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    for (const dialer of this.#dialers) {
      const length = dialer.poll(nowMs, out, start, to);
      if (length > 0) return length;
    }
    return 0;
  }

  wakeAt(): number {
    return this.#begunMs + BEGIN_MS;
  }
}
