// A network in virtual time: machines, the links between them and scripted events, run from one seed.
// Time jumps from one moment with work to the next, so seconds pass in milliseconds and every run of a
// seed is the same run.
//
// At each moment, in this order: scripted callbacks; datagrams that are due enter their receiver's queue;
// then, node by node in order of address, whoever has work takes a turn: receive a batch, advance, poll
// until drained.

import { type Destination, type Machine, TickwireError } from '@tickwire/protocol';
import { InFlight } from './in-flight.ts';
import { Fate, Link } from './link.ts';
import type { LinkOptions } from './link-options.ts';
import { type NodeCounters, SimulatedNode } from './node.ts';
import { Prng } from './prng.ts';
import { Script } from './script.ts';
import type { Datagram, DropReason, Tap } from './tap.ts';
import { Trace, TraceKind } from './trace.ts';
import {
  type NodeOptions,
  type ResolvedWorld,
  resolveWorld,
  type WorldOptions,
} from './world-options.ts';

/** Moments with work within one millisecond before the world says that it no longer gets anywhere. */
const LIVELOCK_STEPS = 10_000;
/** Datagrams from one drain before the world says that `poll` never returns 0. */
const LIVELOCK_POLLS = 65_536;

const NO_BYTES = new Uint8Array(0);

/** A simulated network under virtual time. See the first lines of the file for the order of events. */
export class World {
  /** Digest of everything that happened, and a timeline if asked for. */
  readonly trace: Trace;
  /** Sees, and may change, every datagram. */
  tap: Tap | undefined;
  /** Datagrams sent to addresses that do not exist. */
  unroutable = 0;

  readonly #options: ResolvedWorld;
  readonly #random: Prng;
  readonly #inFlight: InFlight;
  readonly #script = new Script();
  readonly #nodes: SimulatedNode[] = [];
  readonly #deadlines: number[] = [];
  readonly #betweenServers: Link;
  readonly #out: Uint8Array;
  readonly #to: Destination = { address: 0 };
  readonly #datagram: Datagram;
  #nowMs: number;
  #running = false;
  #windowMs = Number.NEGATIVE_INFINITY;
  #windowSteps = 0;

  /** @throws TickwireError `option-invalid`. */
  constructor(options: WorldOptions) {
    const resolved = resolveWorld(options);
    this.#options = resolved;
    this.#nowMs = resolved.startMs;
    this.#random = new Prng(resolved.seed);
    this.trace = new Trace(resolved.timelineLines);
    const { inFlightDatagrams, datagramBytes } = resolved;
    this.#inFlight = new InFlight({ datagrams: inFlightDatagrams, datagramBytes });
    this.#betweenServers = new Link({}, resolved.seed, this.#inFlight);
    this.#out = new Uint8Array(datagramBytes);
    this.#datagram = { bytes: this.#out, start: 0, end: 0, from: 0, to: 0, dropped: false };
  }

  /** World time in ms. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** A generator of its own for a test's choices; the same label gives the same one. */
  random(label: string): Prng {
    return this.#random.fork(`user ${label}`);
  }

  /** Adds a machine; returns its address, from 1 on. @throws TickwireError `option-invalid`. */
  addNode(machine: Machine, options: NodeOptions = {}): number {
    const address = this.#nodes.length + 1;
    const server = options.server ?? address === 1;
    const node = new SimulatedNode(
      address,
      machine,
      server,
      this.#makeLink(options.linkUp, `up ${address}`),
      this.#makeLink(options.linkDown, `down ${address}`),
      options,
      this.#options.receiveQueueDatagrams,
    );
    this.#nodes.push(node);
    this.#deadlines.push(node.deadlineMs());
    return address;
  }

  /** The link from the node: its counters, its queue, `configure`. @throws TickwireError `address-unknown`. */
  linkUp(address: number): Link {
    return this.#known(address).up;
  }

  /** The link to the node. @throws TickwireError `address-unknown`. */
  linkDown(address: number): Link {
    return this.#known(address).down;
  }

  /** Counts of a node. @throws TickwireError `address-unknown`. */
  counters(address: number): Readonly<NodeCounters> {
    return this.#known(address).counters;
  }

  /** The node's own time now, in ms: what to give its machine when calling it from outside. */
  localMs(address: number): number {
    return this.#known(address).localMs(this.#nowMs);
  }

