// The demo's processes as one thing: the server, the bad network and the bots, from their start to their end, with
// everything they report gathered in one place.

import { isIPv6 } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { arena } from './arena.ts';
import { Child } from './child.ts';
import type {
  BotFigures,
  BotsPlan,
  BotsReport,
  BotView,
  Order,
  ServerFigures,
  ServerPlan,
  ServerReport,
} from './demo-messages.ts';
import type { DemoOptions } from './demo-options.ts';
import { addBotFigures, type Figures } from './figures.ts';
import { Judge } from './judge.ts';

const BOTS_PER_PROCESS = 100;
/** Bots give way to the server: on few cores it is the one that must be on time. Going below 0 takes privileges. */
const SERVER_NICENESS = -10;
const BOTS_NICENESS = 5;
const START_MS = 10_000;
/** Each bot is given so long to get through a bad network, plus this for each one that is waited for. */
const JOIN_MS = 8000;
const JOIN_MS_PER_PLAYER = 20;
const ANSWER_MS = 3000;
const CONFIRM_MS = 1200;
const POLL_MS = 5;
const CORRECTION_MARGIN_TICKS = 10;
/** Ten frames a second for the eye; fewer messages where nobody watches. */
const BATCH_TICKS = 6;
const BATCH_TICKS_UNWATCHED = 12;

/** What the link's process says. */
interface LinkReport {
  readonly port: number;
}

/** See the head of the file. */
export class ArenaRun {
  readonly judge: Judge;
  /** What went wrong apart from what the judge finds. */
  readonly failures: string[] = [];
  /** What the watched bot sees. */
  view: BotView | undefined;
  joined = 0;
  readonly #options: DemoOptions;
  readonly #watched: boolean;
  readonly #stop: AbortController;
  #server: Child<Order, ServerReport> | undefined;
  #link: Child<never, LinkReport> | undefined;
  readonly #bots: Child<Order, BotsReport>[] = [];
  #serverPort = 0;
  #linkPort = 0;
  #serverFigures: ServerFigures | undefined;
  readonly #botFigures: (BotFigures | undefined)[] = [];
  #answers = 0;
  #confirmed = 0;
  #ending = false;

  /** `stop` is fired when a process fails; when somebody else fires it, whatever is waited for returns early. */
  constructor(options: DemoOptions, watched: boolean, stop: AbortController) {
    this.judge = new Judge(arena.layouts, correctionTicks(options));
    this.#options = options;
    this.#watched = watched;
    this.#stop = stop;
  }

