// A machine for tests: answers what it gets, sends on a beat of its own, and remembers when it got what.

import type { Destination, Machine } from '@tickwire/protocol';

export class EchoMachine implements Machine {
  readonly receivedMs: number[] = [];
  readonly received: Uint8Array[] = [];
  readonly #waiting: { bytes: Uint8Array; to: number }[] = [];
  readonly #peer: number;
  readonly #everyMs: number;
  readonly #sizeBytes: number;
  readonly #echoes: boolean;
  #nextMs: number;
  #sent = 0;

  /** Sends sizeBytes to `peer` every `everyMs` (0 = never), and sends back what it gets if `echoes`. */
  constructor(options: { peer?: number; everyMs?: number; sizeBytes?: number; echoes?: boolean }) {
    this.#peer = options.peer ?? 0;
    this.#everyMs = options.everyMs ?? 0;
    this.#sizeBytes = options.sizeBytes ?? 8;
    this.#echoes = options.echoes ?? false;
    this.#nextMs = this.#everyMs > 0 ? 0 : Number.POSITIVE_INFINITY;
  }

  queue(bytes: Uint8Array, to: number, atMs: number): void {
    this.#waiting.push({ bytes, to });
    this.#nextMs = Math.min(this.#nextMs, atMs);
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): number {
    this.receivedMs.push(nowMs);
    this.received.push(bytes.slice(start, end));
    if (this.#echoes) this.#waiting.push({ bytes: bytes.slice(start, end), to: from });
    return 0;
  }

  advance(nowMs: number): void {
    if (this.#nextMs > nowMs) return;
    if (this.#everyMs === 0) this.#nextMs = Number.POSITIVE_INFINITY;
    else {
      this.#nextMs += this.#everyMs;
      const bytes = new Uint8Array(this.#sizeBytes);
      new DataView(bytes.buffer).setUint32(0, this.#sent++);
      this.#waiting.push({ bytes, to: this.#peer });
    }
  }

  poll(_nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    const next = this.#waiting.shift();
    if (next === undefined) return 0;
    out.set(next.bytes, start);
    to.address = next.to;
    return next.bytes.length;
  }

  wakeAt(): number {
    return this.#nextMs;
  }
}
