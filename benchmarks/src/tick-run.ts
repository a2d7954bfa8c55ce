// One run: a server process and a generator process, pinned apart, from start to verdict.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Cores, PIN_COMMAND } from './cores.ts';
import type {
  DoneMessage,
  ProcessMessage,
  ReadyMessage,
  RunOrder,
  StartMessage,
} from './tick-message.ts';

const PROGRAMS = {
  server: new URL('./tick-server.js', import.meta.url),
  generator: new URL('./tick-generator.js', import.meta.url),
};

/** Counts may differ from nominal by this part. */
const COUNT_TOLERANCE = 0.01;
/** 99th percentile of the generator's lateness; beyond it the load is not what it claims to be. */
const GENERATOR_LATE_MS_MAX = 4;
/** Start-up and joining must end within this, and the window so long after its time. */
const PATIENCE_MS = 30_000;

/** One run's figures. `valid` = may be compared. */
export interface RunResult {
  readonly peer: string;
  readonly round: number;
  readonly clients: number;
  readonly hz: number;
  /** Server CPU per client-tick; 0 when the run broke off. */
  readonly usPerClientTick: number;
  readonly valid: boolean;
  /** Why it is not valid. */
  readonly reason?: string;
  /** Messages in the server's window. */
  readonly received?: number;
  readonly sent?: number;
  /** Mean UDP payload bytes of a datagram, where the peer can tell. */
  readonly upBytes?: number;
  readonly downBytes?: number;
  readonly serverLateMsP99?: number;
  readonly generatorLateMsP99?: number;
}

/** Runs one peer once. Never rejects: what goes wrong makes the run invalid. */
export async function runOnce(
  order: RunOrder,
  round: number,
  cores: Cores | string,
): Promise<RunResult> {
  const processes: MeasuredProcess[] = [];
  try {
    const server = new MeasuredProcess('server', order, cores);
    processes.push(server);
    const { port } = await server.next<ReadyMessage>('ready');
    const generator = new MeasuredProcess('generator', { ...order, port }, cores);
    processes.push(generator);
    await generator.next('ready');
    for (const process of processes) process.start();
    const lengthMs = order.warmUpMs + order.seconds * 1000;
    const [served, generated] = await Promise.all([
      server.next<DoneMessage>('done', lengthMs),
      generator.next<DoneMessage>('done', lengthMs),
    ]);
    return judge(order, round, served, generated);
  } catch (error) {
    const { peer, load, hz } = order;
    const reason = (error as Error).message;
    return { peer, round, clients: load.clients, hz, usPerClientTick: 0, valid: false, reason };
  } finally {
    await Promise.all(processes.map((process) => process.end()));
  }
}

function judge(
  order: RunOrder,
  round: number,
  server: DoneMessage,
  generator: DoneMessage,
): RunResult {
  const reasons = [
    countFault(order, 'server received', server, server.window.received),
    countFault(order, 'server sent', server, server.window.sent),
    countFault(order, 'generator received', generator, generator.window.received),
    countFault(order, 'generator sent', generator, generator.window.sent),
    lateFault(generator),
  ].filter((reason) => reason !== undefined);
  const { received, sent, receivedBytes, sentBytes, cpuUs } = server.window;
  const clientTicks = (received + sent) / 2;
  return {
    peer: order.peer,
    round,
    clients: order.load.clients,
    hz: order.hz,
    usPerClientTick: clientTicks > 0 ? rounded(cpuUs / clientTicks) : 0,
    valid: reasons.length === 0,
    ...(reasons.length > 0 ? { reason: reasons.join('; ') } : {}),
    received,
    sent,
    ...(sentBytes > 0 && received > 0
      ? { upBytes: rounded(receivedBytes / received), downBytes: rounded(sentBytes / sent) }
      : {}),
    serverLateMsP99: rounded(server.lateMsP99),
    generatorLateMsP99: rounded(generator.lateMsP99),
  };
}

function countFault(
  order: RunOrder,
  what: string,
  of: DoneMessage,
  count: number,
): string | undefined {
  const nominal = (order.load.clients * order.hz * of.window.elapsedMs) / 1000;
  if (Math.abs(count / nominal - 1) <= COUNT_TOLERANCE) return undefined;
  return `${what} ${count} of ${Math.round(nominal)} messages`;
}

function lateFault({ lateMsP99 }: DoneMessage): string | undefined {
  if (lateMsP99 <= GENERATOR_LATE_MS_MAX) return undefined;
  return `generator's event loop lag p99 is ${lateMsP99.toFixed(1)} ms, over ${GENERATOR_LATE_MS_MAX}`;
}

/** Three decimals are more than the clock is good for. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** A forked side, and what it says. */
class MeasuredProcess {
  readonly #name: 'server' | 'generator';
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;
  readonly #gone: Promise<void>;

  constructor(name: 'server' | 'generator', order: RunOrder, cores: Cores | string) {
    this.#name = name;
    const pinned =
      typeof cores === 'string'
        ? {}
        : { execPath: PIN_COMMAND, execArgv: ['-c', String(cores[name]), process.execPath] };
    this.#child = fork(fileURLToPath(PROGRAMS[name]), [JSON.stringify(order)], pinned);
    this.#ended = new Promise((_, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) =>
        reject(new Error(`the ${name} process ended early (${signal ?? `code ${code}`})`)),
      );
    });
    // Being ended is the normal way out; only a waiting `next` cares.
    this.#gone = this.#ended.catch(() => {});
  }

  /** The next message of a kind, due in `dueMs`; rejects when the process ends or stays silent. */
  next<T extends ProcessMessage>(kind: T['kind'], dueMs = 0): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const message = new Promise<T>((resolve, reject) => {
      this.#child.on('message', (said: ProcessMessage) => {
        if (said.kind === kind) resolve(said as T);
      });
      timer = setTimeout(
        () => reject(new Error(`the ${this.#name} process was not ${kind} in time`)),
        dueMs + PATIENCE_MS,
      );
    });
    return Promise.race([message, this.#ended]).finally(() => clearTimeout(timer));
  }

  start(): void {
    const message: StartMessage = { kind: 'start' };
    this.#child.send(message);
  }

  /** Resolves when the process is gone. It holds nothing that would have to be put in order. */
  end(): Promise<void> {
    this.#child.kill('SIGKILL');
    return this.#gone;
  }
}
