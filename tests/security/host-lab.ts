// A real host whose network and callers are in the hands of a test, real clients that want in, and a ledger between
// them. Each operation is a number or two: fast-check and the fuzzer choose them. After each one the lab checks what must
// always hold, and says in words what did not.

import { Dialer } from '@tickwire/client-node/core';
import { Prng, SimulatedAddressBook, simulatedCrypto } from '@tickwire/netsim';
import {
  type Credential,
  type Crypto,
  createKeyPair,
  type KeyPair,
  type Machine,
  PADDED_BYTES,
  ReliableOrderedChannel,
  readKind,
  resolveChannel,
  type Verdict,
  verdictNames,
  writeRequest,
} from '@tickwire/protocol';
import { ConnectionHost } from '@tickwire/server/core';
import { LabCredentials, WALL_MS } from './lab-credentials.ts';
import { isPathChallenge, StrangerLedger } from './stranger-ledger.ts';

/** What a lab is made of. */
export interface LabOptions {
  readonly seed: number;
  /** What the server asks for: by number, so that chance can choose. */
  readonly access: number;
  /** Puts something between the host and the world, such as a bug. */
  readonly wrap?: (host: ConnectionHost) => Machine;
}

/** A datagram that passed, and who sent it. */
interface Recorded {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

interface LabClient {
  readonly dialer: Dialer;
  readonly channel: ReliableOrderedChannel;
  address: number;
  /** Of the channel, and of the session that it has. */
  ended: string | undefined;
}

const GAME = { idHash: 0x1234, digest: 0x5678 };
const SERVER = 1;
/** Addresses whose owners never asked for anything. */
const VICTIMS = [100, 101, 102, 103] as const;
const CLIENTS_MAX = 5;
const CORPUS_MAX = 200;
const PLACES = 4;
/** A host has so many more, for clients that resume. */
const PLACES_TO_RESUME = 16;
const HALF_OPEN = 3;
const DATAGRAMS_MAX = 500;
const SETTLE_TURNS = 8;
/** Little enough for a few datagrams to meet the limit. */
const SCARCE = {
  requests: { perSecond: 50, burst: 20 },
  refusals: { perSecond: 20, burst: 20 },
} as const;
const limits = resolveChannel({ kind: 'reliable-ordered' });
const nameOf = (id: Uint8Array): string => Buffer.from(id).toString('hex');

/** See the head of the file. */
export class HostLab {
  nowMs = 10_000;
  readonly host: ConnectionHost;
  readonly ledger = new StrangerLedger();
  readonly clients: LabClient[] = [];
  /** Datagrams of both sides, to be changed and brought back. */
  readonly corpus: Recorded[] = [];
  /** How often what was reached. */
  readonly reached = new Map<string, number>();
  readonly identity: KeyPair;
  readonly #machine: Machine;
  readonly #seed: number;
  readonly #random: Prng;
  readonly #crypto: Crypto;
  readonly #credentials: LabCredentials;
  readonly #waiting: { slot: number; ticket: number }[] = [];
  readonly #sessions = new Map<string, { session: number; secret: Uint8Array }>();
  readonly #out = new Uint8Array(2048);
  readonly #wrong: string[] = [];
  #given = 0;
  #made = 0;

  constructor({ seed, access, wrap = (host) => host }: LabOptions) {
    this.#seed = seed;
    this.#random = new Prng(seed).fork('lab');
    this.#crypto = simulatedCrypto(seed);
    this.identity = createKeyPair(this.#crypto);
    this.#credentials = new LabCredentials(access, {
      crypto: this.#crypto,
      gameIdHash: GAME.idHash,
      serverKey: this.identity.publicKey,
      below: (n) => this.below(n),
    });
    this.host = this.#createHost();
    this.#machine = wrap(this.host);
  }

  /** What did not hold, in words; undefined = everything did. */
  get wrong(): string | undefined {
    return this.#wrong[0] ?? this.ledger.wrong[0];
  }

  below(n: number): number {
    return this.#random.u32() % n;
  }

