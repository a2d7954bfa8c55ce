// A server of messages with its players on ordinary links, and somebody who floods it: requests from addresses that are
// nobody's, and handshakes of the players, replayed from their own addresses and from others. In virtual time, from a
// seed.
//
// The machine is given a figure for what it can take: a turn a millisecond with so many datagrams at most, and a queue as
// a socket's buffer. How long such a turn takes in a real process is for a benchmark to say.

import { MessageClient } from '@tickwire/client-node/core';
import { Prng, SimulatedAddressBook, simulatedCrypto, World } from '@tickwire/netsim';
import {
  defineMessages,
  type MessagesOf,
  NONCE_BYTES,
  PADDED_BYTES,
  PacketKind,
  readKind,
  uint,
  writeRequest,
} from '@tickwire/protocol';
import { MessageServer } from '@tickwire/server/core';

const moves = defineMessages(
  { move: { n: uint(24) } },
  { moves: { kind: 'unreliable', carries: ['move'] } },
);
type Moves = MessagesOf<typeof moves>;

/** What a world is made of. */
export interface FloodOptions {
  readonly seed: number;
  readonly players: number;
  /** Datagrams that the server takes in a millisecond. Default 150: a third more than the flood has. */
  readonly takesPerMs?: number;
}

/** Of the server. */
export const TICK_MS = 16;
/** Every player moves so often, a share of them at each beat. */
const MOVE_MS = 50;
const BEAT_MS = 2;
const BEATS = MOVE_MS / BEAT_MS;
const QUEUE_DATAGRAMS = 600;
const SPOOFED_PER_MS = 100;
const REPLAYED_PER_MS = 10;
/** The flood comes in so many bursts a millisecond, so that a full queue is full for everybody. */
const BURSTS = 5;
const SERVER = 1;
/** No node has an address as high: answers reach nobody. */
const SPOOFED_FROM = 1_000_000;
/** Where the nonce stands in a request. */
const NONCE_AT = 15;

/** See the head of the file. */
export class FloodWorld {
  readonly world: World;
  readonly server: MessageServer<Moves>;
  /** Round trips of moves, ms, in the order of their ends. */
  readonly latenciesMs: number[] = [];
  readonly ended: string[] = [];
  /** Requests, and handshakes of others. */
  spoofed = 0;
  replayed = 0;
  /** What came from addresses that are nobody's, and what went there. */
  spoofedBytesIn = 0;
  spoofedBytesOut = 0;
  readonly #options: FloodOptions;
  readonly #random: Prng;
  readonly #handshakes: { from: number; bytes: Uint8Array }[] = [];
  readonly #request = new Uint8Array(PADDED_BYTES);
  readonly #players: MessageClient<Moves>[] = [];
  readonly #said = new Map<number, number>();
  #moves = 0;
  #connected = 0;
  #flooding = false;

