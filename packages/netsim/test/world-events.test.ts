// What a world can do to its nodes and paths in mid-run: stalls, sleep, new addresses; and how its trace tells of it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { World } from '../src/world.ts';
import type { WorldOptions } from '../src/world-options.ts';
import { EchoMachine } from './echo-machine.ts';

function echoWorld(options: Partial<WorldOptions> = {}, everyMs = 10) {
  const world = new World({ seed: 1, timelineLines: 10_000, ...options });
  const server = new EchoMachine({ echoes: true });
  const to = world.addNode(server);
  const client = new EchoMachine({ peer: to, everyMs });
  const from = world.addNode(client);
  return { world, server, client, to, from };
}

/** The timeline's lines of one kind, without the time. */
const linesOf = (world: World, kind: string) =>
  world.trace.timeline().filter((line) => line.slice(13).startsWith(kind));

it('keeps the lines that the filter asks for, around the moment of a fault', () => {
  const { world, to, from } = echoWorld({
    timelineLines: 20,
    timelineFilter: ({ timeMs, kind }) => kind !== 'send' && timeMs >= 100 && timeMs < 120,
  });
  world.at(100, () => world.stall(from, 'up', 15));
  world.run(5000);
  const lines = world.trace.timeline();
  expect(lines[0]).toContain(`100.000  stall    node ${from}`);
  expect(lines[1]).toContain('100.000  wake ');
  expect(lines.at(-1)).toContain(`115.000  deliver  ${to} -> ${from}`);
  expect(lines.some((line) => line.endsWith('stalled 15.000 ms'))).toBe(true);
});

describe('World.stall', () => {
  it('holds one direction and leaves the other alone', () => {
    const { world, server, client, from } = echoWorld({ link: { latencyMs: 5 } });
    world.at(100, () => world.stall(from, 'down', 50));
    world.run(200);
    expect(server.receivedMs).toEqual(Array.from({ length: 20 }, (_, i) => 5 + i * 10));
    expect(client.receivedMs.filter((ms) => ms >= 100 && ms < 150)).toEqual([]);
    expect(client.receivedMs.filter((ms) => ms === 150)).toHaveLength(6);
    expect(client.received.map((bytes) => bytes[3])).toEqual(
      Array.from({ length: client.received.length }, (_, i) => i),
    );
  });

  it('drops when told so, and says why', () => {
    const { world, server, from } = echoWorld({ link: { latencyMs: 5 } });
    const reasons: string[] = [];
    world.tap = {
      dropping: (nowMs, { from: by, to, start, end }, reason) => {
        reasons.push(`${reason} ${by} ${to} ${end - start} ${nowMs}`);
      },
    };
    world.at(100, () => world.stall(from, 'up', 30, 'drop'));
    world.run(200);
    expect(server.receivedMs.filter((ms) => ms >= 100 && ms < 130)).toEqual([]);
    expect(reasons).toEqual(['stall 2 1 8 105', 'stall 2 1 8 115', 'stall 2 1 8 125']);
    expect(world.linkUp(from).counters.stallDropped).toBe(3);
    expect(linesOf(world, 'stall')[0]).toContain('node 2  from it, drops until 130.000');
    expect(linesOf(world, 'drop').every((line) => line.endsWith('  stall'))).toBe(true);
  });

  it('is told by the datagrams that it held', () => {
    const { world, from } = echoWorld({ link: { latencyMs: 5 } });
    world.at(100, () => world.stall(from, 'up', 30));
    world.run(200);
    const held = linesOf(world, 'deliver').filter((line) => line.includes('stalled'));
    expect(held.map((line) => line.split('  ').at(-1))).toEqual(
      ['25', '15', '5'].map((ms) => `stalled ${ms}.000 ms`),
    );
  });

  it('refuses a time without end and nodes that are not there', () => {
    const { world, from } = echoWorld();
    expect(() => world.stall(from, 'up', Number.POSITIVE_INFINITY)).toThrow(/a stall from 0/);
    expect(() => world.stall(from, 'up', -1)).toThrow(/a stall from 0 to -1/);
    expect(() => world.stall(from, 'both' as 'up', 1)).toThrow(/stall of 'both'; give up or down/);
    expect(() => world.stall(9, 'up', 1)).toThrow(/no node has address 9/);
    expect(linesOf(world, 'stall')).toEqual([]);
  });
});

