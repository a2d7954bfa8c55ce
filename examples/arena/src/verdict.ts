// The verdict: what the demo demands of every bot, and which demands the evidence shows to be violated, in plain words.
// Failures are named by the size and kind of what went wrong: `kind: what happened`.

import type { Evidence } from './judge.ts';

/** Share of a bot's ticks that must have been predicted right. */
export const RIGHT_SHARE = 0.95;
/** How far each bot must have come. */
export const TRAVELLED_UNITS = 20;
/** What a bot was told in the end may be this old. */
export const STALE_TICKS = 60;

/** With fewer ticks undisturbed by missing inputs than this, all ticks are looked at. */
const CALM_SHARE = 0.05;

/** The run as a whole. */
export interface Verdict {
  /** Empty = everything that was demanded holds. */
  readonly failures: string[];
  readonly verifiedTicks: number;
  readonly mispredictedTicksPct: number;
  readonly synchronised: boolean;
}

/** What else is demanded. */
export interface Demands {
  /** Bots that should be there. */
  readonly players: number;
}

/** Judges what the judge has gathered about each bot. */
export function reachVerdict(evidence: readonly Evidence[], { players }: Demands): Verdict {
  const verified = sum(evidence, ({ verified }) => verified);
  const wrong = sum(evidence, ({ wrong }) => wrong);
  const failures = [
    ...joining(evidence, players),
    ...synchronising(evidence),
    ...predicting(evidence),
    ...playing(evidence),
  ];
  return {
    failures,
    verifiedTicks: verified,
    mispredictedTicksPct: verified === 0 ? 0 : (100 * wrong) / verified,
    synchronised: evidence.length === players && evidence.every(isSynchronised),
  };
}

function joining(evidence: readonly Evidence[], players: number): string[] {
  const missing = players - evidence.length;
  return missing > 0 ? [`joining: ${missing} of ${players} bots never got a player`] : [];
}

/** Nothing complete reached it for so long that its last state says nothing about the end. */
function isStale({ confirmed, truthTick }: Evidence): boolean {
  return (
    confirmed === undefined ||
    confirmed.state === undefined ||
    confirmed.tick < truthTick - STALE_TICKS
  );
}

function isSynchronised(evidence: Evidence): boolean {
  return !isStale(evidence) && evidence.difference === 'none';
}

function synchronising(evidence: readonly Evidence[]): string[] {
  const failures: string[] = [];
  const stale = evidence.filter(isStale);
  const refusing = stale.filter(({ confirmed }) => (confirmed?.baselineMissing ?? 0) > 0);
  const silent = stale.filter((one) => !refusing.includes(one));
  if (refusing[0] !== undefined) failures.push(describeRefusing(refusing));
  if (silent[0] !== undefined) {
    const since = `since tick ${silent[0].confirmed?.tick ?? -1} of ${silent[0].truthTick}`;
    failures.push(`snapshots: ${names(silent)} had no complete snapshot ${since}`);
  }
  const different = evidence.filter((one) => !isStale(one) && !isSynchronised(one));
  if (different[0] !== undefined) failures.push(describeDifferent(different));
  return failures;
}

function describeRefusing(bots: readonly Evidence[]): string {
  const { confirmed, truthTick } = bots[0]!;
  const refused = sum(bots, (one) => one.confirmed?.baselineMissing ?? 0);
  const since = `since tick ${confirmed?.tick} of ${truthTick}`;
  const why = `${refused} snapshots named a state that the bot never had, as if lost packets had been acked`;
  return `ack: ${names(bots)} had no complete snapshot ${since}: ${why}`;
}

function describeDifferent(bots: readonly Evidence[]): string {
  const { difference, confirmed } = bots[0]!;
  if (typeof difference !== 'object') {
    return `synchronised: ${names(bots)} named tick ${confirmed?.tick}, of which the server said nothing`;
  }
  const { archetype, entity, field, actual, told } = difference;
  const what = field === '' ? 'presence' : field;
  const values = `${what} of ${archetype} ${entity} was ${actual}, the bot knows ${told}`;
  return `synchronised: ${names(bots)} differ from the server at tick ${confirmed?.tick}: ${values}`;
}

