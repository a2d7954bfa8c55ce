// Machines at addresses that reach each other at once: a network without links, for tests that care for what is sent and
// not for when. The test sees each datagram, may lose it, and may hand over datagrams of its own.

import type { Machine } from '@tickwire/protocol';

/** A datagram on its way; its bytes are the receiver's to change. */
export interface Passing {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

/** Rounds in which machines answer each other without any time passing. */
const ROUNDS_MAX = 1000;
/** Datagrams of one drain. */
const POLLS_MAX = 5000;

/** See the head of the file. */
export class Exchange {
  nowMs: number;
  /** Asked before each datagram arrives; false = it is lost. */
  passes: (datagram: Passing) => boolean = () => true;
  readonly #machines = new Map<number, Machine>();
  readonly #out = new Uint8Array(2048);

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** Whoever was at the address is gone. */
  attach(address: number, machine: Machine): void {
    this.#machines.set(address, machine);
  }

  detach(address: number): void {
    this.#machines.delete(address);
  }

  /** Hands a copy over, unasked. */
  deliver(from: number, to: number, bytes: Uint8Array): void {
    this.#machines.get(to)?.receive(this.nowMs, bytes.slice(), 0, bytes.length, from);
  }

  /** Advances and drains everybody until nothing more is said. */
  settle(): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      let moved = false;
      for (const [address, machine] of [...this.#machines]) {
        machine.advance(this.nowMs);
        if (this.#drain(address, machine)) moved = true;
      }
      if (!moved) return;
    }
    throw new Error('machines answer each other without end');
  }

  /** Lets time pass, from one moment that somebody wants to the next. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    this.settle();
    for (let nextMs = this.#wakeAt(); nextMs <= untilMs; nextMs = this.#wakeAt()) {
      this.nowMs = nextMs;
      this.settle();
    }
    this.nowMs = untilMs;
  }

  #wakeAt(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const machine of this.#machines.values()) atMs = Math.min(atMs, machine.wakeAt());
    return Math.max(atMs, this.nowMs + 1);
  }

  #drain(from: number, machine: Machine): boolean {
    const to = { address: 0 };
    for (let polls = 0; polls < POLLS_MAX; polls++) {
      const length = machine.poll(this.nowMs, this.#out, 0, to);
      if (length === 0) return polls > 0;
      const datagram = { from, to: to.address, bytes: this.#out.slice(0, length) };
      if (this.passes(datagram)) this.deliver(from, datagram.to, datagram.bytes);
    }
    throw new Error('poll does not end');
  }
}
