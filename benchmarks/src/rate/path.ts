// Connections behind one bottleneck, in virtual time: what the rate bench runs. Each has a transfer that never ends
// and, if asked, small messages of higher priority beside it.

import { type Delivery, InFlight, Link, type LinkOptions, Prng } from '@tickwire/netsim';
import {
  Connection,
  createMessageChannel,
  FRAGMENT_BYTES,
  type MessageChannel,
  type RateOptions,
  resolveChannel,
} from '@tickwire/protocol';
import { chainOf, PlainSealer } from '../connection-pair.ts';

const TICK_MS = 1000 / 60;
const TRANSFER = 1;
const MESSAGES = 2;
const MESSAGE_BYTES = 80;
const HEADER_BYTES = 28;
/** Datagrams on their way at once: more than the window of a connection. */
const DATAGRAMS = 1024;

/** One connection of a run. */
export interface FlowPlan {
  readonly startMs?: number;
  /** Whether its transfer runs. Default true. */
  readonly transfers?: boolean;
  /** The bounds of its rate. Default: those of every connection. */
  readonly rate?: RateOptions;
  /** A small message so often. Default: none. */
  readonly messageEveryMs?: number;
}

/** What a run is made of. */
export interface PathPlan {
  readonly seed: number;
  /** The link that all share, on the way to the receivers. */
  readonly bottleneck: LinkOptions;
  /** The way from there on, and the way back: each connection has both for itself. */
  readonly ways: LinkOptions;
  readonly flows: readonly FlowPlan[];
}

/** One side of a connection. Its ticks come in a phase of their own. */
class Side {
  readonly connection: Connection;
  readonly transfer: MessageChannel;
  readonly messages: MessageChannel;
  nextTickMs: number;
  readonly #out = new Uint8Array(1500);
  readonly #leave: (nowMs: number, bytes: Uint8Array, length: number) => void;

  constructor(
    startMs: number,
    phase: number,
    leave: (nowMs: number, bytes: Uint8Array, length: number) => void,
    heard: (bytes: Uint8Array, start: number) => void,
    rate: RateOptions = {},
  ) {
    const make = (priority: number, sink: (bytes: Uint8Array, start: number) => void) =>
      createMessageChannel(resolveChannel({ kind: 'reliable-unordered', priority }), sink);
    this.transfer = make(0, () => {});
    this.messages = make(1, heard);
    this.#leave = leave;
    this.nextTickMs = startMs + phase * TICK_MS;
    this.connection = new Connection({
      remoteId: 1,
      outgoing: chainOf(new PlainSealer()),
      incoming: chainOf(new PlainSealer()),
      channels: [
        { id: TRANSFER, channel: this.transfer },
        { id: MESSAGES, channel: this.messages, priority: 1 },
      ],
      nowMs: startMs,
      rate,
      sink: { closed() {}, ended() {} },
    });
  }

  flush(nowMs: number): void {
    this.connection.flush(nowMs);
    for (;;) {
      const length = this.connection.poll(nowMs, this.#out, 0);
      if (length === 0) return;
      this.#leave(nowMs, this.#out, length);
    }
  }

  receive(nowMs: number, { bytes, start, end }: Delivery): void {
    this.connection.receive(nowMs, bytes, start, end);
    this.connection.advance(nowMs);
    if (this.connection.urgent) this.flush(nowMs);
  }
}

/** A connection, and its own links. */
class Flow {
  readonly sender: Side;
  readonly receiver: Side;
  readonly forward: Link;
  readonly back: Link;
  passedBytes = 0;
  readonly messageDelaysMs: number[] = [];
  readonly #plan: FlowPlan;
  readonly #piece = new Uint8Array(FRAGMENT_BYTES);
  readonly #message = new Uint8Array(MESSAGE_BYTES);
  readonly #sentAtMs: number[] = [];
  #nextMessageMs: number;

