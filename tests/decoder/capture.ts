// A conversation with every delivery kind on a bad network, written down as tests/decoder/README.md says: what each side
// sent, what it was given and what it said of it.

import { MessageClient } from '@tickwire/client-node/core';
import { type LinkOptions, SimulatedAddressBook, World } from '@tickwire/netsim';
import {
  bytes,
  type Destination,
  defineMessages,
  type Machine,
  type MessagesOf,
  uint,
  verdictNames,
} from '@tickwire/protocol';
import { nodeCrypto } from '@tickwire/protocol/udp';
import { MessageServer } from '@tickwire/server/core';

const FLUSH_MS = 5;

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
    const verdict = this.#machine.receive(nowMs, from, start, end, address);
    const said = from[start] === 6 ? { verdict: verdictNames[verdict] } : {};
    this.#lines.push(
      JSON.stringify({ event: 'received', by: this.#side, atMs: nowMs, bytes: hex, ...said }),
    );
    return verdict;
  }

  advance(nowMs: number): void {
    this.#machine.advance(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    const length = this.#machine.poll(nowMs, out, start, to);
    if (length === 0) return 0;
    const hex = Buffer.from(out.subarray(start, start + length)).toString('hex');
    this.#lines.push(JSON.stringify({ event: 'sent', from: this.#side, atMs: nowMs, bytes: hex }));
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

/** The capture's lines. */
export function capture(seed: number, link: LinkOptions, rounds: number): string[] {
  const lines: string[] = [];
  const world = new World({ seed, link });
  const { randomBytes } = nodeCrypto;
  const server = new MessageServer(messages, {
    crypto: { ...nodeCrypto, randomBytes },
    addresses: new SimulatedAddressBook(),
    nowMs: 0,
    flushMs: FLUSH_MS,
  });
  server.onMessage('line', (session, { n }) => talk(session, n));
  world.addNode(new Recorded(server, 'server', lines));
  const options = { crypto: nodeCrypto, server: 1, nowMs: 0, flushMs: FLUSH_MS };
  const client = new MessageClient(messages, { ...options, connectTimeoutMs: 60_000 });
  const own = world.addNode(new Recorded(client, 'client', lines));
  for (let n = 0; n < rounds; n++) {
    world.at(500 + n * 40, () => {
      talk(client, n);
      if (n % 11 === 0) client.forget('score', n % 8);
      world.touch(own);
    });
  }
  world.run(500 + rounds * 40);
  client.close(world.nowMs, 'done', { graceMs: 60_000 });
  world.touch(own);
  world.run(world.nowMs + 90_000);
  const channels = messages.channels.map(({ name, limits }, index) => ({
    id: name === 'main' ? 1 : 2 + index,
    ...limits,
    ttlMs: undefined,
  }));
  return [JSON.stringify({ format: 1, channels, flushMs: FLUSH_MS }), ...lines];
}