  constructor(options: FloodOptions) {
    const { seed, players, takesPerMs = 150 } = options;
    this.#options = options;
    this.#random = new Prng(seed).fork('flood');
    this.world = new World({
      seed,
      link: { latencyMs: 20, jitterMs: 4 },
      receiveTurnMs: 1,
      receiveTurnDatagrams: takesPerMs,
      receiveQueueDatagrams: QUEUE_DATAGRAMS,
    });
    this.server = new MessageServer(moves, {
      crypto: simulatedCrypto(seed),
      addresses: new SimulatedAddressBook(),
      nowMs: 0,
      flushMs: TICK_MS,
      maxConnections: 2 * players,
    });
    this.server.onMessage('move', (session, { n }) => session.send('move', { n }));
    this.world.addNode(this.server);
    this.world.tap = { sending: (_nowMs, datagram) => this.#sent(datagram) };
    this.#beat(0);
    writeRequest(this.#request, 0, { game: moves, nonce: new Uint8Array(NONCE_BYTES) });
  }

  /** Players that got in. */
  get connected(): number {
    return this.#connected;
  }

  /** The first players come, a few at a time, as the limits allow. */
  fill(): void {
    for (let n = 0; n < this.#options.players; n++) this.join(n * 5);
    this.world.run(this.#options.players * 5 + 500);
  }

  /** A player more, from `afterMs` on. */
  join(afterMs: number): void {
    const atMs = this.world.nowMs + afterMs;
    this.world.at(atMs, () => this.#join(atMs));
  }

  /** Runs for so long, with or without the flood; round trips are those of this time. */
  run(forMs: number, flood: boolean): void {
    this.latenciesMs.length = 0;
    this.#said.clear();
    this.#flooding = flood;
    if (flood) this.#flood(this.world.nowMs);
    this.world.run(this.world.nowMs + forMs);
    this.#flooding = false;
  }

  /** Share of the moves of this time that came back, or still may. */
  get answered(): number {
    const overdue = [...this.#said.values()].filter((saidMs) => saidMs < this.world.nowMs - 500);
    return this.latenciesMs.length / (this.latenciesMs.length + overdue.length);
  }

  /** The round trip that 99 of 100 were not above. */
  get p99Ms(): number {
    const sorted = this.latenciesMs.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? Number.POSITIVE_INFINITY;
  }

  #join(nowMs: number): void {
    const number = this.#players.length;
    const crypto = simulatedCrypto(this.#options.seed * 10_000 + number);
    const client = new MessageClient(moves, { crypto, server: SERVER, nowMs, flushMs: TICK_MS });
    client.on('connected', () => this.#connected++);
    client.on('end', (reason) => this.ended.push(reason));
    client.onMessage('move', ({ n }) => {
      const saidMs = this.#said.get(n);
      if (saidMs !== undefined) this.latenciesMs.push(this.world.nowMs - saidMs);
      this.#said.delete(n);
    });
    this.#players.push(client);
    this.world.addNode(client);
  }

  /** Some players say a move; the next ones at the next beat. */
  #beat(beat: number): void {
    this.world.at(beat * BEAT_MS, () => {
      for (let n = beat % BEATS; n < this.#players.length; n += BEATS) this.#move(n);
      this.#beat(beat + 1);
    });
  }

  #move(player: number): void {
    const client = this.#players[player]!;
    const n = this.#moves % 2 ** 24;
    if (!client.connection?.open || client.send('move', { n }) !== 'queued') return;
    this.#moves++;
    this.#said.set(n, this.world.nowMs);
  }

  #flood(nowMs: number): void {
    this.world.at(nowMs, () => {
      if (!this.#flooding) return;
      for (let n = 0; n < SPOOFED_PER_MS; n++) this.#spoof((n % BURSTS) / BURSTS);
      for (let n = 0; n < REPLAYED_PER_MS; n++) this.#replay(n % 2 === 0, (n % BURSTS) / BURSTS);
      this.#flood(nowMs + 1);
    });
  }

  /** One buffer for all: only the nonce is new. */
  #spoof(delayMs: number): void {
    const view = this.#request;
    for (let at = NONCE_AT; at < NONCE_AT + NONCE_BYTES; at++) view[at] = this.#random.u32() >>> 24;
    this.spoofed++;
    this.spoofedBytesIn += PADDED_BYTES;
    this.world.inject(view, SPOOFED_FROM + (this.#random.u32() % 1e6), SERVER, delayMs);
  }

  #replay(fromItsOwn: boolean, delayMs: number): void {
    const { from, bytes } = this.#handshakes[this.#random.u32() % this.#handshakes.length]!;
    this.replayed++;
    const source = fromItsOwn ? from : SPOOFED_FROM + (this.#random.u32() % 1e6);
    this.world.inject(bytes, source, SERVER, delayMs);
  }

  /** Proofs and accepts are captured, as somebody on the path could. */
  #sent({ bytes, start, end, from, to }: Passing): void {
    const kind = readKind(bytes, start, end);
    if (to >= SPOOFED_FROM) this.spoofedBytesOut += end - start;
    if (kind !== PacketKind.proof && kind !== PacketKind.accept) return;
    const client = from === SERVER ? to : from;
    if (!this.#flooding) this.#handshakes.push({ from: client, bytes: bytes.slice(start, end) });
  }
}

interface Passing {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}
