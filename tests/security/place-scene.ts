// A server whose first place is in a state of its choice, the client that has the place, others that want one, and every
// datagram in the hands of a test. Two scenes of the same kind are the same byte for byte.

import { MessageClient } from '@tickwire/client-node/core';
import { Prng, SimulatedAddressBook, simulatedCrypto } from '@tickwire/netsim';
import {
  type Credential,
  defineMessages,
  KEY_BYTES,
  keyPairOf,
  type MessagesOf,
  TOKEN_BYTES_MAX,
  uint,
  Way,
  WIRE_VERSION,
  writeToken,
} from '@tickwire/protocol';
import { type ConnectRequest, type LimitOptions, MessageServer } from '@tickwire/server/core';
import type { Closer } from './client-scene.ts';
import type { Said } from './state-tables.ts';

const words = defineMessages({ word: { n: uint(8) } });
type Words = MessagesOf<typeof words>;

const SERVER = 1;
export const OWNER = 2;
export const OTHER = 3;
const EARLIER = 9;
/** Where the owner is, once it has moved. */
export const ELSEWHERE = 5;
const WALL_MS = 1_700_000_000_000;
const TOKEN_KEY = new Uint8Array(KEY_BYTES).fill(5);
const QUIET_MS = 150;
const identity = keyPairOf(simulatedCrypto(3), new Uint8Array(32).fill(7));

export type PlaceState = 'free' | 'deciding' | 'half-open' | 'live' | 'leaving';

/** What a scene needs besides. */
export interface PlaceOptions {
  readonly closer?: Closer;
  readonly limits?: LimitOptions;
  /** Somebody had a session in the first place before, and lost it. */
  readonly earlier?: boolean;
  /** The owner resumes that session. */
  readonly resumes?: boolean;
}

/** A client in the hands of the test. */
export interface Guest {
  readonly client: MessageClient<Words>;
  readonly address: number;
  readonly said: Said[];
}

/** See the head of the file. */
export class PlaceScene {
  nowMs = 10_000;
  readonly server: MessageServer<Words>;
  readonly requests: ConnectRequest[] = [];
  readonly all: Said[] = [];
  owner!: Guest;
  ownerToken!: Credential;
  proof: Uint8Array = new Uint8Array(0);
  sinceMs = 0;
  heardMs = 0;
  saidMs = 0;
  lost: string | undefined;
  ended: string | undefined;
  begun = 0;
  readonly #random = new Prng(11);
  readonly #out = new Uint8Array(2048);
  #earlier: Guest | undefined;

  constructor({ limits }: PlaceOptions = {}) {
    this.server = new MessageServer(words, {
      crypto: simulatedCrypto(2),
      addresses: new SimulatedAddressBook(),
      nowMs: this.nowMs,
      wallClock: () => WALL_MS + this.nowMs,
      identity,
      access: { way: 'token', key: TOKEN_KEY },
      ...(limits !== undefined && { limits }),
    });
    this.server.onRequest((request) => this.requests.push(request));
    this.server.onSession(() => this.begun++);
    this.server.onEnd((_session, reason) => {
      this.ended = reason;
    });
    this.server.onLeft(() => {
      this.lost = 'left';
    });
  }

  static in(state: PlaceState, options: PlaceOptions = {}): PlaceScene {
    const scene = new PlaceScene(options);
    if (options.earlier) scene.#leaveSomebody();
    scene.ownerToken = scene.token();
    scene.owner = scene.guest(OWNER, options.resumes ? scene.earlierState : scene.ownerToken);
    if (state !== 'free') scene.#bring(state, options.closer ?? 'said');
    scene.sinceMs = scene.nowMs;
    return scene;
  }

  /** What the first place is in the middle of. */
  state(): PlaceState {
    const { host, sessions } = this.server;
    const connection = host.connection(0);
    if (connection === undefined) return host.user(0) === undefined ? 'free' : 'deciding';
    if (!connection.open) return 'leaving';
    return sessions.has(0) ? 'live' : 'half-open';
  }

  /** A new client, that has said its request. */
  guest(address: number, credential: Credential): Guest {
    const crypto = simulatedCrypto(100 + address);
    const options = { crypto, server: SERVER, nowMs: this.nowMs, credential };
    const guest = { client: new MessageClient(words, options), address, said: [] };
    this.clientSays(guest);
    return guest;
  }