function predicting(evidence: readonly Evidence[]): string[] {
  const kinds = new Map<string, Evidence[]>();
  for (const one of evidence) {
    const kind = predictionFailure(one);
    if (kind !== undefined) kinds.set(kind, [...(kinds.get(kind) ?? []), one]);
  }
  return [...kinds].map(([kind, bots]) => {
    const wrong = sum(bots, (one) => one.wrong);
    const verified = sum(bots, (one) => one.verified);
    const share = `${percent(wrong, verified)} of ${verified} ticks`;
    return `${kind}: ${names(bots)}, ${share} ${explanations[kind]!(bots)}`;
  });
}

/** Which kind of failure a bot's wrong ticks are; undefined = there are few enough. */
function predictionFailure(one: Evidence): string | undefined {
  if (one.verified > 0 && one.wrong <= one.verified * (1 - RIGHT_SHARE)) return undefined;
  if (one.verified === 0) return 'unjudged';
  // Without snapshots nothing corrects a prediction: that has been said already.
  if (isStale(one)) return undefined;
  if (one.unpredicted * 2 > one.wrong) return 'unpredicted';
  if (one.calm < one.verified * CALM_SHARE) return disturbedFailure(one);
  if (one.calmWrong <= one.calm * (1 - RIGHT_SHARE)) return 'inputs';
  return one.calmSlight * 2 > one.calmWrong ? 'quantise' : 'prediction';
}

/** Inputs were missing all the time, but they alone do not spoil every tick, nor by a step or two. */
function disturbedFailure({ wrong, slight, verified }: Evidence): string {
  if (wrong < verified * RIGHT_SHARE) return 'inputs';
  return slight * 2 > wrong ? 'quantise' : 'prediction';
}

const explanations: Record<string, (bots: readonly Evidence[]) => string> = {
  prediction: (bots) => `came out otherwise than predicted, with the inputs there, ${worst(bots)}`,
  quantise: (bots) =>
    `came out a few steps beside the prediction, ${worstSlight(bots)}: the two sides round differently`,
  inputs: () => 'came out otherwise than predicted, after inputs that did not arrive in time',
  unpredicted: () => 'passed without a prediction: the bots could not keep up',
  unjudged: () => 'could be judged',
};

function worst(bots: readonly Evidence[]): string {
  const { worstSteps, worstField } = bots.reduce((a, b) => (a.worstSteps > b.worstSteps ? a : b));
  return `at worst by ${worstSteps} steps of ${worstField}`;
}

function worstSlight(bots: readonly Evidence[]): string {
  const { worstSlightSteps, worstSlightField } = bots.reduce((a, b) =>
    a.worstSlightSteps > b.worstSlightSteps ? a : b,
  );
  return `up to ${worstSlightSteps} of ${worstSlightField}`;
}

function playing(evidence: readonly Evidence[]): string[] {
  const failures: string[] = [];
  const lazy = evidence.filter(({ travelledUnits }) => !(travelledUnits > TRAVELLED_UNITS));
  const least = Math.min(...lazy.map(({ travelledUnits }) => travelledUnits));
  if (lazy.length > 0) {
    const far = `${least.toFixed(1)} units, ${TRAVELLED_UNITS} are demanded`;
    failures.push(`travelled: ${names(lazy)} came only ${far}`);
  }
  const peaceful = evidence.filter(({ shots }) => shots === 0);
  if (peaceful.length > 0) failures.push(`fired: ${names(peaceful)} never fired`);
  const unhurt = evidence.filter(({ hits }) => hits === 0);
  if (unhurt.length > 0) failures.push(`hit: ${names(unhurt)} never were hit`);
  return failures;
}

/** 'bot 3', or '5 bots (bot 3 first)'. */
function names(bots: readonly Evidence[]): string {
  const first = `bot ${bots[0]!.bot}`;
  return bots.length === 1 ? first : `${bots.length} bots (${first} first)`;
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}

function sum(evidence: readonly Evidence[], of: (one: Evidence) => number): number {
  return evidence.reduce((total, one) => total + of(one), 0);
}
