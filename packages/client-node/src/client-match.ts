// The client's place in one match: its world, its clocks, what the server confirmed, what it predicts and shows.
// Composition: each part's rules stand in its own file.

import {
  type Game,
  type GameShape,
  quantise,
  RecordCodec,
  type Verdict,
  type ViewFace,
  World,
} from '@tickwire/protocol';
import { ClientView } from './client-view.ts';
import { ConfirmedWorld } from './confirmed-world.ts';
import { Correction } from './correction.ts';
import { type EffectHandler, EffectLedger } from './effect-ledger.ts';
import { InputClock } from './input-clock.ts';
import { InputSender } from './input-sender.ts';
import { Prediction, type Rollback } from './prediction.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import { ViewClock } from './view-clock.ts';

/** Ticks computed in one go, at most; if more are due the clock jumps over the rest. */
const TICKS_PER_ADVANCE_MAX = 10;
/** A tick is due this much early: woken for it, the clock may stand a rounding error before it. */
const ROUNDING_TICKS = 1e-6;
/** Beyond a round trip, so far ahead of the newest snapshot no input is of use: the server keeps 32 ticks. */
const AHEAD_TICKS_MAX = 40;
/** An own effect that the server has not said so many ticks after it knew the tick did not happen. */
const EFFECT_EXPIRY_TICKS = 60;

/** What a place tells the client. */
export interface ClientMatchSink<I> {
  /** Fills in the input of a tick. */
  sampleInput(tick: number, out: I): void;
  readonly effect: EffectHandler;
  /** Smoothed round trip of the connection. */
  roundTripMs(): number;
  /** Share of recent packets that were lost on the way to the server. */
  lossShare(): number;
  /** A tick was predicted for the first time. */
  ticked(tick: number): void;
  /** A snapshot packet was taken. */
  confirmed(tick: number, whole: boolean): void;
  rolledBack(rollback: Rollback): void;
  resynchronised(tick: number): void;
}

/** See the head of the file. */
export class ClientMatch<S extends GameShape> {
  readonly epoch: number;
  readonly world: World<S>;
  readonly confirmed: ConfirmedWorld;
  readonly prediction: Prediction<S>;
  readonly reader: SnapshotReader;
  readonly inputs: InputSender;
  readonly clock: InputClock;
  readonly viewClock: ViewClock;
  readonly effects: EffectLedger;
  readonly corrections: readonly Correction[];
  /** Ticks at which the view had no newer snapshot to blend to, of all ticks. */
  starvedTicks = 0;
  viewedTicks = 0;
  readonly #game: Game<S>;
  readonly #sink: ClientMatchSink<Record<string, number | boolean>>;
  readonly #view: ClientView<S>;
  readonly #input: Record<string, number | boolean>;
  readonly #quantised: Int32Array;
  #viewedAtMs = 0;

  constructor(
    game: Game<S>,
    epoch: number,
    seed: number,
    development: boolean,
    input: Record<string, number | boolean>,
    sink: ClientMatchSink<Record<string, number | boolean>>,
  ) {
    this.#game = game;
    this.#sink = sink;
    this.#input = input;
    this.#quantised = new Int32Array(game.inputFields.length);
    this.epoch = epoch;
    this.world = new World(game, { seed, authority: false, development });
    this.confirmed = new ConfirmedWorld(this.world.tables);
    this.corrections = this.world.tables.map((table) => new Correction(table));
    this.effects = new EffectLedger(game.effectKinds, sink.effect);
    this.inputs = new InputSender(game.inputFields);
    this.clock = new InputClock(game.tickHz);
    this.viewClock = new ViewClock(game.tickHz);
    this.#view = new ClientView(game, this.confirmed, this.corrections);
    this.prediction = this.#createPrediction();
    this.reader = this.#createReader();
    this.world.effects = {
      emitted: (kind, tick, entity, n, values) =>
        this.effects.predicted(kind, tick, entity, n, values),
    };
  }

  /** The server was about to compute `serverTick` half a round trip ago. */
  start(nowMs: number, serverTick: number, roundTripMs: number): void {
    this.clock.start(nowMs, serverTick, roundTripMs);
    this.prediction.tick = Math.floor(this.clock.positionAt(nowMs)) - 1;
  }

