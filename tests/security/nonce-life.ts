// The random life of a server and those who come to it: joins by every way in, tokens used again, crashes and restarts of
// either side, resumes with secrets new and old, silence, losses, packets of the past. Everything follows from a seed.

import { MessageClient, type MessageClientOptions } from '@tickwire/client-node/core';
import { Prng, SimulatedAddressBook } from '@tickwire/netsim';
import {
  bytes,
  type Credential,
  type Crypto,
  createKeyPair,
  defineMessages,
  KEY_BYTES,
  type KeyPair,
  type MessagesOf,
  PacketKind,
  type ResumeKeys,
  readKind,
  TOKEN_BYTES_MAX,
  TOKEN_ID_BYTES,
  Verdict,
  Way,
  WIRE_VERSION,
  writeToken,
} from '@tickwire/protocol';
import { type Access, MessageServer } from '@tickwire/server/core';
import { Exchange, type Passing } from './exchange.ts';

const wordMessages = defineMessages({ word: { data: bytes(300) } });
type Words = MessagesOf<typeof wordMessages>;

/** Who a process is. */
export type Role = 'backend' | 'server' | 'client';
export type CryptoOf = (seed: number, role: Role) => Crypto;

/** What a life is made of. */
export interface LifeOptions {
  readonly seed: number;
  /** Cryptography of one process; each has a seed of its own. */
  readonly cryptoOf: CryptoOf;
  readonly operations: number;
}

/** What came to pass, over as many lives as it was given to. */
export interface LifeReport {
  attempts: number;
  joined: number;
  resumed: number;
  restarts: number;
  tokensAgain: number;
  proofsAgain: number;
  replays: number;
  rotations: number;
}

export function emptyReport(): LifeReport {
  return {
    attempts: 0,
    joined: 0,
    resumed: 0,
    restarts: 0,
    tokensAgain: 0,
    proofsAgain: 0,
    replays: 0,
    rotations: 0,
  };
}

interface Guest {
  readonly client: MessageClient<Words>;
  readonly address: number;
}

const SERVER = 1;
/** So few places that each is used again and again. */
const PLACES = 4;
const GUESTS_MAX = 6;
/** Unix time of the beginning: tokens are judged by it. */
const WALL_MS = 1_700_000_000_000;
const OLD_MAX = 60;
const TUNING = { timeoutMs: 2000, keepAliveMs: 500 } as const;
const FREELY = { perSecond: 1e6, burst: 1e6 } as const;

/** See the head of the file. */
export class NonceLife {
  readonly #random: Prng;
  readonly #options: LifeOptions;
  readonly #report: LifeReport;
  readonly #exchange = new Exchange(1000);
  readonly #guests: Guest[] = [];
  readonly #states: ResumeKeys[] = [];
  readonly #tokens: Credential[] = [];
  readonly #old: Passing[] = [];
  #backend: Crypto;
  readonly #identity: KeyPair;
  readonly #access: Access;
  readonly #rotateAfterPackets: number;
  #server: MessageServer<Words>;
  #loss = 0;
  #deaf = false;
  #processes = 0;

  constructor(options: LifeOptions, report: LifeReport) {
    this.#options = options;
    this.#report = report;
    this.#random = new Prng(options.seed).fork('life');
    this.#backend = this.#newCrypto('backend');
    this.#identity = createKeyPair(this.#backend);
    this.#access = this.#chooseAccess();
    this.#rotateAfterPackets = [1, 2, 7, 64][this.#below(4)]!;
    this.#server = this.#start();
    this.#exchange.passes = (datagram) => this.#passes(datagram);
  }

  run(): void {
    for (let n = this.#options.operations; n > 0; n--) this.#operate();
    this.#readStatistics();
  }

  #below(n: number): number {
    return this.#random.u32() % n;
  }

