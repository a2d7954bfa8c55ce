import { Prng } from '@tickwire/netsim';
import { describe, expect, test } from 'vitest';
import { InputClock } from '../src/input-clock.ts';

const TICK_HZ = 60;
const TICK_MS = 1000 / TICK_HZ;

interface Path {
  readonly roundTripMs: number;
  /** What the client believes the round trip to be when it starts. */
  readonly believedMs?: number;
  readonly jitterMs?: number;
  readonly loss?: number;
  readonly seed?: number;
}

/** A server whose tick n is computed at n * TICK_MS, a client, and the way between them, in steps of 1 ms. */
class Simulation {
  readonly clock = new InputClock(TICK_HZ);
  readonly speeds: number[] = [];
  readonly slacks: number[] = [];
  nowMs = 5000;
  roundTripMs: number;
  /** Of late the server's clock stands so much further. */
  stepMs = 0;
  readonly #path: Path;
  readonly #random: Prng;
  readonly #inputs: { tick: number; at: number }[] = [];
  readonly #feedbacks: { tick: number; slackMs: number; at: number }[] = [];
  #tick: number;
  #serverTick: number;
  #newest: { tick: number; slackMs: number } | undefined;

  constructor(path: Path) {
    this.#path = path;
    this.#random = new Prng(path.seed ?? 1);
    this.roundTripMs = path.roundTripMs;
    this.#serverTick = Math.floor(this.nowMs / TICK_MS);
    const told = Math.ceil((this.nowMs - this.roundTripMs / 2) / TICK_MS);
    this.clock.start(this.nowMs, told, path.believedMs ?? path.roundTripMs);
    this.#tick = Math.floor(this.clock.positionAt(this.nowMs)) - 1;
  }