describe('World.sleep', () => {
  it('gives no turn for 5 s, then all that the receive queue could hold, and time has moved on', () => {
    const { world, client, to, from } = echoWorld({ receiveQueueDatagrams: 40 });
    for (let i = 0; i < 100; i++) {
      world.at(2000 + i, () => world.inject(new Uint8Array([i]), to, from));
    }
    world.at(1005, () => world.sleep(from, 5000));
    world.run(1004);
    const before = client.receivedMs.length;
    const { advances } = world.counters(from);
    world.run(6004.999);
    expect(client.receivedMs).toHaveLength(before);
    expect(world.counters(from).advances).toBeLessThanOrEqual(advances + 1);
    world.run(6010);
    // The oldest 40 in two turns of at most 32; the other 60 found the queue full.
    const late = client.receivedMs.slice(before);
    expect(late.slice(0, 40)).toEqual([...Array(32).fill(6005), ...Array(8).fill(6006)]);
    expect(client.received.slice(before, before + 40).map((bytes) => bytes[0])).toEqual(
      Array.from({ length: 40 }, (_, i) => i),
    );
    expect(world.counters(from).receiveQueueDropped).toBe(60);
    expect(world.localMs(from)).toBe(6010);
  });

  it('wakes for nothing but work, and is told by the timeline', () => {
    const { world, from } = echoWorld({}, 16);
    world.at(100, () => world.sleep(from, 1000));
    world.run(2000);
    expect(linesOf(world, 'sleep')).toEqual(['    100.000  sleep    node 2  until 1100.000']);
    expect(linesOf(world, 'awake')).toEqual([
      '   1100.000  awake    node 2  after 1000.000 ms, 0 datagrams wait',
    ]);
  });

  it('lasts as long as the longest of those that overlap', () => {
    const { world, server, from } = echoWorld();
    world.at(100, () => world.sleep(from, 500));
    world.at(200, () => world.sleep(from, 100));
    world.at(400, () => world.sleep(from, 600));
    world.run(999.999);
    expect(server.receivedMs.at(-1)).toBe(90);
    expect(linesOf(world, 'awake')).toEqual([]);
    world.run(1000);
    expect(server.receivedMs.at(-1)).toBe(1000);
    expect(linesOf(world, 'awake')[0]).toContain('after 900.000 ms');
  });

  it('lasts for a machine that is called and touched from outside', () => {
    const { world, server, client, to, from } = echoWorld({}, 0);
    world.at(100, () => world.sleep(from, 500));
    world.at(200, () => {
      client.queue(new Uint8Array(1), to, 200);
      world.touch(from);
    });
    world.run(599);
    expect(server.receivedMs).toEqual([]);
    world.run(600);
    expect(server.receivedMs).toEqual([600]);
  });

  it('refuses a time without end', () => {
    const { world, from } = echoWorld();
    for (const forMs of [Number.POSITIVE_INFINITY, -1, Number.NaN]) {
      expect(() => world.sleep(from, forMs)).toThrow(/sleep of/);
    }
    expect(() => world.sleep(7, 1)).toThrow(/no node has address 7/);
  });
});

describe('World.rebind', () => {
  it('shows a new number, which is answered; the old one reaches nobody', () => {
    const { world, server, client, from } = echoWorld({ link: { latencyMs: 20 } });
    const seen: string[] = [];
    const droppedMs: number[] = [];
    world.tap = {
      delivering: (_nowMs, datagram) => seen.push(`${datagram.from} -> ${datagram.to}`),
      dropping: (nowMs) => droppedMs.push(nowMs),
    };
    let after = 0;
    world.at(101, () => {
      after = world.rebind(from);
    });
    world.run(300);
    expect(after).toBe(3);
    expect(new Set(seen)).toEqual(new Set(['2 -> 1', '1 -> 2', '3 -> 1', '1 -> 3']));
    // Two answers were on their way; two more go to the old number, under which their pings were sent.
    expect(droppedMs).toEqual([110, 110, 120, 120]);
    expect(world.unroutable).toBe(4);
    expect(server.receivedMs).toHaveLength(29);
    expect(client.receivedMs.filter((ms) => ms > 101 && ms < 150)).toEqual([]);
    expect(client.receivedMs[client.receivedMs.indexOf(100) + 1]).toBe(150);
    expect(linesOf(world, 'rebind')).toEqual(['    101.000  rebind   2 -> 3  node 2']);
    expect(linesOf(world, 'drop').every((line) => line.includes('1 -> 2'))).toBe(true);
  });

  it('keeps the name: links and counters are found by every number that the node has had', () => {
    const { world, from } = echoWorld();
    const second = world.rebind(from);
    const third = world.rebind(from);
    expect([second, third]).toEqual([3, 4]);
    expect(world.linkUp(third)).toBe(world.linkUp(from));
    expect(world.counters(second)).toBe(world.counters(from));
    const other = new EchoMachine({ peer: third, everyMs: 10 });
    expect(world.addNode(other)).toBe(5);
    world.run(5);
    expect(world.counters(from).received).toBe(2);
    expect(() => world.linkUp(6)).toThrow(/no node has address 6/);
  });

  it('does not change the chances of nodes that come later', () => {
    const run = (rebinds: boolean) => {
      const { world, to } = echoWorld({ link: { latencyMs: 9, jitterMs: 9, loss: 0.3 } });
      if (rebinds) world.rebind(2);
      const late = world.addNode(new EchoMachine({ peer: to, everyMs: 3 }));
      world.run(500);
      return world.linkUp(late).counters;
    };
    expect(run(true)).toEqual(run(false));
  });
});

