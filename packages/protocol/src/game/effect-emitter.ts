// Effects: what simulate says happened. Each is keyed (tick, entity, kind, n), n counting within the tick, so
// that a replay says the same thing under the same key.

import { dequantise, type Field, quantise } from '../replication/field.ts';
import { TickwireError } from '../wire/errors.ts';
import type { Fields } from './component.ts';
import type { FieldValues } from './face.ts';

/** One kind of effect; `index` is its number on the wire. */
export interface EffectKind {
  readonly name: string;
  readonly index: number;
  readonly fields: readonly Field[];
  readonly fieldNames: readonly string[];
}

/** Takes effects as they are emitted. `values` is quantised, by field, and valid only during the call. */
export interface EffectSink {
  emitted(kind: number, tick: number, entity: number, n: number, values: Int32Array): void;
}

/** For worlds whose effects nobody wants. */
const NO_SINK: EffectSink = { emitted() {} };

/** Different (entity, kind) pairs in one tick; what is beyond is counted, not emitted. A power of two. */
const MAX_KEYS = 4096;

/** Builds the `emit` face of one world. */
export class EffectEmitter {
  sink: EffectSink = NO_SINK;
  /** Effects not emitted because a tick had too many. */
  dropped = 0;
  readonly face: Readonly<Record<string, (entity: number, payload: Payload) => void>>;
  #tick = -1;
  /** Open addressing; an entry is valid only when its run is the current one. */
  readonly #runs = new Float64Array(MAX_KEYS);
  readonly #entities = new Float64Array(MAX_KEYS);
  readonly #kinds = new Uint16Array(MAX_KEYS);
  readonly #counts = new Uint32Array(MAX_KEYS);
  #run = 0;
  #used = 0;
  #open = false;

  constructor(kinds: readonly EffectKind[]) {
    this.face = Object.fromEntries(kinds.map((kind) => [kind.name, this.#emit(kind)]));
  }

  /** A tick begins: counting starts over, also when the tick is a replayed one. */
  begin(tick: number): void {
    this.#tick = tick;
    this.#run++;
    this.#used = 0;
    this.#open = true;
  }

  end(): void {
    this.#open = false;
  }

  #emit(kind: EffectKind) {
    const values = new Int32Array(kind.fields.length);
    const { fields, fieldNames, index } = kind;
    return (entity: number, payload: Payload): void => {
      if (!this.#open) {
        throw new TickwireError('outside-tick', `emit.${kind.name} works only inside simulate`);
      }
      for (let f = 0; f < fields.length; f++) {
        values[f] = quantise(fields[f]!, Number(payload[fieldNames[f]!]));
      }
      const n = this.#count(entity, index);
      if (n < 0) this.dropped++;
      else this.sink.emitted(index, this.#tick, entity, n, values);
    };
  }

  /** How many the pair had before in this tick, -1 = no room to count. */
  #count(entity: number, kind: number): number {
    let at = (Math.imul(entity, 0x9e3779b1) ^ kind) & (MAX_KEYS - 1);
    while (this.#runs[at] === this.#run) {
      if (this.#entities[at] === entity && this.#kinds[at] === kind) return ++this.#counts[at]!;
      at = (at + 1) & (MAX_KEYS - 1);
    }
    // One entry stays free, so that the search always ends.
    if (this.#used === MAX_KEYS - 1) return -1;
    this.#used++;
    this.#runs[at] = this.#run;
    this.#entities[at] = entity;
    this.#kinds[at] = kind;
    this.#counts[at] = 0;
    return 0;
  }
}

type Payload = Readonly<Record<string, number | boolean>>;

/** An effect's payload as users see it, a new object. */
export function readEffect(kind: EffectKind, values: ArrayLike<number>): FieldValues<Fields> {
  const payload: Record<string, number | boolean> = {};
  for (let f = 0; f < kind.fields.length; f++) {
    const field = kind.fields[f]!;
    const value = dequantise(field, values[f]!);
    payload[kind.fieldNames[f]!] = field.boolean ? value !== 0 : value;
  }
  return payload;
}
