// The judge and its verdict over planted runs: a good one passes, and each demand fails when it alone is violated.
import { describe, expect, it } from 'vitest';
import { arena, COOLDOWN_TICKS } from '../src/arena.ts';
import { type Evidence, Judge, SETTLING_TICKS } from '../src/judge.ts';
import { BatchWriter, predictedFields } from '../src/state-batch.ts';
import { reachVerdict } from '../src/verdict.ts';

const TICKS = 600;
const SILENT_FROM = 500;
const BOTS = 3;
const CORRECTION_TICKS = 20;
const FIRST_PLAYER = 41;
const player = arena.layouts[arena.archetypeIndex('player')]!;
const item = arena.layouts[arena.archetypeIndex('item')]!;
const fields = predictedFields(player);
const field = (name: string): number => player.fieldNames.indexOf(name);

/** What may be spoiled in a run. Each gets what is right and may change it. */
interface Spoil {
  /** The server's row of a bot's player at a tick; its input was missing if this returns true. */
  truth?(bot: number, tick: number, row: Int32Array): boolean | undefined;
  /** What a bot predicts; nothing if this returns false. */
  prediction?(bot: number, tick: number, row: Int32Array): boolean | undefined;
  /** The bot's row of a player in the end; without that player if this returns false. */
  told?(bot: number, id: number, row: Int32Array): boolean | undefined;
  /** The tick of what a bot was told. */
  toldTick?(bot: number): number;
  joins?(bot: number): boolean;
}

/** A bot walking to and fro, shooting now and then, hit once. */
function rowOf(bot: number, tick: number): Int32Array {
  const row = new Int32Array(player.stride);
  const phase = tick % 120 < 60 ? tick % 60 : 60 - (tick % 60);
  row[field('motion.x')] = 400_000 + bot * 50_000 + phase * 2000;
  row[field('motion.y')] = 500_000;
  row[field('pose.x')] = 8000 + bot + phase;
  row[field('motion.cooldown')] = Math.max(0, COOLDOWN_TICKS - (tick % 40));
  row[field('tally.hits')] = tick > 200 ? 1 : 0;
  return row;
}

function play(spoil: Spoil = {}): Evidence[] {
  const judge = new Judge(arena.layouts, CORRECTION_TICKS);
  const joins = spoil.joins ?? (() => true);
  for (let bot = 0; bot < BOTS; bot++) {
    if (joins(bot)) judge.joined({ type: 'joined', bot, match: 0, player: FIRST_PLAYER + bot });
  }
  for (let tick = 0; tick < TICKS; tick++) {
    if (tick === SILENT_FROM) judge.silence();
    judge.addPredictions(predictionsOf(tick, spoil));
    judge.addTruth(truthOf(tick, spoil));
  }
  for (let bot = 0; bot < BOTS; bot++) judge.addConfirmed(toldOf(bot, spoil));
  return judge.finish();
}

function predictionsOf(tick: number, spoil: Spoil): Int32Array {
  const writer = new BatchWriter();
  for (let bot = 0; bot < BOTS; bot++) {
    const row = rowOf(bot, tick);
    if (spoil.prediction?.(bot, tick, row) === false) continue;
    for (const value of [bot, tick, ...fields.map((f) => row[f]!)]) writer.push(value);
  }
  return writer.take();
}

function truthOf(tick: number, spoil: Spoil): Int32Array {
  const writer = new BatchWriter();
  const state: number[] = [BOTS];
  for (let bot = 0; bot < BOTS; bot++) {
    const row = rowOf(bot, tick);
    const missing = spoil.truth?.(bot, tick, row) === true;
    state.push(FIRST_PLAYER + bot, missing ? 1 : 0, ...row);
  }
  state.push(1, 7, 0, ...new Int32Array(item.stride));
  for (const value of [0, tick, state.length, ...state]) writer.push(value);
  return writer.take();
}

function toldOf(bot: number, spoil: Spoil) {
  const tick = spoil.toldTick?.(bot) ?? TICKS - 5;
  const rows: number[] = [];
  let count = 0;
  for (let other = 0; other < BOTS; other++) {
    const row = rowOf(other, tick);
    spoil.truth?.(other, tick, row);
    const own = other === bot;
    // What only owners see is not told to others.
    if (!own) for (const f of fields) if (player.audiences[f] === 1) row[f] = -77;
    if (spoil.told?.(bot, FIRST_PLAYER + other, row) === false) continue;
    rows.push(FIRST_PLAYER + other, own ? 1 : 0, ...row);
    count++;
  }
  const state = Int32Array.from([count, ...rows, 1, 7, 0, ...new Int32Array(item.stride)]);
  return { bot, tick, baselineMissing: 9, state: tick < 0 ? undefined : state };
}

function failuresOf(spoil: Spoil): string[] {
  return reachVerdict(play(spoil), { players: BOTS }).failures;
}

describe('a good run', () => {
  it('has no failures and is synchronised', () => {
    const verdict = reachVerdict(play(), { players: BOTS });
    const verifiedTicks = BOTS * (SILENT_FROM - SETTLING_TICKS);
    const good = { failures: [], verifiedTicks, mispredictedTicksPct: 0, synchronised: true };
    expect(verdict).toEqual(good);
  });

  it('may mispredict 5 % of the ticks, not one more', () => {
    const allowed = Math.floor((SILENT_FROM - SETTLING_TICKS) * 0.05);
    const wrongFor = (ticks: number) =>
      failuresOf({
        prediction(bot, tick, row) {
          if (bot === 1 && tick >= 100 && tick < 100 + ticks) row[field('motion.vx')] = 20_000;
          return true;
        },
      });
    expect(wrongFor(allowed)).toEqual([]);
    expect(wrongFor(allowed + 1)).toEqual([
      expect.stringMatching(/^prediction: bot 1, 5\.2 % of 440/),
    ]);
  });

  it('is not judged while clocks settle, nor when inputs are silent', () => {
    const prediction = (_bot: number, tick: number): boolean =>
      tick >= SETTLING_TICKS && tick < SILENT_FROM;
    expect(failuresOf({ prediction })).toEqual([]);
  });
});

