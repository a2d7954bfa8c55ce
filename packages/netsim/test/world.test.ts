import type { Machine } from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { World } from '../src/world.ts';
import type { WorldOptions } from '../src/world-options.ts';
import { EchoMachine } from './echo-machine.ts';

function echoWorld(options: Partial<WorldOptions>, clients = 3) {
  const world = new World({ seed: 1, ...options });
  const server = new EchoMachine({ echoes: true });
  const serverAddress = world.addNode(server);
  const machines = Array.from(
    { length: clients },
    () => new EchoMachine({ peer: serverAddress, everyMs: 16 }),
  );
  const addresses = machines.map((machine) => world.addNode(machine));
  return { world, server, serverAddress, machines, addresses };
}

const idle: Machine = {
  receive: () => 0,
  advance: () => {},
  poll: () => 0,
  wakeAt: () => Number.POSITIVE_INFINITY,
};

describe('World', () => {
  it('carries datagrams there and back, each way with the latency of the client', () => {
    const { world, server, machines } = echoWorld({ link: { latencyMs: 50 } }, 1);
    world.run(1000);
    expect(world.nowMs).toBe(1000);
    expect(server.receivedMs[0]).toBe(50);
    expect(machines[0]!.receivedMs[0]).toBe(100);
    // 63 beats from 0 to 992 ms; those after 900 are still on their way.
    expect(machines[0]!.receivedMs).toHaveLength(57);
  });

  it('uses the links of the client, not of the server', () => {
    const world = new World({ seed: 1, link: { latencyMs: 500 } });
    const server = new EchoMachine({ echoes: true });
    const to = world.addNode(server, { linkUp: { loss: 1 }, linkDown: { loss: 1 } });
    const client = new EchoMachine({ peer: to, everyMs: 1000 });
    const address = world.addNode(client, {
      linkUp: { latencyMs: 10 },
      linkDown: { latencyMs: 20 },
    });
    world.run(100);
    expect(server.receivedMs).toEqual([10]);
    expect(client.receivedMs).toEqual([30]);
    expect(world.linkUp(address).counters.delivered).toBe(1);
    expect(world.linkDown(address).counters.delivered).toBe(1);
    expect(world.counters(address).received).toBe(1);
  });

  it('lets clients reach one another by the link of the sender, and servers at once', () => {
    const world = new World({ seed: 1, link: { latencyMs: 7 } });
    const machines = [0, 1, 2, 3].map(() => new EchoMachine({}));
    const server = world.addNode(machines[0]!);
    const other = world.addNode(machines[1]!, { server: true });
    const left = world.addNode(machines[2]!);
    const right = world.addNode(machines[3]!);
    machines[0]!.queue(new Uint8Array(1), other, 0);
    machines[2]!.queue(new Uint8Array(1), right, 0);
    world.run(50);
    expect(machines[1]!.receivedMs).toEqual([0]);
    expect(machines[3]!.receivedMs).toEqual([7]);
    expect([server, other, left, right]).toEqual([1, 2, 3, 4]);
  });

  it('gives the same digest for the same seed, another for another', () => {
    const digest = (seed: number) => {
      const link = { latencyMs: 30, jitterMs: 20, loss: 0.1, duplicate: 0.1, reorder: 0.1 };
      const { world } = echoWorld({ seed, link });
      world.run(3000);
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

  it('does the same by steps as by runs', () => {
    const link = { latencyMs: 30, jitterMs: 20 };
    const whole = echoWorld({ link }).world;
    whole.run(500);
    const pieces = echoWorld({ link }).world;
    for (let i = 0; i <= 50; i++) pieces.run(i * 10);
    const steps = echoWorld({ link }).world;
    while (steps.trace.events < whole.trace.events) expect(steps.step()).toBe(true);
    expect(pieces.trace.digest).toBe(whole.trace.digest);
    expect(steps.trace.digest).toBe(whole.trace.digest);
  });

  it('hands over at most a turn of datagrams a millisecond, and drops one past a full queue', () => {
    const world = new World({ seed: 1, receiveTurnDatagrams: 4, receiveQueueDatagrams: 10 });
    const server = new EchoMachine({});
    const to = world.addNode(server);
    for (let i = 0; i < 11; i++) world.inject(new Uint8Array([i]), 99, to);
    world.run(10);
    expect(server.receivedMs).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
    expect(server.received.map((bytes) => bytes[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(world.counters(to)).toMatchObject({ received: 10, receiveQueueDropped: 1, turns: 3 });
  });

  it('takes a whole default turn of 32 and leaves the 33rd for the next', () => {
    const world = new World({ seed: 1 });
    const server = new EchoMachine({});
    const to = world.addNode(server);
    for (let i = 0; i < 33; i++) world.inject(new Uint8Array(1), 99, to, 5);
    world.run(10);
    expect(server.receivedMs.filter((ms) => ms === 5)).toHaveLength(32);
    expect(server.receivedMs[32]).toBe(6);
  });

  it('counts datagrams to nowhere and goes on', () => {
    const world = new World({ seed: 1 });
    const machine = new EchoMachine({ peer: 77, everyMs: 10 });
    world.addNode(machine);
    world.run(25);
    expect(world.unroutable).toBe(3);
  });

  it('runs scripts in order of time and sees what they did to machines', () => {
    const world = new World({ seed: 1, link: { latencyMs: 5 } });
    const server = new EchoMachine({});
    const to = world.addNode(server);
    const client = new EchoMachine({});
    const from = world.addNode(client);
    const order: number[] = [];
    world.at(20, () => order.push(20));
    world.at(10, () => {
      order.push(10);
      client.queue(new Uint8Array(1), to, world.localMs(from));
    });
    world.at(20, () => order.push(21));
    world.at(5, () => world.at(1, () => order.push(6)));
    world.run(30);
    expect(order).toEqual([6, 10, 20, 21]);
    expect(server.receivedMs).toEqual([15]);
    expect(world.step()).toBe(false);
  });

  it('asks again about a machine touched by the callback of another', () => {
    const world = new World({ seed: 1 });
    const server = new EchoMachine({});
    const to = world.addNode(server);
    const client = new EchoMachine({});
    let wakeMs = 10;
    const meddler: Machine = {
      ...idle,
      advance: (nowMs) => {
        if (nowMs < wakeMs) return;
        wakeMs = Number.POSITIVE_INFINITY;
        client.queue(new Uint8Array(1), to, nowMs);
        world.touch(2);
      },
      wakeAt: () => wakeMs,
    };
    world.addNode(client);
    world.addNode(meddler);
    world.run(20);
    expect(server.receivedMs).toEqual([10]);
  });

  it('says so when a machine wants to run for ever without time passing', () => {
    const world = new World({ seed: 1 });
    world.addNode(idle);
    world.addNode({ ...idle, wakeAt: () => 3 });
    expect(() => world.run(10)).toThrow(/wakeAt\(\) of node 2 still returns 3/);
  });

  it('says so when time passes by next to nothing', () => {
    const world = new World({ seed: 1 });
    let ms = 0;
    const advance = (nowMs: number) => {
      ms = nowMs + 1e-9;
    };
    world.addNode({ ...idle, wakeAt: () => ms, advance });
    expect(() => world.run(10)).toThrow(/livelock|within a millisecond/);
  });

  it('says so when poll never ends, when wakeAt is NaN and when a script never ends', () => {
    const endless = new World({ seed: 1 });
    endless.addNode({ ...idle, poll: () => 1, wakeAt: () => 0 });
    expect(() => endless.run(1)).toThrow(/poll\(\) of node 1 gave 65536/);
    expect(() => new World({ seed: 1 }).addNode({ ...idle, wakeAt: () => Number.NaN })).toThrow(
      /returned NaN/,
    );
    const scripted = new World({ seed: 1 });
    const again = () => scripted.at(0, again);
    again();
    expect(() => scripted.run(1)).toThrow(/scripted callbacks/);
  });

  it('bounds a ping-pong without latency by the turns of the nodes', () => {
    const world = new World({ seed: 1 });
    const left = new EchoMachine({ echoes: true });
    const to = world.addNode(left);
    const right = new EchoMachine({ echoes: true });
    world.addNode(right);
    right.queue(new Uint8Array(1), to, 0);
    world.run(100);
    expect(left.receivedMs.length).toBeLessThanOrEqual(101);
    expect(left.receivedMs.length).toBeGreaterThan(90);
  });

  it('lets a tap corrupt, truncate, drop and observe', () => {
    const { world, server } = echoWorld({ link: { latencyMs: 1 } }, 1);
    const dropped: string[] = [];
    let sent = 0;
    world.tap = {
      sending(_nowMs, datagram) {
        if (datagram.from === 1) return;
        sent++;
        if (sent === 1) datagram.bytes[datagram.start]! ^= 0xff;
        if (sent === 2) datagram.end -= 3;
        if (sent === 3) datagram.dropped = true;
      },
      delivering(_nowMs, datagram) {
        if (sent === 4 && datagram.to === 1) datagram.dropped = true;
      },
      dropping: (_nowMs, datagram, reason) => dropped.push(`${reason} ${datagram.to}`),
    };
    world.run(70);
    expect(server.received.map((bytes) => bytes.length)).toEqual([8, 5, 8]);
    expect(server.received[0]![0]).toBe(0xff);
    expect(dropped).toEqual(['tap 1', 'tap 1']);
  });

  it('names why a link did not carry', () => {
    const reasons = (link: WorldOptions['link'], rest: Partial<WorldOptions> = {}) => {
      const { world } = echoWorld({ link, ...rest }, 1);
      const seen = new Set<string>();
      world.tap = { dropping: (_nowMs, _datagram, reason) => seen.add(reason) };
      world.run(40);
      return [...seen];
    };
    expect(reasons({ loss: 1 })).toEqual(['lost']);
    expect(reasons({ rateKbps: 1, queueBytes: 10 })).toEqual(['link-queue']);
    expect(reasons({ latencyMs: 99 }, { inFlightDatagrams: 1 })).toEqual(['storage']);
    expect(reasons({}, { datagramBytes: 8 })).toEqual([]);
  });

  it('lets a link change while it runs', () => {
    const { world, server, addresses } = echoWorld({}, 1);
    world.at(100, () => world.linkUp(addresses[0]!).configure({ loss: 1 }));
    world.at(200, () => world.linkUp(addresses[0]!).configure({}));
    world.run(300);
    expect(server.receivedMs.some((ms) => ms > 100 && ms < 200)).toBe(false);
    expect(server.receivedMs.at(-1)).toBe(288);
  });

  it('runs machines on clocks of their own', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 0.9, max: 1.1, noNaN: true }),
        (clockOffsetMs, clockRate) => {
          const world = new World({ seed: 1 });
          world.addNode(idle);
          let wakeMs = clockOffsetMs + 10;
          const seen: number[] = [];
          const machine: Machine = {
            ...idle,
            wakeAt: () => wakeMs,
            advance: (nowMs) => {
              if (nowMs < wakeMs) return;
              seen.push(nowMs);
              wakeMs += 10;
            },
          };
          world.addNode(machine, { clockOffsetMs, clockRate });
          world.run(100);
          expect(Math.abs(seen.length - 10 * clockRate)).toBeLessThan(1);
          expect(seen).toEqual([...seen].sort((a, b) => a - b));
          expect(world.counters(2).advances).toBe(seen.length);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('refuses misuse', () => {
    expect(() => new World({ seed: Number.NaN })).toThrow(/seed is NaN/);
    expect(() => new World({ seed: 1, receiveTurnDatagrams: 0 })).toThrow(/receiveTurnDatagrams/);
    expect(() => new World({ seed: 1, receiveTurnMs: 0 })).toThrow(/receiveTurnMs/);
    const world = new World({ seed: 1 });
    expect(() => world.addNode(idle, { linkUp: { loss: 2 } })).toThrow(/loss is 2/);
    expect(() => world.addNode(idle, { clockRate: 3 })).toThrow(/clockRate 3/);
    expect(() => world.inject(new Uint8Array(1), 1, 5)).toThrow(/no node has address 5/);
    expect(() => world.at(Number.NaN, () => {})).toThrow(/NaN/);
    world.at(1, () => world.run(2));
    expect(() => world.run(5)).toThrow(/cannot be called from a callback/);
    world.run(6);
  });

  it('gives generators of its own to tests', () => {
    expect(new World({ seed: 4 }).random('a').u32()).toBe(new World({ seed: 4 }).random('a').u32());
  });
});
