// defineGame: checks a game's declaration at once and turns it into layouts, cursor classes and a digest.

import { defineMessages, type MessageDeclarations, MessageSet } from '../messages/message-set.ts';
import type { Field } from '../replication/field.ts';
import { Layout, MAX_FIELDS } from '../replication/layout.ts';
import { TickwireError } from '../wire/errors.ts';
import { checkId, checkName, hashText } from '../wire/name.ts';
import { type Archetypes, componentSpec, type Effects, type Fields } from './component.ts';
import { CursorFactory } from './cursor.ts';
import type { EffectKind } from './effect-emitter.ts';
import {
  type FieldValues,
  type GameShape,
  RESERVED_ARCHETYPE_NAMES,
  type SimulateFace,
} from './face.ts';

/** What {@link defineGame} takes. */
export interface GameDefinition<
  I extends Fields,
  A extends Archetypes,
  E extends Effects,
  M extends MessageDeclarations,
> {
  /** Names the game on the wire: 1 to 64 letters, digits, '-', '_', '.'. */
  readonly id: string;
  /** Ticks per second, 1 to 240. */
  readonly tickHz: number;
  /** One player's input for one tick. */
  readonly input: I;
  readonly archetypes: A;
  readonly effects?: E;
  readonly messages?: M | MessageSet<M>;
  /** Computes one tick. Pure: all state is in rows, all chance from the world, all math from `math`. */
  simulate(w: SimulateFace<{ input: I; archetypes: A; effects: E }>): void;
}

type None = Record<never, never>;

/** Highest tick rate; beyond it a tick is shorter than timers are good for. */
const MAX_TICK_HZ = 240;
/** Inputs are repeated in every packet until acknowledged, so they stay small. */
const MAX_INPUT_FIELDS = 64;
const MAX_ARCHETYPES = 64;
const MAX_ROWS = 65536;
const MAX_EFFECT_KINDS = 256;

/** A checked game: what servers, clients and worlds are made for. */
export class Game<
  S extends GameShape = GameShape,
  M extends MessageDeclarations = MessageDeclarations,
> {
  readonly id: string;
  readonly tickHz: number;
  /** The declarations, as given. */
  readonly shape: S;
  readonly layouts: readonly Layout[];
  readonly inputFields: readonly Field[];
  readonly inputNames: readonly string[];
  readonly effectKinds: readonly EffectKind[];
  readonly messages: MessageSet<M>;
  /** u32 hash of everything that both ends must declare alike; simulate is not in it. */
  readonly digest: number;
  /** u32 hash of `id`. */
  readonly idHash: number;
  /** Cursor classes by archetype. */
  readonly cursors: readonly CursorFactory[];
  readonly simulate: (w: never) => void;

  constructor(
    id: string,
    tickHz: number,
    shape: S,
    messages: MessageSet<M>,
    simulate: (w: never) => void,
  ) {
    this.id = id;
    this.tickHz = tickHz;
    this.shape = shape;
    this.inputFields = Object.values(shape.input);
    this.inputNames = Object.keys(shape.input);
    this.layouts = Object.entries(shape.archetypes).map(
      ([name, { components, max, controlled }], i) => {
        const specs = Object.entries(components).map((entry) => componentSpec(...entry));
        return new Layout(name, i, max, controlled, specs);
      },
    );
    this.effectKinds = Object.entries(shape.effects).map(([name, fields], index) => ({
      name,
      index,
      fields: Object.values(fields),
      fieldNames: Object.keys(fields),
    }));
    this.messages = messages;
    this.simulate = simulate;
    const booleans = this.inputFields.map((field) => field.boolean);
    this.cursors = this.layouts.map((l) => new CursorFactory(l, this.inputNames, booleans));
    this.digest = hashText(this.#canonical());
    this.idHash = hashText(id);
  }

  /** Index of an archetype, -1 = no such. */
  archetypeIndex(name: string): number {
    return this.layouts.findIndex((layout) => layout.name === name);
  }

  /** A blank input: every field at rest. */
  createInput(): FieldValues<S['input']> {
    const entries = this.inputNames.map((name, f) => [name, this.inputFields[f]!.zero]);
    return Object.fromEntries(entries) as FieldValues<S['input']>;
  }

  /** The schema as text: everything that changes what bytes mean or what is predicted. */
  #canonical(): string {
    const fieldsOf = (names: readonly string[], fields: readonly Field[]) =>
      fields.map((f, i) => [names[i], f.kind, f.bits, f.min, f.step, f.max]);
    const layouts = this.layouts.map((l) => [
      [l.name, l.capacity, l.controlled],
      l.components.map((c) => [
        c.name,
        c.count,
        c.audience,
        c.predict,
        c.interpolate,
        `${c.snapOver}`,
      ]),
      fieldsOf(l.fieldNames, l.fields),
    ]);
    const effects = this.effectKinds.map((e) => [e.name, fieldsOf(e.fieldNames, e.fields)]);
    const input = fieldsOf(this.inputNames, this.inputFields);
    return JSON.stringify([this.id, this.tickHz, input, layouts, effects, this.messages.canonical]);
  }
}

