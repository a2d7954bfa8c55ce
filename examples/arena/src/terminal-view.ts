// The live view on a terminal: the arena as the server has it and, beside it, as one bot sees it, over the numbers.

import { arena } from './arena.ts';
import type { ArenaRun } from './arena-run.ts';
import type { DemoOptions } from './demo-options.ts';
import { type Figures, type Rates, ratesBetween } from './figures.ts';
import { type Box, Colour, drawArena, Picture, type Scene } from './picture.ts';
import { sceneOfState, sceneOfView } from './scene.ts';

/** The bot whose view is shown. */
const WATCHED = 0;
const FRAME_MS = 100;
const RATES_EVERY_MS = 1000;
/** Below this there is no room for arenas, only for numbers. */
const ARENA_ROWS_MIN = 8;
const ARENA_COLUMNS_MIN = 14;
const TEXT_ROWS = 6;
/** A character is about twice as high as it is wide. */
const COLUMNS_PER_ROW = 2;

const CLEAR = '\x1b[2J';
const ENTER = `\x1b[?1049h\x1b[?25l${CLEAR}`;
const LEAVE = '\x1b[0m\x1b[?25h\x1b[?1049l';
/** Terminals that know it show a frame only when it is complete; the others ignore it. */
const FRAME_BEGIN = '\x1b[?2026h\x1b[H';
const FRAME_END = '\x1b[?2026l';

/** What a frame shows. */
export interface Frame {
  readonly title: string;
  /** As the server has it; undefined while nothing is known. */
  readonly truth: Scene | undefined;
  /** As the bot sees it. */
  readonly view: Scene | undefined;
  readonly numbers: readonly string[];
}

/** Lines of a frame, none longer than `columns`, at most `rows` of them. */
export function composeFrame(frame: Frame, columns: number, rows: number): string[] {
  const picture = new Picture(columns, rows);
  picture.write(0, 0, frame.title, Colour.title);
  const height = Math.min(rows - TEXT_ROWS, Math.floor((columns / 2 - 2) / COLUMNS_PER_ROW) + 2);
  const width = Math.min(Math.floor(columns / 2), (height - 2) * COLUMNS_PER_ROW + 2);
  const roomy = height >= ARENA_ROWS_MIN && width >= ARENA_COLUMNS_MIN;
  if (roomy) drawBoth(picture, frame, width, height);
  const numbersAt = roomy ? height + 1 : 1;
  frame.numbers.forEach((line, i) => {
    picture.write(0, numbersAt + i, line, Colour.plain);
  });
  return picture.lines();
}

function drawBoth(picture: Picture, frame: Frame, width: number, height: number): void {
  const gap = picture.width - 2 * width > 2 ? 1 : 0;
  const left: Box = { left: 0, top: 1, width, height };
  const right: Box = { ...left, left: width + gap };
  const nothing: Scene = { players: [], items: [] };
  drawArena(picture, left, 'the server', frame.truth ?? nothing);
  const seen = frame.view && { ...frame.view, items: frame.truth?.items ?? [] };
  drawArena(picture, right, `what bot ${WATCHED} sees`, seen ?? nothing);
}

/** The numbers as lines of at most 80 characters. */
export function describeNumbers(rates: Rates, players: number, matches: number): string[] {
  const perSecond = (count: number) => Math.round(count / Math.max(rates.seconds, 1e-3));
  const { tickMsP50, tickMsP99, tickLateMsP99, lossUpPct, lossDownPct } = rates;
  const tick = `${tickMsP50.toFixed(2)} ms p50, ${tickMsP99.toFixed(2)} ms p99`;
  const packets = `${perSecond(rates.packetsIn)} in, ${perSecond(rates.packetsOut)} out packets/s`;
  const bytes = `${(perSecond(rates.bytesIn + rates.bytesOut) / 1000).toFixed(0)} kB/s`;
  const loss = `loss ${lossUpPct.toFixed(1)} % up, ${lossDownPct.toFixed(1)} % down`;
  const rollbacks = `rollbacks ${rates.rollbacksPerClientPerSecond.toFixed(2)}/s a bot`;
  return [
    `tick     ${tick}   late ${tickLateMsP99.toFixed(2)} ms p99   dropped ${rates.ticksDropped}`,
    `traffic  ${packets}   ${bytes}   ${players} players in ${matches} matches`,
    `link     rtt ${rates.rttMsMean.toFixed(0)} ms   ${loss}   input slack ${rates.slackMsMean.toFixed(0)} ms`,
    `bots     ${rollbacks}   mean correction ${rates.correctionMeanUnits.toFixed(3)} units`,
  ];
}

/** See the head of the file. */
export class TerminalView {
  readonly #run: ArenaRun;
  readonly #options: DemoOptions;
  readonly #out = process.stdout;
  #timer: NodeJS.Timeout | undefined;
  #startMs = 0;
  #before: Figures | undefined;
  #rates: Rates | undefined;
  #open = false;

  constructor(run: ArenaRun, options: DemoOptions) {
    this.#run = run;
    this.#options = options;
  }

  /** Takes the terminal. Whatever ends the process from here on, it is given back. */
  open(): void {
    this.#open = true;
    this.#startMs = performance.now();
    process.once('exit', this.#giveBack);
    this.#out.write(ENTER);
    this.#out.on('resize', this.#clear);
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#out.off('resize', this.#clear);
    process.off('exit', this.#giveBack);
    this.#giveBack();
  }

  readonly #clear = (): void => {
    this.#out.write(CLEAR);
  };

  readonly #giveBack = (): void => {
    if (this.#open) this.#out.write(LEAVE);
    this.#open = false;
  };

  #draw(): void {
    const { columns = 80, rows = 24 } = this.#out;
    this.#updateRates();
    const lines = composeFrame(this.#frame(), columns, rows);
    // Without a line break after the last row the terminal does not scroll.
    this.#out.write(FRAME_BEGIN + lines.join('\r\n') + FRAME_END);
  }

  #updateRates(): void {
    const { figures } = this.#run;
    const before = this.#before;
    if (figures === undefined) return;
    if (before !== undefined && figures.atMs - before.atMs < RATES_EVERY_MS) return;
    this.#before = figures;
    if (before !== undefined) this.#rates = ratesBetween(before, figures);
  }

  #frame(): Frame {
    const { judge, view, joined } = this.#run;
    const { players, matches, latency, jitter, loss } = this.#options;
    const watched = judge.evidence.find(({ bot }) => bot === WATCHED);
    const state = watched && judge.newest(watched.match);
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(0);
    const link = `${latency} ms ± ${jitter}, ${loss} % lost each way`;
    return {
      title: `Tickwire arena  ${arena.tickHz} Hz  ${link}  ${seconds} s`,
      truth: state && sceneOfState(state, watched.player),
      view: view && sceneOfView(view),
      numbers:
        this.#rates === undefined
          ? [`${joined} of ${players} bots have joined`]
          : describeNumbers(this.#rates, joined, matches),
    };
  }
}
