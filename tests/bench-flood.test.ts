// The part of the flood bench that decides what its figures and goals are.
import { describe, expect, it } from 'vitest';
import { droppedIn } from '../benchmarks/src/flood/dropped.ts';
import type { PhaseName, PhaseResult, ProcessWindow } from '../benchmarks/src/flood/phase.ts';
import {
  describePhase,
  describe as describeReport,
  faultOf,
  type Nominal,
  report,
} from '../benchmarks/src/flood/report.ts';

const NOMINAL: Nominal = { rate: 50_000, players: 100, joins: 2 };
const WINDOW_MS = 2000;
/** What the load is in a window. */
const HOSTILE = 100_000;
const INPUTS = 12_000;

interface Given {
  /** Server CPU, us a datagram; the players' part of it comes on top. */
  rawUs?: number;
  hostileUs?: number;
  sent?: number;
  received?: number;
  delivered?: number;
  joinMs?: readonly number[];
}

function window(given: Partial<ProcessWindow>): ProcessWindow {
  const zeros = { cpuUs: 0, lateMsP99: 1, hostile: 0, inputs: 0, joinMs: [] };
  return { elapsedMs: WINDOW_MS, receiveBufferBytes: 8192, ...zeros, dropped: 0, ...given };
}

/** A round in which everything holds, unless told otherwise. */
function round({ rawUs = 3, hostileUs = 4, ...given }: Given = {}): Record<PhaseName, PhaseResult> {
  const { sent = HOSTILE, received = HOSTILE, delivered = INPUTS, joinMs = [200, 210] } = given;
  const calmUs = 150_000;
  const flooder = window({ hostile: sent });
  const players = window({ inputs: INPUTS, joinMs });
  return {
    raw: { target: window({ cpuUs: rawUs * HOSTILE, hostile: HOSTILE }), flooder },
    calm: { target: window({ cpuUs: calmUs, inputs: INPUTS }), players },
    flood: {
      target: window({
        cpuUs: calmUs + hostileUs * received,
        hostile: received,
        inputs: delivered,
      }),
      players,
      flooder,
    },
  };
}

function goalsFor(...given: Given[]) {
  return report(given.map(round), NOMINAL).goals;
}

describe('goals', () => {
  it('hold when every round says so', () => {
    const [cost, loss, joins] = goalsFor({}, {}, {});
    expect(cost).toMatchObject({ holds: true });
    expect(cost!.value).toBeCloseTo(4 / 4.5, 10);
    expect(loss).toMatchObject({ value: 0, holds: true });
    expect(joins).toMatchObject({ value: 1, holds: true });
  });

  it('divide by what was received, not by what was sent', () => {
    const half = { received: HOSTILE / 2 };
    const { costs } = report([round(half)], NOMINAL);
    expect(costs[0]!.hostileUs).toBeCloseTo(4, 10);
    expect(costs[0]!.rawUs).toBeCloseTo(3, 10);
  });

  it('take from the flood what players cost in a window of its length', () => {
    const { raw, calm, flood } = round();
    const twice = { ...calm.target, elapsedMs: 2 * WINDOW_MS, cpuUs: 2 * calm.target.cpuUs };
    const players = window({ elapsedMs: 2 * WINDOW_MS, inputs: 2 * INPUTS });
    const longer = { raw, calm: { target: twice, players }, flood };
    expect(report([longer], NOMINAL).costs[0]!.hostileUs).toBeCloseTo(4, 10);
  });

  it('fail at the limit', () => {
    const dear = { hostileUs: 4.5 };
    expect(goalsFor(dear, dear, dear)[0]).toMatchObject({ holds: false });
    // 180 of 36,000 are 0.5 %; one less is below.
    const lost = { delivered: INPUTS - 180 };
    expect(goalsFor({}, {}, lost)[1]).toMatchObject({ value: 0.005, holds: false });
    expect(goalsFor({}, {}, { delivered: INPUTS - 179 })[1]).toMatchObject({ holds: true });
    expect(goalsFor({}, {}, { joinMs: [200] })[2]).toMatchObject({ value: 5 / 6, holds: false });
  });

  it('are not valid when rounds differ by more than a tenth, or there are too few', () => {
    const [cost] = goalsFor({ hostileUs: 3.7 }, { hostileUs: 4 }, { hostileUs: 4.21 });
    expect(cost).toMatchObject({ value: null, holds: false, reason: 'rounds differ by 13 %' });
    expect(goalsFor({}, {})[0]).toMatchObject({ value: null, reason: 'fewer than 3 rounds' });
  });

  it('are not valid, none of them, when a phase is not', () => {
    const rounds = [round(), round({ sent: 0.89 * HOSTILE }), round()];
    const { goals, faults } = report(rounds, NOMINAL);
    expect(goals.every(({ value, holds }) => value === null && !holds)).toBe(true);
    expect(faults).toEqual([
      'round 2, raw: the flooder reached 44,500 of 50,000 a second',
      'round 2, flood: the flooder reached 44,500 of 50,000 a second',
    ]);
    const broken = report([{ ...round(), calm: 'it broke off' }], NOMINAL);
    expect(broken.faults).toEqual(['round 1, calm: it broke off']);
    expect(describeReport(broken)).toContain('INVALID: round 1, calm: it broke off');
  });
});

describe('a phase', () => {
  it('is valid up to its tolerances', () => {
    const { flood } = round({ sent: 0.9 * HOSTILE });
    const players = window({ inputs: 0.991 * INPUTS, lateMsP99: 4 });
    expect(faultOf({ ...flood, players }, NOMINAL)).toBeUndefined();
    const few = window({ inputs: 0.98 * INPUTS });
    expect(faultOf({ ...flood, players: few }, NOMINAL)).toBe(
      'players sent 11,760 of 12,000 inputs',
    );
    const late = window({ inputs: INPUTS, lateMsP99: 4.1 });
    expect(faultOf({ ...flood, players: late }, NOMINAL)).toContain('lag p99 is 4.1 ms');
  });

  it('is told with what was lost, where, and who came in', () => {
    const { flood } = round({ received: 0.75 * HOSTILE, delivered: INPUTS - 120, joinMs: [300] });
    const target = { ...flood.target, dropped: 25_120 };
    const text = describePhase(1, 'flood', { ...flood, target }, NOMINAL);
    expect(text).toContain('50,000 hostile datagrams a second sent, 37,500 received');
    expect(text).toContain(
      '25,120 datagrams dropped by the system, whose receive buffer has 8 KiB',
    );
    expect(text).toContain('1.00 % of 12,000 inputs lost');
    expect(text).toContain('1 of 2 joined, p50 300 ms, max 300 ms');
    expect(text).not.toContain('INVALID');
    expect(describePhase(2, 'raw', 'why', NOMINAL)).toBe('round 2  raw    INVALID: why');
  });
});

describe('what the system dropped', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
    ' 1281: 0100007F:0BFC 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 31337 2 0000000000000000 7',
    ' 9984: 0101017F:BFC9 0100007F:BA14 01 00000000:00000000 00:00000000 00000000     0        0 31338 2 0000000000000000 0',
    '',
  ].join('\n');

  it('stands in the last column of the line of the port', () => {
    expect(droppedIn(table, 0x0bfc)).toBe(7);
    expect(droppedIn(table, 0xbfc9)).toBe(0);
  });

  it('is unknown for a port that is only the far end of a socket, or nobody has', () => {
    expect(droppedIn(table, 0xba14)).toBeUndefined();
    expect(droppedIn('', 0x0bfc)).toBeUndefined();
  });
});
