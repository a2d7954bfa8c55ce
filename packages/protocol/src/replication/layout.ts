// The columns of one archetype: which components, which fields in which order, who may see them.

import { TickwireError } from '../wire/errors.ts';
import type { Field } from './field.ts';

/** Who receives a component: everybody, the row's owner, or nobody but the server. */
export const AUDIENCE_ALL = 0;
export const AUDIENCE_OWNER = 1;
export const AUDIENCE_SERVER = 2;

/** What a component adds to an archetype. */
export interface ComponentSpec {
  readonly name: string;
  readonly fields: Readonly<Record<string, Field>>;
  readonly audience: number;
  /** False: the client's simulate cannot change it, its value stays as last confirmed. */
  readonly predict: boolean;
  /** True: views and rewinds blend between ticks. */
  readonly interpolate: boolean;
  /** A move of more than this many units in one tick is a jump and is not blended; Infinity = never. */
  readonly snapOver: number;
}

/** A component's place among the columns of its archetype. */
export interface LayoutComponent {
  readonly name: string;
  /** Index of its first field. */
  readonly first: number;
  readonly count: number;
  readonly audience: number;
  readonly predict: boolean;
  readonly interpolate: boolean;
  readonly snapOver: number;
}

/** Bound on columns, so that field indexes and change masks stay small. */
export const MAX_FIELDS = 256;

/** Columns of one archetype; frozen when the game is defined. */
export class Layout {
  readonly name: string;
  /** Archetype index in the game. */
  readonly index: number;
  /** Rows, at most. */
  readonly capacity: number;
  /** True when rows take the input of their owner. */
  readonly controlled: boolean;
  readonly fields: readonly Field[];
  /** As 'component.field'. */
  readonly fieldNames: readonly string[];
  readonly components: readonly LayoutComponent[];
  /** Index into `components`, by field. */
  readonly componentOf: Uint16Array;
  /** Audience by field. */
  readonly audiences: Uint8Array;
  /** What a fresh row holds, by field. */
  readonly zeros: Float64Array;
  /** `min` and `step` by field: a value is min + q * step. */
  readonly mins: Float64Array;
  readonly steps: Float64Array;
  /** Field indexes of x and y of the first component for everybody that has both, -1 = no position. */
  readonly positionX: number;
  readonly positionY: number;

  constructor(
    name: string,
    index: number,
    capacity: number,
    controlled: boolean,
    specs: readonly ComponentSpec[],
  ) {
    this.name = name;
    this.index = index;
    this.capacity = capacity;
    this.controlled = controlled;
    this.components = placeComponents(specs);
    this.fields = specs.flatMap((spec) => Object.values(spec.fields));
    this.fieldNames = specs.flatMap((spec) =>
      Object.keys(spec.fields).map((field) => `${spec.name}.${field}`),
    );
    if (this.fields.length === 0 || this.fields.length > MAX_FIELDS) {
      const found = `archetype '${name}' has ${this.fields.length} fields`;
      throw new TickwireError('archetype-invalid', `${found}, 1 to ${MAX_FIELDS} are possible`);
    }
    this.componentOf = new Uint16Array(this.fields.length);
    this.audiences = new Uint8Array(this.fields.length);
    this.#fillByField();
    this.zeros = Float64Array.from(this.fields, (field) => Number(field.zero));
    this.mins = Float64Array.from(this.fields, (field) => field.min);
    this.steps = Float64Array.from(this.fields, (field) => field.step);
    const place = this.components.find((c) => this.#hasPosition(c));
    this.positionX = place ? this.fieldNames.indexOf(`${place.name}.x`) : -1;
    this.positionY = place ? this.fieldNames.indexOf(`${place.name}.y`) : -1;
  }

  /** Values in a row. */
  get stride(): number {
    return this.fields.length;
  }

  #fillByField(): void {
    for (const [index, component] of this.components.entries()) {
      const end = component.first + component.count;
      this.componentOf.fill(index, component.first, end);
      this.audiences.fill(component.audience, component.first, end);
    }
  }

  /** Owner-only places would be unknown to everybody else's `within`. */
  #hasPosition(component: LayoutComponent): boolean {
    const { name, audience } = component;
    const has = (field: string) => this.fieldNames.includes(`${name}.${field}`);
    return audience === AUDIENCE_ALL && has('x') && has('y');
  }
}

function placeComponents(specs: readonly ComponentSpec[]): LayoutComponent[] {
  let first = 0;
  return specs.map(({ fields, ...rest }) => {
    const count = Object.keys(fields).length;
    const placed = { ...rest, first, count };
    first += count;
    return placed;
  });
}