  /** Computes the ticks that are due; returns how many. Throws what simulate or sampleInput throws. */
  advance(nowMs: number): number {
    const newest = Math.floor(this.clock.positionAt(nowMs) + ROUNDING_TICKS);
    if (newest - this.prediction.tick > TICKS_PER_ADVANCE_MAX) this.prediction.skipTo(newest - 1);
    const due = newest - this.prediction.tick;
    for (let i = 0; i < due; i++) this.#tick(nowMs, this.prediction.tick + 1);
    return Math.max(0, due);
  }

  /** When the next tick is due. */
  wakeAt(): number {
    return this.clock.timeOf(this.prediction.tick + 1);
  }

  stage(bytes: Uint8Array, start: number, end: number): Verdict {
    const near = this.confirmed.tick >= 0 ? this.confirmed.tick : this.prediction.tick;
    return this.reader.stage(bytes, start, end, this.epoch, near);
  }

  /** Everything as it should be shown now. */
  view(nowMs: number): ViewFace<S['archetypes']> {
    for (const correction of this.corrections) correction.decay(nowMs - this.#viewedAtMs);
    this.#viewedAtMs = nowMs;
    const fraction = this.clock.positionAt(nowMs) - this.prediction.tick;
    this.#view.update(this.viewClock.positionAt(nowMs), Math.max(0, Math.min(1, fraction)));
    return this.#view.face;
  }

  #tick(nowMs: number, tick: number): void {
    this.viewClock.steer(nowMs);
    const viewTick = this.viewClock.positionAt(nowMs);
    this.#sink.sampleInput(tick, this.#input);
    const { inputFields, inputNames } = this.#game;
    for (let f = 0; f < inputFields.length; f++) {
      const field = inputFields[f]!;
      this.#quantised[f] = quantise(field, Number(this.#input[inputNames[f]!]));
      if (field.kind === 'edge') this.#input[inputNames[f]!] = false;
    }
    this.prediction.setInput(tick, this.#quantised);
    this.inputs.add(tick, this.#quantised, viewTick);
    this.clock.sent(nowMs, tick, this.#sink.lossShare());
    this.prediction.predict(tick);
    this.#noteView(viewTick);
    this.#sink.ticked(tick);
  }

  #noteView(viewTick: number): void {
    if (this.viewClock.newest < 0) return;
    this.viewedTicks++;
    if (viewTick > this.viewClock.newest) this.starvedTicks++;
  }

  #createPrediction(): Prediction<S> {
    return new Prediction(this.#game, this.world, this.confirmed, {
      replaying: (tick) => {
        this.effects.replaying(tick);
        for (const correction of this.corrections) correction.begin();
      },
      replayed: (rollback) => {
        this.effects.replayed();
        if (rollback.cause === 'mismatch') {
          for (const correction of this.corrections) correction.end();
        }
        this.#sink.rolledBack(rollback);
      },
      resynchronised: (tick) => this.#sink.resynchronised(tick),
    });
  }

  #createReader(): SnapshotReader {
    const codecs = this.#game.layouts.map((layout) => new RecordCodec(layout));
    return new SnapshotReader(this.confirmed, codecs, {
      feedback: (nowMs, tick, slackMs) => this.clock.feedback(nowMs, tick, slackMs),
      snapshot: (nowMs, tick, newTick) => this.#confirmed(nowMs, tick, newTick),
    });
  }

  /**
   * Whether the clock is where feedback cannot put it right: behind the server no tick is computed, so no input goes
   * out; too far ahead (the server stood still) no input is taken.
   */
  #isLost(nowMs: number, tick: number): boolean {
    const tickMs = 1000 / this.#game.tickHz;
    const aheadTicks = this.clock.positionAt(nowMs) - tick;
    return aheadTicks <= 0 || aheadTicks > this.#sink.roundTripMs() / tickMs + AHEAD_TICKS_MAX;
  }

  #restart(nowMs: number, serverTick: number): void {
    this.clock.start(nowMs, serverTick, this.#sink.roundTripMs());
    this.prediction.skipTo(Math.floor(this.clock.positionAt(nowMs)) - 1);
  }

  #confirmed(nowMs: number, tick: number, newTick: boolean): void {
    if (this.#isLost(nowMs, tick)) this.#restart(nowMs, tick + 1);
    if (newTick) this.viewClock.received(nowMs, tick);
    this.inputs.simulated(tick);
    if (this.confirmed.predictedTick === tick) this.prediction.reconcile(tick);
    this.effects.expire(tick - EFFECT_EXPIRY_TICKS);
    this.#sink.confirmed(tick, this.confirmed.wholeTick === tick);
  }
}
