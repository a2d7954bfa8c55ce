// A sealed conversation with every delivery kind on a bad network, written down as tests/decoder/README.md says: what each
// side sent, what it was given and what it said of it. On the way keys are changed, and the client's address.

import { MessageClient } from '@tickwire/client-node/core';
import { type LinkOptions, Prng, SimulatedAddressBook, World } from '@tickwire/netsim';
import {
  bytes,
  type Crypto,
  type Destination,
  defineMessages,
  KEY_BYTES,
  keyPairOf,
  type Machine,
  type MessagesOf,
  uint,
  verdictNames,
  Way,
} from '@tickwire/protocol';
import { loadCrypto } from '@tickwire/protocol/udp';
import { MessageServer } from '@tickwire/server/core';

const FLUSH_MS = 5;
/** Some generations in each direction. */
const ROTATE_AFTER_PACKETS = 100;

const crypto = await loadCrypto();
const identity = keyPairOf(crypto, new Uint8Array(KEY_BYTES).fill(0x5e));
const presharedKey = new Uint8Array(KEY_BYTES).fill(0xc4);

const messages = defineMessages(
  {
    line: { n: uint(20), data: bytes(5000) },
    note: { n: uint(20), data: bytes(3000) },
    pose: { n: uint(20), data: bytes(2000) },
    hint: { n: uint(20), data: bytes(4000) },
    score: { key: uint(3), n: uint(20) },
  },
  {
    // Room for all of them, however slow the path.
    main: { kind: 'reliable-ordered', queueBytes: 1 << 20 },
    notes: { kind: 'reliable-unordered', carries: ['note'] },
    poses: { kind: 'unreliable-sequenced', carries: ['pose'], priority: 1 },
    hints: { kind: 'unreliable', carries: ['hint'] },
    scores: { kind: 'reliable-latest', carries: ['score'], key: 'key' },
  },
);
type Declared = MessagesOf<typeof messages>;

type Side = 'client' | 'server';

/** Random bytes that are the same for every run of a seed, and all the keys that were drawn. */
class RecordedRandom {
  readonly crypto: Crypto;
  readonly keys: Uint8Array[] = [];

  constructor(seed: number) {
    const random = new Prng(seed).fork('crypto');
    this.crypto = crypto.withRandomBytes((out) => {
      for (let i = 0; i < out.length; i++) out[i] = random.u32() >>> 24;
      if (out.length === KEY_BYTES) this.keys.push(out.slice());
    });
  }

  /** The secret key of a pair that was drawn. */
  secretOf(publicKey: Uint8Array): Uint8Array {
    const wanted = Buffer.from(publicKey);
    return this.keys.find((key) => wanted.equals(keyPairOf(crypto, key).publicKey))!;
  }
}

/** A machine whose datagrams are written down. */
class Recorded implements Machine {
  readonly #machine: Machine;
  readonly #side: Side;
  readonly #lines: string[];

  constructor(machine: Machine, side: Side, lines: string[]) {
    this.#machine = machine;
    this.#side = side;
    this.#lines = lines;
  }

  receive(nowMs: number, from: Uint8Array, start: number, end: number, address: number): number {
    const hex = Buffer.from(from.subarray(start, end)).toString('hex');
    const kind = from[start]! & 0xef;
    const verdict = this.#machine.receive(nowMs, from, start, end, address);
    // A data packet of either key phase.
    const said = kind === 6 ? { verdict: verdictNames[verdict] } : {};
    const place = this.#side === 'server' ? { address } : {};
    const event = { event: 'received', by: this.#side, atMs: nowMs, bytes: hex };
    this.#lines.push(JSON.stringify({ ...event, ...place, ...said }));
    return verdict;
  }

  advance(nowMs: number): void {
    this.#machine.advance(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    const length = this.#machine.poll(nowMs, out, start, to);
    if (length === 0) return 0;
    const hex = Buffer.from(out.subarray(start, start + length)).toString('hex');
    const place = this.#side === 'server' ? { to: to.address } : {};
    const event = { event: 'sent', from: this.#side, atMs: nowMs, bytes: hex };
    this.#lines.push(JSON.stringify({ ...event, ...place }));
    return length;
  }

  wakeAt(): number {
    return this.#machine.wakeAt();
  }
}

/** Messages of all kinds, with sizes around those at which something changes. */
function talk(to: { send: MessageClient<Declared>['send'] }, n: number): void {
  const size = [0, 1, 90, 1080, 1094, 1100, 2200, 2900][n % 8]!;
  const data = new Uint8Array(size).fill(n);
  to.send('line', { n, data });
  if (n % 2 === 0) to.send('note', { n, data });
  if (n % 3 === 0) to.send('pose', { n, data: data.subarray(0, 2000) });
  if (n % 5 === 0) to.send('hint', { n, data });
  to.send('score', { key: n % 8, n });
}

/** What opens a session: to those who held it, or to whoever has the server's secrets. */
export interface Opening {
  readonly identity: string;
  readonly fresh: string;
  readonly presharedKey: string;
}

export interface Capture {
  readonly header: object;
  /** Everything but the header. */
  readonly lines: readonly string[];
  readonly opening: Opening;
}

const hexOf = (key: Uint8Array) => Buffer.from(key).toString('hex');

/** The server's fresh key of the accept, which is not repeated with another one. */
function freshKeyIn(lines: readonly string[]): Uint8Array {
  const line = lines.find((one) => one.includes('"sent","from":"server"') && one.includes('"04'))!;
  return Buffer.from(JSON.parse(line).bytes, 'hex').subarray(21, 53);
}

/** A session from its request to its end, the client at another address from the middle on. */
export function capture(seed: number, link: LinkOptions, rounds: number): Capture {
  const lines: string[] = [];
  const world = new World({ seed, link });
  const own = new RecordedRandom(seed * 2);
  const shared = { nowMs: 0, flushMs: FLUSH_MS, rotateAfterPackets: ROTATE_AFTER_PACKETS };
  const server = new MessageServer(messages, {
    ...shared,
    crypto: own.crypto,
    identity,
    access: { way: 'key', key: presharedKey },
    addresses: new SimulatedAddressBook(),
  });
  server.onMessage('line', (session, { n }) => talk(session, n));
  world.addNode(new Recorded(server, 'server', lines));
  const client = new MessageClient(messages, {
    ...shared,
    crypto: new RecordedRandom(seed * 2 + 1).crypto,
    credential: { way: Way.key, secret: presharedKey },
    serverKey: identity.publicKey,
    server: 1,
    connectTimeoutMs: 60_000,
  });
  const address = world.addNode(new Recorded(client, 'client', lines));
  for (let n = 0; n < rounds; n++) {
    world.at(500 + n * 40, () => {
      talk(client, n);
      if (n % 11 === 0) client.forget('score', n % 8);
      world.touch(address);
    });
  }
  world.at(500 + rounds * 20, () => world.rebind(address));
  world.run(500 + rounds * 40);
  client.close(world.nowMs, 'done', { graceMs: 60_000 });
  world.touch(address);
  world.run(world.nowMs + 90_000);
  const channels = messages.channels.map(({ name, limits }, index) => ({
    id: name === 'main' ? 1 : 2 + index,
    ...limits,
    ttlMs: undefined,
  }));
  const fresh = own.secretOf(freshKeyIn(lines));
  return {
    header: { format: 2, channels, flushMs: FLUSH_MS },
    lines,
    opening: {
      identity: hexOf(identity.secretKey),
      fresh: hexOf(fresh),
      presharedKey: hexOf(presharedKey),
    },
  };
}
