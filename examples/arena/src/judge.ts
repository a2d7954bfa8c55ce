// The judge: compares what each bot predicted for each tick with what the server's state of that tick was, field by
// field, and what it was told in the end with what was so. It knows nothing but states taken out of band; the
// clients' own counters do not count. Pure: what it concludes from the evidence stands in verdict.ts.

import type { Layout } from '@tickwire/protocol';
import { COOLDOWN_TICKS } from './arena.ts';
import type { Confirmed, Joined } from './demo-messages.ts';
import { predictedFields, ROW_HEAD, StateReader } from './state-batch.ts';
import { compareStates, type Difference } from './state-difference.ts';

/** Ticks after joining that are not judged: the clock is settling. */
export const SETTLING_TICKS = 60;
/** A tick of which no prediction came by the time the truth is so many ticks further has none. */
const PATIENCE_TICKS = 180;
/** States kept; longer than the patience and the time that a final state may be old. */
const MEMORY_TICKS = 512;
/** Rounding differently moves a field by few steps; a wrong computation by many. */
export const FEW_STEPS = 128;
/** Longer moves in one tick are not walking. */
const STRIDE_UNITS_MAX = 1;

/** What is known of one bot. */
export interface Evidence {
  readonly bot: number;
  readonly match: number;
  readonly player: number;
  /** Ticks compared, and those of them that were not predicted as they came out. */
  verified: number;
  wrong: number;
  /** Of the wrong ones: without any prediction; at most {@link FEW_STEPS} off. */
  unpredicted: number;
  slight: number;
  /** Ticks that no missing input can have disturbed, and of those the wrong ones, by a few steps and by any. */
  calm: number;
  calmSlight: number;
  calmWrong: number;
  /** The largest difference, in steps of a field; the same among the slight ones; and which fields they were in. */
  worstSteps: number;
  worstField: string;
  worstSlightSteps: number;
  worstSlightField: string;
  travelledUnits: number;
  shots: number;
  hits: number;
  /** What the bot was told in the end, and how that compares. */
  confirmed: Confirmed | undefined;
  difference: Difference | 'none' | 'no truth' | undefined;
  /** Newest tick of the truth when it was told that. */
  truthTick: number;
}

/** Where one bot is with its comparison. */
interface Track {
  readonly evidence: Evidence;
  /** By tick % MEMORY_TICKS: which tick is held, and its predicted fields. */
  readonly ticks: Float64Array;
  readonly values: Int32Array;
  nextTick: number;
  judgeFrom: number;
  missingTick: number;
  x: number;
  y: number;
}

/** One match's states. */
interface Truth {
  readonly ticks: Float64Array;
  readonly states: Int32Array[];
  newest: number;
  silentFrom: number;
  readonly tracks: Track[];
}

/** See the head of the file. */
export class Judge {
  readonly #layouts: readonly Layout[];
  readonly #correctionTicks: number;
  readonly #player: Layout;
  readonly #reader: StateReader;
  readonly #fields: readonly number[];
  readonly #truths: Truth[] = [];
  readonly #tracks = new Map<number, Track>();
  readonly #early = new Map<number, [tick: number, batch: Int32Array, at: number][]>();
  readonly #x: number;
  readonly #y: number;
  readonly #cooldown: number;
  readonly #hits: number;

  /** `correctionTicks`: so long a prediction may be wrong because an input was missing, until the bot hears of it. */
  constructor(layouts: readonly Layout[], correctionTicks: number) {
    this.#layouts = layouts;
    this.#correctionTicks = correctionTicks;
    this.#player = layouts.find(({ name }) => name === 'player')!;
    this.#reader = new StateReader(layouts);
    this.#fields = predictedFields(this.#player);
    const field = (name: string) => this.#player.fieldNames.indexOf(name);
    this.#x = field('motion.x');
    this.#y = field('motion.y');
    this.#cooldown = field('motion.cooldown');
    this.#hits = field('tally.hits');
  }

