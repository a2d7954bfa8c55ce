// Without a terminal: a line a second for people.

import type { ArenaRun } from './arena-run.ts';
import type { DemoOptions } from './demo-options.ts';
import { describeRates, type Figures, ratesBetween } from './figures.ts';

const EVERY_MS = 1000;

/** Prints to stdout, or to stderr where stdout is kept for the JSON line. */
export class LineView {
  readonly #run: ArenaRun;
  readonly #out: NodeJS.WriteStream;
  #timer: NodeJS.Timeout | undefined;
  #last: Figures | undefined;
  #startMs = 0;

  constructor(run: ArenaRun, { json }: DemoOptions) {
    this.#run = run;
    this.#out = json ? process.stderr : process.stdout;
  }

  open(): void {
    this.#startMs = performance.now();
    this.#timer = setInterval(() => this.#print(), EVERY_MS);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #print(): void {
    const { figures } = this.#run;
    if (figures === undefined) return;
    const last = this.#last;
    this.#last = figures;
    if (last === undefined) return;
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(0);
    const rates = describeRates(ratesBetween(last, figures), figures.server.sessions);
    this.#out.write(`${seconds.padStart(4)} s  ${rates}\n`);
  }
}
