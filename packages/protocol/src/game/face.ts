// The types of what users hold: rows, row sets, the world that simulate sees. No code.

import type { Archetype, Archetypes, Effects, Fields } from './component.ts';

/** What a game is made of, as types. */
export interface GameShape {
  readonly input: Fields;
  readonly archetypes: Archetypes;
  readonly effects: Effects;
}

/** Numbers and booleans by field name. */
export type FieldValues<F extends Fields> = { [K in keyof F]: F[K]['zero'] };

/** 'real': the owner's own; 'repeated': it did not arrive in time, held values go on; 'none': nobody plays. */
export type InputStatus = 'real' | 'repeated' | 'none';

/** One player's input at this tick. */
export type InputFace<I extends Fields> = Readonly<FieldValues<I>> & {
  readonly status: InputStatus;
};

/** A row that cannot be written. Keep its `id`, never the row: it is a cursor that moves on. */
export type ReadonlyRow<A extends Archetype> = {
  readonly id: number;
} & { readonly [K in keyof A['components']]: Readonly<FieldValues<A['components'][K]['fields']>> };

/** A row that can be written; a cursor too. */
export type Row<A extends Archetype, I extends Fields> = {
  readonly id: number;
} & {
  readonly [K in keyof A['components']]: FieldValues<A['components'][K]['fields']>;
} & (A extends {
    readonly controlled: true;
  }
    ? { readonly input: InputFace<I> }
    : unknown);

/** Rows to look at, by ascending id. What these give is for one loop or one look. */
export interface ReadonlyRows<R> {
  readonly count: number;
  at(id: number): R | undefined;
  all(): IterableIterator<R>;
  /** Rows whose x and y are at most `radius` away. Throws 'no-position' for rows without both. */
  within(x: number, y: number, radius: number): IterableIterator<R>;
}

/** A view's rows can also be looped over directly. */
export interface ViewRows<R> extends ReadonlyRows<R> {
  [Symbol.iterator](): IterableIterator<R>;
}

/** `for..of` gives the rows to simulate, writable; the rest looks at everybody as at the tick's start. */
export interface SimulatedRows<W, R> extends ReadonlyRows<R> {
  [Symbol.iterator](): IterableIterator<W>;
}

/** Live rows, all of them writable: for the server only. */
export interface LiveRows<W> {
  readonly count: number;
  /** Rows that fit; `spawn` beyond throws. */
  readonly capacity: number;
  [Symbol.iterator](): IterableIterator<W>;
  /** Undefined when unknown or despawned. */
  at(id: number): W | undefined;
  /** A new row with values nearest to 0, simulated from the next tick on. Throws 'archetype-full'. */
  spawn(): W;
  /** Gone at the tick's end. False when unknown or despawned before. */
  despawn(id: number): boolean;
}

/** Everything in a view or in a rewound past, by archetype. */
export type ViewFace<A extends Archetypes> = {
  readonly [K in keyof A]: ViewRows<ReadonlyRow<A[K]>>;
};

/** The live world, by archetype: what the server holds between ticks. */
export type LiveFace<S extends GameShape> = {
  readonly [K in keyof S['archetypes']]: LiveRows<Row<S['archetypes'][K], S['input']>>;
};

/** What only the server may decide. */
export type AuthorityFace<S extends GameShape> = LiveFace<S> & {
  /** Of [0, 1), unknown to clients. */
  secretRandom(): number;
  /** Everybody where the owner of `shooterId` saw them when the input was made. */
  rewind(shooterId: number): ViewFace<S['archetypes']>;
};

/** Effects by kind. */
export type EmitFace<E extends Effects> = {
  readonly [K in keyof E]: (entity: number, payload: FieldValues<E[K]>) => void;
};

/** The world as simulate sees it. */
export type SimulateFace<S extends GameShape> = {
  readonly [K in keyof S['archetypes']]: SimulatedRows<
    Row<S['archetypes'][K], S['input']>,
    ReadonlyRow<S['archetypes'][K]>
  >;
} & {
  /** The tick being computed. */
  readonly tick: number;
  /** Seconds in a tick. */
  readonly dt: number;
  /** Of [0, 1), the same on both sides and in every replay for one (seed, tick, entity, n). */
  random(entity: number, n?: number): number;
  readonly emit: EmitFace<S['effects']>;
  /** Undefined on a client. */
  readonly authority: AuthorityFace<S> | undefined;
};

/** `Face`, or any object where the game is not known: so that every world is a `World`. */
export type KnownFace<S extends GameShape, Face> = string extends keyof S['archetypes']
  ? object
  : Face;

/** Names that archetypes cannot have, because the world or its authority has them. */
export const RESERVED_ARCHETYPE_NAMES: readonly string[] = [
  'tick',
  'dt',
  'random',
  'emit',
  'authority',
  'secretRandom',
  'rewind',
];
