// Effects as the user sees them: each key (tick, entity, kind, n) predicted at most once, confirmed at most once,
// cancelled when a replay no longer says it.

import { dequantise, type EffectKind } from '@tickwire/protocol';

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

/** Predicted effects that wait for their confirmation. */
const WAITING_MAX = 256;

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
  #replayedFrom = Number.POSITIVE_INFINITY;

  constructor(kinds: readonly EffectKind[], handler: EffectHandler) {
    this.#kinds = kinds;
    this.#handler = handler;
  }

  reset(): void {
    this.#waiting.length = 0;
  }

  /** simulate said it on this client. */
  predicted(kind: number, tick: number, entity: number, n: number, values: Int32Array): void {
    const known = this.#find(kind, tick, entity, n);
    if (known !== undefined) {
      known.said = true;
      return;
    }
    if (this.#waiting.length === WAITING_MAX) this.#waiting.shift();
    const payload = this.#payload(kind, values);
    this.#waiting.push({ kind, tick, entity, n, payload, said: true });
    this.#handler(kind, entity, payload, 'predicted', tick);
  }

  /** The server said it. */
  confirmed(kind: number, tick: number, entity: number, n: number, values: Int32Array): void {
    const known = this.#find(kind, tick, entity, n);
    if (known !== undefined) this.#waiting.splice(this.#waiting.indexOf(known), 1);
    this.#handler(kind, entity, this.#payload(kind, values), 'confirmed', tick);
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
      if (effect.tick <= this.#replayedFrom || effect.said) continue;
      this.#waiting.splice(i, 1);
      this.#handler(effect.kind, effect.entity, effect.payload, 'cancelled', effect.tick);
    }
  }

  /** Own effects of ticks up to `tick` that the server has had time to confirm and did not are cancelled. */
  expire(tick: number): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const effect = this.#waiting[i]!;
      if (effect.tick > tick) continue;
      this.#waiting.splice(i, 1);
      this.#handler(effect.kind, effect.entity, effect.payload, 'cancelled', effect.tick);
    }
  }

  #find(kind: number, tick: number, entity: number, n: number): Waiting | undefined {
    return this.#waiting.find(
      (e) => e.tick === tick && e.entity === entity && e.kind === kind && e.n === n,
    );
  }

  #payload(kind: number, values: Int32Array): Record<string, number | boolean> {
    const { fields, fieldNames } = this.#kinds[kind]!;
    const payload: Record<string, number | boolean> = {};
    for (let f = 0; f < fields.length; f++) {
      const value = dequantise(fields[f]!, values[f]!);
      payload[fieldNames[f]!] = fields[f]!.boolean ? value !== 0 : value;
    }
    return payload;
  }
}
