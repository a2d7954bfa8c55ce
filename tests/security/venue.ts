// A server of messages and its guests on an exchange, with whichever cryptography, and everything that travelled between
// them: what somebody on the path sees, may lose, change, and bring back.

import { MessageClient, type MessageClientOptions } from '@tickwire/client-node/core';
import { SimulatedAddressBook, simulatedCrypto } from '@tickwire/netsim';
import {
  bytes,
  type Credential,
  type Crypto,
  defineMessages,
  KEY_BYTES,
  type Machine,
  type MessagesOf,
  PacketKind,
  readKind,
  TOKEN_BYTES_MAX,
  TOKEN_ID_BYTES,
  text,
  Way,
  WIRE_VERSION,
  writeToken,
} from '@tickwire/protocol';
import { MessageServer, type MessageServerOptions, type Session } from '@tickwire/server/core';
import { Exchange, type Passing } from './exchange.ts';

const spoken = defineMessages(
  { say: { line: text(200) }, page: { data: bytes(4000) }, shout: { data: bytes(4000) } },
  { loud: { kind: 'unreliable', carries: ['shout'] } },
);
type Spoken = MessagesOf<typeof spoken>;

/** What a venue may differ in. */
export interface VenueOptions extends Partial<MessageServerOptions> {
  readonly cryptoOf?: (seed: number) => Crypto;
  /** Writes over each datagram as soon as it has been received. */
  readonly scribbles?: boolean;
}

export interface Guest {
  readonly client: MessageClient<Spoken>;
  readonly address: number;
  /** Everything that its user was told: 'connected', what was said, 'end reason'. */
  readonly told: string[];
}

type GuestOptions = Partial<MessageClientOptions> & { readonly address?: number };

export const SERVER = 1;
/** Unix time at which the clocks of venues began. */
const WALL_MS = 1_800_000_000_000;
/** What venues share with their backend. */
export const TICKET_KEY = new Uint8Array(KEY_BYTES).fill(0x42);

/** See the head of the file. */
export class Venue {
  readonly exchange = new Exchange(1000);
  readonly server: MessageServer<Spoken>;
  /** What passed, in its order. */
  readonly wire: Passing[] = [];
  /** What the server's user was told, as 'id what'. */
  readonly told: string[] = [];
  readonly errors: string[] = [];
  /** Asked before each datagram arrives, and may change it; false = it is lost. */
  passes: (datagram: Passing) => boolean = () => true;
  /** What the server's user does with a line. */
  heard: (session: Session<Spoken>, line: string) => void = () => {};
  readonly #cryptoOf: (seed: number) => Crypto;
  readonly #scribbles: boolean;
  #guests = 0;

  constructor({ cryptoOf = simulatedCrypto, scribbles = false, ...options }: VenueOptions = {}) {
    this.#cryptoOf = cryptoOf;
    this.#scribbles = scribbles;
    this.server = new MessageServer(spoken, {
      crypto: cryptoOf(1),
      addresses: new SimulatedAddressBook(),
      nowMs: this.exchange.nowMs,
      wallClock: () => WALL_MS + this.exchange.nowMs,
      onError: (error, where) => this.errors.push(`${where}: ${error.message}`),
      ...options,
    });
    this.#listen();
    this.#attach(SERVER, this.server);
    this.exchange.passes = (datagram) => {
      this.wire.push({ ...datagram, bytes: datagram.bytes.slice() });
      return this.passes(datagram);
    };
  }

  /** A client at a new address, unless told where. It is decided after some time. */
  join({ address = 10 + this.#guests, ...options }: GuestOptions = {}): Guest {
    const told: string[] = [];
    const client = new MessageClient(spoken, {
      crypto: this.#cryptoOf(100 + this.#guests++),
      server: SERVER,
      nowMs: this.exchange.nowMs,
      ...options,
    });
    client.on('connected', () => told.push('connected'));
    client.on('end', (reason, why) => told.push(`end ${reason}${why && ` ${why}`}`));
    client.onMessage('say', ({ line }) => told.push(line));
    this.#attach(address, client);
    return { client, address, told };
  }

  /** A client that has been connected. */
  joined(options: GuestOptions = {}): Guest {
    const guest = this.join(options);
    this.exchange.pass(500);
    if (guest.told[0] !== 'connected') throw new Error(`not connected: ${guest.told.join()}`);
    return guest;
  }

  /** Why a client is not let in. */
  refusal(options: GuestOptions): string {
    const { told } = this.join(options);
    this.exchange.pass(500);
    return told.join();
  }

  /** Says a line to the server, and lets it arrive. */
  say({ client }: Guest, line: string): void {
    client.send('say', { line });
    this.exchange.pass(50);
  }

  /** What went from there to there, of a kind; newest last. */
  sent(from: number, to: number, kind: number = PacketKind.data): Uint8Array[] {
    const fits = (d: Passing) => d.from === from && d.to === to;
    const ofKind = ({ bytes: packet }: Passing) => readKind(packet, 0, packet.length) === kind;
    return this.wire.filter((d) => fits(d) && ofKind(d)).map((d) => d.bytes);
  }

  #listen(): void {
    const { server } = this;
    server.onSession((session) => this.told.push(`${session.id} session`));
    server.onLeft(({ id }) => this.told.push(`${id} left`));
    server.onResumed(({ id }) => this.told.push(`${id} resumed`));
    server.onEnd(({ id }, reason) => this.told.push(`${id} end ${reason}`));
    server.onMessage('say', (session, { line }) => {
      this.told.push(`${session.id} ${line}`);
      this.heard(session, line);
    });
  }

  #attach(address: number, machine: Machine): void {
    this.exchange.attach(address, this.#scribbles ? scribbling(machine) : machine);
  }
}

/** A connect token for venues of this identity. */
export function ticketOf(
  crypto: Crypto,
  serverKey: Uint8Array,
): Extract<Credential, { sealed: unknown }> {
  const [id, secret] = [new Uint8Array(TOKEN_ID_BYTES), new Uint8Array(KEY_BYTES)];
  crypto.randomBytes(id);
  crypto.randomBytes(secret);
  const issuedAtMs = WALL_MS + 1000;
  const times = { issuedAtMs, expiresAtMs: issuedAtMs + 600_000, timeoutMs: 0 };
  const terms = { wireVersion: WIRE_VERSION, gameIdHash: spoken.idHash, serverKey };
  const user = { userId: 'ada', servers: ['203.0.113.7:7777'], userData: Uint8Array.of(1, 2, 3) };
  const out = new Uint8Array(TOKEN_BYTES_MAX);
  const length = writeToken(crypto, TICKET_KEY, { id, secret, ...times, ...terms, ...user }, out);
  return { way: Way.token, secret, sealed: out.slice(0, length) };
}

/** The machine, in memory that it shares with everybody: what it was handed is gone when it returns. */
function scribbling(machine: Machine): Machine {
  return {
    receive: (nowMs, packet, start, end, from) => {
      const verdict = machine.receive(nowMs, packet, start, end, from);
      packet.fill(0xee);
      return verdict;
    },
    advance: (nowMs) => machine.advance(nowMs),
    poll: (nowMs, out, start, to) => machine.poll(nowMs, out, start, to),
    wakeAt: () => machine.wakeAt(),
  };
}
