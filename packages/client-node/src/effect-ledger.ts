// Effects as the user sees them: each key (tick, entity, kind, n) predicted at most once, then either confirmed or
// cancelled, once: cancelled when a replay no longer says it or the server took too long to. What the server says of
// a cancelled key after all is dropped, as is a replay that says a key again that was confirmed before.

import { type EffectKind, readEffect } from '@tickwire/protocol';
import { EffectKeys } from './effect-keys.ts';

/** How sure an effect is. 'confirmed' comes for everybody's effects, 'predicted' and 'cancelled' for one's own. */
export type EffectPhase = 'predicted' | 'confirmed' | 'cancelled';

/** Gets every effect; `payload` is a fresh object. */
export type EffectHandler = (
  kind: number,
  entity: number,
  payload: Record<string, number | boolean>,
  phase: EffectPhase,
  tick: number,
) => void;

/** Predicted effects that wait for their confirmation; beyond, an effect is not predicted but only confirmed. */
const WAITING_MAX = 256;
/** Predicted effects whose end is remembered. */
const SETTLED_MAX = 512;
/** Confirmed effects that had not been predicted and are remembered: those of all others are among them. */
const UNPREDICTED_MAX = 1024;

/** One predicted effect. */
interface Waiting {
  readonly kind: number;
  readonly tick: number;
  readonly entity: number;
  readonly n: number;
  readonly payload: Record<string, number | boolean>;
  /** Said in the replay that is running. */
  said: boolean;
}

/** See the head of the file. */
export class EffectLedger {
  readonly #kinds: readonly EffectKind[];
  readonly #handler: EffectHandler;
  readonly #waiting: Waiting[] = [];
  /** Apart, so that a flood of others' effects does not push out what became of one's own. */
  readonly #settled = new EffectKeys(SETTLED_MAX);
  readonly #unpredicted = new EffectKeys(UNPREDICTED_MAX);
  #replayedFrom = Number.POSITIVE_INFINITY;

  constructor(kinds: readonly EffectKind[], handler: EffectHandler) {
    this.#kinds = kinds;
    this.#handler = handler;
  }

  /** simulate said it on this client. */
  predicted(kind: number, tick: number, entity: number, n: number, values: Int32Array): void {
    const known = this.#indexOf(kind, tick, entity, n);
    if (known >= 0) {
      this.#waiting[known]!.said = true;
      return;
    }
    if (this.#isOver(kind, tick, entity, n) || this.#waiting.length === WAITING_MAX) return;
    const payload = readEffect(this.#kinds[kind]!, values);
    this.#waiting.push({ kind, tick, entity, n, payload, said: true });
    this.#handler(kind, entity, payload, 'predicted', tick);
  }

  /** The server said it. */
  confirmed(kind: number, tick: number, entity: number, n: number, values: Int32Array): void {
    const known = this.#indexOf(kind, tick, entity, n);
    if (known >= 0) {
      this.#waiting.splice(known, 1);
      this.#settled.add(kind, tick, entity, n);
    } else {
      if (this.#isOver(kind, tick, entity, n)) return;
      this.#unpredicted.add(kind, tick, entity, n);
    }
    this.#handler(kind, entity, readEffect(this.#kinds[kind]!, values), 'confirmed', tick);
  }

  /** Ticks after `tick` are about to be computed again. */
  replaying(tick: number): void {
    this.#replayedFrom = tick;
    for (const effect of this.#waiting) if (effect.tick > tick) effect.said = false;
  }

  /** What a replay did not say again is cancelled. */
  replayed(): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const effect = this.#waiting[i]!;
      if (effect.tick > this.#replayedFrom && !effect.said) this.#cancel(i);
    }
  }

  /** Own effects of ticks up to `tick` that the server has had time to confirm and did not are cancelled. */
  expire(tick: number): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      if (this.#waiting[i]!.tick <= tick) this.#cancel(i);
    }
  }

  #cancel(index: number): void {
    const { kind, tick, entity, n, payload } = this.#waiting[index]!;
    this.#waiting.splice(index, 1);
    this.#settled.add(kind, tick, entity, n);
    this.#handler(kind, entity, payload, 'cancelled', tick);
  }

  #isOver(kind: number, tick: number, entity: number, n: number): boolean {
    return this.#settled.has(kind, tick, entity, n) || this.#unpredicted.has(kind, tick, entity, n);
  }

  #indexOf(kind: number, tick: number, entity: number, n: number): number {
    for (let i = 0; i < this.#waiting.length; i++) {
      const e = this.#waiting[i]!;
      if (e.tick === tick && e.entity === entity && e.kind === kind && e.n === n) return i;
    }
    return -1;
  }
}
