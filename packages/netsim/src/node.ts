// One machine in a simulated network: its clock, its two links and its receive queue, which is bounded as
// a socket's buffer is. When things happen is the world's business.

import { type Machine, TickwireError } from '@tickwire/protocol';
import type { Link } from './link.ts';

/** How a node's own clock relates to the world's: local = world * rate + offset. */
export interface NodeClock {
  /** Local time at world time 0, in ms. Default 0. */
  clockOffsetMs?: number | undefined;
  /** Local milliseconds per world millisecond, 0.5 to 2. Default 1. */
  clockRate?: number | undefined;
}

/** Counts of one node since it was added. */
export interface NodeCounters {
  /** Datagrams handed to the machine. */
  received: number;
  /** Datagrams that found the receive queue full. */
  receiveQueueDropped: number;
  /** Turns in which the machine took datagrams. */
  turns: number;
  /** Times the machine was advanced. */
  advances: number;
}

/** A machine with its place in a {@link World}. */
export class SimulatedNode {
  /** The node's place among all nodes, from 0 on. */
  readonly index: number;
  /** The number that the node was added under: its name for ever. */
  readonly address: number;
  /** The number that others see now, and reach the node by. */
  seenAs: number;
  readonly machine: Machine;
  readonly server: boolean;
  /** From the node to others. */
  readonly up: Link;
  /** From others to the node. */
  readonly down: Link;
  readonly counters: NodeCounters = { received: 0, receiveQueueDropped: 0, turns: 0, advances: 0 };
  /** World time before which the node takes no more datagrams. */
  nextTurnMs = Number.NEGATIVE_INFINITY;
  /** World time at which the host fell asleep, if it did and has had no turn since. */
  asleepSinceMs: number | undefined;

  readonly #offsetMs: number;
  readonly #rate: number;
  readonly #queue: Int32Array;
  #asleepUntilMs = Number.NEGATIVE_INFINITY;
  #queueHead = 0;
  #queueCount = 0;
  #wakeLocalMs = Number.POSITIVE_INFINITY;
  #lastLocalMs = Number.NEGATIVE_INFINITY;

  constructor(
    index: number,
    address: number,
    machine: Machine,
    server: boolean,
    up: Link,
    down: Link,
    clock: NodeClock,
    queueDatagrams: number,
  ) {
    this.index = index;
    this.address = address;
    this.seenAs = address;
    this.machine = machine;
    this.server = server;
    this.up = up;
    this.down = down;
    this.#offsetMs = clock.clockOffsetMs ?? 0;
    this.#rate = clock.clockRate ?? 1;
    if (!Number.isFinite(this.#offsetMs) || !(this.#rate >= 0.5 && this.#rate <= 2)) {
      throw new TickwireError(
        'option-invalid',
        `clockOffsetMs is ${this.#offsetMs} and clockRate ${this.#rate}; give a finite offset and a rate from 0.5 to 2`,
      );
    }
    this.#queue = new Int32Array(queueDatagrams);
  }

  /** Datagrams in the receive queue. */
  get queued(): number {
    return this.#queueCount;
  }

  /** Puts a datagram's slot in the receive queue. False: full. */
  enqueue(slot: number): boolean {
    const size = this.#queue.length;
    if (this.#queueCount === size) {
      this.counters.receiveQueueDropped++;
      return false;
    }
    this.#queue[(this.#queueHead + this.#queueCount++) % size] = slot;
    return true;
  }

  /** Takes the oldest slot of a queue that is not empty. */
  dequeue(): number {
    const slot = this.#queue[this.#queueHead]!;
    this.#queueHead = (this.#queueHead + 1) % this.#queue.length;
    this.#queueCount--;
    return slot;
  }

  /** Gives the host no turn before `untilMs`. Its receive queue goes on filling, as the system's does. */
  sleep(nowMs: number, untilMs: number): void {
    this.asleepSinceMs ??= nowMs;
    this.#asleepUntilMs = Math.max(this.#asleepUntilMs, untilMs);
    this.nextTurnMs = Math.max(this.nextTurnMs, untilMs);
  }

  /** The node's own time. Never goes back, and has reached what `wakeAt` named once the world has. */
  localMs(worldMs: number): number {
    let local = worldMs * this.#rate + this.#offsetMs;
    // Converting there and back may round below the moment that the machine asked for, and it would ask again.
    if (local < this.#wakeLocalMs && worldMs >= this.#toWorldMs(this.#wakeLocalMs)) {
      local = this.#wakeLocalMs;
    }
    this.#lastLocalMs = Math.max(this.#lastLocalMs, local);
    return this.#lastLocalMs;
  }

  /** Asks the machine when it wants to run; returns the world time of the node's next work. */
  deadlineMs(): number {
    const wake = this.machine.wakeAt();
    if (Number.isNaN(wake)) {
      throw new TickwireError('wake-invalid', `wakeAt() of node ${this.address} returned NaN`);
    }
    this.#wakeLocalMs = wake;
    const wakeMs = this.#toWorldMs(wake);
    const workMs = this.#queueCount > 0 ? Math.min(wakeMs, this.nextTurnMs) : wakeMs;
    return Math.max(workMs, this.#asleepUntilMs);
  }

  #toWorldMs(localMs: number): number {
    return (localMs - this.#offsetMs) / this.#rate;
  }
}
