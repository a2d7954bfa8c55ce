// The parts of the crypto bench that decide what its figures and goals are.
import { describe, expect, it } from 'vitest';
import type { HandshakeCosts } from '../benchmarks/src/crypto/handshakes.ts';
import { packetSizes } from '../benchmarks/src/crypto/packets.ts';
import { IN_USE } from '../benchmarks/src/crypto/providers.ts';
import { messageSizes } from '../benchmarks/src/crypto/refusals.ts';
import {
  describe as describeRounds,
  goalsOf,
  type Round,
} from '../benchmarks/src/crypto/report.ts';
import { usPerCall } from '../benchmarks/src/crypto/work.ts';

interface Given {
  refuse?: number;
  forged?: number;
  sealUs?: number;
  dgramUs?: number;
  dgramValid?: boolean;
}

/** A round in which everything holds, unless told otherwise. */
function round({ refuse = 0.5, forged = 0.5, sealUs = 0.6, dgramUs = 4, ...given }: Given): Round {
  const costs = { seal: sealUs, open: 0.8, refuse };
  const packets = packetSizes.map((size) => [size, { [IN_USE]: costs }]);
  const refusal = { good: 1, forged, replayed: 0.1, random: 0.4 };
  const handshakes: HandshakeCosts = {
    request: 2,
    proof: 300,
    firstPacket: 4,
    requestAboveLimit: 0.5,
    wrongCookie: 2,
    repeatedProof: 3,
    repeatedProofAt1000: 3,
    repeatedProofAt8000: 3,
    wrongCredential: 100,
    nobody: 0.2,
  };
  const valid = given.dgramValid ?? true;
  return {
    packets: Object.fromEntries(packets),
    refusals: Object.fromEntries(messageSizes.map((size) => [size, refusal])),
    handshakes,
    dgram: {
      peer: 'dgram',
      round: 1,
      clients: 500,
      hz: 60,
      usPerClientTick: dgramUs,
      valid,
      ...(valid ? {} : { reason: 'too late' }),
    },
  };
}

function goalsFor(...given: Given[]) {
  return goalsOf(given.map(round));
}

describe('goals', () => {
  it('hold when every round says so', () => {
    const goals = goalsFor({}, {}, {});
    expect(goals).toHaveLength(packetSizes.length + 3 * messageSizes.length + 1);
    expect(goals.every(({ holds }) => holds)).toBe(true);
    expect(goals.at(-1)).toMatchObject({ ratio: 0.35, limit: 0.4 });
  });

  it('fail at the limit', () => {
    const [worse] = goalsFor({ refuse: 0.8 }, { refuse: 0.8 }, { refuse: 0.8 });
    expect(worse).toMatchObject({ ratio: 1, holds: false });
    const dear = { sealUs: 0.8 };
    expect(goalsFor(dear, dear, dear).at(-1)).toMatchObject({ ratio: 0.4, holds: false });
    const forged = goalsFor({ forged: 2 }, { forged: 2 }, { forged: 2 });
    const failed = forged.filter(({ holds }) => !holds).map(({ name }) => name);
    expect(failed).toHaveLength(messageSizes.length);
    for (const name of failed) expect(name).toContain('forged / good datagram');
  });

  it('are the medians of rounds that agree', () => {
    const [first] = goalsFor({ refuse: 0.39 }, { refuse: 0.4 }, { refuse: 0.41 });
    expect(first).toMatchObject({ ratio: 0.5, holds: true });
  });

  it('are not valid when rounds differ by more than a tenth, or there are too few', () => {
    const [first] = goalsFor({ refuse: 0.38 }, { refuse: 0.4 }, { refuse: 0.43 });
    expect(first).toMatchObject({ ratio: null, holds: false, reason: 'rounds differ by 13 %' });
    expect(goalsFor({}, {})[0]).toMatchObject({ ratio: null, reason: 'fewer than 3 rounds' });
  });

  it('are not valid without a valid client-tick of raw dgram', () => {
    const goals = goalsFor({}, { dgramValid: false }, {});
    expect(goals.at(-1)).toMatchObject({ ratio: null, holds: false });
    expect(goals.at(-1)!.reason).toContain('too late');
    expect(goals.slice(0, -1).every(({ holds }) => holds)).toBe(true);
  });

  it('are told with every size, verdict and handshake', () => {
    const rounds = [round({}), round({}), round({ refuse: 5 })];
    const text = describeRounds(rounds, goalsOf(rounds));
    expect(text).toMatch(/a whole handshake +306\.00 us +3,268 a second/);
    expect(text).toMatch(
      /1200 B of body +seal +open +refuse\n +libsodium-wasm +0\.60 us +0\.80 us/,
    );
    expect(text).toMatch(/below 1\.0 {2}INVALID: rounds differ/);
    expect(text).toMatch(/below 0\.4 {2}0\.35 {2}holds/);
  });
});

describe('the timing of work', () => {
  it('prepares before each run, in turns, and does not time it', () => {
    const order: string[] = [];
    const wait = (ms: number) => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs);
    };
    const { a, b } = usPerCall({
      a: { calls: 10, prepare: () => wait(1), run: () => order.push('a') },
      b: { calls: 10, prepare: () => order.push('prepare'), run: () => wait(0.5) },
    });
    expect(order.slice(0, 4)).toEqual(['a', 'prepare', 'a', 'prepare']);
    expect(a).toBeLessThan(50);
    expect(b).toBeGreaterThanOrEqual(50);
  });
});
