import { expect, onTestFinished, test } from 'vitest';
import { loadCrypto } from '../../src/sodium/index.ts';
import { MachineDriver } from '../../src/udp/machine-driver.ts';
import type { Destination, Machine } from '../../src/wire/machine.ts';

const { memory } = await loadCrypto();

/** Wakes when told to, notes what happens, and can be made to throw. */
class Probe implements Machine {
  wakeMs = Number.POSITIVE_INFINITY;
  readonly advancedMs: number[] = [];
  readonly received: number[][] = [];
  throwIn: 'receive' | 'advance' | 'poll' | undefined;
  /** Datagrams to send, and where. */
  readonly out: number[][] = [];
  to = 0;
  /** Called by advance, to set the next time. */
  onAdvance: (nowMs: number) => void = (nowMs) => {
    if (nowMs >= this.wakeMs) this.wakeMs = Number.POSITIVE_INFINITY;
  };
  onReceive: (nowMs: number) => void = () => {};

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number): number {
    this.#throw('receive');
    this.received.push([...bytes.subarray(start, end)]);
    this.onReceive(nowMs);
    return 0;
  }

  advance(nowMs: number): void {
    this.advancedMs.push(nowMs);
    this.onAdvance(nowMs);
    this.#throw('advance');
  }

  poll(_nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    this.#throw('poll');
    const next = this.out.shift();
    if (next === undefined) return 0;
    out.set(next, start);
    to.address = this.to;
    return next.length;
  }

  wakeAt(): number {
    return this.wakeMs;
  }

  #throw(where: Probe['throwIn']): void {
    if (this.throwIn !== where) return;
    this.throwIn = undefined;
    throw new Error(`planted in ${where}`);
  }
}

async function open(probe: Probe, onPump?: (busyMs: number) => void) {
  const errors: string[] = [];
  const driver = await MachineDriver.open({
    host: '127.0.0.1',
    memory,
    onError: (error) => errors.push(error.message),
    ...(onPump === undefined ? {} : { onPump }),
  });
  onTestFinished(() => driver.close());
  driver.attach(probe);
  return { driver, errors };
}

/** A pair of drivers, the first of which can send to the second. */
async function openPair() {
  const [left, right] = [new Probe(), new Probe()];
  const [a, b] = [await open(left), await open(right)];
  left.to = a.driver.socket.resolve('127.0.0.1', b.driver.socket.address.port);
  return { left, right, a, b };
}

test('attaching advances and drains at once', async () => {
  const { left, right, a, b } = await openPair();
  expect(left.advancedMs).toHaveLength(1);
  left.out.push([1, 2, 3], [4]);
  const arrived = b.driver.runUntil(() => right.received.length === 2);
  a.driver.pump();
  await arrived;
  expect(right.received).toEqual([[1, 2, 3], [4]]);
});

test('a machine is advanced at the times that it names, and sleeps in between', async () => {
  const probe = new Probe();
  const { driver } = await open(probe);
  const startMs = driver.nowMs();
  const metMs: number[] = [];
  probe.wakeMs = startMs + 10;
  probe.onAdvance = (nowMs) => {
    if (nowMs < probe.wakeMs) return;
    metMs.push(nowMs);
    probe.wakeMs = metMs.length === 5 ? Number.POSITIVE_INFINITY : probe.wakeMs + 10;
  };
  const met = driver.runUntil(() => metMs.length === 5);
  driver.pump();
  await met;
  for (const [i, ms] of metMs.entries()) expect(ms).toBeGreaterThanOrEqual(startMs + 10 * (i + 1));
  // A timer may be early by a part of a millisecond, and then once more: no more than that.
  expect(probe.advancedMs.length).toBeLessThanOrEqual(2 + 5 * 3);
});