  run(forMs: number): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs++;
      this.#receiveInputs();
      this.#serve();
      this.#receiveFeedbacks();
      this.#sendInputs();
    }
  }

  /** Slack of what arrived in the last `forMs`. */
  recent(forMs: number): number[] {
    return this.slacks.slice(-Math.floor(forMs / TICK_MS));
  }

  #delay(): number {
    return this.roundTripMs / 2 + this.#random.next() * (this.#path.jitterMs ?? 0);
  }

  #lost(): boolean {
    return this.#random.next() < (this.#path.loss ?? 0);
  }

  #sendInputs(): void {
    const newest = Math.floor(this.clock.positionAt(this.nowMs) + 1e-6);
    while (this.#tick < newest) {
      this.#tick++;
      this.clock.sent(this.nowMs, this.#tick, this.#path.loss ?? 0);
      const { speed } = this.clock;
      this.speeds.push(speed);
      if (!this.#lost()) this.#inputs.push({ tick: this.#tick, at: this.nowMs + this.#delay() });
    }
  }

  #receiveInputs(): void {
    for (const input of this.#inputs.splice(0)) {
      if (input.at > this.nowMs) {
        this.#inputs.push(input);
        continue;
      }
      const slackMs = input.tick * TICK_MS - (input.at + this.stepMs);
      this.slacks.push(slackMs);
      if (input.tick > (this.#newest?.tick ?? -1)) this.#newest = { tick: input.tick, slackMs };
    }
  }

  #serve(): void {
    const tick = Math.floor((this.nowMs + this.stepMs) / TICK_MS);
    if (tick <= this.#serverTick) return;
    this.#serverTick = tick;
    const newest = this.#newest;
    this.#newest = undefined;
    if (newest === undefined || this.#lost()) return;
    this.#feedbacks.push({ ...newest, at: this.nowMs + this.#delay() });
  }

  #receiveFeedbacks(): void {
    for (const feedback of this.#feedbacks.splice(0)) {
      if (feedback.at > this.nowMs) this.#feedbacks.push(feedback);
      else this.clock.feedback(this.nowMs, feedback.tick, feedback.slackMs);
    }
  }
}

const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;

/** How often the speed turns from one side of 1 to the other. */
function turns(speeds: readonly number[]): number {
  const signs = speeds.map((speed) => Math.sign(speed - 1)).filter((sign) => sign !== 0);
  return signs.filter((sign, i) => i > 0 && sign !== signs[i - 1]).length;
}

describe('input clock', () => {
  test.each([0, 100, 300])(
    'at %i ms it converges within a second, knowing the round trip or not',
    (roundTripMs) => {
      for (const believedMs of [roundTripMs, 0, 500]) {
        const simulation = new Simulation({ roundTripMs, believedMs });
        simulation.run(1000 + roundTripMs);
        const { clock } = simulation;
        expect(Math.abs(clock.slackMs - clock.targetMs) / TICK_MS).toBeLessThan(1);
        simulation.run(1000);
        for (const slack of simulation.recent(500)) {
          expect(slack).toBeGreaterThan(0);
          expect(slack).toBeLessThan(3 * TICK_MS);
        }
      }
    },
  );

  test.each([100, -100])('a step of %i ms is taken without swinging', (stepMs) => {
    const simulation = new Simulation({ roundTripMs: 100 });
    simulation.run(3000);
    const { clock } = simulation;
    const snaps = clock.snaps;
    simulation.speeds.length = 0;
    simulation.stepMs = stepMs;
    simulation.run(6000);
    expect(clock.snaps).toBe(snaps);
    expect(turns(simulation.speeds)).toBeLessThanOrEqual(2);
    for (const slack of simulation.recent(500)) {
      expect(slack).toBeGreaterThan(0);
      expect(slack).toBeLessThan(4 * TICK_MS);
    }
    for (const speed of simulation.speeds) {
      expect(speed).toBeGreaterThanOrEqual(0.9);
      expect(speed).toBeLessThanOrEqual(1.1);
    }
  });

  test('inside the deadband it runs as the server does', () => {
    const simulation = new Simulation({ roundTripMs: 100 });
    simulation.run(4000);
    simulation.speeds.length = 0;
    simulation.run(1000);
    expect(new Set(simulation.speeds)).toEqual(new Set([1]));
  });

  test('arrivals that vary get a margin: few come late', () => {
    const simulation = new Simulation({ roundTripMs: 100, jitterMs: 40, seed: 7 });
    simulation.run(3000);
    simulation.slacks.length = 0;
    simulation.run(5000);
    const late = simulation.slacks.filter((slack) => slack < 0).length;
    expect(late / simulation.slacks.length).toBeLessThan(0.05);
    expect(mean(simulation.slacks)).toBeLessThan(5 * TICK_MS);
  });

  test('a lossy path has up to one tick more', () => {
    const clock = new InputClock(TICK_HZ);
    clock.start(0, 100, 50);
    const clean = clock.targetMs;
    clock.sent(0, 100, 0.02);
    expect(clock.targetMs - clean).toBeCloseTo(TICK_MS / 2, 9);
    clock.sent(0, 101, 0.04);
    expect(clock.targetMs - clean).toBeCloseTo(TICK_MS, 9);
    clock.sent(0, 102, 1);
    expect(clock.targetMs - clean).toBeCloseTo(TICK_MS, 9);
  });

  test('beyond ten ticks of error it jumps, at ten it does not', () => {
    for (const [ticks, snaps] of [
      [9.9, 0],
      [10.1, 1],
    ] as const) {
      const clock = settled();
      const before = clock.positionAt(1000);
      // The mean moves by an eighth of what is measured, the deviation widens the target on top.
      const wanted = clock.targetMs;
      feedUntil(clock, wanted + ticks * TICK_MS);
      expect(clock.snaps).toBe(snaps);
      if (snaps === 1) expect(clock.positionAt(1000)).toBeLessThan(before - 9);
    }
  });

  test('corrections that are under way are not made twice', () => {
    const clock = settled();
    for (let tick = 2000; tick < 2060; tick++) clock.sent(1000, tick, 0);
    // All of those inputs left before any correction, so their feedback says the same again and again.
    const slackMs = clock.targetMs + 40 * TICK_MS;
    const before = clock.positionAt(1000);
    for (let round = 0; round < 5; round++) {
      for (let tick = 2000; tick < 2060; tick++) clock.feedback(1000, tick, slackMs);
      const moved = before - clock.positionAt(1000);
      expect(moved).toBeGreaterThan(29);
      expect(moved).toBeLessThanOrEqual(40);
      expect(clock.speed).toBeGreaterThanOrEqual(0.9);
    }
    expect(clock.snaps).toBeGreaterThan(0);
  });

  test('feedback on what was never sent, or too long ago, changes nothing', () => {
    const clock = settled();
    const before = [clock.slackMs, clock.targetMs, clock.positionAt(2000)];
    clock.feedback(1000, 99_999, 500);
    clock.feedback(1000, 1000 - 256, 500);
    clock.feedback(1000, -1, 500);
    expect([clock.slackMs, clock.targetMs, clock.positionAt(2000)]).toEqual(before);
  });

  test('before the start there is no position; time that goes back does not move it', () => {
    const clock = new InputClock(TICK_HZ);
    expect(clock.positionAt(5)).toBeNaN();
    clock.start(1000, 60, 0);
    expect(clock.positionAt(500)).toBe(clock.positionAt(1000));
    clock.sent(900, 60, 0);
    expect(clock.positionAt(1000)).toBeCloseTo(clock.positionAt(900), 9);
    expect(clock.timeOf(clock.positionAt(1500))).toBeCloseTo(1500, 6);
  });

  test('asking often or seldom makes no difference', () => {
    const often = settled();
    const seldom = settled();
    for (let ms = 1001; ms < 1500; ms++) often.positionAt(ms);
    expect(often.positionAt(1500)).toBe(seldom.positionAt(1500));
  });
});

/** A clock past its first measurements, right on target, whose ticks 1000 to 1255 were sent. */
function settled(): InputClock {
  const clock = new InputClock(TICK_HZ);
  clock.start(1000, 60, 0);
  for (let tick = 1000; tick < 1256; tick++) clock.sent(1000, tick, 0);
  for (let n = 0; n < 200; n++) clock.feedback(1000, 1000 + n, clock.targetMs);
  return clock;
}

/** Creeps up to an error without the deviation growing. */
function feedUntil(clock: InputClock, slackMs: number): void {
  const from = clock.slackMs;
  for (let n = 0; n < 4000; n++) {
    const wanted = from + (slackMs - from) * Math.min(1, n / 3500);
    clock.feedback(1000, 1200 + (n % 50), wanted);
  }
}
