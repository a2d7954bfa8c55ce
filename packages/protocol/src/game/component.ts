// What a game declares: components, archetypes, input, effects; and the types its rows have for simulate.

import type { Field } from '../replication/field.ts';
import {
  AUDIENCE_ALL,
  AUDIENCE_OWNER,
  AUDIENCE_SERVER,
  type ComponentSpec,
} from '../replication/layout.ts';
import { TickwireError } from '../wire/errors.ts';

/** Named fields. Names start with a letter; letters, digits and underscores follow. */
export type Fields = Readonly<Record<string, Field>>;

/** How a component is shared and shown. */
export interface ComponentOptions {
  /** Who receives it. Default 'all'. */
  readonly to?: 'all' | 'owner' | 'server';
  /** False: only the server changes it, a client's simulate leaves it as last confirmed. Default true. */
  readonly predict?: boolean;
  /** 'linear': views and rewinds blend `fixed` and `angle` fields between ticks. Default: they step. */
  readonly interpolate?: 'linear';
  /** Units: a field that moves further in one tick jumps instead of blending. Default: never. */
  readonly snapOver?: number;
}

/** Made by {@link component}. */
export interface Component<F extends Fields = Fields> {
  readonly fields: F;
  readonly options: ComponentOptions;
}

/** Made by {@link archetype}. */
export interface Archetype<
  C extends Readonly<Record<string, Component>> = Readonly<Record<string, Component>>,
  Controlled extends boolean = boolean,
> {
  readonly components: C;
  /** Rows, at most. */
  readonly max: number;
  /** True when rows take their owner's input. */
  readonly controlled: Controlled;
}

export type Archetypes = Readonly<Record<string, Archetype>>;

/** Effect kinds and the fields of their payloads. */
export type Effects = Readonly<Record<string, Fields>>;

/** Fields that always travel and change together. */
export function component<F extends Fields>(
  fields: F,
  options: ComponentOptions = {},
): Component<F> {
  const { snapOver = 1, to = 'all', interpolate = 'linear' } = options;
  if (!(snapOver > 0)) refuse(`snapOver ${snapOver} must be above 0`);
  if (!(to in AUDIENCES)) refuse(`to '${to}' must be 'all', 'owner' or 'server'`);
  if (interpolate !== 'linear') refuse(`interpolate '${interpolate}' must be 'linear'`);
  return Object.freeze({ fields: Object.freeze({ ...fields }), options: { ...options } });
}

/** Rows of one make: `max` at most, `controlled` when a player's input drives them. */
export function archetype<C extends Readonly<Record<string, Component>>>(
  components: C,
  options: { readonly max: number; readonly controlled: true },
): Archetype<C, true>;
export function archetype<C extends Readonly<Record<string, Component>>>(
  components: C,
  options: { readonly max: number; readonly controlled?: false },
): Archetype<C, false>;
export function archetype<C extends Readonly<Record<string, Component>>>(
  components: C,
  options: { readonly max: number; readonly controlled?: boolean },
): Archetype<C> {
  const { max, controlled = false } = options;
  return Object.freeze({ components: Object.freeze({ ...components }), max, controlled });
}

const AUDIENCES = { all: AUDIENCE_ALL, owner: AUDIENCE_OWNER, server: AUDIENCE_SERVER };

/** What the layout needs to know of a component. */
export function componentSpec(name: string, { fields, options }: Component): ComponentSpec {
  return {
    name,
    fields,
    audience: AUDIENCES[options.to ?? 'all'],
    predict: options.predict ?? true,
    interpolate: options.interpolate === 'linear',
    snapOver: options.snapOver ?? Infinity,
  };
}

function refuse(why: string): never {
  throw new TickwireError('component-invalid', `component: ${why}`);
}
