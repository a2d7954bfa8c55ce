// One child process of the demo: started, spoken to, watched, and ended for certain.

import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { setPriority } from 'node:os';

/** How a child is started. */
export interface ChildOptions<Report> {
  /** What it is, for messages to people. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly onReport: (report: Report) => void;
  /** It ended without having been asked to. */
  readonly onFailure: (message: string) => void;
  /** Higher gives way to others; -20 to 19, as far as it is allowed. */
  readonly niceness?: number;
  /** In a group of its own: a Ctrl-C in the terminal does not reach it. */
  readonly detached?: boolean;
}

/** A child that has not gone by itself after so long is killed. */
const PATIENCE_MS = 4000;
const COMPLAINT_CHARS_MAX = 4000;

/** See the head of the file. */
export class Child<Order extends object, Report> {
  /** Settles when the process has ended. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  #complaints = '';
  #leaving = false;

  constructor(options: ChildOptions<Report>) {
    const forkOptions: ForkOptions = {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: options.detached ?? false,
    };
    this.#child = fork(options.program, options.args, forkOptions);
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#complaints = (this.#complaints + text).slice(-COMPLAINT_CHARS_MAX);
    });
    this.#child.on('message', (report) => options.onReport(report as Report));
    // Not the event 'close': it does not come when it was this side that closed the channel.
    const gone = new Promise<void>((resolve) => {
      this.#child.once('error', (error) => this.#lost(options, error.message, resolve));
      this.#child.once('exit', (code, signal) =>
        this.#lost(options, `ended with ${signal ?? `code ${code}`}`, resolve),
      );
    });
    const said = new Promise((resolve) => this.#child.stderr?.once('close', resolve));
    this.ended = Promise.all([gone, said]).then(() => {});
    this.#yield(options.niceness ?? 0);
  }

  /** What it wrote to stderr, the last of it. */
  get complaints(): string {
    return this.#complaints;
  }

  tell(order: Order): void {
    if (this.#child.connected) this.#child.send(order);
  }

  /** From here on its end is no failure. `leave` makes it go; if it stays it is killed. Resolves when it is gone. */
  async end(leave: () => void): Promise<void> {
    this.#leaving = true;
    leave();
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    await this.ended;
    clearTimeout(kill);
  }

  /** Closes the channel, which ends every child. */
  disconnect(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #lost({ name, onFailure }: ChildOptions<Report>, why: string, resolve: () => void): void {
    if (!this.#leaving) onFailure(`${name} ${why}`);
    this.#leaving = true;
    resolve();
  }

  #yield(niceness: number): void {
    if (niceness === 0 || this.#child.pid === undefined) return;
    try {
      setPriority(this.#child.pid, niceness);
    } catch {
      // Not allowed, or gone already: then all are equal.
    }
  }
}
