// A network in virtual time: machines, the links between them and scripted events, run from one seed.
// Time jumps from one moment with work to the next, so seconds pass in milliseconds and every run of a
// seed is the same run.
//
// At each moment, in this order: scripted callbacks; datagrams that are due enter their receiver's queue;
// then, node by node in order of address, whoever has work takes a turn: receive a batch, advance, poll
// until drained.

import { type Destination, type Machine, TickwireError } from '@tickwire/protocol';
import type { Stall } from './in-flight.ts';
import type { Link } from './link.ts';
import type { LinkOptions } from './link-options.ts';
import { LIVELOCK_STEPS, LivelockGuard } from './livelock-guard.ts';
import { Network } from './network.ts';
import { type NodeCounters, SimulatedNode } from './node.ts';
import { Prng } from './prng.ts';
import { Script } from './script.ts';
import type { Tap } from './tap.ts';
import { type Trace, TraceKind } from './trace.ts';
import {
  type NodeOptions,
  type ResolvedWorld,
  resolveWorld,
  type WorldOptions,
} from './world-options.ts';

/** Datagrams from one drain before the world says that `poll` never returns 0. */
const LIVELOCK_POLLS = 65_536;

/** Which way a datagram goes on the path of a node: from it, or to it. */
export type Direction = 'up' | 'down';

/** A simulated network under virtual time. See the first lines of the file for the order of events. */
export class World {
  readonly #options: ResolvedWorld;
  readonly #random: Prng;
  readonly #network: Network;
  readonly #script = new Script();
  readonly #nodes: SimulatedNode[] = [];
  readonly #deadlines: number[] = [];
  readonly #guard = new LivelockGuard();
  readonly #out: Uint8Array;
  readonly #to: Destination = { address: 0 };
  #running = false;

  /** @throws TickwireError `option-invalid`. */
  constructor(options: WorldOptions) {
    this.#options = resolveWorld(options);
    this.#random = new Prng(this.#options.seed);
    this.#network = new Network(this.#options);
    this.#out = new Uint8Array(this.#options.datagramBytes);
  }

  /** World time in ms. */
  get nowMs(): number {
    return this.#network.nowMs;
  }

  /** Digest of everything that happened, and a timeline if asked for. */
  get trace(): Trace {
    return this.#network.trace;
  }

  /** Sees, and may change, every datagram. */
  get tap(): Tap | undefined {
    return this.#network.tap;
  }

  set tap(tap: Tap | undefined) {
    this.#network.tap = tap;
  }

  /** Datagrams to numbers that reach nobody, or no longer. */
  get unroutable(): number {
    return this.#network.unroutable;
  }

  /** A generator of its own for a test's choices; the same label gives the same one. */
  random(label: string): Prng {
    return this.#random.fork(`user ${label}`);
  }

  /**
   * Adds a machine; returns its address, from 1 on, which names the node in all calls, also after {@link rebind}.
   * @throws TickwireError `option-invalid`.
   */
  addNode(machine: Machine, options: NodeOptions = {}): number {
    const index = this.#nodes.length;
    const node = new SimulatedNode(
      index,
      this.#network.routes.next,
      machine,
      options.server ?? index === 0,
      this.#makeLink(options.linkUp ?? this.#options.linkUp, `up ${index + 1}`),
      this.#makeLink(options.linkDown ?? this.#options.linkDown, `down ${index + 1}`),
      options,
      this.#options.receiveQueueDatagrams,
    );
    this.#network.routes.add(node);
    this.#nodes.push(node);
    this.#deadlines.push(node.deadlineMs());
    return node.address;
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
    return this.#known(address).localMs(this.nowMs);
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
    const node = this.#known(address);
    this.#deadlines[node.index] = node.deadlineMs();
  }

  /**
   * From now on, and for so long, nothing comes out of one direction of the node's path: what falls due meanwhile all
   * comes out at the end, in order ('hold'), or never ('drop'). One at a time in each direction; a new one takes the
   * place of the last. @throws TickwireError `address-unknown`, `option-invalid`.
   */
  stall(
    address: number,
    direction: Direction,
    forMs: number,
    outcome: Stall['outcome'] = 'hold',
  ): void {
    const node = this.#known(address);
    const untilMs = this.nowMs + forMs;
    const up = direction === 'up';
    if (!up && direction !== 'down') {
      throw new TickwireError('option-invalid', `a stall of '${direction}'; give up or down`);
    }
    (up ? node.up : node.down).stall(this.nowMs, untilMs, outcome);
    const note = `${up ? 'from' : 'to'} it, ${outcome}s until ${untilMs.toFixed(3)}`;
    this.#network.note(TraceKind.stall, node.address, up ? 0 : 1, note);
  }

