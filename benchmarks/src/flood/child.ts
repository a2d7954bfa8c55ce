// A process of the flood bench, seen from the bench: started on its core, asked for readings, ended.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Cores, PIN_COMMAND } from '../cores.ts';
import type { Command, FloodOrder, Reading, Ready } from './order.ts';

const PROGRAM = fileURLToPath(new URL('./process.js', import.meta.url));

/** Starting, joining and answering must end within this. */
const PATIENCE_MS = 30_000;

/** See the head of the file. */
export class Child {
  readonly #order: FloodOrder;
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;
  readonly #gone: Promise<void>;

  constructor(order: FloodOrder, cores: Cores | string) {
    this.#order = order;
    this.#child = fork(PROGRAM, [JSON.stringify(order)], pinning(order, cores));
    this.#ended = new Promise((_, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) =>
        reject(new Error(`the process of the ${order.role} ended early (${signal ?? code})`)),
      );
    });
    // Being ended is the normal way out; only who waits for an answer cares.
    this.#gone = this.#ended.catch(() => {});
  }

  /** Resolves when it is up; call it at once. */
  ready(): Promise<Ready> {
    return this.#next();
  }

  /** Gives a command; one at a time. */
  ask(command: Command): Promise<Reading> {
    const answer = this.#next<Reading>();
    this.#child.send(command);
    return answer;
  }

  /** Resolves when the process is gone. It holds nothing that would have to be put in order. */
  end(): Promise<void> {
    this.#child.kill('SIGKILL');
    return this.#gone;
  }

  /** Rejects when the process ends or stays silent. */
  #next<T extends Ready | Reading>(): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<T>((resolve, reject) => {
      this.#child.once('message', (said) => resolve(said as T));
      const silent = new Error(`the process of the ${this.#order.role} did not answer`);
      timer = setTimeout(() => reject(silent), PATIENCE_MS);
    });
    return Promise.race([answer, this.#ended]).finally(() => clearTimeout(timer));
  }
}

/** The target has a core for itself. */
function pinning({ role }: FloodOrder, cores: Cores | string): object {
  if (typeof cores === 'string') return {};
  const isTarget = role === 'receiver' || role === 'server';
  const core = isTarget ? cores.server : cores.generator;
  return { execPath: PIN_COMMAND, execArgv: ['-c', String(core), process.execPath] };
}
