// What acks may never do, checked from outside while two connections talk over a network that loses, doubles and
// reorders, and while sections are refused at random:
//   - what the sender is told was acked is a part of what the receiver got and kept;
//   - a packet has one verdict;
//   - nothing that was acked is ever said again;
//   - and when the network is good again everything arrives, once, and in order where that was promised.
// It complains instead of throwing and knows no test runner, so that planted bugs can be put under it as well.

import fc from 'fast-check';
import { Prng } from '../../packages/netsim/src/prng.ts';
import type { Channel } from '../../packages/protocol/src/transport/channel.ts';
import { Connection } from '../../packages/protocol/src/transport/connection.ts';
import { createMessageChannel } from '../../packages/protocol/src/transport/delivery.ts';
import type { MessageChannel } from '../../packages/protocol/src/transport/message-channel.ts';
import { ReliableLatestChannel } from '../../packages/protocol/src/transport/reliable-latest.ts';
import { resolveChannel } from '../../packages/protocol/src/wire/channel-options.ts';
import { type SealerChain, TAG_BYTES } from '../../packages/protocol/src/wire/crypto.ts';
import { DATAGRAM_BYTES_MAX } from '../../packages/protocol/src/wire/packet.ts';
import { Verdict } from '../../packages/protocol/src/wire/verdict.ts';

/** A stretch of time in the life of the two connections. */
export type Step =
  | {
      readonly kind: 'talk';
      readonly seed: number;
      readonly ticks: number;
      readonly tickMs: number;
      /** Percent, in the direction from a, and in the direction from b. */
      readonly loss: readonly [number, number];
      readonly duplicate: number;
      readonly reorder: number;
      /** Percent of the sections that their channel does not take. */
      readonly refuse: number;
      /** Messages a tick and channel, at most. */
      readonly messages: number;
    }
  | {
      /** Pings only, a millisecond apart, of which each so many-th arrives. */
      readonly kind: 'idle';
      readonly packets: number;
      readonly heardEvery: number;
      /** The side that pings; the other only answers what it hears. Default: both ping. */
      readonly only?: 0 | 1;
    };

const COMPLAINTS_MAX = 20;
const LATENCY_MS = 30;
const KEYS = 9;
const LONG_BYTES = 2500;

const openChain: SealerChain = {
  next: () => ({
    seal: (bytes, _start, _bodyStart, end) => void bytes.fill(0, end, end + TAG_BYTES),
    open: () => true,
  }),
};

interface Datagram {
  readonly bytes: Uint8Array;
  readonly sequence: number;
  readonly dueMs: number;
}

/** Reads a section body record by record, without the code under test; returns what names each record. */
type Parse = (bytes: Uint8Array, start: number, end: number) => number[];

function varint(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}

/** Ids of reliable records, all 53 bits of them: they never lie far from the newest. */
function parserOfReliable(): Parse {
  let newest = -1;
  return (bytes, start, end) => {
    const ids: number[] = [];
    for (let at = start; at < end; ) {
      const wire = bytes[at]! | (bytes[at + 1]! << 8);
      const delta = (wire - newest) & 0xffff;
      const id = newest + (delta < 0x8000 ? delta : delta - 0x10000);
      if (id > newest) newest = id;
      ids.push(id);
      const [first, afterFirst] = varint(bytes, at + 2);
      at = (first & 1) === 1 ? varint(bytes, afterFirst)[1] : afterFirst;
      at += first >>> 1;
    }
    return ids;
  };
}

/** Values of latest records begin with a number of their own; deletions have none. */
const parseLatest: Parse = (bytes, start, end) => {
  const numbers: number[] = [];
  for (let at = start; at < end; ) {
    const [, afterKey] = varint(bytes, at);
    const [length, body] = varint(bytes, afterKey + 2);
    if (length > 0) numbers.push(numberOf(bytes, body));
    at = body + Math.max(0, length - 1);
  }
  return numbers;
};

function numberOf(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
}

/** Stands between a connection and one of its channels, and watches. */
class Spy implements Channel {
  readonly elicitsAck = true;
  readonly kept = new Set<number>();
  peer: Spy = this;
  /** Whether the section that was read last is refused. */
  refuses: () => boolean = () => false;
  readonly #name: string;
  readonly #inner: Channel;
  readonly #parse: Parse;
  readonly #complain: (text: string) => void;
  readonly #carried = new Map<number, number[]>();
  readonly #acked = new Set<number>();
  #staged = -1;

