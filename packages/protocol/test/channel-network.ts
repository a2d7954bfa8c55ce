// A network for one channel, which loses, doubles and delays sections as a seed decides.

import { Prng } from '@tickwire/netsim';
import fc from 'fast-check';
import { expect } from 'vitest';
import { Verdict } from '../src/wire/verdict.ts';

import type { Pair, Section } from './channel-pair.ts';
/** A network that loses, doubles and delays sections and tells the sender, sometimes wrongly, what was lost. */
export class RandomNetwork {
  readonly #pair: Pair;
  readonly #random: Prng;
  readonly #weather: Weather;
  readonly #dedup: boolean;
  readonly #seen = new Set<number>();
  #events: { at: number; run: () => void }[] = [];
  #step = 0;

  /** `dedup` = packets that come twice are dropped before the channel, as a connection does. */
  constructor(pair: Pair, weather: Weather, dedup: boolean) {
    this.#pair = pair;
    this.#weather = weather;
    this.#dedup = dedup;
    this.#random = new Prng(weather.seed);
  }

  chance(percent: number): boolean {
    return this.#random.next() * 100 < percent;
  }

  below(count: number): number {
    return this.#random.u32() % count;
  }

  carry(section: Section): void {
    const arrives = !this.chance(this.#weather.lossPct);
    const copies = this.chance(this.#weather.doublePct) ? 2 : 1;
    let kept = false;
    const arrive = () => {
      if (this.#dedup && this.#seen.has(section.sequence)) return;
      this.#seen.add(section.sequence);
      expect(this.#pair.read(section)).toBe(Verdict.accepted);
      kept = true;
    };
    for (let i = 0; arrives && i < copies; i++) this.#later(this.#delay(), arrive);
    this.#later(4 + this.#delay(), () => {
      if (kept && !this.chance(5)) this.#pair.sender.acked(section.sequence);
      else this.#pair.sender.lost(section.sequence);
    });
  }

  step(): void {
    this.#step++;
    this.#pair.nowMs += 16.5;
    const due = this.#events.filter(({ at }) => at <= this.#step);
    this.#events = this.#events.filter(({ at }) => at > this.#step);
    for (const { run } of due) run();
  }

  settle(): void {
    while (this.#events.length > 0) this.step();
  }

  #delay(): number {
    return this.chance(this.#weather.reorderPct) ? 1 + this.below(8) : 1;
  }

  #later(steps: number, run: () => void): void {
    this.#events.push({ at: this.#step + steps, run });
  }
}

export interface Weather {
  readonly seed: number;
  readonly lossPct: number;
  readonly doublePct: number;
  readonly reorderPct: number;
}

export const weathers = fc.record({
  seed: fc.nat(),
  lossPct: fc.constantFrom(0, 5, 25, 50),
  doublePct: fc.constantFrom(0, 25),
  reorderPct: fc.constantFrom(0, 20, 60),
});
