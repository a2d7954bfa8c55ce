// Runs one machine over one socket in real time: datagrams in, timers, datagrams out. The only place where a
// machine meets a clock.

import type { Machine } from '../wire/machine.ts';
import type { DatagramSocket } from './datagram-socket.ts';
import { openSocket, type SocketOptions } from './dgram-socket.ts';

/** Options of {@link MachineDriver.open}. */
export interface DriverOptions {
  readonly host?: string;
  readonly port?: number;
  /** See {@link SocketOptions.memory}. */
  readonly memory: SocketOptions['memory'];
  /** See {@link SocketOptions.sendTogether}. */
  readonly sendTogether?: boolean;
  /** Called with socket errors and with anything thrown out of the machine; the driver goes on, even if this throws. */
  readonly onError: (error: Error) => void;
  /** Called after each pump with the time it took, receiving included. For measurement. */
  readonly onPump?: (busyMs: number) => void;
}

/** Timers are good to a millisecond; sleeping less than this is left to the event loop. */
const TIMER_GRAIN_MS = 1;

/** See the head of the file. */
export class MachineDriver {
  readonly socket: DatagramSocket;
  readonly #onError: (error: Error) => void;
  readonly #onPump: ((busyMs: number) => void) | undefined;
  #done: { reached: () => boolean; resolve: () => void } | undefined;
  #receivedAtMs = Number.POSITIVE_INFINITY;
  #machine: Machine | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #immediate: NodeJS.Immediate | undefined;
  #closed = false;

  private constructor(socket: DatagramSocket, options: DriverOptions) {
    this.socket = socket;
    this.#onError = options.onError;
    this.#onPump = options.onPump;
  }

  /** Binds a socket; `attach` then gives it a machine. */
  static async open(options: DriverOptions): Promise<MachineDriver> {
    let driver: MachineDriver | undefined;
    const { host, port, memory, sendTogether = false, onError } = options;
    const socket = await openSocket({
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
      memory,
      sendTogether,
      sink: {
        datagram: (nowMs, bytes, start, end, from) => {
          if (driver === undefined) return;
          driver.#receivedAtMs = Math.min(driver.#receivedAtMs, nowMs);
          driver.#machine?.receive(nowMs, bytes, start, end, from);
        },
        batchEnd: () => driver?.pump(),
        failed: onError,
      },
    });
    driver = new MachineDriver(socket, options);
    return driver;
  }

  /** Monotonic milliseconds, the time base of the machine. */
  nowMs(): number {
    return performance.now();
  }

  attach(machine: Machine): void {
    this.#machine = machine;
    this.pump();
  }

  /** Advances and drains the machine now, then sleeps until it wants more. */
  pump(): void {
    const machine = this.#machine;
    if (machine === undefined || this.#closed) return;
    const nowMs = performance.now();
    try {
      machine.advance(nowMs);
      this.socket.drain(nowMs, machine);
    } catch (error) {
      this.#report(error as Error);
    }
    if (this.#onPump !== undefined) {
      this.#onPump(performance.now() - Math.min(nowMs, this.#receivedAtMs));
    }
    this.#receivedAtMs = Number.POSITIVE_INFINITY;
    if (this.#done?.reached()) this.#done.resolve();
    this.#sleepUntil(machine.wakeAt());
  }

  /** Resolves after the first pump that finds `reached` true. */
  runUntil(reached: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#done = { reached, resolve };
    });
  }

  /** Stops the timers and closes the socket. */
  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    return this.socket.close();
  }

  /** What user code throws while it is told of an error is lost: there is nobody left to tell. */
  #report(error: Error): void {
    try {
      this.#onError(error);
    } catch {}
  }

  #sleepUntil(atMs: number): void {
    if (this.#timer !== undefined && this.#timerAtMs <= atMs + TIMER_GRAIN_MS / 2) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    if (this.#closed || atMs === Number.POSITIVE_INFINITY) return;
    const delayMs = atMs - performance.now();
    if (delayMs <= 0) {
      this.#immediate ??= setImmediate(() => {
        this.#immediate = undefined;
        this.pump();
      });
      return;
    }
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#timerAtMs = Number.POSITIVE_INFINITY;
        this.pump();
      },
      Math.max(TIMER_GRAIN_MS, Math.floor(delayMs)),
    );
  }
}