/** Declares a game. Throws a TickwireError whose code ends in '-invalid' on the first thing wrong. */
export function defineGame<
  I extends Fields,
  A extends Archetypes,
  E extends Effects = None,
  M extends MessageDeclarations = None,
>(definition: GameDefinition<I, A, E, M>): Game<{ input: I; archetypes: A; effects: E }, M> {
  const { id, tickHz, input, archetypes, effects = {} as E, messages = {} as M } = definition;
  checkId(id, 'game-invalid');
  if (!(Number.isInteger(tickHz) && tickHz >= 1 && tickHz <= MAX_TICK_HZ)) {
    throw new TickwireError('game-invalid', `tickHz ${tickHz} must be from 1 to ${MAX_TICK_HZ}`);
  }
  checkInput(input);
  checkArchetypes(archetypes);
  checkEffects(effects);
  const set = messages instanceof MessageSet ? messages : defineMessages(messages);
  const simulate = definition.simulate.bind(definition) as (w: never) => void;
  return new Game(id, tickHz, { input, archetypes, effects }, set, simulate);
}

function checkInput(input: Fields): void {
  checkCount('input', Object.keys(input).length, 0, MAX_INPUT_FIELDS, 'input-invalid');
  for (const name of Object.keys(input)) {
    checkName('input field', name, 'input-invalid');
    if (name === 'status') {
      throw new TickwireError('input-invalid', "input field 'status' is a reserved name");
    }
  }
}

function checkArchetypes(archetypes: Archetypes): void {
  const names = Object.keys(archetypes);
  checkCount('archetypes', names.length, 1, MAX_ARCHETYPES, 'archetype-invalid');
  for (const name of names) {
    checkName('archetype', name, 'archetype-invalid');
    const { max, components } = archetypes[name]!;
    const count = Number.isInteger(max) ? max : 0;
    checkCount(`max of archetype '${name}'`, count, 1, MAX_ROWS, 'archetype-invalid');
    if (RESERVED_ARCHETYPE_NAMES.includes(name)) {
      throw new TickwireError('archetype-invalid', `archetype '${name}' is a reserved name`);
    }
    for (const part of Object.keys(components)) {
      checkName('component', part, 'component-invalid');
      if (part === 'id' || part === 'input') {
        throw new TickwireError('component-invalid', `component '${part}' is a reserved name`);
      }
      checkStateFields(`component '${part}'`, components[part]!.fields, 'component-invalid');
    }
  }
}

function checkEffects(effects: Effects): void {
  const names = Object.keys(effects);
  checkCount('effects', names.length, 0, MAX_EFFECT_KINDS, 'effect-invalid');
  for (const name of names) {
    checkName('effect', name, 'effect-invalid');
    checkStateFields(`effect '${name}'`, effects[name]!, 'effect-invalid', 0);
  }
}

function checkStateFields(where: string, fields: Fields, code: string, least = 1): void {
  const names = Object.keys(fields);
  checkCount(`fields of ${where}`, names.length, least, MAX_FIELDS, code);
  for (const name of names) {
    checkName(`field of ${where}`, name, code);
    const { kind } = fields[name]!;
    if (kind !== 'axis' && kind !== 'edge') continue;
    throw new TickwireError(code, `${where}: ${kind}() of '${name}' is for inputs only`);
  }
}

function checkCount(what: string, count: number, least: number, most: number, code: string): void {
  if (count >= least && count <= most) return;
  throw new TickwireError(code, `${what}: ${count}, must be from ${least} to ${most}`);
}
