// The parts of the delivery bench that decide what its figures are: percentiles, one connection's window, the goals.
import { describe, expect, it } from 'vitest';
import type { CellPlan, CellResult } from '../benchmarks/src/delivery/cell.ts';
import { Flow, MESSAGE_BYTES } from '../benchmarks/src/delivery/flow.ts';
import type { DeliveryPeer } from '../benchmarks/src/delivery/peer.ts';
import { goalsOf, report, runsOf } from '../benchmarks/src/delivery/report.ts';
import { ascending, median, percentile } from '../benchmarks/src/percentile.ts';

describe('percentiles', () => {
  const hundred = ascending(Array.from({ length: 100 }, (_, i) => 100 - i));

  it.each([
    [0, 1],
    [50, 50],
    [99, 99],
    [99.1, 100],
    [100, 100],
  ])('%f %% of 1 to 100 is %i', (percent, value) => {
    expect(percentile(hundred, percent)).toBe(value);
  });

  it('is the only value there is, and no number without values', () => {
    expect(percentile([7], 99)).toBe(7);
    expect(percentile([], 99)).toBeNaN();
  });

  it('takes the middle, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([9, 1, 5, 100])).toBe(7);
    expect(median([10, 9])).toBe(9.5);
    expect(median([])).toBeNaN();
  });
});

/** A connection that loses nothing and takes 60 ms; a message every 10 ms, 3 before and 4 measured. */
class Line {
  readonly flow = new Flow({ warmUp: 3, messages: 4 });
  readonly out: Buffer[] = [];
  room = Number.POSITIVE_INFINITY;
  #nowMs = 1000;

  due(count: number): void {
    const end = {
      send: (bytes: Buffer) => {
        if (this.out.length >= this.room) return false;
        this.out.push(Buffer.from(bytes));
        return true;
      },
      close: async () => {},
    };
    for (let i = 0; i < count; i++) {
      const sent = this.out.length;
      this.flow.handOver(this.#nowMs, end, { datagrams: 2 * sent, bytes: 300 * sent });
      this.#nowMs += 10;
    }
  }

  /** The message `number` comes out 60 ms after it was due. */
  arrive(number: number): void {
    this.flow.receive(1000 + number * 10 + 60, this.out[number]!);
  }
}

describe('a flow', () => {
  it('measures the messages between the warm-up and what follows', () => {
    const line = new Line();
    line.due(8);
    for (let n = 0; n < 7; n++) line.arrive(n);
    expect(line.flow.complete).toBe(true);
    expect(line.flow.fault).toBeUndefined();
    expect([...line.flow.latenciesMs]).toEqual([60, 60, 60, 60]);
    expect(line.out.every((bytes) => bytes.length === MESSAGE_BYTES)).toBe(true);
  });

  it('counts the wire of just that time, over what was delivered in it', () => {
    const line = new Line();
    line.due(3);
    line.arrive(0);
    line.due(2);
    line.arrive(1);
    line.arrive(2);
    line.due(3);
    expect(line.flow.perMessage).toEqual({ datagrams: (2 * 4) / 2, bytes: (300 * 4) / 2 });
  });

  it('is not complete while a measured message is missing, and says how many came', () => {
    const line = new Line();
    line.due(9);
    for (let n = 0; n < 6; n++) line.arrive(n);
    expect(line.flow.complete).toBe(false);
    expect(line.flow.fault).toBe('6 of 7 messages arrived');
  });

  it.each([
    ['twice', [0, 1, 1], 'message 1 came out instead of 2'],
    ['out of order', [0, 2, 1], 'message 2 came out instead of 1'],
    ['not at all', [0, 1, 3], 'message 3 came out instead of 2'],
  ])('sees a message that comes out %s', (_, order, fault) => {
    const line = new Line();
    line.due(8);
    for (const n of order) line.arrive(n);
    expect(line.flow.fault).toBe(fault);
  });

  it('sees a message that was cut', () => {
    const line = new Line();
    line.due(1);
    line.flow.receive(2000, line.out[0]!.subarray(1));
    expect(line.flow.fault).toBe(`a message of ${MESSAGE_BYTES - 1} B came out`);
  });

  it('offers a refused message again, and its time runs on', () => {
    const line = new Line();
    line.room = 3;
    line.due(5);
    expect(line.out.length).toBe(3);
    expect(line.flow.refused).toBe(2);
    line.room = 8;
    line.due(3);
    for (let n = 0; n < 7; n++) line.arrive(n);
    expect([...line.flow.latenciesMs]).toEqual([60, 60, 60, 60]);
  });
});

const names = ['tickwire', 'enet', 'node-kcp'];
const peers = names.map((name) => ({ name }) as DeliveryPeer);
const plan: CellPlan = { peers, lossPct: 5, messages: 3000, seeds: 3 };

/** A cell in which every seed of a peer has the same figures. */
function cell(
  p99s: readonly number[],
  bytes: readonly number[],
  faults: string[] = [],
): CellResult {
  const figures = p99s.map((p99Ms, i) =>
    [1, 2, 3].map((seed) => ({
      seed,
      p50Ms: 52,
      p99Ms: p99Ms + seed,
      bytesPerMessage: bytes[i]!,
      tagBytesPerMessage: 20,
      refused: 0,
    })),
  );
  return { lossPct: 5, figures, sendLateMsP99: 1, linkLateMsP99: 1, faults };
}

describe('the report', () => {
  it('takes medians over the seeds', () => {
    const [ours] = runsOf(plan, cell([100, 200, 150], [170, 196, 240]));
    expect(ours).toMatchObject({ peer: 'tickwire', lossPct: 5, p99Ms: 102, bytesPerMessage: 170 });
  });

  it.each([
    ['hold', [149, 200, 150], [196, 196, 240], [true, true]],
    ['fail on a tie in time', [150, 200, 150], [196, 196, 240], [false, true]],
    ['fail on a byte more than the leaner', [149, 200, 150], [197, 196, 240], [true, false]],
  ])('lets goals %s', (_, p99s, bytes, holds) => {
    const goals = goalsOf(runsOf(plan, cell(p99s, bytes)));
    expect(goals.map((goal) => goal.goal)).toEqual(['p99Ms', 'bytesPerMessage']);
    expect(goals.map((goal) => goal.holds)).toEqual(holds);
  });

  it('has no goals without somebody to compare with', () => {
    const alone = { ...plan, peers: peers.slice(0, 1) };
    expect(goalsOf(runsOf(alone, cell([1], [1])))).toEqual([]);
    const others = { ...plan, peers: peers.slice(1) };
    expect(goalsOf(runsOf(others, cell([1, 1], [1, 1])))).toEqual([]);
  });

  it('leaves out the goals of a cell with faults, and says why', () => {
    const broken = cell([1, 2, 3], [1, 2, 3], ['late']);
    const result = report([plan, plan], [broken, cell([1, 2, 3], [1, 2, 3])]);
    expect(result.valid).toBe(false);
    expect(result.reasons).toEqual(['at 5 % loss: late']);
    expect(result.goals.length).toBe(2);
  });
});