  /** Calls back at a world time; a time that has passed means at once. */
  at(timeMs: number, callback: () => void): void {
    if (Number.isNaN(timeMs)) throw new TickwireError('option-invalid', 'at(NaN) has no meaning');
    this.#script.add(timeMs, callback);
  }

  /**
   * Says that a machine was called from outside a script, by another machine's callback: the world asks
   * for its `wakeAt` again. Not needed between runs nor in `at` callbacks.
   */
  touch(address: number): void {
    this.#deadlines[address - 1] = this.#known(address).deadlineMs();
  }

  /** Puts a datagram of the test's own under way, past all links. Returns false if the storage is full. */
  inject(bytes: Uint8Array, from: number, to: number, delayMs = 0): boolean {
    this.#known(to);
    return this.#inFlight.push(this.#nowMs + delayMs, bytes, 0, bytes.length, from, to);
  }

  /** Runs everything up to and including `untilMs`, which is then the time. */
  run(untilMs: number): void {
    this.#enter();
    try {
      for (let nextMs = this.#nextMs(); nextMs <= untilMs; nextMs = this.#nextMs()) {
        this.#work(nextMs);
      }
      this.#nowMs = Math.max(this.#nowMs, untilMs);
    } finally {
      this.#running = false;
    }
  }

  /** Jumps to the next moment with work and does it. False: there will never be any. */
  step(): boolean {
    this.#enter();
    try {
      const nextMs = this.#nextMs();
      if (nextMs === Number.POSITIVE_INFINITY) return false;
      this.#work(nextMs);
      return true;
    } finally {
      this.#running = false;
    }
  }

  #makeLink(options: LinkOptions | undefined, label: string): Link {
    const seed = this.#random.fork(label).u32();
    return new Link(options ?? this.#options.link, seed, this.#inFlight);
  }

