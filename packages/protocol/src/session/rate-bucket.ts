// Token buckets: so many a second, and so many at once after a rest. A bucket fills with time, never above its burst;
// what it allows takes a token out. Time comes from outside; a clock that goes back fills nothing.

import { TickwireError } from '../wire/errors.ts';

/** A rate and how far it may be exceeded for a moment. */
export interface RateLimit {
  /** Tokens a second, above 0 up to 10^9. */
  readonly perSecond: number;
  /** Tokens that a full bucket holds, from 1 to 10^9; every bucket begins full. */
  readonly burst: number;
}

/** More than a process can count in a second; sums of that size are still exact to a millionth. */
export const BURST_MAX = 1e9;

/** Gives the limit back if it is one. Throws 'option-invalid', naming it. */
export function checkRateLimit(name: string, limit: RateLimit): RateLimit {
  const { perSecond, burst } = limit;
  if (!(perSecond > 0 && perSecond <= BURST_MAX)) {
    invalid(`${name}.perSecond is ${perSecond}; give a number above 0 up to ${BURST_MAX}`);
  }
  if (!(burst >= 1 && burst <= BURST_MAX)) {
    invalid(`${name}.burst is ${burst}; give a number from 1 to ${BURST_MAX}`);
  }
  return limit;
}

function invalid(message: string): never {
  throw new TickwireError('option-invalid', message);
}

/** Many buckets of the same limit, by index. Their number is fixed: 16 bytes each. Allocates nothing once made. */
export class RateBuckets {
  readonly #perMs: number;
  readonly #burst: number;
  /** By bucket: tokens, and when they were counted. */
  readonly #state: Float64Array;
  readonly #limited = new Float64Array(1);

  /** Throws 'option-invalid', naming `name`, for what is no limit. */
  constructor(name: string, limit: RateLimit, count: number) {
    checkRateLimit(name, limit);
    this.#perMs = limit.perSecond / 1000;
    this.#burst = limit.burst;
    this.#state = new Float64Array(2 * count);
    // Never counted: the first time that is told fills it, whatever it is.
    this.#state.fill(Number.NEGATIVE_INFINITY);
    for (let index = 0; index < count; index++) this.reset(index);
  }

  /** How often any of them had no token. */
  get limited(): number {
    return this.#limited[0]!;
  }

  /** Whether there is a token, or as many as are asked for; a no is counted. */
  admits(index: number, nowMs: number, tokens = 1): boolean {
    this.#fill(index, nowMs);
    if (this.#state[2 * index]! >= tokens) return true;
    this.#limited[0]!++;
    return false;
  }

  /** Takes a token out, even if that leaves a debt. */
  spend(index: number): void {
    this.#state[2 * index]!--;
  }

  /** Takes a token out if there is one; a no is counted. */
  take(index: number, nowMs: number): boolean {
    if (!this.admits(index, nowMs)) return false;
    this.#state[2 * index]!--;
    return true;
  }

  /** Whether it is as if nothing had ever been taken. */
  full(index: number, nowMs: number): boolean {
    this.#fill(index, nowMs);
    return this.#state[2 * index]! >= this.#burst;
  }

  /** Full again, for somebody else. */
  reset(index: number): void {
    this.#state[2 * index] = this.#burst;
  }

  #fill(index: number, nowMs: number): void {
    const state = this.#state;
    const elapsedMs = nowMs - state[2 * index + 1]!;
    // In this form not even a clock that says NaN fills it.
    if (!(elapsedMs > 0)) return;
    const tokens = state[2 * index]! + elapsedMs * this.#perMs;
    state[2 * index] = tokens < this.#burst ? tokens : this.#burst;
    state[2 * index + 1] = nowMs;
  }
}

/** One bucket. As {@link RateBuckets} otherwise. */
export class RateBucket {
  readonly #buckets: RateBuckets;

  constructor(name: string, limit: RateLimit) {
    this.#buckets = new RateBuckets(name, limit, 1);
  }

  /** How often it had no token. */
  get limited(): number {
    return this.#buckets.limited;
  }

  /** Whether there is a token, or as many as are asked for; a no is counted. */
  admits(nowMs: number, tokens = 1): boolean {
    return this.#buckets.admits(0, nowMs, tokens);
  }

  /** Takes a token out, even if that leaves a debt. */
  spend(): void {
    this.#buckets.spend(0);
  }

  /** Takes a token out if there is one; a no is counted. */
  take(nowMs: number): boolean {
    return this.#buckets.take(0, nowMs);
  }
}