  /** What is known of each bot so far. */
  get evidence(): Evidence[] {
    return [...this.#tracks.values()].map(({ evidence }) => evidence);
  }

  /** Newest state of a match, undefined before the first. */
  newest(match: number): Int32Array | undefined {
    const truth = this.#truth(match);
    return truth.states[truth.newest % MEMORY_TICKS];
  }

  /** Newest tick of a match, -1 = none. */
  newestTick(match: number): number {
    return this.#truth(match).newest;
  }

  /** A bot has a player. What it predicts is judged from a second later. */
  joined({ bot, match, player }: Joined): void {
    if (this.#tracks.has(bot)) return;
    const truth = this.#truth(match);
    const track: Track = {
      evidence: emptyEvidence(bot, match, player),
      ticks: new Float64Array(MEMORY_TICKS).fill(-1),
      values: new Int32Array(MEMORY_TICKS * this.#fields.length),
      nextTick: Math.max(0, truth.newest),
      judgeFrom: Math.max(0, truth.newest) + SETTLING_TICKS,
      missingTick: Number.NEGATIVE_INFINITY,
      x: Number.NaN,
      y: Number.NaN,
    };
    this.#tracks.set(bot, track);
    truth.tracks.push(track);
    for (const [tick, batch, at] of this.#early.get(bot) ?? []) this.#keep(track, tick, batch, at);
    this.#early.delete(bot);
  }

  /** States of a match; see state-batch.ts. */
  addTruth(batch: Int32Array): void {
    const truth = this.#truth(batch[0]!);
    for (let at = 1; at < batch.length; ) {
      const tick = batch[at]!;
      const length = batch[at + 1]!;
      at += 2;
      truth.ticks[tick % MEMORY_TICKS] = tick;
      truth.states[tick % MEMORY_TICKS] = batch.subarray(at, at + length);
      truth.newest = tick;
      at += length;
    }
    for (const track of truth.tracks) this.#advance(truth, track, PATIENCE_TICKS);
  }

  /** First predictions; see state-batch.ts. */
  addPredictions(batch: Int32Array): void {
    const size = 2 + this.#fields.length;
    for (let at = 0; at + size <= batch.length; at += size) {
      const track = this.#tracks.get(batch[at]!);
      if (track !== undefined) this.#keep(track, batch[at + 1]!, batch, at + 2);
      else this.#keepEarly(batch[at]!, batch[at + 1]!, batch, at + 2);
    }
  }

  /** From the next tick on the bots do nothing: no longer a test of prediction. */
  silence(): void {
    for (const truth of this.#truths) truth.silentFrom = truth.newest + 1;
  }

  /** What a bot was told in the end. */
  addConfirmed(confirmed: Confirmed): void {
    const track = this.#tracks.get(confirmed.bot);
    if (track === undefined) return;
    track.evidence.confirmed = confirmed;
    track.evidence.truthTick = this.#truth(track.evidence.match).newest;
  }

  /** All that was said has come: judges what waited for more. */
  finish(): Evidence[] {
    for (const truth of this.#truths) {
      for (const track of truth.tracks) {
        this.#advance(truth, track, 0);
        this.#compareConfirmed(truth, track.evidence);
      }
    }
    return this.evidence;
  }

  #truth(match: number): Truth {
    while (this.#truths.length <= match) {
      this.#truths.push({
        ticks: new Float64Array(MEMORY_TICKS).fill(-1),
        states: [],
        newest: -1,
        silentFrom: Number.POSITIVE_INFINITY,
        tracks: [],
      });
    }
    return this.#truths[match]!;
  }

  #keep(track: Track, tick: number, batch: Int32Array, at: number): void {
    const slot = tick % MEMORY_TICKS;
    // Only the first prediction of a tick counts.
    if (track.ticks[slot]! >= tick) return;
    track.ticks[slot] = tick;
    const to = slot * this.#fields.length;
    for (let i = 0; i < this.#fields.length; i++) track.values[to + i] = batch[at + i]!;
  }

  /** The server's word that the bot has joined may come after the bot's own. */
  #keepEarly(bot: number, tick: number, batch: Int32Array, at: number): void {
    const kept = this.#early.get(bot) ?? [];
    if (kept.length < MEMORY_TICKS) kept.push([tick, batch, at]);
    this.#early.set(bot, kept);
  }

  #advance(truth: Truth, track: Track, patience: number): void {
    for (; track.nextTick <= truth.newest; track.nextTick++) {
      const tick = track.nextTick;
      const slot = tick % MEMORY_TICKS;
      const predicted = track.ticks[slot] === tick;
      if (!predicted && truth.newest - tick < patience && tick < truth.silentFrom) return;
      if (truth.ticks[slot] !== tick) continue;
      this.#judgeTick(truth, track, tick, predicted);
    }
  }

