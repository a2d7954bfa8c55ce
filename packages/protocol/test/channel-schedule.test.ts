import { describe, expect, test } from 'vitest';
import type { ChannelPlan } from '../src/transport/channel.ts';
import { ChannelSchedule } from '../src/transport/channel-schedule.ts';
import { ProbeChannel } from './connection-pair.ts';

interface Place {
  readonly id: number;
  readonly priority?: number;
  readonly weight?: number;
}

function scheduleOf(...places: Place[]): ChannelSchedule {
  return new ChannelSchedule(
    places.map((place): ChannelPlan => ({ ...place, channel: new ProbeChannel() })),
  );
}

function orderOf(schedule: ChannelSchedule): number[] {
  return [...schedule.order.subarray(0, schedule.count)];
}

const masks = new Int32Array(2);

/** A packet of `room` bytes that whoever `wants` so much each fills in the order of the schedule. */
function fill(schedule: ChannelSchedule, room: number, wants: ReadonlyMap<number, number>) {
  const got = new Map<number, number>();
  let left = room;
  for (const id of orderOf(schedule)) {
    const bytes = Math.min(left, wants.get(id) ?? 0);
    if ((wants.get(id) ?? 0) === 0) schedule.rested(id);
    else if (bytes > 0) {
      schedule.wrote(id, bytes);
      got.set(id, bytes);
      left -= bytes;
    }
  }
  schedule.settle(masks);
  return got;
}

/** Bytes of each channel in so many packets, when all have more than fits. */
function shares(schedule: ChannelSchedule, packets: number, ids: readonly number[], wants = 5000) {
  const totals = new Map(ids.map((id) => [id, 0]));
  for (let i = 0; i < packets; i++) {
    const got = fill(schedule, 1000, new Map(ids.map((id) => [id, wants])));
    for (const [id, bytes] of got) totals.set(id, totals.get(id)! + bytes);
  }
  return totals;
}