  constructor(plan: FlowPlan, index: number, path: Path, ways: LinkOptions, random: Prng) {
    const startMs = plan.startMs ?? 0;
    const store = () => new InFlight({ datagrams: DATAGRAMS });
    this.#plan = plan;
    this.#nextMessageMs = startMs;
    this.forward = new Link(ways, random.u32(), store());
    this.back = new Link(ways, random.u32(), store());
    this.sender = new Side(
      startMs,
      random.next(),
      (nowMs, bytes, length) => path.bottleneck.send(nowMs, bytes, 0, length, index, 0),
      () => {},
      plan.rate,
    );
    this.receiver = new Side(
      startMs,
      random.next(),
      (nowMs, bytes, length) => this.back.send(nowMs, bytes, 0, length, 0, 0),
      (bytes, start) => {
        const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(start);
        this.messageDelaysMs.push(path.nowMs - this.#sentAtMs[number]!);
      },
    );
  }

  wakeAt(): number {
    const links = Math.min(this.forward.wakeAt(), this.back.wakeAt());
    return Math.min(links, this.sender.nextTickMs, this.receiver.nextTickMs);
  }

  step(nowMs: number, delivery: Delivery): void {
    while (this.forward.poll(nowMs, delivery)) this.receiver.receive(nowMs, delivery);
    while (this.back.poll(nowMs, delivery)) this.sender.receive(nowMs, delivery);
    for (const side of [this.sender, this.receiver]) {
      if (side.nextTickMs > nowMs) continue;
      side.nextTickMs += TICK_MS;
      if (side === this.sender) this.#say(nowMs);
      side.flush(nowMs);
    }
  }

  #say(nowMs: number): void {
    const { transfers = true, messageEveryMs = Number.POSITIVE_INFINITY } = this.#plan;
    while (transfers && this.sender.transfer.send(this.#piece, 0, FRAGMENT_BYTES) === 'queued') {}
    if (messageEveryMs === Number.POSITIVE_INFINITY || nowMs < this.#nextMessageMs) return;
    this.#nextMessageMs += messageEveryMs;
    new DataView(this.#message.buffer).setUint32(0, this.#sentAtMs.length);
    this.#sentAtMs.push(nowMs);
    this.sender.messages.send(this.#message, 0, MESSAGE_BYTES);
  }
}

/** A run: its links, its connections and its clock. */
export class Path {
  readonly bottleneck: Link;
  nowMs = 0;
  readonly #flows: readonly Flow[];
  readonly #delivery: Delivery = { bytes: new Uint8Array(0), start: 0, end: 0, from: 0, to: 0 };

  constructor(plan: PathPlan) {
    const random = new Prng(plan.seed);
    const store = new InFlight({ datagrams: DATAGRAMS });
    this.bottleneck = new Link(plan.bottleneck, random.u32(), store);
    this.#flows = plan.flows.map(
      (flow, i) => new Flow(flow, i, this, plan.ways, random.fork(`flow ${i}`)),
    );
  }

  /** Bytes that passed the bottleneck so far, by connection, headers included. */
  get passedBytes(): number[] {
    return this.#flows.map((flow) => flow.passedBytes);
  }

  /** How long the small messages of the first connection took, ms. */
  get messageDelaysMs(): readonly number[] {
    return this.#flows[0]!.messageDelaysMs;
  }

  run(untilMs: number): void {
    for (let atMs = this.#wakeAt(); atMs <= untilMs; atMs = this.#wakeAt()) {
      this.nowMs = atMs;
      this.#step(atMs);
    }
    this.nowMs = untilMs;
  }

  #wakeAt(): number {
    return Math.min(this.bottleneck.wakeAt(), ...this.#flows.map((flow) => flow.wakeAt()));
  }

  #step(nowMs: number): void {
    const delivery = this.#delivery;
    while (this.bottleneck.poll(nowMs, delivery)) {
      const { bytes, start, end, from } = delivery;
      const flow = this.#flows[from]!;
      flow.passedBytes += end - start + HEADER_BYTES;
      flow.forward.send(nowMs, bytes, start, end, 0, 0);
    }
    for (const flow of this.#flows) flow.step(nowMs, delivery);
  }
}
