// A host, and clients whose end of the handshake is made by hand, step by step: each datagram can be looked at, changed,
// repeated or sent from elsewhere.

import { SimulatedAddressBook, simulatedCrypto } from '@tickwire/netsim';
import {
  ACCEPT_HEAD_BYTES,
  type AddressBook,
  acceptFits,
  agreed,
  CHALLENGE_BYTES,
  Connection,
  type ConnectToken,
  type Credential,
  type Crypto,
  createKeyPair,
  type Destination,
  type EndReason,
  KeyChain,
  type KeyPair,
  PADDED_BYTES,
  type ProofSecrets,
  readAccept,
  readChallenge,
  readRefusal,
  type SessionKeys,
  secretOf,
  sessionKeys,
  TOKEN_BYTES_MAX,
  Verdict,
  Way,
  WIRE_VERSION,
  writeProof,
  writeRequest,
  writeToken,
} from '@tickwire/protocol';
import { expect } from 'vitest';
import { ConnectionHost, type HostOptions, type HostSink } from '../src/host.ts';

export const GAME = { idHash: 0x1234, digest: 0x5678 };

/** Counts who is held. Numbers of strangers are below 1000; the held number of a stranger is by 1000 higher. */
export class CountingAddresses implements AddressBook {
  readonly #book = new SimulatedAddressBook();
  readonly #held = new Map<number, number>();

  /** The number that a datagram from there carries now. */
  seen(address: number): number {
    return this.#held.has(address + 1000) ? address + 1000 : address;
  }

  /** Addresses that are held. */
  get size(): number {
    return this.#held.size;
  }

  /** How often they are, all together. */
  get holds(): number {
    let count = 0;
    for (const times of this.#held.values()) count += times;
    return count;
  }

  describe(address: number, out: Uint8Array, start: number): number {
    return this.#book.describe(address % 1000, out, start);
  }

  describeHost(address: number, out: Uint8Array, start: number): number {
    return this.describe(address, out, start);
  }

  hold(address: number): number {
    const held = (address % 1000) + 1000;
    this.#held.set(held, (this.#held.get(held) ?? 0) + 1);
    return held;
  }

  release(address: number): void {
    const times = this.#held.get(address) ?? 0;
    expect(times, `holds of ${address} before its release`).toBeGreaterThan(0);
    if (times === 1) this.#held.delete(address);
    else this.#held.set(address, times - 1);
  }
}

/** What an attempt may differ in. */
export interface AttemptOptions {
  readonly credential?: Credential;
  readonly game?: typeof GAME;
  /** A client that takes another key for the server's. */
  readonly serverKey?: Uint8Array;
  /** Low order keys, for example. */
  readonly pair?: KeyPair;
  readonly id?: number;
}

/** One attempt of a client, by hand. */
export class Attempt {
  readonly crypto: Crypto;
  readonly nonce: Uint8Array;
  readonly pair: KeyPair;
  readonly id: number;
  readonly request = new Uint8Array(PADDED_BYTES);
  readonly #options: AttemptOptions;
  #secrets: ProofSecrets | undefined;

  /** Attempts of different numbers have nothing in common. */
  constructor(number: number, options: AttemptOptions = {}) {
    this.crypto = simulatedCrypto(5000 + number);
    this.#options = options;
    this.nonce = new Uint8Array(16);
    this.crypto.randomBytes(this.nonce);
    this.pair = options.pair ?? createKeyPair(this.crypto);
    this.id = options.id ?? number + 1;
    writeRequest(this.request, 0, { game: options.game ?? GAME, nonce: this.nonce });
  }

