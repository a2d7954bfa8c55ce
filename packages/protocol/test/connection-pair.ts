// Two connections, a seeded link each way and a clock: what the connection tests run in virtual time.

import { type Delivery, Link, type LinkOptions } from '@tickwire/netsim';
import type { Channel } from '../src/transport/channel.ts';
import { Connection } from '../src/transport/connection.ts';
import { type Sealer, TAG_BYTES } from '../src/wire/crypto.ts';
import { Verdict } from '../src/wire/verdict.ts';

/** Protects nothing and costs nothing: the tests that use it are not about forgery. */
export const openSealer: Sealer = {
  seal(bytes, _start, _bodyStart, end) {
    bytes.fill(0, end, end + TAG_BYTES);
  },
  open: () => true,
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
  #staged: number[] = [];

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

  read(_nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    this.reads++;
    this.#staged = [...bytes.subarray(start, end)];
    return this.verdict;
  }

  commit(): void {
    this.inbox.push(this.#staged);
  }

  acked(sequence: number): void {
    this.ackedSequences.push(sequence);
  }

  lost(sequence: number): void {
    this.lostSequences.push(sequence);
  }
}

export interface EndOptions {
  readonly channels?: readonly (readonly [id: number, channel: Channel])[];
  readonly link?: LinkOptions;
  readonly sealOutgoing?: Sealer;
  readonly openIncoming?: Sealer;
  readonly timeoutMs?: number;
  readonly keepAliveMs?: number;
}

/** One connection, what it told its owner, and the link away from it. */
export class End {
  readonly connection: Connection;
  readonly link: Link;
  readonly closed: { reason: string; text: string; remote: boolean }[] = [];
  ended = 0;
  proven = 0;
  packets = 0;
  /** False: lets its ticks pass without a flush. */
  flushes = true;

  constructor(options: EndOptions, seed: number) {
    this.link = new Link(options.link ?? {}, seed);
    this.connection = new Connection({
      remoteId: seed,
      sealOutgoing: options.sealOutgoing ?? openSealer,
      openIncoming: options.openIncoming ?? openSealer,
      channels: options.channels ?? [],
      nowMs: 0,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      ...(options.keepAliveMs === undefined ? {} : { keepAliveMs: options.keepAliveMs }),
      sink: {
        proven: () => this.proven++,
        closed: (reason, text, remote) => this.closed.push({ reason, text, remote }),
        ended: () => this.ended++,
      },
    });
  }

  /** Sends everything that the connection has to say. */
  drain(nowMs: number, out: Uint8Array): void {
    for (;;) {
      const length = this.connection.poll(nowMs, out, 0);
      if (length === 0) return;
      this.packets++;
      this.link.send(nowMs, out, 0, length, 0, 0);
    }
  }
}

/** See the head of the file. Both ends flush at every tick, at the same moments. */
export class ConnectionPair {
  readonly a: End;
  readonly b: End;
  readonly tickMs: number;
  nowMs = 0;
  readonly #out = new Uint8Array(1200);
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
      this.#deliver(until);
      this.nowMs = until;
      each(tick);
      for (const end of [this.a, this.b]) {
        if (end.flushes) end.connection.flush(this.nowMs);
        end.drain(this.nowMs, this.#out);
      }
    }
  }

  #deliver(untilMs: number): void {
    for (;;) {
      const fromA = this.a.link.wakeAt();
      const fromB = this.b.link.wakeAt();
      if (Math.min(fromA, fromB) > untilMs) return;
      const nowMs = Math.max(this.nowMs, Math.min(fromA, fromB));
      const [from, to] = fromA <= fromB ? [this.a, this.b] : [this.b, this.a];
      const delivery = this.#delivery;
      if (!from.link.poll(nowMs, delivery)) continue;
      to.connection.receive(nowMs, delivery.bytes, delivery.start, delivery.end);
      to.connection.advance(nowMs);
      to.drain(nowMs, this.#out);
    }
  }
}
