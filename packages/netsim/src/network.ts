// What lies between the nodes of a world: who is reached by which number, the links, and the datagrams under way.
// Whatever happens to a datagram passes here, so the tap and the trace are told here.

import { InFlight } from './in-flight.ts';
import { Fate, Link } from './link.ts';
import type { LinkOptions } from './link-options.ts';
import type { SimulatedNode } from './node.ts';
import { Routes } from './routes.ts';
import type { Datagram, DropReason, Tap } from './tap.ts';
import { Trace, TraceKind } from './trace.ts';
import type { ResolvedWorld } from './world-options.ts';

const NO_BYTES = new Uint8Array(0);

/** The network of a world. Time is set by the world. */
export class Network {
  /** World time in ms. */
  nowMs: number;
  readonly trace: Trace;
  readonly routes = new Routes();
  readonly inFlight: InFlight;
  tap: Tap | undefined;
  /** Datagrams to numbers that reach nobody, or no longer. */
  unroutable = 0;

  readonly #betweenServers: Link;
  readonly #datagram: Datagram;
  // What ends on its way does so while another is being sent, which #datagram stands for.
  readonly #ended: Datagram;

  constructor(options: ResolvedWorld) {
    const { inFlightDatagrams, datagramBytes } = options;
    this.nowMs = options.startMs;
    this.trace = new Trace(options.timelineLines, options.timelineFilter);
    this.inFlight = new InFlight({ datagrams: inFlightDatagrams, datagramBytes });
    this.#betweenServers = this.makeLink({}, options.seed);
    this.#datagram = { bytes: NO_BYTES, start: 0, end: 0, from: 0, to: 0, dropped: false };
    this.#ended = { ...this.#datagram };
    this.inFlight.onDrop = (slot, reason) => {
      this.#aim(this.#ended, slot);
      this.#drop(this.#ended, reason);
    };
  }

  /** A link whose datagrams are under way here. @throws TickwireError `option-invalid`. */
  makeLink(options: LinkOptions, seed: number): Link {
    return new Link(options, seed, this.inFlight);
  }

  /** Sends bytes[0, length), which a node's machine has written. */
  send(sender: SimulatedNode, bytes: Uint8Array, length: number, to: number): void {
    const datagram = this.#datagram;
    datagram.bytes = bytes;
    datagram.start = 0;
    datagram.end = length;
    datagram.from = sender.seenAs;
    datagram.to = to;
    datagram.dropped = false;
    this.tap?.sending?.(this.nowMs, datagram);
    this.#record(TraceKind.send, datagram);
    const receiver = this.routes.target(datagram.to);
    if (datagram.dropped) this.#drop(datagram, 'tap');
    else if (receiver === undefined) this.#dropUnroutable(datagram);
    else this.#carry(this.#linkBetween(sender, receiver));
  }

  /** Moves the next datagram that is due to its receiver's queue; returns the receiver, undefined = none is due. */
  land(): SimulatedNode | undefined {
    const { inFlight } = this;
    for (let slot = inFlight.pop(this.nowMs); slot >= 0; slot = inFlight.pop(this.nowMs)) {
      const node = this.routes.target(inFlight.to[slot]!);
      if (node?.enqueue(slot)) return node;
      this.#aim(this.#datagram, slot);
      if (node === undefined) this.#dropUnroutable(this.#datagram);
      else this.#drop(this.#datagram, 'receive-queue');
      inFlight.release(slot);
    }
    return undefined;
  }

  /** Gives the oldest datagram of a node's queue, which is not empty, to its machine. */
  deliver(node: SimulatedNode, localMs: number): void {
    const slot = node.dequeue();
    const datagram = this.#datagram;
    this.#aim(datagram, slot);
    this.tap?.delivering?.(this.nowMs, datagram);
    if (datagram.dropped) this.#drop(datagram, 'tap');
    else {
      this.#record(TraceKind.deliver, datagram, this.trace.keepsText ? this.#storyOf(slot) : '');
      node.counters.received++;
      const { bytes, start, end, from } = datagram;
      node.machine.receive(localMs, bytes, start, end, from);
    }
    this.inFlight.release(slot);
  }

  /** Records an event that is about no datagram. */
  note(kind: TraceKind, from: number, to: number, note = ''): void {
    this.trace.record(this.nowMs, kind, from, to, NO_BYTES, 0, 0, note);
  }

  #carry(link: Link): void {
    const datagram = this.#datagram;
    const { bytes, start, end, from, to } = datagram;
    const fate = link.send(this.nowMs, bytes, start, end, from, to);
    if (fate !== Fate.carried) this.#drop(datagram, dropReasons[fate]);
  }

  /** The client's link in the direction that it is passed; between clients the sender's. */
  #linkBetween(sender: SimulatedNode, receiver: SimulatedNode): Link {
    if (!sender.server) return sender.up;
    return receiver.server ? this.#betweenServers : receiver.down;
  }

  /** Lets a datagram stand for the one in a slot. */
  #aim(datagram: Datagram, slot: number): void {
    datagram.bytes = this.inFlight.storage;
    datagram.start = this.inFlight.startOf(slot);
    datagram.end = this.inFlight.endOf(slot);
    datagram.from = this.inFlight.from[slot]!;
    datagram.to = this.inFlight.to[slot]!;
    datagram.dropped = false;
  }

  /** What the path did to a datagram, in words. */
  #storyOf(slot: number): string {
    const story: string[] = [];
    if (this.inFlight.isCopy(slot)) story.push('copy');
    if (this.inFlight.isCorrupted(slot)) story.push('corrupted');
    const stalledMs = this.inFlight.stalledMs(slot);
    if (stalledMs > 0) story.push(`stalled ${stalledMs.toFixed(3)} ms`);
    return story.join(', ');
  }

  #dropUnroutable(datagram: Datagram): void {
    this.unroutable++;
    this.#drop(datagram, 'unroutable');
  }

  #drop(datagram: Datagram, reason: DropReason): void {
    this.tap?.dropping?.(this.nowMs, datagram, reason);
    this.#record(TraceKind.drop, datagram, reason);
  }

  #record(kind: TraceKind, { from, to, bytes, start, end }: Datagram, note = ''): void {
    this.trace.record(this.nowMs, kind, from, to, bytes, start, end, note);
  }
}

const dropReasons = {
  [Fate.lost]: 'lost',
  [Fate.queueDropped]: 'link-queue',
  [Fate.overflowed]: 'storage',
  [Fate.mtuDropped]: 'mtu',
} as const;