  #judgeTick(truth: Truth, track: Track, tick: number, predicted: boolean): void {
    const state = truth.states[tick % MEMORY_TICKS]!;
    const row = this.#reader.find(state, this.#player.index, track.evidence.player);
    if (row < 0) return;
    if (state[row + 1] === 1) track.missingTick = tick;
    this.#watch(track, state, row + ROW_HEAD);
    if (tick < track.judgeFrom || tick >= truth.silentFrom) return;
    const steps = predicted ? this.#stepsOff(track, tick, state, row + ROW_HEAD) : -1;
    count(track.evidence, steps, tick - track.missingTick > this.#correctionTicks);
  }

  /** Travel, shots and hits, by the server's state. */
  #watch(track: Track, state: Int32Array, at: number): void {
    const { evidence } = track;
    const { steps } = this.#player;
    const x = state[at + this.#x]! * steps[this.#x]!;
    const y = state[at + this.#y]! * steps[this.#y]!;
    const moved = Math.hypot(x - track.x, y - track.y);
    if (moved <= STRIDE_UNITS_MAX) evidence.travelledUnits += moved;
    track.x = x;
    track.y = y;
    if (state[at + this.#cooldown] === COOLDOWN_TICKS) evidence.shots++;
    evidence.hits = state[at + this.#hits]!;
  }

  /** The largest difference of a field between prediction and truth, in steps. */
  #stepsOff(track: Track, tick: number, state: Int32Array, at: number): number {
    const from = (tick % MEMORY_TICKS) * this.#fields.length;
    let worst = 0;
    let field = 0;
    for (let i = 0; i < this.#fields.length; i++) {
      const f = this.#fields[i]!;
      const { wraps, max } = this.#player.fields[f]!;
      const straight = Math.abs(track.values[from + i]! - state[at + f]!);
      const steps = wraps ? Math.min(straight, max + 1 - straight) : straight;
      if (steps <= worst) continue;
      worst = steps;
      field = f;
    }
    noteWorst(track.evidence, worst, this.#player.fieldNames[field]!);
    return worst;
  }

  #compareConfirmed(truth: Truth, evidence: Evidence): void {
    const { confirmed } = evidence;
    if (confirmed?.state === undefined) return;
    const slot = confirmed.tick % MEMORY_TICKS;
    const state = truth.ticks[slot] === confirmed.tick ? truth.states[slot] : undefined;
    evidence.difference =
      state === undefined
        ? 'no truth'
        : (compareStates(this.#layouts, state, confirmed.state) ?? 'none');
  }
}

function noteWorst(evidence: Evidence, steps: number, field: string): void {
  if (steps <= FEW_STEPS && steps > evidence.worstSlightSteps) {
    evidence.worstSlightSteps = steps;
    evidence.worstSlightField = field;
  }
  if (steps <= evidence.worstSteps) return;
  evidence.worstSteps = steps;
  evidence.worstField = field;
}

/** `steps`: how far off the prediction was, -1 = there was none. */
function count(evidence: Evidence, steps: number, calm: boolean): void {
  const wrong = steps === 0 ? 0 : 1;
  const slight = steps > 0 && steps <= FEW_STEPS ? 1 : 0;
  evidence.verified++;
  evidence.wrong += wrong;
  evidence.slight += slight;
  if (steps < 0) evidence.unpredicted++;
  if (!calm || steps < 0) return;
  evidence.calm++;
  evidence.calmWrong += wrong;
  evidence.calmSlight += slight;
}

function emptyEvidence(bot: number, match: number, player: number): Evidence {
  return {
    bot,
    match,
    player,
    verified: 0,
    wrong: 0,
    unpredicted: 0,
    slight: 0,
    calm: 0,
    calmSlight: 0,
    calmWrong: 0,
    worstSteps: 0,
    worstField: '',
    worstSlightSteps: 0,
    worstSlightField: '',
    travelledUnits: 0,
    shots: 0,
    hits: 0,
    confirmed: undefined,
    difference: undefined,
    truthTick: -1,
  };
}