  /** Starts everything; returns when every bot has a player, or when waiting longer is no use. */
  async start(): Promise<void> {
    this.#startServer();
    if (!(await this.#until(() => this.#serverPort > 0, START_MS))) return;
    this.#startLink();
    if (!(await this.#until(() => this.#linkPort > 0, START_MS))) return;
    this.#startBots();
    const { players } = this.#options;
    await this.#until(() => this.joined >= players, JOIN_MS + players * JOIN_MS_PER_PLAYER);
  }

  /** What all processes have said last, undefined before all have. */
  get figures(): Figures | undefined {
    const bots = this.#botFigures.filter((part) => part !== undefined);
    if (this.#serverFigures === undefined || bots.length < this.#bots.length) return undefined;
    return { atMs: performance.now(), server: this.#serverFigures, bots: addBotFigures(bots) };
  }

  /** Asks all processes now. */
  async freshFigures(): Promise<Figures | undefined> {
    this.#answers = 0;
    this.#server?.tell({ type: 'report' });
    this.#tellBots({ type: 'report' });
    await this.#until(() => this.#answers > this.#bots.length, ANSWER_MS);
    return this.figures;
  }

  /** Hands off the sticks. */
  silence(): void {
    this.#tellBots({ type: 'silent' });
    this.judge.silence();
  }

  /** Asks every bot what it has been told. */
  async confirm(): Promise<void> {
    this.#confirmed = 0;
    this.#tellBots({ type: 'confirm' });
    await this.#until(() => this.#confirmed >= this.#options.players, CONFIRM_MS);
  }

  /** Ends everything: goodbyes first, then the server, then the network that carried them. */
  async end(): Promise<void> {
    this.#ending = true;
    const close = { type: 'close' } as const;
    await Promise.all(this.#bots.map((bots) => bots.end(() => bots.tell(close))));
    await this.#server?.end(() => this.#server?.tell(close));
    await this.#link?.end(() => this.#link?.disconnect());
  }

  /** What the processes wrote to stderr. */
  get complaints(): string {
    const children = [this.#server, this.#link, ...this.#bots];
    return children.map((child) => child?.complaints ?? '').join('');
  }

  readonly #failed = (message: string): void => {
    if (this.#ending) return;
    this.failures.push(`process: ${message}`);
    this.#stop.abort();
  };

  #startServer(): void {
    const { host, players, matches, seed, snapshots, bug } = this.#options;
    const plan: ServerPlan = {
      host,
      players,
      matches,
      seed,
      snapshotHz: snapshots,
      breakAck: bug === 'ack',
      batchTicks: this.#watched ? BATCH_TICKS : BATCH_TICKS_UNWATCHED,
    };
    this.#server = new Child({
      name: 'the arena server',
      program: pathOf('./server-process.js'),
      args: [JSON.stringify(plan)],
      niceness: SERVER_NICENESS,
      onReport: (report) => this.#heardServer(report),
      onFailure: this.#failed,
    });
  }

  #startLink(): void {
    const { host, rate, seed } = this.#options;
    const target = `${isIPv6(host) ? `[${host}]` : host}:${this.#serverPort}`;
    const args = ['proxy', '--listen', '0', '--host', host, '--to', target, '--seed', `${seed}`];
    for (const name of ['latency', 'jitter', 'loss', 'duplicate', 'reorder'] as const) {
      args.push(`--${name}`, `${this.#options[name]}`);
    }
    if (rate !== undefined) args.push('--rate', `${rate}`);
    this.#link = new Child({
      name: 'tickwire proxy',
      program: join(
        dirname(fileURLToPath(import.meta.resolve('tickwire/package.json'))),
        'dist/main.js',
      ),
      args,
      // It ends at Ctrl-C, but goodbyes have to pass through it first.
      detached: true,
      onReport: ({ port }) => {
        this.#linkPort = port;
      },
      onFailure: this.#failed,
    });
  }

  #startBots(): void {
    const { host, players, seed, bug } = this.#options;
    const url = `udp://${isIPv6(host) ? `[${host}]` : host}:${this.#linkPort}`;
    const broken = bug === 'ack' ? undefined : bug;
    for (let first = 0; first < players; first += BOTS_PER_PROCESS) {
      const index = this.#bots.length;
      const count = Math.min(BOTS_PER_PROCESS, players - first);
      const watched = this.#watched ? 0 : -1;
      const plan: BotsPlan = { url, first, count, seed, broken, watched };
      const child = new Child<Order, BotsReport>({
        name: `the process of bots ${first} to ${first + count - 1}`,
        program: pathOf('./bots-process.js'),
        args: [JSON.stringify(plan)],
        niceness: BOTS_NICENESS,
        onReport: (report) => this.#heardBots(index, report),
        onFailure: this.#failed,
      });
      this.#bots.push(child);
    }
  }

  #heardServer(report: ServerReport): void {
    switch (report.type) {
      case 'listening':
        this.#serverPort = report.port;
        return;
      case 'joined':
        this.joined++;
        this.judge.joined(report);
        return;
      case 'truth':
        this.judge.addTruth(report.batch);
        return;
      case 'figures':
        this.#serverFigures = report.figures;
        this.#answers++;
        return;
      case 'stopped':
        this.#failed(`the arena server reports ${report.reason}`);
        return;
      case 'ended':
        this.#botEnded(report.bot, report.reason);
    }
  }

  #heardBots(index: number, report: BotsReport): void {
    switch (report.type) {
      case 'predictions':
        this.judge.addPredictions(report.batch);
        return;
      case 'figures':
        this.#botFigures[index] = report.figures;
        this.#answers++;
        return;
      case 'confirmed':
        this.#confirmed++;
        this.judge.addConfirmed(report.confirmed);
        return;
      case 'view':
        this.view = report.view;
        return;
      case 'ended':
        this.#botEnded(report.bot, report.reason);
    }
  }

  #botEnded(bot: number, reason: string): void {
    if (!this.#ending) this.failures.push(`connection: bot ${bot} ended, ${reason}`);
  }

  #tellBots(order: Order): void {
    for (const bots of this.#bots) bots.tell(order);
  }

  /** Waits; false = in vain, or no longer wanted. */
  async #until(reached: () => boolean, patienceMs: number): Promise<boolean> {
    const giveUpAtMs = performance.now() + patienceMs;
    while (!reached()) {
      if (this.#stop.signal.aborted || performance.now() > giveUpAtMs) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return true;
  }
}

/** A round trip at its worst, and some ticks for the clock's margin and for snapshots that are lost. */
function correctionTicks({ latency, jitter }: DemoOptions): number {
  return Math.ceil((2 * (latency + jitter) * arena.tickHz) / 1000) + CORRECTION_MARGIN_TICKS;
}

function pathOf(program: string): string {
  return fileURLToPath(new URL(program, import.meta.url));
}