  note(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1);
  }

  /** A client that was never heard of, with a credential that may be good. */
  addClient(choice: number): LabClient {
    return this.join(this.#credentials.any(choice, this.nowMs));
  }

  /** A client of this credential; the oldest makes room. */
  join(credential: Credential): LabClient {
    if (this.clients.length === CLIENTS_MAX) this.clients.shift();
    const number = this.#made++;
    const channel = new ReliableOrderedChannel(limits, () => {});
    const dialer = new Dialer({
      game: GAME,
      crypto: simulatedCrypto(this.#seed * 1000 + 1 + number),
      server: SERVER,
      nowMs: this.nowMs,
      credential,
      rotateAfterPackets: 5,
      sink: {
        channels: () => [{ id: 0, channel }],
        opened: () => this.note('client live'),
        closed: (reason) => {
          client.ended = reason;
          this.note(`client ended: ${reason}`);
        },
      },
    });
    const client: LabClient = { dialer, channel, address: 10 + number, ended: undefined };
    this.clients.push(client);
    return client;
  }

  /** A credential that this server takes. */
  goodCredential(): Credential {
    return this.#credentials.good(this.nowMs);
  }

  /** Takes what the client has to say; `fate`: 0 lost, 1 arrives, 2 arrives twice, 3 comes from a victim as well. */
  pump(client: LabClient, fate: number): void {
    const { dialer, channel } = client;
    if (this.below(2) === 0) channel.send(Uint8Array.of(this.below(256)), 0, 1);
    dialer.advance(this.nowMs);
    dialer.flush(this.nowMs);
    for (const { bytes } of this.#drain(dialer)) {
      this.#record(client.address, SERVER, bytes);
      if (fate >= 1) this.arrive(client.address, bytes);
      if (fate === 2) this.arrive(client.address, bytes);
      if (fate === 3) this.arrive(this.victim(this.below(8)), bytes);
    }
  }

  /** Brings a client as far as it gets on a network that loses next to nothing. */
  settle(client: LabClient): void {
    for (let turn = 0; turn < SETTLE_TURNS; turn++) {
      this.pump(client, 1);
      this.decide(1);
      this.flush();
      this.pass(turn % 2 === 0 ? 10 : 210);
    }
  }

  /** More clients than there are places, one after the other. */
  crowd(): void {
    for (let n = 0; n <= PLACES; n++) this.settle(this.join(this.goodCredential()));
  }

  /** The store of used tokens, which said no now and then, is well from now on. */
  mendStore(): void {
    this.#credentials.storeIsWell = true;
  }

  victim(choice: number): number {
    return VICTIMS[choice % VICTIMS.length]!;
  }

  /** The client is somewhere else from now on; an address that somebody else had, now and then. */
  move(client: LabClient, choice: number): void {
    client.address = choice % 4 === 0 ? 200 + (choice % 3) : 300 + this.below(1000);
  }

  /** A padded request that nobody asked for; `flaw`: 0 none, then of form, of game, of version, of length. */
  request(from: number, flaw: number): void {
    const bytes = new Uint8Array(PADDED_BYTES);
    const nonce = new Uint8Array(16);
    this.#crypto.randomBytes(nonce);
    const game = flaw === 2 ? { ...GAME, digest: 1 } : GAME;
    writeRequest(bytes, 0, { game, nonce });
    if (flaw === 1) bytes[2]! ^= 1;
    if (flaw === 3) bytes.fill(9, 5, 7);
    this.arrive(from, flaw === 4 ? bytes.slice(0, 31 + this.below(1169)) : bytes);
  }

  /** A datagram reaches the server, whose turn ends with it; what it says reaches clients. */
  arrive(from: number, bytes: Uint8Array): Verdict {
    const before = this.host.used;
    this.ledger.came(from, bytes);
    this.#given++;
    const packet = bytes.slice();
    const verdict = this.#machine.receive(this.nowMs, packet, 0, packet.length, from) as Verdict;
    this.note(`verdict ${verdictNames[verdict]}`);
    if (this.host.used > before && !this.ledger.isProven(from)) {
      this.#wrong.push(`a place for ${from}, which is not proven`);
    }
    this.drain();
    return verdict;
  }

  /** Several datagrams in one turn of the server. */
  arriveTogether(from: number, datagrams: readonly Uint8Array[]): void {
    for (const bytes of datagrams) {
      this.ledger.came(from, bytes);
      this.#given++;
      this.#machine.receive(this.nowMs, bytes.slice(), 0, bytes.length, from);
    }
    this.drain();
  }

  /** Bytes of the server's, or anybody's in its name, reach a client. */
  reach(client: LabClient, bytes: Uint8Array): void {
    client.dialer.receive(this.nowMs, bytes.slice(), 0, bytes.length, SERVER);
    if (Number.isNaN(client.dialer.wakeAt())) this.#wrong.push('wakeAt of a client is no number');
  }

  /** Time passes, in one step. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.drain();
  }

  flush(): void {
    this.host.flush(this.nowMs);
    this.drain();
  }

  /** The application answers the oldest question; 0 = no, else yes. */
  decide(choice: number): void {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    if (choice === 0) this.host.refuse(next.slot, next.ticket, 'refused', 'no'.repeat(99));
    else this.host.accept(next.slot, next.ticket);
    this.drain();
  }

  closeSlot(slot: number): void {
    this.host.close(slot, 'kicked', 'out');
    this.drain();
  }

  /** The server's turn: it advances, and says all it has to say. */
  drain(): void {
    this.#machine.advance(this.nowMs);
    for (const { to, bytes } of this.#drain(this.#machine)) {
      this.ledger.went(to, bytes);
      if (isPathChallenge(bytes)) this.note('path challenge');
      else this.note(`sent kind ${readKind(bytes, 0, bytes.length)}`);
      this.#record(SERVER, to, bytes);
      const client = this.clients.find(({ address }) => address === to);
      if (client !== undefined && this.below(8) !== 0) this.reach(client, bytes);
    }
    this.ledger.silent();
    this.#check();
  }

  #drain(machine: Machine): { to: number; bytes: Uint8Array }[] {
    const to = { address: 0 };
    const all = [];
    for (let length = -1; length !== 0; ) {
      length = machine.poll(this.nowMs, this.#out, 0, to);
      if (length > 0) all.push({ to: to.address, bytes: this.#out.slice(0, length) });
      if (all.length > DATAGRAMS_MAX) throw new Error('poll does not end');
    }
    return all;
  }

  #record(from: number, to: number, bytes: Uint8Array): void {
    if (this.corpus.length < CORPUS_MAX) this.corpus.push({ from, to, bytes });
    else this.corpus[this.below(CORPUS_MAX)] = { from, to, bytes };
  }

  #check(): void {
    const { host } = this;
    const { halfOpen } = host.statistics;
    if (host.used > PLACES + PLACES_TO_RESUME) this.#wrong.push(`${host.used} places in use`);
    if (halfOpen > HALF_OPEN) this.#wrong.push(`${halfOpen} half-open`);
    let counted = 0;
    for (let verdict = 0; verdict < verdictNames.length; verdict++) {
      counted += host.verdicts(verdict as Verdict);
    }
    if (counted !== this.#given)
      this.#wrong.push(`${counted} verdicts on ${this.#given} datagrams`);
    if (Number.isNaN(host.wakeAt())) this.#wrong.push('wakeAt of the server is no number');
  }

  #createHost(): ConnectionHost {
    return new ConnectionHost({
      game: GAME,
      crypto: simulatedCrypto(this.#seed * 1000),
      addresses: new SimulatedAddressBook(),
      wallClock: () => WALL_MS + this.nowMs,
      identity: this.identity,
      access: this.#credentials.access,
      maxConnections: PLACES,
      rotateAfterPackets: 5,
      limits: { halfOpen: HALF_OPEN, ...SCARCE },
      fullText: 'full'.repeat(60),
      sink: {
        requested: (slot, ticket) => {
          this.note('asked');
          this.#waiting.push({ slot, ticket });
        },
        resumable: (id) => this.#sessions.get(nameOf(id)),
        channels: () => [{ id: 0, channel: new ReliableOrderedChannel(limits, () => {}) }],
        opened: (slot, resumes) => this.#opened(slot, resumes),
        closed: (_slot, reason) => this.note(`closed ${reason}`),
      },
    });
  }

  #opened(slot: number, resumes: number): void {
    this.note(resumes === 0 ? 'opened' : 'resumed');
    const before = [...this.#sessions].find(([, { session }]) => session === resumes);
    if (before !== undefined) this.#sessions.delete(before[0]);
    const keys = this.host.resumeKeys(slot);
    if (keys === undefined) return;
    this.#sessions.set(nameOf(keys.id), { session: this.#made++, secret: keys.secret.slice() });
    this.#credentials.states.push({ id: keys.id.slice(), secret: keys.secret.slice() });
  }
}