  /** The proof that answers a challenge. */
  prove(challenge: Uint8Array): Uint8Array {
    const { version, serverKey, cookie } = readChallenge(challenge, 0, challenge.length)!;
    return this.proveWith(cookie, this.#options.serverKey ?? serverKey, version);
  }

  proveWith(cookie: Uint8Array, serverKey: Uint8Array, version = WIRE_VERSION): Uint8Array {
    const { credential = { way: Way.open }, game = GAME } = this.#options;
    const { nonce, pair, id } = this;
    const fields = { game, nonce, version, cookie, clientId: id, clientKey: pair.publicKey };
    const bytes = new Uint8Array(PADDED_BYTES);
    const { secretKey } = pair;
    const made = writeProof(this.crypto, bytes, 0, fields, secretKey, serverKey, credential);
    this.#secrets = made;
    return bytes;
  }

  /** The keys of the session; undefined = the accept is none for this attempt. */
  keys(accept: Uint8Array): SessionKeys | undefined {
    const { credential = { way: Way.open } } = this.#options;
    const read = readAccept(accept, 0, accept.length);
    if (read === undefined || this.#secrets === undefined) return undefined;
    const ee = agreed(this.crypto, this.pair.secretKey, read.freshKey);
    if (ee === undefined) return undefined;
    const head = accept.slice(0, ACCEPT_HEAD_BYTES);
    const keys = sessionKeys(this.crypto, secretOf(credential), this.#secrets, ee, head);
    const fits = acceptFits(this.crypto, keys.accept, accept.slice(), 0, ACCEPT_HEAD_BYTES);
    return fits ? keys : undefined;
  }

  /** The connection that an accept leads to. */
  connect(nowMs: number, accept: Uint8Array, ended: (reason: EndReason) => void): Connection {
    const keys = this.keys(accept)!;
    expect(keys).toBeDefined();
    return new Connection({
      remoteId: readAccept(accept, 0, accept.length)!.serverId,
      outgoing: new KeyChain(this.crypto, keys.clientToServer),
      incoming: new KeyChain(this.crypto, keys.serverToClient),
      channels: [],
      nowMs,
      sink: { closed: (reason) => ended(reason), ended() {} },
    });
  }
}

/** A datagram that the host sent. */
export interface Sent {
  readonly bytes: Uint8Array;
  readonly to: number;
}

/** A client with an open connection. */
export interface Peer {
  readonly attempt: Attempt;
  readonly connection: Connection;
  readonly slot: number;
  /** Why its connection ended. */
  readonly ends: EndReason[];
}

type SceneOptions = Partial<Omit<HostOptions, 'sink'>> & { readonly sink?: Partial<HostSink> };

/** A host whose caller answers everybody in the same way, and what it told. Clients are at addresses below 1000. */
export class Scene {
  readonly events: string[] = [];
  readonly freed: number[] = [];
  readonly addresses = new CountingAddresses();
  readonly host: ConnectionHost;
  answer: 'accept' | 'refuse' | 'wait' = 'accept';
  nowMs = 10_000;
  /** Of the last request. */
  ticket = 0;
  readonly #out = new Uint8Array(1500);

  constructor({ sink, ...options }: SceneOptions = {}) {
    this.host = new ConnectionHost({
      game: GAME,
      crypto: simulatedCrypto(1),
      addresses: this.addresses,
      sink: {
        requested: (slot, ticket) => this.#requested(slot, ticket),
        channels: () => [],
        opened: (slot, resumes) => this.events.push(`opened ${slot} ${resumes}`),
        closed: (slot, reason, text, remote) =>
          this.events.push(`closed ${slot} ${reason} ${text} ${remote}`),
        freed: (slot) => this.freed.push(slot),
        ...sink,
      },
      ...options,
    });
  }

  /** Hands the host a copy: it opens in place. */
  receive(bytes: Uint8Array, from = 1): Verdict {
    const own = bytes.slice();
    return this.host.receive(this.nowMs, own, 0, own.length, this.addresses.seen(from));
  }

  /** Everything that the host has to send now. */
  drain(): Sent[] {
    const to: Destination = { address: 0 };
    const sent: Sent[] = [];
    for (;;) {
      const length = this.host.poll(this.nowMs, this.#out, 0, to);
      if (length === 0) return sent;
      sent.push({ bytes: this.#out.slice(0, length), to: to.address % 1000 });
    }
  }

  advance(byMs: number): this {
    this.nowMs += byMs;
    this.host.advance(this.nowMs);
    return this;
  }

  /** Asks for a cookie; the only answer. */
  challenge(attempt: Attempt, from = 1): Uint8Array {
    expect(this.receive(attempt.request, from)).toBe(Verdict.accepted);
    const sent = this.drain();
    expect(sent.map(({ to, bytes }) => [to, bytes.length])).toEqual([[from, CHALLENGE_BYTES]]);
    return sent[0]!.bytes;
  }

  /** Asks for a cookie and makes the proof. */
  proof(attempt: Attempt, from = 1): Uint8Array {
    return attempt.prove(this.challenge(attempt, from));
  }

  /** Up to the accept; undefined = there was none. */
  accept(attempt: Attempt, from = 1): Uint8Array | undefined {
    this.receive(this.proof(attempt, from), from);
    const accept = this.drain()[0]?.bytes;
    return accept !== undefined && attempt.keys(accept) !== undefined ? accept : undefined;
  }

  /** Why the attempt is refused, and with which verdict on its proof. */
  refusal(attempt: Attempt, from = 1): { verdict: Verdict; reason: string; text: string } {
    const verdict = this.receive(this.proof(attempt, from), from);
    const sent = this.drain();
    expect(sent.length).toBe(1);
    const { bytes, to } = sent[0]!;
    expect(to).toBe(from);
    expect([...bytes.subarray(1, 17)]).toEqual([...attempt.nonce]);
    return { verdict, ...readRefusal(bytes, 0, bytes.length)! };
  }

  /** A client that is connected, and has been heard. */
  join(attempt: Attempt, from = 1): Peer {
    const accept = this.accept(attempt, from)!;
    expect(accept).toBeDefined();
    const ends: EndReason[] = [];
    const connection = attempt.connect(this.nowMs, accept, (reason) => ends.push(reason));
    const peer = { attempt, connection, ends, slot: accept[17]! | (accept[18]! << 8) };
    expect(this.receive(this.says(peer), from)).toBe(Verdict.accepted);
    return peer;
  }

  /** The next packet of a client: a ping, if it has nothing else to say. */
  says({ connection }: Peer): Uint8Array {
    // As if it had been silent for long, so that there is always something to say.
    connection.advance(this.nowMs + 2000);
    connection.flush(this.nowMs);
    const length = connection.poll(this.nowMs, this.#out, 0);
    expect(length).toBeGreaterThan(0);
    return this.#out.slice(0, length);
  }

  /** Hands a datagram of the host's to a client; what it has to say at once. */
  tell({ connection }: Peer, bytes: Uint8Array): Uint8Array[] {
    connection.receive(this.nowMs, bytes.slice(), 0, bytes.length);
    const said: Uint8Array[] = [];
    for (;;) {
      const length = connection.poll(this.nowMs, this.#out, 0);
      if (length === 0) return said;
      said.push(this.#out.slice(0, length));
    }
  }

  #requested(slot: number, ticket: number): void {
    this.events.push(`requested ${slot}`);
    this.ticket = ticket;
    if (this.answer === 'accept') this.host.accept(slot, ticket);
    if (this.answer === 'refuse') this.host.refuse(slot, ticket, 'refused', 'not you');
  }
}

/** The key that a server shares with its backend. */
export const TOKEN_KEY = new Uint8Array(32).fill(0x42);

/** When the scenes with tokens begin, unix ms. */
export const WALL_MS = 1_800_000_000_000;

/** What a client has from its backend: token `number`, which any field may differ in. */
export function tokenOf(
  number: number,
  serverKey: Uint8Array,
  fields: Partial<ConnectToken> = {},
  key = TOKEN_KEY,
): Credential & { way: typeof Way.token } {
  const secret = new Uint8Array(32).fill(number + 7);
  const token: ConnectToken = {
    id: new Uint8Array(16).fill(number),
    issuedAtMs: WALL_MS + 1000,
    expiresAtMs: WALL_MS + 61_000,
    wireVersion: WIRE_VERSION,
    gameIdHash: GAME.idHash,
    timeoutMs: 0,
    serverKey,
    secret,
    userId: `user-${number}`,
    servers: ['203.0.113.7:7777'],
    userData: Uint8Array.of(number),
    ...fields,
  };
  const out = new Uint8Array(TOKEN_BYTES_MAX);
  const length = writeToken(simulatedCrypto(900 + number), key, token, out);
  return { way: Way.token, secret: token.secret, sealed: out.slice(0, length) };
}