  /** Each process draws other numbers, whatever it is; so does each restart. */
  #newCrypto(role: Role): Crypto {
    return this.#options.cryptoOf(this.#options.seed * 1000 + this.#processes++, role);
  }

  #chooseAccess(): Access {
    const key = new Uint8Array(KEY_BYTES).fill(9);
    const choice = this.#below(6);
    if (choice === 0) return { way: 'open' };
    if (choice === 1) return { way: 'key', key };
    if (choice === 2) return { way: 'token', key };
    // A store that forgets lets tokens in again, even over restarts: keys must not depend on it.
    return { way: 'token', key, consume: (_id, done) => done(true) };
  }

  #start(): MessageServer<Words> {
    const server = new MessageServer(wordMessages, {
      crypto: this.#newCrypto('server'),
      addresses: new SimulatedAddressBook(),
      nowMs: this.#exchange.nowMs,
      wallClock: () => WALL_MS + this.#exchange.nowMs,
      identity: this.#identity,
      access: this.#access,
      maxConnections: PLACES,
      rotateAfterPackets: this.#rotateAfterPackets,
      limits: { connectionsPerAddress: FREELY, connections: FREELY },
      ...TUNING,
    });
    server.onMessage('word', (session, { data }) => session.send('word', { data }));
    server.onSession(() => this.#report.joined++);
    server.onResumed(() => this.#report.resumed++);
    this.#exchange.attach(SERVER, server);
    return server;
  }

  #operate(): void {
    const choice = this.#below(100);
    if (choice < 24) this.#join(this.#credential());
    else if (choice < 44) this.#talk();
    else if (choice < 49) this.#leave(false);
    else if (choice < 52) this.#leave(true);
    else if (choice < 66) this.#resume();
    else if (choice < 70) this.#restart();
    else if (choice < 76) this.#changeNetwork();
    else if (choice < 88) this.#replay();
    else this.#exchange.pass(this.#below(4) === 0 ? this.#below(9000) : this.#below(400));
  }

  #join(credential: Credential): void {
    if (this.#guests.length === GUESTS_MAX) this.#leave(false);
    // An address of earlier, now and then.
    const address = 10 + this.#below(12);
    this.#forget(address);
    const options: MessageClientOptions = {
      crypto: this.#newCrypto('client'),
      server: SERVER,
      nowMs: this.#exchange.nowMs,
      serverKey: this.#identity.publicKey,
      credential,
      rotateAfterPackets: this.#rotateAfterPackets,
      ...TUNING,
    };
    const client = new MessageClient(wordMessages, options);
    this.#guests.push({ client, address });
    this.#exchange.attach(address, client);
    this.#report.attempts++;
    this.#exchange.pass(this.#below(80));
  }

  #credential(): Credential {
    const { way } = this.#access;
    if (way === 'open') return { way: Way.open };
    if (way === 'key') return { way: Way.key, secret: new Uint8Array(KEY_BYTES).fill(9) };
    const again = this.#tokens[this.#below(this.#tokens.length + 3 * GUESTS_MAX)];
    if (again !== undefined) this.#report.tokensAgain++;
    return again ?? this.#issue();
  }

  #issue(): Credential {
    const secret = new Uint8Array(KEY_BYTES);
    const id = new Uint8Array(TOKEN_ID_BYTES);
    this.#backend.randomBytes(secret);
    this.#backend.randomBytes(id);
    const wallMs = Math.floor(WALL_MS + this.#exchange.nowMs);
    const times = { issuedAtMs: wallMs, expiresAtMs: wallMs + 600_000, timeoutMs: 0 };
    const { idHash: gameIdHash } = wordMessages;
    const terms = { wireVersion: WIRE_VERSION, gameIdHash, serverKey: this.#identity.publicKey };
    const user = { userId: 'ada', servers: ['127.0.0.1:1'], userData: new Uint8Array(0) };
    const out = new Uint8Array(TOKEN_BYTES_MAX);
    const key = new Uint8Array(KEY_BYTES).fill(9);
    const length = writeToken(this.#backend, key, { id, secret, ...times, ...terms, ...user }, out);
    const token = { way: Way.token, secret, sealed: out.slice(0, length) };
    this.#tokens.push(token);
    return token;
  }

  #talk(): void {
    const guest = this.#guests[this.#below(this.#guests.length + 1)];
    for (let n = this.#below(40); n > 0; n--) {
      guest?.client.send('word', { data: new Uint8Array(this.#below(300)) });
      this.#exchange.pass(10);
    }
  }

  #leave(orderly: boolean): void {
    const guest = this.#guests[this.#below(this.#guests.length + 1)];
    if (guest === undefined) return;
    if (orderly) {
      guest.client.close(this.#exchange.nowMs, 'bye', { graceMs: 0 });
      this.#exchange.pass(50);
    }
    this.#forget(guest.address);
  }

  /** The process at the address is gone; somebody may have saved what resumes its session. */
  #forget(address: number): void {
    const place = this.#guests.findIndex((guest) => guest.address === address);
    const [guest] = place < 0 ? [] : this.#guests.splice(place, 1);
    const state = guest?.client.resumeState();
    if (state !== undefined) this.#states.push(state);
    this.#exchange.detach(address);
  }

  #resume(): void {
    const live = this.#guests[this.#below(this.#guests.length + 1)]?.client.resumeState();
    const state = live ?? this.#states[this.#below(this.#states.length + 1)];
    if (state === undefined) return;
    this.#join({ way: Way.resume, ...state });
  }

  #restart(): void {
    this.#readStatistics();
    this.#report.restarts++;
    this.#backend = this.#newCrypto('backend');
    if (this.#below(2) === 0) this.#exchange.pass(this.#below(3000));
    this.#server = this.#start();
  }

  #changeNetwork(): void {
    this.#loss = [0, 0, 0, 0.3, 0.8][this.#below(5)]!;
    // Nobody hears that it was accepted: proofs are repeated, then there are new cookies.
    this.#deaf = this.#below(6) === 0;
  }

  #replay(): void {
    for (let n = this.#below(12); n > 0 && this.#old.length > 0; n--) {
      const { from, to, bytes: packet } = this.#old[this.#below(this.#old.length)]!;
      this.#report.replays++;
      this.#exchange.deliver(from, to, packet);
    }
    this.#exchange.settle();
  }

  #passes(datagram: Passing): boolean {
    if (this.#below(4) === 0) {
      if (this.#old.length < OLD_MAX) this.#old.push(datagram);
      else this.#old[this.#below(OLD_MAX)] = datagram;
    }
    if (this.#deaf && kindOf(datagram.bytes) === PacketKind.accept) return false;
    return this.#loss === 0 || this.#random.u32() / 2 ** 32 >= this.#loss;
  }

  #readStatistics(): void {
    this.#report.proofsAgain += this.#server.host.verdicts(Verdict.duplicate);
    for (const { client } of this.#guests) {
      this.#report.rotations += client.connection?.statistics.keyGenerationOut ?? 0;
    }
  }
}

function kindOf(packet: Uint8Array): number {
  return readKind(packet, 0, packet.length);
}