  /**
   * Stops the node's host from now on, and for so long, as a lid that is closed or a process that swaps: no turn, no
   * `receive`, no `advance`. Its receive queue fills up to its bound and its clock runs on, so that the machine finds
   * itself that much later. @throws TickwireError `address-unknown`, `option-invalid`.
   */
  sleep(address: number, forMs: number): void {
    const node = this.#known(address);
    if (!(forMs >= 0) || !Number.isFinite(forMs)) {
      throw new TickwireError('option-invalid', `sleep of ${forMs} ms; give a time from 0 on`);
    }
    const untilMs = this.nowMs + forMs;
    node.sleep(this.nowMs, untilMs);
    this.touch(address);
    this.#network.note(TraceKind.sleep, node.address, 0, `until ${untilMs.toFixed(3)}`);
  }

  /**
   * From now on others see the node under a new number, which is returned, as behind a NAT that has forgotten it:
   * what it sends carries the new number, what is sent to the new number reaches it, and what is sent to the old one,
   * or is on its way there, reaches nobody. @throws TickwireError `address-unknown`.
   */
  rebind(address: number): number {
    const node = this.#known(address);
    const before = node.seenAs;
    this.#network.routes.rebind(node);
    this.#network.note(TraceKind.rebind, before, node.seenAs, `node ${node.address}`);
    return node.seenAs;
  }

  /** Puts a datagram of the test's own under way, past all links. Returns false if the storage is full. */
  inject(bytes: Uint8Array, from: number, to: number, delayMs = 0): boolean {
    this.#known(to);
    return this.#network.inFlight.push(this.nowMs + delayMs, bytes, 0, bytes.length, from, to);
  }

  /** Runs everything up to and including `untilMs`, which is then the time. */
  run(untilMs: number): void {
    this.#enter();
    try {
      for (let nextMs = this.#nextMs(); nextMs <= untilMs; nextMs = this.#nextMs()) {
        this.#work(nextMs);
      }
      this.#network.nowMs = Math.max(this.nowMs, untilMs);
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

  #makeLink(options: LinkOptions, label: string): Link {
    return this.#network.makeLink(options, this.#random.fork(label).u32());
  }

  #known(address: number): SimulatedNode {
    const node = this.#network.routes.owner(address);
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
    let next = Math.min(this.#network.inFlight.wakeAt(), this.#script.wakeAt());
    for (let i = 0; i < this.#deadlines.length; i++) next = Math.min(next, this.#deadlines[i]!);
    return Math.max(next, this.nowMs);
  }

  #work(nowMs: number): void {
    this.#network.nowMs = nowMs;
    if (!this.#guard.step(nowMs)) this.#failLivelock();
    if (this.#script.run(nowMs)) this.#askAll();
    this.#land();
    for (let i = 0; i < this.#nodes.length; i++) {
      if (this.#deadlines[i]! <= nowMs) this.#serve(this.#nodes[i]!);
    }
  }

  #failLivelock(): never {
    const index = this.#deadlines.findIndex((deadline) => deadline <= this.nowMs);
    const who =
      index < 0
        ? 'scripted callbacks or datagrams follow one another without delay'
        : `wakeAt() of node ${index + 1} still returns ${this.#nodes[index]!.machine.wakeAt()} after advance`;
    throw new TickwireError(
      'livelock',
      `${LIVELOCK_STEPS} steps within a millisecond of virtual time at ${this.nowMs} ms: ${who}`,
    );
  }

  /** Moves what is due from the links to the receivers' queues. */
  #land(): void {
    for (let node = this.#network.land(); node !== undefined; node = this.#network.land()) {
      const deadlineMs = this.#deadlines[node.index]!;
      this.#deadlines[node.index] = Math.min(deadlineMs, node.nextTurnMs);
    }
  }

  #serve(node: SimulatedNode): void {
    if (node.asleepSinceMs !== undefined) this.#wakeUp(node, node.asleepSinceMs);
    const localMs = node.localMs(this.nowMs);
    if (node.queued > 0 && node.nextTurnMs <= this.nowMs) this.#takeTurn(node, localMs);
    else this.#network.note(TraceKind.wake, node.address, 0);
    node.counters.advances++;
    node.machine.advance(localMs);
    this.#drain(node, localMs);
    this.#deadlines[node.index] = node.deadlineMs();
  }

  #wakeUp(node: SimulatedNode, sinceMs: number): void {
    node.asleepSinceMs = undefined;
    const note = `after ${(this.nowMs - sinceMs).toFixed(3)} ms, ${node.queued} datagrams wait`;
    this.#network.note(TraceKind.awake, node.address, 0, note);
  }

  #takeTurn(node: SimulatedNode, localMs: number): void {
    node.counters.turns++;
    node.nextTurnMs = this.nowMs + this.#options.receiveTurnMs;
    for (let n = this.#options.receiveTurnDatagrams; n > 0 && node.queued > 0; n--) {
      this.#network.deliver(node, localMs);
    }
  }

  #drain(node: SimulatedNode, localMs: number): void {
    for (let n = 0; n < LIVELOCK_POLLS; n++) {
      const length = node.machine.poll(localMs, this.#out, 0, this.#to);
      if (length === 0) return;
      this.#network.send(node, this.#out, length, this.#to.address);
    }
    throw new TickwireError(
      'livelock',
      `poll() of node ${node.address} gave ${LIVELOCK_POLLS} datagrams at ${this.nowMs} ms and did not return 0`,
    );
  }
}