describe('each demand fails when it alone is violated', () => {
  it.each<[name: string, spoil: Spoil, failure: RegExp]>([
    ['joining', { joins: (bot) => bot !== 2 }, /^joining: 1 of 3 bots never got a player$/],
    [
      'predicting: far off',
      {
        prediction(_bot, _tick, row) {
          row[field('motion.vx')]! += 819;
          return true;
        },
      },
      /^prediction: 3 bots \(bot 0 first\), 100\.0 % of 1320 ticks .* 819 steps of motion\.vx$/,
    ],
    [
      'predicting: rounded down',
      {
        prediction(_bot, tick, row) {
          row[field('motion.y')]! -= tick % 7;
          return true;
        },
      },
      /^quantise: 3 bots .* up to 6 of motion\.y: the two sides round differently$/,
    ],
    [
      'predicting: after missing inputs',
      {
        truth: (_bot, tick) => tick % 50 === 0,
        prediction(_bot, tick, row) {
          if (tick % 50 < 10) row[field('pose.aim')]! += 40;
          return true;
        },
      },
      /^inputs: 3 bots .* 18\.2 % of 1320 ticks .* inputs that did not arrive in time$/,
    ],
    [
      'predicting: not at all',
      { prediction: (bot, tick) => bot !== 2 || tick % 10 > 0 },
      /^unpredicted: bot 2, 10\.0 % of 440 ticks passed without a prediction/,
    ],
    [
      'travelling',
      {
        truth(bot, _tick, row) {
          if (bot === 0) row[field('motion.x')] = 9;
          return false;
        },
        prediction(bot, _tick, row) {
          if (bot === 0) row[field('motion.x')] = 9;
          return true;
        },
      },
      /^travelled: bot 0 came only 0\.0 units, 20 are demanded$/,
    ],
    [
      'firing',
      {
        truth(bot, _tick, row) {
          if (bot === 1) row[field('motion.cooldown')] = 0;
          return false;
        },
        prediction(bot, _tick, row) {
          if (bot === 1) row[field('motion.cooldown')] = 0;
          return true;
        },
      },
      /^fired: bot 1 never fired$/,
    ],
    [
      'being hit',
      {
        truth(bot, _tick, row) {
          if (bot === 2) row[field('tally.hits')] = 0;
          return false;
        },
      },
      /^hit: bot 2 never were hit$/,
    ],
    [
      'synchronising: a field',
      {
        told(bot, id, row) {
          if (bot === 1 && id === FIRST_PLAYER) row[field('life.hp')]!++;
          return true;
        },
      },
      /^synchronised: bot 1 differ .* tick 595: life\.hp of player 41 was 0, the bot knows 1$/,
    ],
    [
      'synchronising: an entity',
      { told: (bot, id) => bot !== 1 || id !== FIRST_PLAYER + 2 },
      /^synchronised: bot 1 .* presence of player 43 was 1, the bot knows -1$/,
    ],
    [
      'synchronising: states that were never had',
      { toldTick: (bot) => (bot === 0 ? 300 : TICKS - 5) },
      /^ack: bot 0 had no complete snapshot since tick 300 of 599: 9 snapshots named a state/,
    ],
  ])('%s', (_name, spoil, failure) => {
    expect(failuresOf(spoil)).toEqual([expect.stringMatching(failure)]);
  });

  it('blames missing snapshots, not prediction, where nothing was there to correct it', () => {
    const failures = failuresOf({
      toldTick: () => -1,
      prediction(_bot, tick, row) {
        if (tick > 300) row[field('motion.vx')] = 5000;
        return true;
      },
    });
    expect(failures).toEqual([expect.stringMatching(/^ack: 3 bots .* since tick -1 of 599/)]);
  });
});

describe('what arrives in another order', () => {
  it('counts the same: predictions long before or some time after the truth, and before the bot is known', () => {
    const judge = new Judge(arena.layouts, CORRECTION_TICKS);
    const join = () => judge.joined({ type: 'joined', bot: 0, match: 0, player: FIRST_PLAYER });
    for (let tick = 0; tick < 40; tick++) judge.addPredictions(predictionsOf(tick, {}));
    join();
    join();
    for (let tick = 0; tick < 300; tick++) judge.addTruth(truthOf(tick, {}));
    for (let tick = 40; tick < 300; tick++) judge.addPredictions(predictionsOf(tick, {}));
    const [evidence] = judge.finish();
    // What came more than the patience too late was counted as not predicted.
    expect(evidence).toMatchObject({ verified: 300 - SETTLING_TICKS, unpredicted: 60 });
  });

  it('takes the first prediction of a tick, not a later one', () => {
    const judge = new Judge(arena.layouts, CORRECTION_TICKS);
    judge.joined({ type: 'joined', bot: 0, match: 0, player: FIRST_PLAYER });
    const late: Spoil = {
      prediction(_bot, _tick, row) {
        row.fill(1);
        return true;
      },
    };
    for (let tick = 0; tick < 100; tick++) {
      judge.addPredictions(predictionsOf(tick, {}));
      judge.addPredictions(predictionsOf(tick, late));
      judge.addTruth(truthOf(tick, {}));
    }
    expect(judge.finish()[0]).toMatchObject({ verified: 100 - SETTLING_TICKS, wrong: 0 });
  });
});
