// Drives a table of states: every transition that it lists, and every event in every state where it is not listed.

import { contradiction, type Said, type Transition } from './state-tables.ts';

/** A scene as the driver sees it. */
export interface Scene {
  nowMs: number;
  readonly all: readonly Said[];
  readonly ended: string | undefined;
  state(): string;
  says(): Said[];
  pass(untilMs: number): void;
}

/** Time that passes: how much at least, and when it is over in a scene. */
export interface Timer<S> {
  readonly ms: number;
  at(scene: S): number;
}

/** How the events of one side come about. */
export interface Drivers<S extends Scene> {
  /** A scene in a state, made for an event. */
  build(state: string, event: string): S;
  readonly timers: Readonly<Record<string, Timer<S>>>;
  /** Everything else: what is said thereupon; undefined = it cannot come about in that state. */
  readonly acts: Readonly<Record<string, (scene: S, state: string) => Said[] | undefined>>;
  /** Words of effects that are more than what is sent. */
  readonly effects: readonly (readonly [RegExp, (scene: S, said: readonly Said[]) => boolean])[];
  /** Events that are an event of another name as well: what lists that one need not list them. */
  readonly kindsOf: Readonly<Record<string, string>>;
}

const CLOSE_INTERVAL_MAX_MS = 500;
const CLOSES_MAX = 10;

/** What a table says that does not happen, and what happens that it does not say. */
export function drive<S extends Scene>(
  table: readonly Transition[],
  drivers: Drivers<S>,
): string[] {
  const wrong: string[] = [];
  const states = [...new Set(table.flatMap(({ state, next }) => [state, next]))];
  const listedEvents = table.map(({ event }) => event);
  const { timers, acts } = drivers;
  const events = new Set([...listedEvents, ...Object.keys(timers), ...Object.keys(acts)]);
  for (const event of events) {
    if (timers[event] === undefined && acts[event] === undefined) {
      wrong.push(`nobody knows how to bring about '${event}'`);
      continue;
    }
    for (const state of states) {
      const row = table.find((other) => other.state === state && other.event === event);
      const problem = row ? listed(row, drivers) : unlisted(table, state, event, drivers);
      if (problem !== undefined) wrong.push(`${state} | ${event}: ${problem}`);
    }
  }
  return wrong;
}

function listed<S extends Scene>(row: Transition, drivers: Drivers<S>): string | undefined {
  const { state, event, next, effect } = row;
  const timer = drivers.timers[event];
  const scene = drivers.build(state, event);
  if (timer !== undefined) {
    const early = drivers.build(state, event);
    early.pass(timer.at(early));
    if (early.state() !== state) return 'comes too early';
  }
  const said = happen(scene, state, event, drivers);
  if (said === undefined) return 'is listed and cannot come about';
  const before = scene.all.slice(0, scene.all.length - said.length);
  for (const [word, holds] of drivers.effects) {
    if (word.test(effect) && !holds(scene, said)) return `'${effect}' is not so`;
  }
  const reasons = [...(/ends as (.*)/.exec(effect)?.[1] ?? '').matchAll(/`([\w-]+)`/g)];
  if (reasons.length > 0 && !reasons.some(([, reason]) => reason === scene.ended)) {
    return `ends as ${scene.ended}`;
  }
  if (effect.includes('ends with its reason') && scene.ended === undefined) return 'no reason';
  const problem = contradiction(effect, said, before);
  const found = scene.state();
  return problem ?? (found === next ? undefined : `leads to ${found} instead of ${next}`);
}

function unlisted<S extends Scene>(
  table: readonly Transition[],
  state: string,
  event: string,
  drivers: Drivers<S>,
): string | undefined {
  const { timers, kindsOf } = drivers;
  const of = (name: string | undefined) =>
    table.find((row) => row.state === state && row.event === name);
  if (/^close (?:said|heard):/.test(event) || of(kindsOf[event]) !== undefined) return undefined;
  const timer = timers[event];
  // While it passes, something that is listed comes first.
  const sooner = table.some(
    (row) =>
      row.state === state &&
      row.next !== state &&
      (timers[row.event]?.ms ?? (row.event.includes('interval') ? 0 : Infinity)) <=
        (timer?.ms ?? -1),
  );
  if (sooner) return undefined;
  const scene = drivers.build(state, event);
  const said = happen(scene, state, event, drivers);
  if (said === undefined) return undefined;
  const found = scene.state();
  return found === state ? undefined : `is not listed, and leads to ${found}`;
}

function happen<S extends Scene>(
  scene: S,
  state: string,
  event: string,
  { timers, acts }: Drivers<S>,
): Said[] | undefined {
  const timer = timers[event];
  if (timer === undefined) return acts[event]!(scene, state);
  scene.pass(timer.at(scene));
  return scene.says();
}

/** Time passes until something is said, or at last until `over`. */
export function passUntil(scene: Scene, over?: () => boolean): Said[] {
  const untilMs = scene.nowMs + (CLOSES_MAX + 1) * CLOSE_INTERVAL_MAX_MS;
  while (scene.nowMs < untilMs) {
    scene.nowMs += 5;
    const said = scene.says();
    if (over === undefined ? said.length > 0 : over()) return said;
  }
  throw new Error('nothing comes of it');
}