describe('paths of a world', () => {
  it('can differ by direction for all clients, and by client', () => {
    const world = new World({ seed: 1, linkUp: { latencyMs: 30 }, link: { latencyMs: 5 } });
    const server = new EchoMachine({ echoes: true });
    const to = world.addNode(server);
    const machines = [
      new EchoMachine({ peer: to, everyMs: 1000 }),
      new EchoMachine({ peer: to, everyMs: 1000 }),
    ];
    world.addNode(machines[0]!);
    world.addNode(machines[1]!, { linkUp: { latencyMs: 1 }, linkDown: { latencyMs: 100 } });
    world.run(900);
    expect(machines.map((machine) => machine.receivedMs)).toEqual([[35], [101]]);
  });

  it.each([
    ['mtu', { mtuBytes: 35 }],
    ['link-queue', { rateKbps: 8, queueBytes: 100, queuePolicy: 'head' }],
  ] as const)('names %s as the reason of a drop', (reason, link) => {
    const { world, from } = echoWorld({ link });
    const reasons = new Set<string>();
    world.tap = { dropping: (_nowMs, _datagram, why) => reasons.add(why) };
    world.run(500);
    expect([...reasons]).toEqual([reason]);
    const { mtuDropped, queueDropped } = world.linkUp(from).counters;
    expect(mtuDropped + queueDropped).toBeGreaterThan(10);
  });

  it('shows the older datagram that a full queue drops at its head, not the one being sent', () => {
    const link = { rateKbps: 8, queueBytes: 100, queuePolicy: 'head' as const, loss: 0.5 };
    const { world } = echoWorld({ linkUp: link });
    const sent: number[] = [];
    const ended: string[] = [];
    const numberOf = (bytes: Uint8Array, start: number) => bytes[start + 3]!;
    world.tap = {
      sending: (_nowMs, { bytes, start, from }) => {
        if (from === 2) sent.push(numberOf(bytes, start));
      },
      dropping: (_nowMs, { bytes, start }, reason) => {
        const number = numberOf(bytes, start);
        if (reason === 'link-queue') expect(number).toBeLessThan(sent.at(-1)!);
        else expect(number).toBe(sent.at(-1)!);
        ended.push(reason);
      },
    };
    world.run(1000);
    expect(new Set(ended)).toEqual(new Set(['lost', 'link-queue']));
  });

  it('marks copies and corrupted datagrams in the timeline', () => {
    const { world } = echoWorld({ linkUp: { duplicate: 1, corrupt: 1 } });
    world.run(5);
    expect(
      linesOf(world, 'deliver')
        .slice(0, 2)
        .map((line) => line.split('  ').at(-1)),
    ).toEqual(['corrupted', 'copy, corrupted']);
  });
});

describe('determinism', () => {
  it('gives the digest that this world has always had', () => {
    const link = { latencyMs: 30, jitterMs: 20, loss: 0.1, duplicate: 0.1, reorder: 0.1 };
    const burstLoss = { enter: 0.02, leave: 0.3 };
    const { world } = echoWorld({ link: { ...link, burstLoss, rateKbps: 25, queueBytes: 400 } });
    world.run(3000);
    expect(world.trace.digest).toBe('5be3a1e4e83c0620');
  });

  it('gives the same digest for the same seed with everything switched on', () => {
    const digest = (seed: number) => {
      const link = {
        latencyMs: 20,
        jitterMs: 15,
        inOrder: true,
        corrupt: 0.1,
        mtuBytes: 60,
        rateKbps: 50,
        queueBytes: 300,
        queuePolicy: 'head' as const,
      };
      const { world, to, from } = echoWorld({ seed, link });
      world.at(100, () => world.stall(from, 'up', 80));
      world.at(300, () => world.stall(from, 'down', 80, 'drop'));
      world.at(500, () => world.sleep(from, 300));
      world.at(900, () => world.rebind(from));
      world.at(1000, () => world.sleep(to, 100));
      world.run(1500);
      return world.trace.digest;
    };
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(digest(seed)).toBe(digest(seed));
        expect(digest(seed)).not.toBe(digest(seed + 1));
      }),
      { numRuns: 10 },
    );
  });

  it.each(['stall', 'sleep', 'rebind'] as const)(
    'has %s in its digest, and the text does not matter',
    (what) => {
      const digest = (act: (world: World, from: number) => void, timelineLines = 0) => {
        const { world, from } = echoWorld({ timelineLines });
        // At the end, so that nothing else tells of it.
        world.at(99.5, () => act(world, from));
        world.run(99.6);
        return world.trace.digest;
      };
      const act = (world: World, from: number) => {
        if (what === 'stall') world.stall(from, 'up', 10);
        else if (what === 'sleep') world.sleep(from, 10);
        else world.rebind(from);
      };
      expect(digest(act)).not.toBe(digest(() => {}));
      expect(digest(act)).toBe(digest(act, 50));
    },
  );
});