  constructor(name: string, inner: Channel, parse: Parse, complain: (text: string) => void) {
    this.#name = name;
    this.#inner = inner;
    this.#parse = parse;
    this.#complain = (text) => complain(`${name}: ${text}`);
  }

  get name(): string {
    return this.#name;
  }

  pending(nowMs: number): boolean {
    return this.#inner.pending(nowMs);
  }

  write(nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    const length = this.#inner.write(nowMs, out, start, end, sequence);
    if (length === 0) return 0;
    const records = this.#parse(out, start, start + length);
    for (const record of records) {
      if (this.#acked.has(record)) this.#complain(`${record} was acked and is said again`);
    }
    if (this.#carried.has(sequence)) this.#complain(`${sequence} is written twice`);
    this.#carried.set(sequence, records);
    return length;
  }

  read(nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    const verdict = this.#inner.read(nowMs, bytes, start, end, sequence);
    if (verdict === Verdict.malformed) this.#complain(`${sequence} of an honest peer is malformed`);
    this.#staged = sequence;
    return verdict === Verdict.accepted && this.refuses() ? Verdict.refused : verdict;
  }

  commit(nowMs: number): void {
    if (this.kept.has(this.#staged)) this.#complain(`${this.#staged} is kept twice`);
    this.kept.add(this.#staged);
    this.#inner.commit(nowMs);
  }

  acked(sequence: number): void {
    if (!this.peer.kept.has(sequence)) this.#complain(`${sequence} is acked and was not kept`);
    for (const record of this.#settle(sequence)) this.#acked.add(record);
    this.#inner.acked(sequence);
  }

  lost(sequence: number): void {
    this.#settle(sequence);
    this.#inner.lost(sequence);
  }

  close(): void {
    this.#carried.clear();
    this.#inner.close();
  }

  #settle(sequence: number): number[] {
    const records = this.#carried.get(sequence);
    if (records === undefined) this.#complain(`${sequence} has a verdict without need, or two`);
    this.#carried.delete(sequence);
    return records ?? [];
  }
}

/** One side: a connection, its spied channels, and what it promised and got. */
class Side {
  readonly connection: Connection;
  readonly spies: readonly Spy[];
  readonly messages: readonly MessageChannel[];
  readonly latest: ReliableLatestChannel;
  /** Numbers sent on the two kinds of messages, and set for each key; and what came from the other side. */
  readonly sent = [0, 0];
  readonly wanted = new Array<number>(KEYS).fill(-1);
  readonly got: [ordered: number, unordered: Set<number>] = [0, new Set()];
  readonly values = new Array<number>(KEYS).fill(-1);
  readonly datagrams: Datagram[] = [];
  #set = 0;
  readonly #bytes = new Uint8Array(LONG_BYTES);

  constructor(name: string, complain: (text: string) => void) {
    const limits = (kind: 'reliable-ordered' | 'reliable-unordered' | 'reliable-latest') =>
      resolveChannel(
        kind === 'reliable-latest' ? { kind, keys: KEYS } : { kind, messageBytes: LONG_BYTES },
      );
    const ordered = createMessageChannel(limits('reliable-ordered'), (bytes, start) => {
      const number = numberOf(bytes, start);
      if (number !== this.got[0]++) complain(`${name}: ${number} came out of order`);
    });
    const unordered = createMessageChannel(limits('reliable-unordered'), (bytes, start) => {
      const number = numberOf(bytes, start);
      if (this.got[1].has(number)) complain(`${name}: ${number} came twice`);
      this.got[1].add(number);
    });
    this.latest = new ReliableLatestChannel(limits('reliable-latest'), {
      set: (key, bytes, start) => this.#value(name, key, numberOf(bytes, start), complain),
      deleted: (key) => {
        this.values[key] = -1;
      },
    });
    this.messages = [ordered, unordered];
    this.spies = [
      new Spy(`${name} ordered`, ordered, parserOfReliable(), complain),
      new Spy(`${name} unordered`, unordered, parserOfReliable(), complain),
      new Spy(`${name} latest`, this.latest, parseLatest, complain),
    ];
    this.connection = new Connection({
      remoteId: 1,
      outgoing: openChain,
      incoming: openChain,
      channels: this.spies.map((channel, i) => ({
        id: i * 31,
        channel,
        priority: i === 0 ? 1 : 0,
      })),
      nowMs: 0,
      timeoutMs: 3_600_000,
      keepAliveMs: 1,
      rate: { initialBytesPerSecond: 2_000_000, minBytesPerSecond: 2_000_000 },
      sink: { closed() {}, ended() {} },
    });
  }

  send(random: Prng, most: number): void {
    for (const [i, channel] of this.messages.entries()) {
      for (let n = below(random, most + 1); n > 0; n--) {
        const size = below(random, 30) === 0 ? LONG_BYTES : 3 + below(random, 60);
        this.#number(this.sent[i]!);
        if (channel.send(this.#bytes, 0, size) === 'queued') this.sent[i]!++;
      }
    }
    for (let n = below(random, most + 1); n > 0; n--) this.#change(random, below(random, KEYS));
  }

  /** What is missing of all that was sent. */
  missing(from: Side): string[] {
    const found: string[] = [];
    if (this.got[0] !== from.sent[0]) found.push(`${this.got[0]} of ${from.sent[0]} in order`);
    if (this.got[1].size !== from.sent[1]) found.push(`${this.got[1].size} of ${from.sent[1]}`);
    for (let key = 0; key < KEYS; key++) {
      if (this.values[key] !== from.wanted[key]) {
        found.push(`key ${key} is ${this.values[key]}, not ${from.wanted[key]}`);
      }
    }
    return found;
  }

  #change(random: Prng, key: number): void {
    if (below(random, 8) === 0) {
      this.latest.delete(key);
      this.wanted[key] = -1;
      return;
    }
    this.#number(this.#set);
    if (this.latest.set(key, this.#bytes, 0, 3 + below(random, 20)) === 'queued') {
      this.wanted[key] = this.#set++;
    }
  }

  #value(name: string, key: number, number: number, complain: (text: string) => void): void {
    if (number <= this.values[key]!) complain(`${name}: key ${key} went back to ${number}`);
    this.values[key] = number;
  }

  #number(value: number): void {
    this.#bytes[0] = value;
    this.#bytes[1] = value >>> 8;
    this.#bytes[2] = value >>> 16;
  }
}

function below(random: Prng, limit: number): number {
  return random.u32() % limit;
}

const perfect = { seed: 1, tickMs: 10, loss: [0, 0], duplicate: 0, reorder: 0, refuse: 0 } as const;

/** See the head of the file. */
export class AckModel {
  readonly complaints: string[] = [];
  readonly a = new Side('a', (text) => this.#complain(text));
  readonly b = new Side('b', (text) => this.#complain(text));
  #nowMs = 0;
  #random = new Prng(0);
  #refuse = 0;
  readonly #out = new Uint8Array(DATAGRAM_BYTES_MAX);

  constructor() {
    for (let i = 0; i < this.a.spies.length; i++) {
      for (const [side, other] of [
        [this.a, this.b],
        [this.b, this.a],
      ] as const) {
        side.spies[i]!.peer = other.spies[i]!;
        side.spies[i]!.refuses = () => this.#chance(this.#refuse);
      }
    }
  }

  run(step: Step): void {
    if (step.kind === 'talk') this.#talk(step);
    else this.#idle(step.packets, step.heardEvery, step.only);
  }

  /** A good network, until nothing is left to be said; then the end. */
  finish(): void {
    const busy = () =>
      [this.a, this.b].some(({ messages, latest }) =>
        [...messages, latest].some(({ statistics }) => statistics.queued > 0),
      );
    for (let i = 0; i < 100 && busy() && !this.#full; i++) {
      this.#talk({ ...perfect, kind: 'talk', ticks: 10, messages: 0 });
    }
    for (const [side, other] of [
      [this.a, this.b],
      [this.b, this.a],
    ] as const) {
      for (const text of side.missing(other)) this.#complain(`missing in the end: ${text}`);
    }
    for (const { connection } of [this.a, this.b]) {
      connection.close(this.#nowMs, 'closed', '');
      const { inFlight, spuriousLosses, lost } = connection.statistics;
      if (inFlight !== 0) this.#complain(`${inFlight} packets without a verdict after the end`);
      if (spuriousLosses > lost)
        this.#complain(`${spuriousLosses} of ${lost} losses are corrected`);
    }
  }

  get #full(): boolean {
    return this.complaints.length >= COMPLAINTS_MAX;
  }

  #complain(text: string): void {
    if (!this.#full) this.complaints.push(`${text} (at ${this.#nowMs} ms)`);
  }

  #chance(percent: number): boolean {
    return percent > 0 && below(this.#random, 100) < percent;
  }

  #talk(step: Step & { kind: 'talk' }): void {
    this.#random = new Prng(step.seed);
    this.#refuse = step.refuse;
    for (let tick = 0; tick < step.ticks && !this.#full; tick++) {
      this.#nowMs += step.tickMs;
      for (const [i, side] of [this.a, this.b].entries()) {
        this.#deliver(i === 0 ? this.b : this.a, side);
        side.send(this.#random, step.messages);
        this.#flush(side, (bytes, sequence) => {
          if (this.#chance(step.loss[i]!)) return;
          const copies = this.#chance(step.duplicate) ? 2 : 1;
          for (let n = 0; n < copies; n++) {
            const heldMs = this.#chance(step.reorder) ? below(this.#random, 200) : 0;
            side.datagrams.push({ bytes, sequence, dueMs: this.#nowMs + LATENCY_MS + heldMs });
          }
        });
      }
    }
    this.#refuse = 0;
  }

  #idle(packets: number, heardEvery: number, only: 0 | 1 | undefined): void {
    for (let i = 1; i <= packets && !this.#full; i++) {
      this.#nowMs++;
      const heard = i % heardEvery === 0;
      for (const [n, side] of [this.a, this.b].entries()) {
        if (only !== undefined && n !== only && !heard) continue;
        this.#flush(side, (bytes, sequence) => {
          if (heard) this.#arrive(side === this.a ? this.b : this.a, { bytes, sequence, dueMs: 0 });
        });
      }
    }
  }

  #flush(side: Side, send: (bytes: Uint8Array, sequence: number) => void): void {
    side.connection.flush(this.#nowMs);
    for (;;) {
      const sequence = side.connection.nextSequence;
      const length = side.connection.poll(this.#nowMs, this.#out, 0);
      if (length === 0) return;
      send(this.#out.slice(0, length), sequence);
    }
  }

  /** What is due comes in order of arrival. */
  #deliver(from: Side, to: Side): void {
    const due = from.datagrams.filter(({ dueMs }) => dueMs <= this.#nowMs);
    if (due.length === 0) return;
    const later = from.datagrams.filter(({ dueMs }) => dueMs > this.#nowMs);
    from.datagrams.splice(0, from.datagrams.length, ...later);
    for (const one of due.sort((x, y) => x.dueMs - y.dueMs)) this.#arrive(to, one);
  }

  #arrive(to: Side, { bytes, sequence }: Datagram): void {
    const verdict = to.connection.receive(this.#nowMs, bytes, 0, bytes.length);
    if (verdict === Verdict.malformed) this.#complain(`${sequence} is malformed`);
    to.connection.advance(this.#nowMs);
  }
}

/** Runs the steps and returns what is wrong. */
export function runAckModel(steps: readonly Step[]): string[] {
  const model = new AckModel();
  for (const step of steps) model.run(step);
  model.finish();
  return model.complaints;
}

const percent = (most: number) => fc.oneof(fc.constant(0), fc.nat(most));

const talk: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('talk' as const),
  seed: fc.nat(),
  ticks: fc.integer({ min: 1, max: 60 }),
  tickMs: fc.constantFrom(1, 4, 8, 16, 50),
  loss: fc.tuple(percent(60), percent(60)),
  duplicate: percent(30),
  reorder: percent(50),
  refuse: percent(30),
  messages: fc.constantFrom(0, 1, 3, 12),
});

const idle: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('idle' as const),
  packets: fc.oneof(fc.nat(50), fc.nat(700)),
  heardEvery: fc.constantFrom(1, 2, 50, 1001),
});

/** Any life of two connections. */
export const anySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof({ arbitrary: talk, weight: 4 }, { arbitrary: idle, weight: 1 }),
  { minLength: 1, maxLength: 14 },
);

/**
 * A life past `wraps` wraps of the 16 bits that travel, of both sides or of one: gaps in which hardly anything is heard,
 * and talk between them.
 */
export function longLife(seed: number, wraps: number, only?: 0 | 1): Step[] {
  const random = new Prng(seed);
  const steps: Step[] = [];
  for (let packets = 0; packets < wraps * 0x10000; ) {
    const gap = 8000 + below(random, 16_000);
    const heardEvery = 1 + below(random, 4000);
    steps.push({ kind: 'idle', packets: gap, heardEvery, ...(only === undefined ? {} : { only }) });
    steps.push({
      ...perfect,
      kind: 'talk',
      seed: random.u32(),
      ticks: 20,
      tickMs: 8,
      loss: [below(random, 30), below(random, 30)],
      reorder: 20,
      duplicate: 10,
      refuse: below(random, 10),
      messages: 4,
    });
    packets += gap;
  }
  return steps;
}
