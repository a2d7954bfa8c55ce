// The measured window of one process: opens after the warm-up, closes after the asked time, always at a step,
// and tells what was carried in between.

import type { Traffic } from './peers/peer.ts';

/** What one process saw between the two ends of its window. */
export interface WindowResult extends Traffic {
  readonly elapsedMs: number;
  /** The process's own user and system time. */
  readonly cpuUs: number;
}

const State = { warming: 0, open: 1, closed: 2 } as const;

/** Told of every step; see the head of the file. */
export class TickWindow {
  readonly #opensAtMs: number;
  readonly #lengthMs: number;
  readonly #traffic: Traffic;
  #state: number = State.warming;
  #openedAtMs = 0;
  #cpuAtOpening: NodeJS.CpuUsage = { user: 0, system: 0 };
  #trafficAtOpening: Traffic = { sent: 0, received: 0, sentBytes: 0, receivedBytes: 0 };

  constructor(warmUpMs: number, lengthMs: number, traffic: Traffic) {
    this.#opensAtMs = performance.now() + warmUpMs;
    this.#lengthMs = lengthMs;
    this.#traffic = traffic;
  }

  get open(): boolean {
    return this.#state === State.open;
  }

  /** Call before the work of each step. The result comes once, from the step that closes the window. */
  step(): WindowResult | undefined {
    const nowMs = performance.now();
    if (this.#state === State.warming && nowMs >= this.#opensAtMs) this.#begin(nowMs);
    if (this.#state !== State.open || nowMs - this.#openedAtMs < this.#lengthMs) return undefined;
    this.#state = State.closed;
    return this.#result(nowMs);
  }

  #begin(nowMs: number): void {
    this.#state = State.open;
    this.#openedAtMs = nowMs;
    this.#trafficAtOpening = { ...this.#traffic };
    this.#cpuAtOpening = process.cpuUsage();
  }

  #result(nowMs: number): WindowResult {
    const cpu = process.cpuUsage(this.#cpuAtOpening);
    const now = this.#traffic;
    const before = this.#trafficAtOpening;
    return {
      elapsedMs: nowMs - this.#openedAtMs,
      cpuUs: cpu.user + cpu.system,
      sent: now.sent - before.sent,
      received: now.received - before.received,
      sentBytes: now.sentBytes - before.sentBytes,
      receivedBytes: now.receivedBytes - before.receivedBytes,
    };
  }
}