test('a time that has passed is met in the next turn, not within the pump', async () => {
  const probe = new Probe();
  const { driver } = await open(probe);
  let turns = 3;
  probe.onAdvance = () => {
    probe.wakeMs = --turns > 0 ? driver.nowMs() - 100 : Number.POSITIVE_INFINITY;
  };
  const done = driver.runUntil(() => turns === 0);
  driver.pump();
  expect(turns).toBe(2);
  await done;
});

test('a datagram that makes the machine want to wake sooner moves the timer', async () => {
  const { left, right, a, b } = await openPair();
  right.wakeMs = b.driver.nowMs() + 1e6;
  b.driver.pump();
  right.onReceive = (nowMs) => {
    right.wakeMs = nowMs + 5;
  };
  const woken = b.driver.runUntil(() => right.wakeMs === Number.POSITIVE_INFINITY);
  left.out.push([1]);
  a.driver.pump();
  await woken;
  expect(right.received).toHaveLength(1);
});

test.each(['advance', 'poll'] as const)(
  'a throw in %s is reported, and the driver goes on',
  async (where) => {
    const probe = new Probe();
    const { driver, errors } = await open(probe);
    const before = probe.advancedMs.length;
    probe.throwIn = where;
    probe.wakeMs = driver.nowMs() + 5;
    const again = driver.runUntil(() => probe.wakeMs === Number.POSITIVE_INFINITY);
    driver.pump();
    expect(errors).toEqual([`planted in ${where}`]);
    await again;
    expect(probe.advancedMs.length).toBeGreaterThan(before + 1);
    expect(errors).toHaveLength(1);
  },
);

test('a throw in receive is reported; the next datagram is taken, and the batch is drained', async () => {
  const { left, right, a, b } = await openPair();
  right.throwIn = 'receive';
  left.out.push([1], [2]);
  const arrived = b.driver.runUntil(() => right.received.length === 1);
  a.driver.pump();
  await arrived;
  expect(right.received).toEqual([[2]]);
  expect(b.errors).toEqual(['planted in receive']);
});

test('runUntil waits for a pump that finds it reached', async () => {
  const probe = new Probe();
  const { driver } = await open(probe);
  let reached = false;
  let resolved = false;
  const waiting = driver
    .runUntil(() => reached)
    .then(() => {
      resolved = true;
    });
  driver.pump();
  await new Promise(setImmediate);
  expect(resolved).toBe(false);
  reached = true;
  driver.pump();
  await waiting;
});

test('every pump says how long it took', async () => {
  const busy: number[] = [];
  const probe = new Probe();
  const { driver } = await open(probe, (busyMs) => busy.push(busyMs));
  driver.pump();
  expect(busy).toHaveLength(2);
  for (const ms of busy) expect(ms).toBeGreaterThanOrEqual(0);
});

test('closed, it does nothing more: no timer, no turn, no pump', async () => {
  const [closed, other] = [new Probe(), new Probe()];
  const [a, b] = [await open(closed), await open(other)];
  closed.wakeMs = a.driver.nowMs() + 3;
  a.driver.pump();
  const { length } = closed.advancedMs;
  await a.driver.close();
  a.driver.pump();
  // By the time that the other wakes, the closed one's time has long passed.
  other.wakeMs = b.driver.nowMs() + 30;
  const later = b.driver.runUntil(() => other.wakeMs === Number.POSITIVE_INFINITY);
  b.driver.pump();
  await later;
  expect(closed.advancedMs).toHaveLength(length);
  await a.driver.close();
});

test('a throw out of onError ends nothing: the driver goes on', async () => {
  const probe = new Probe();
  let told = 0;
  const driver = await MachineDriver.open({
    host: '127.0.0.1',
    memory,
    onError: () => {
      told++;
      throw new Error('planted in onError');
    },
  });
  onTestFinished(() => driver.close());
  driver.attach(probe);
  for (const where of ['advance', 'poll', 'advance'] as const) {
    probe.throwIn = where;
    expect(() => driver.pump()).not.toThrow();
  }
  expect([told, probe.advancedMs.length]).toEqual([3, 4]);
});