  /** A token, good for a minute or not at all. */
  token(good = true): Credential {
    const draw = (length: number) => Uint8Array.from({ length }, () => this.#random.u32() >>> 24);
    const [id, secret, nonce] = [draw(16), draw(KEY_BYTES), simulatedCrypto(this.#random.u32())];
    const issuedAtMs = WALL_MS + this.nowMs - (good ? 0 : 100);
    const times = { issuedAtMs, expiresAtMs: issuedAtMs + (good ? 60_000 : 50), timeoutMs: 0 };
    const terms = { wireVersion: WIRE_VERSION, gameIdHash: words.idHash };
    const user = { userId: 'ada', servers: ['a:1'], userData: new Uint8Array(0) };
    const out = new Uint8Array(TOKEN_BYTES_MAX);
    const fields = { id, secret, ...times, ...terms, ...user, serverKey: identity.publicKey };
    const length = writeToken(nonce, TOKEN_KEY, fields, out);
    return { way: Way.token, secret, sealed: out.slice(0, length) };
  }

  /** What resumes the session that was there earlier. */
  get earlierState(): Credential {
    return { way: Way.resume, ...this.#earlier!.client.resumeState()! };
  }

  /** Everything that the server has to say now. */
  says(): Said[] {
    const { server, nowMs } = this;
    server.advance(nowMs);
    server.host.advance(nowMs);
    server.host.flush(nowMs);
    const to = { address: 0 };
    const said: Said[] = [];
    for (let length = -1; length !== 0; ) {
      length = server.poll(nowMs, this.#out, 0, to);
      if (length > 0) said.push({ to: to.address, bytes: this.#out.slice(0, length) });
    }
    if (said.some(({ to: address }) => address === OWNER)) this.saidMs = nowMs;
    this.all.push(...said);
    return said;
  }

  /** Everything that a client has to say now. */
  clientSays(guest: Guest): Uint8Array {
    const { client, said } = guest;
    client.advance(this.nowMs);
    for (let length = -1; length !== 0; ) {
      length = client.poll(this.nowMs, this.#out, 0, { address: 0 });
      if (length > 0) said.push({ to: SERVER, bytes: this.#out.slice(0, length) });
    }
    return said.at(-1)!.bytes;
  }

  hear(bytes: Uint8Array, from: number): void {
    if (from === OWNER) this.heardMs = this.nowMs;
    this.server.receive(this.nowMs, bytes.slice(), 0, bytes.length, from);
  }

  /** The server lives up to and without `untilMs`, hearing nothing. */
  pass(untilMs: number): void {
    while (this.nowMs < untilMs - 1) {
      this.nowMs = Math.min(this.nowMs + 5, untilMs - 1);
      this.says();
    }
    this.nowMs = untilMs;
  }

  /** The proof of a client that has said its request. */
  proofOf(guest: Guest): Uint8Array {
    this.hear(guest.said.at(-1)!.bytes, guest.address);
    this.tell(guest, this.says());
    return this.clientSays(guest);
  }

  /** A client hears what was said to it. */
  tell(guest: Guest, said: readonly Said[], at = guest.address): void {
    for (const { to, bytes } of said) {
      if (to === at) guest.client.receive(this.nowMs, bytes.slice(), 0, bytes.length, SERVER);
    }
  }

  /** A packet of a client, with a message. */
  dataOf(guest: Guest): Uint8Array {
    this.nowMs += 20;
    guest.client.send('word', { n: 1 });
    return this.clientSays(guest);
  }

  /** From the request to the first packet, which is returned and not heard yet. */
  admit(guest: Guest): Uint8Array {
    const asked = this.requests.length;
    this.hear(this.proofOf(guest), guest.address);
    if (this.requests.length > asked) this.requests.at(-1)!.accept();
    this.tell(guest, this.says());
    return this.dataOf(guest);
  }

  #bring(state: PlaceState, closer: Closer): void {
    this.proof = this.proofOf(this.owner);
    this.hear(this.proof, OWNER);
    if (state === 'deciding') return;
    this.requests.at(-1)!.accept();
    this.tell(this.owner, this.says());
    if (state === 'half-open') return;
    this.#begin(this.owner, this.dataOf(this.owner));
    this.pass(this.nowMs + QUIET_MS);
    if (state === 'leaving') this.#close(closer);
  }

  /** The first packet is heard, and answered. */
  #begin(guest: Guest, data: Uint8Array): void {
    this.hear(data, guest.address);
    this.server.sessions.get(0)!.send('word', { n: 2 });
    this.tell(guest, this.says());
    this.nowMs += 40;
    this.hear(this.clientSays(guest), guest.address);
  }

  #close(closer: Closer): void {
    if (closer === 'said') this.server.sessions.get(0)!.close('out', { graceMs: 0 });
    else this.hear(this.closeOf(this.owner), OWNER);
    this.says();
  }

  /** A packet of a client that leaves. */
  closeOf(guest: Guest): Uint8Array {
    this.nowMs += 20;
    guest.client.close(this.nowMs, 'bye', { graceMs: 0 });
    return this.clientSays(guest);
  }

  /** A session whose connection has timed out. */
  #leaveSomebody(): void {
    this.#earlier = this.guest(EARLIER, this.token());
    this.#begin(this.#earlier, this.admit(this.#earlier));
    this.pass(this.nowMs + 10_500);
    this.lost = undefined;
  }
}
