// Two connections, a seeded link each way and a clock: what the connection tests run in virtual time.

import { type Delivery, Link, type LinkOptions } from '@tickwire/netsim';
import type { Channel, ChannelPlan } from '../src/transport/channel.ts';
import { Connection } from '../src/transport/connection.ts';
import type { ConnectionTuning } from '../src/transport/connection-options.ts';
import { type SealerChain, TAG_BYTES } from '../src/wire/crypto.ts';
import { DATAGRAM_BYTES_MAX } from '../src/wire/packet.ts';
import { Verdict } from '../src/wire/verdict.ts';

/** Protects nothing and costs nothing: the tests that use it are not about forgery. */
export const openChain: SealerChain = {
  next: () => ({
    seal: (bytes, _start, _bodyStart, end) => void bytes.fill(0, end, end + TAG_BYTES),
    open: () => true,
  }),
};

/** A channel that sends what it is told and remembers everything that happens to it. */
export class ProbeChannel implements Channel {
  readonly elicitsAck: boolean;
  /** Bodies to be written, one a packet. */
  readonly outbox: Uint8Array[] = [];
  readonly inbox: number[][] = [];
  readonly written: number[] = [];
  readonly ackedSequences: number[] = [];
  readonly lostSequences: number[] = [];
  verdict: Verdict = Verdict.accepted;
  reads = 0;
  closes = 0;
  /** Packets whose section was kept. */
  readonly keptSequences: number[] = [];
  #staged: number[] = [];
  #sequence = -1;

  constructor(elicitsAck = true) {
    this.elicitsAck = elicitsAck;
  }

  pending(): boolean {
    return this.outbox.length > 0;
  }

  write(_nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    const body = this.outbox[0];
    if (body === undefined || body.length > end - start) return 0;
    this.outbox.shift();
    out.set(body, start);
    this.written.push(sequence);
    return body.length;
  }

  read(_nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    this.reads++;
    this.#sequence = sequence;
    this.#staged = [...bytes.subarray(start, end)];
    return this.verdict;
  }

  commit(): void {
    this.inbox.push(this.#staged);
    this.keptSequences.push(this.#sequence);
  }

  acked(sequence: number): void {
    this.ackedSequences.push(sequence);
  }

  lost(sequence: number): void {
    this.lostSequences.push(sequence);
  }

  close(): void {
    this.closes++;
  }
}

export interface EndOptions extends ConnectionTuning {
  readonly channels?: readonly ChannelPlan[];
  readonly link?: LinkOptions;
  readonly outgoing?: SealerChain;
  readonly incoming?: SealerChain;
  /** Flushes so often, in a rhythm of its own. Default: at every tick of the pair. */
  readonly tickMs?: number;
}

/** One connection, what it told its owner, and the link away from it. */
export class End {
  readonly connection: Connection;
  readonly link: Link;
  readonly closed: { reason: string; text: string; remote: boolean }[] = [];
  ended = 0;
  proven = 0;
  /** Answers to path challenges. */
  readonly responses: number[] = [];
  packets = 0;
  /** Length of every datagram sent since it was last emptied. */
  readonly lengths: number[] = [];
  /** False: lets its ticks pass without a flush. */
  flushes = true;
  /** Its own rhythm; Infinity = that of the pair. */
  readonly tickMs: number;
  nextTickMs: number;

  constructor(options: EndOptions, seed: number) {
    const { link, channels, outgoing, incoming, tickMs, ...tuning } = options;
    this.link = new Link(link ?? {}, seed);
    this.tickMs = tickMs ?? Number.POSITIVE_INFINITY;
    this.nextTickMs = this.tickMs;
    this.connection = new Connection({
      ...tuning,
      remoteId: seed,
      outgoing: outgoing ?? openChain,
      incoming: incoming ?? openChain,
      channels: channels ?? [],
      nowMs: 0,
      sink: {
        proven: () => this.proven++,
        pathResponse: (data) => this.responses.push(data),
        closed: (reason, text, remote) => this.closed.push({ reason, text, remote }),
        ended: () => this.ended++,
      },
    });
  }

  flush(nowMs: number, out: Uint8Array): void {
    if (this.flushes) this.connection.flush(nowMs);
    this.drain(nowMs, out);
  }

  /** Sends everything that the connection has to say. */
  drain(nowMs: number, out: Uint8Array): void {
    for (;;) {
      const length = this.connection.poll(nowMs, out, 0);
      if (length === 0) return;
      this.packets++;
      this.lengths.push(length);
      this.link.send(nowMs, out, 0, length, 0, 0);
    }
  }
}

/** See the head of the file. Ends without a rhythm of their own flush at every tick, at the same moments. */
export class ConnectionPair {
  readonly a: End;
  readonly b: End;
  readonly tickMs: number;
  nowMs = 0;
  readonly #out = new Uint8Array(DATAGRAM_BYTES_MAX);
  readonly #delivery: Delivery = { bytes: new Uint8Array(0), start: 0, end: 0, from: 0, to: 0 };

  constructor(a: EndOptions, b: EndOptions, seed = 1, tickMs = 16) {
    this.a = new End(a, seed * 2 + 1);
    this.b = new End(b, seed * 2 + 2);
    this.tickMs = tickMs;
  }

  /** Runs tick after tick until `done` or for `ticks`. `each` comes before the flush. */
  run(ticks: number, each: (tick: number) => void = () => {}, done = () => false): void {
    for (let tick = 0; tick < ticks && !done(); tick++) {
      const until = this.nowMs + this.tickMs;
      this.#pass(until);
      this.nowMs = until;
      each(tick);
      for (const end of [this.a, this.b]) {
        if (end.tickMs === Number.POSITIVE_INFINITY) end.flush(this.nowMs, this.#out);
      }
    }
  }

  /** Deliveries, and flushes of ends with a rhythm of their own, up to the next tick. */
  #pass(untilMs: number): void {
    for (;;) {
      const arrivesMs = Math.min(this.a.link.wakeAt(), this.b.link.wakeAt());
      const flushesMs = Math.min(this.a.nextTickMs, this.b.nextTickMs);
      if (Math.min(arrivesMs, flushesMs) > untilMs) return;
      if (arrivesMs <= flushesMs) this.#deliver(Math.max(this.nowMs, arrivesMs));
      else this.#flush(flushesMs);
    }
  }

  #deliver(nowMs: number): void {
    const aFirst = this.a.link.wakeAt() <= this.b.link.wakeAt();
    const [from, to] = aFirst ? [this.a, this.b] : [this.b, this.a];
    const delivery = this.#delivery;
    if (!from.link.poll(nowMs, delivery)) return;
    to.connection.receive(nowMs, delivery.bytes, delivery.start, delivery.end);
    to.connection.advance(nowMs);
    to.drain(nowMs, this.#out);
  }

  #flush(nowMs: number): void {
    const end = this.a.nextTickMs <= this.b.nextTickMs ? this.a : this.b;
    end.nextTickMs += end.tickMs;
    end.flush(nowMs, this.#out);
  }
}