  #known(address: number): SimulatedNode {
    const node = this.#nodes[address - 1];
    if (node !== undefined) return node;
    throw new TickwireError(
      'address-unknown',
      `no node has address ${address}; addNode returns it`,
    );
  }

  #enter(): void {
    if (this.#running) {
      throw new TickwireError('world-running', 'run and step cannot be called from a callback');
    }
    this.#running = true;
    this.#askAll();
  }

  /** Asks every machine when it wants to run, since user code may have touched any. */
  #askAll(): void {
    for (let i = 0; i < this.#nodes.length; i++) this.#deadlines[i] = this.#nodes[i]!.deadlineMs();
  }

  #nextMs(): number {
    let next = Math.min(this.#inFlight.wakeAt(), this.#script.wakeAt());
    for (let i = 0; i < this.#deadlines.length; i++) next = Math.min(next, this.#deadlines[i]!);
    return Math.max(next, this.#nowMs);
  }

  #work(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#guard();
    if (this.#script.run(nowMs)) this.#askAll();
    this.#land();
    for (let i = 0; i < this.#nodes.length; i++) {
      if (this.#deadlines[i]! <= nowMs) this.#serve(this.#nodes[i]!);
    }
  }

  /** Throws when much is done and no time passes. */
  #guard(): void {
    if (this.#nowMs >= this.#windowMs + 1) {
      this.#windowMs = this.#nowMs;
      this.#windowSteps = 0;
    }
    if (++this.#windowSteps <= LIVELOCK_STEPS) return;
    const index = this.#deadlines.findIndex((deadline) => deadline <= this.#nowMs);
    const who =
      index < 0
        ? 'scripted callbacks or datagrams follow one another without delay'
        : `wakeAt() of node ${index + 1} still returns ${this.#nodes[index]!.machine.wakeAt()} after advance`;
    throw new TickwireError(
      'livelock',
      `${LIVELOCK_STEPS} steps within a millisecond of virtual time at ${this.#nowMs} ms: ${who}`,
    );
  }

  /** Moves what is due from the links to the receivers' queues. */
  #land(): void {
    const inFlight = this.#inFlight;
    for (let slot = inFlight.pop(this.#nowMs); slot >= 0; slot = inFlight.pop(this.#nowMs)) {
      const node = this.#nodes[inFlight.to[slot]! - 1]!;
      if (node.enqueue(slot)) {
        const index = node.address - 1;
        this.#deadlines[index] = Math.min(this.#deadlines[index]!, node.nextTurnMs);
      } else {
        this.#aim(slot);
        this.#drop('receive-queue');
        inFlight.release(slot);
      }
    }
  }

  #serve(node: SimulatedNode): void {
    const localMs = node.localMs(this.#nowMs);
    if (node.queued > 0 && node.nextTurnMs <= this.#nowMs) this.#takeTurn(node, localMs);
    else this.trace.record(this.#nowMs, TraceKind.wake, node.address, 0, NO_BYTES, 0, 0);
    node.counters.advances++;
    node.machine.advance(localMs);
    this.#drain(node, localMs);
    this.#deadlines[node.address - 1] = node.deadlineMs();
  }

  #takeTurn(node: SimulatedNode, localMs: number): void {
    node.counters.turns++;
    node.nextTurnMs = this.#nowMs + this.#options.receiveTurnMs;
    for (let n = this.#options.receiveTurnDatagrams; n > 0 && node.queued > 0; n--) {
      const slot = node.dequeue();
      this.#deliver(node, slot, localMs);
      this.#inFlight.release(slot);
    }
  }

  #deliver(node: SimulatedNode, slot: number, localMs: number): void {
    this.#aim(slot);
    const datagram = this.#datagram;
    this.tap?.delivering?.(this.#nowMs, datagram);
    if (datagram.dropped) {
      this.#drop('tap');
      return;
    }
    this.#record(TraceKind.deliver);
    node.counters.received++;
    const { bytes, start, end, from } = datagram;
    node.machine.receive(localMs, bytes, start, end, from);
  }

  #drain(node: SimulatedNode, localMs: number): void {
    for (let n = 0; n < LIVELOCK_POLLS; n++) {
      const length = node.machine.poll(localMs, this.#out, 0, this.#to);
      if (length === 0) return;
      this.#send(node, length, this.#to.address);
    }
    throw new TickwireError(
      'livelock',
      `poll() of node ${node.address} gave ${LIVELOCK_POLLS} datagrams at ${this.#nowMs} ms and did not return 0`,
    );
  }

  #send(sender: SimulatedNode, length: number, to: number): void {
    const datagram = this.#datagram;
    datagram.bytes = this.#out;
    datagram.start = 0;
    datagram.end = length;
    datagram.from = sender.address;
    datagram.to = to;
    datagram.dropped = false;
    this.tap?.sending?.(this.#nowMs, datagram);
    this.#record(TraceKind.send);
    const receiver = this.#nodes[datagram.to - 1];
    if (datagram.dropped) this.#drop('tap');
    else if (receiver === undefined) this.#dropUnroutable();
    else this.#carry(this.#route(sender, receiver));
  }

  #carry(link: Link): void {
    const { bytes, start, end, from, to } = this.#datagram;
    const fate = link.send(this.#nowMs, bytes, start, end, from, to);
    if (fate !== Fate.carried) this.#drop(dropReasons[fate]);
  }

  #dropUnroutable(): void {
    this.unroutable++;
    this.#drop('unroutable');
  }

  /** The client's link in the direction that it is passed; between clients the sender's. */
  #route(sender: SimulatedNode, receiver: SimulatedNode): Link {
    if (!sender.server) return sender.up;
    return receiver.server ? this.#betweenServers : receiver.down;
  }

  /** Lets the shared datagram stand for the one in a slot. */
  #aim(slot: number): void {
    const datagram = this.#datagram;
    datagram.bytes = this.#inFlight.storage;
    datagram.start = this.#inFlight.startOf(slot);
    datagram.end = this.#inFlight.endOf(slot);
    datagram.from = this.#inFlight.from[slot]!;
    datagram.to = this.#inFlight.to[slot]!;
    datagram.dropped = false;
  }

  #drop(reason: DropReason): void {
    this.tap?.dropping?.(this.#nowMs, this.#datagram, reason);
    this.#record(TraceKind.drop, reason);
  }

  #record(kind: TraceKind, note = ''): void {
    const { from, to, bytes, start, end } = this.#datagram;
    this.trace.record(this.#nowMs, kind, from, to, bytes, start, end, note);
  }
}

const dropReasons = {
  [Fate.lost]: 'lost',
  [Fate.queueDropped]: 'link-queue',
  [Fate.overflowed]: 'storage',
} as const;