describe('ChannelSchedule', () => {
  test('knows its channels by id, by mask and by order', () => {
    const schedule = scheduleOf({ id: 0 }, { id: 31 }, { id: 32 }, { id: 63 });
    expect(schedule.count).toBe(4);
    expect([schedule.low, schedule.high]).toEqual([1 | (1 << 31), 1 | (1 << 31)]);
    expect(schedule.channels[31]).toBeInstanceOf(ProbeChannel);
    expect(schedule.channels[1]).toBeUndefined();
    expect(schedule.channels.length).toBe(64);
    expect(orderOf(schedule)).toEqual([0, 31, 32, 63]);
    expect(orderOf(scheduleOf())).toEqual([]);
  });

  test('higher priorities go first, whatever their ids, those of one priority as declared', () => {
    const schedule = scheduleOf(
      { id: 1 },
      { id: 2, priority: -8 },
      { id: 3, priority: 7 },
      { id: 4, priority: 7 },
      { id: 5, priority: 0 },
    );
    expect(orderOf(schedule)).toEqual([3, 4, 1, 5, 2]);
  });

  test('the background is the lowest of several priorities, and of one there is none', () => {
    const several = scheduleOf(
      { id: 0 },
      { id: 1, priority: 1 },
      { id: 2 },
      { id: 3, priority: 2 },
    );
    expect([0, 1, 2, 3].map((id) => several.background(id))).toEqual([true, false, true, false]);
    const one = scheduleOf({ id: 0, priority: -8 }, { id: 63, priority: -8 });
    expect([0, 63].map((id) => one.background(id))).toEqual([false, false]);
  });

  test('a packet tells who wrote into it, and the next one starts anew', () => {
    const schedule = scheduleOf({ id: 0 }, { id: 31 }, { id: 32 }, { id: 63 });
    schedule.wrote(31, 10);
    schedule.wrote(63, 10);
    schedule.settle(masks);
    expect([...masks]).toEqual([1 << 31, 1 << 31]);
    schedule.wrote(0, 1);
    schedule.settle(masks);
    expect([...masks]).toEqual([1, 0]);
    schedule.settle(masks);
    expect([...masks]).toEqual([0, 0]);
  });

  test('tells each channel of the masks, and no other, of its verdict', () => {
    const schedule = scheduleOf({ id: 0 }, { id: 5 }, { id: 31 }, { id: 32 }, { id: 63 });
    const probe = (id: number) => schedule.channels[id] as ProbeChannel;
    schedule.tell(7, 1 | (1 << 31), 1 << 31, true);
    schedule.tell(8, 1 << 5, 1, false);
    schedule.tell(9, 0, 0, true);
    expect([0, 5, 31, 32, 63].map((id) => probe(id).ackedSequences)).toEqual([
      [7],
      [],
      [7],
      [],
      [7],
    ]);
    expect([0, 5, 31, 32, 63].map((id) => probe(id).lostSequences)).toEqual([[], [8], [], [8], []]);
    schedule.close();
    expect([0, 5, 31, 32, 63].map((id) => probe(id).closes)).toEqual([1, 1, 1, 1, 1]);
  });

  test('one priority takes turns packet by packet', () => {
    const schedule = scheduleOf({ id: 1 }, { id: 2 }, { id: 3 });
    const first: number[] = [];
    for (let i = 0; i < 6; i++) {
      first.push(orderOf(schedule)[0]!);
      fill(schedule, 1000, new Map([1, 2, 3].map((id) => [id, 5000])));
    }
    expect(first).toEqual([1, 2, 3, 1, 2, 3]);
  });

  test('shares by weight, within a packet, over any number of packets', () => {
    for (const weights of [
      [1, 1],
      [1, 2, 3],
      [1, 100],
      [7, 7, 7, 2],
    ]) {
      const ids = weights.map((_, i) => i);
      const schedule = scheduleOf(...ids.map((id) => ({ id, weight: weights[id]! })));
      const sum = weights.reduce((a, b) => a + b, 0);
      const packets = 10 * sum;
      const totals = shares(schedule, packets, ids);
      for (const id of ids) {
        const fair = (packets * 1000 * weights[id]!) / sum;
        expect(Math.abs(totals.get(id)! - fair)).toBeLessThanOrEqual(1000);
      }
    }
  });

  test('a priority above gets all it wants, and the rest goes by weight', () => {
    const schedule = scheduleOf({ id: 0, priority: 1 }, { id: 1, weight: 3 }, { id: 2 });
    const totals = new Map([0, 1, 2].map((id) => [id, 0]));
    for (let i = 0; i < 400; i++) {
      const got = fill(
        schedule,
        1000,
        new Map([
          [0, 300],
          [1, 9999],
          [2, 9999],
        ]),
      );
      for (const [id, bytes] of got) totals.set(id, totals.get(id)! + bytes);
    }
    expect(totals.get(0)).toBe(400 * 300);
    expect(Math.abs(totals.get(1)! - 400 * 700 * 0.75)).toBeLessThanOrEqual(1000);
    // Two that want everything above: nothing is left below.
    const starving = scheduleOf({ id: 0, priority: 1 }, { id: 1, priority: 1 }, { id: 2 });
    expect(shares(starving, 100, [0, 1, 2]).get(2)).toBe(0);
  });

  test('who rested gets no more than its share when it comes back', () => {
    const schedule = scheduleOf({ id: 0 }, { id: 1 });
    shares(schedule, 100, [0]);
    // Alone for 100 packets; now both want everything.
    const totals = shares(schedule, 100, [0, 1]);
    expect(Math.abs(totals.get(0)! - totals.get(1)!)).toBeLessThanOrEqual(2000);
  });

  test('who rested is not punished for what it had before', () => {
    const schedule = scheduleOf({ id: 0 }, { id: 1 });
    shares(schedule, 100, [0]);
    fill(schedule, 1000, new Map());
    shares(schedule, 1, [1]);
    const totals = shares(schedule, 20, [0, 1]);
    // Channel 0 is ahead by what nobody else wanted; the other has caught up within so much.
    expect(totals.get(0)! + totals.get(1)!).toBe(20_000);
    expect(totals.get(0)!).toBeGreaterThanOrEqual(8000);
  });

  test('one that says little is always served before one that says much', () => {
    const schedule = scheduleOf({ id: 0 }, { id: 1 });
    for (let i = 0; i < 200; i++) {
      const got = fill(
        schedule,
        1000,
        new Map([[0, 9999], ...(i % 3 === 0 ? ([[1, 50]] as const) : [])]),
      );
      if (i > 3 && i % 3 === 0) expect(got.get(1), `packet ${i}`).toBe(50);
    }
  });

  test('64 channels of mixed priorities keep their order, whatever is written', () => {
    const places = Array.from({ length: 64 }, (_, id) => ({
      id,
      priority: id % 5,
      weight: 1 + (id % 7),
    }));
    const schedule = scheduleOf(...places);
    let random = 7;
    for (let i = 0; i < 2000; i++) {
      const wants = new Map<number, number>();
      for (let n = 0; n < 8; n++) {
        random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
        wants.set((random >>> 8) % 64, (random >>> 16) % 700);
      }
      fill(schedule, 1000, wants);
      const order = orderOf(schedule);
      expect(new Set(order).size).toBe(64);
      for (let at = 1; at < 64; at++) {
        if (order[at]! % 5 > order[at - 1]! % 5) expect.fail(`priorities out of order at ${at}`);
      }
    }
  });
});
