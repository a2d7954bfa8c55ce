// A host and dialers over lossy links in virtual time.

import { Dialer } from '@tickwire/client-node/core';
import { type LinkOptions, SimulatedAddressBook, simulatedCrypto, World } from '@tickwire/netsim';
import {
  type Credential,
  type Destination,
  type Machine,
  PacketKind,
  ReliableOrderedChannel,
  resolveChannel,
  Verdict,
  Way,
} from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { ConnectionHost, type HostOptions } from '../src/host.ts';

const limits = resolveChannel({ kind: 'reliable-ordered' });
const GAME = { idHash: 0x1234, digest: 0x5678 };

/** Lets a host or dialer flush at every tick, as the layers above them do. */
class Ticking<T extends Machine & { flush(nowMs: number): void }> implements Machine {
  readonly inner: T;
  readonly #tickMs: number;
  #nextMs = 0;

  constructor(inner: T, tickMs: number) {
    this.inner = inner;
    this.#tickMs = tickMs;
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): number {
    return this.inner.receive(nowMs, bytes, start, end, from);
  }

  advance(nowMs: number): void {
    this.inner.advance(nowMs);
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + this.#tickMs;
    this.inner.flush(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    return this.inner.poll(nowMs, out, start, to);
  }

  wakeAt(): number {
    return this.#nextMs;
  }
}

/** A host and clients over links, each side with one reliable channel that echoes nothing. */
function crowd(
  clients: number,
  seed: number,
  options: Partial<HostOptions> = {},
  link: LinkOptions = { latencyMs: 50, jitterMs: 20, loss: 0.2, duplicate: 0.05, reorder: 0.05 },
  credentialOf: (n: number) => Credential = () => ({ way: Way.open }),
) {
  const world = new World({ seed, link });
  const serverGot: string[] = [];
  const clientGot: number[] = new Array(clients).fill(0);
  const opened = new Map<number, number>();
  const closed: string[] = [];
  const bySlot = new Map<number, ReliableOrderedChannel>();
  const host: ConnectionHost = new ConnectionHost({
    game: GAME,
    crypto: simulatedCrypto(seed),
    addresses: new SimulatedAddressBook(),
    sink: {
      requested: (slot, ticket) => host.accept(slot, ticket),
      channels: (slot) => {
        const channel = new ReliableOrderedChannel(limits, (bytes, start) =>
          serverGot.push(`${slot}:${bytes[start]}`),
        );
        bySlot.set(slot, channel);
        return [{ id: 0, channel }];
      },
      opened: (slot) => {
        opened.set(slot, (opened.get(slot) ?? 0) + 1);
        bySlot.get(slot)!.send(Uint8Array.of(1), 0, 1);
      },
      closed: (slot, reason) => closed.push(`${slot} ${reason}`),
    },
    ...options,
  });
  world.addNode(new Ticking(host, 16));
  const ends: string[] = [];
  const clientChannels: ReliableOrderedChannel[] = [];
  const dialers = clientGot.map((_, n) => {
    const channel = new ReliableOrderedChannel(limits, () => clientGot[n]!++);
    clientChannels.push(channel);
    channel.send(Uint8Array.of(n), 0, 1);
    const dialer = new Dialer({
      game: GAME,
      crypto: simulatedCrypto(seed * 1000 + n),
      server: 1,
      nowMs: 0,
      credential: credentialOf(n),
      sink: {
        channels: () => [{ id: 0, channel }],
        opened() {},
        closed: (reason, text, remote) => ends.push(`${n} ${reason} ${text} ${remote}`),
      },
    });
    world.addNode(new Ticking(dialer, 16));
    return dialer;
  });
  /** Client `n` says one byte. */
  const say = (n: number, byte: number) => clientChannels[n]!.send(Uint8Array.of(byte), 0, 1);
  return { world, host, dialers, serverGot, clientGot, opened, closed, ends, say };
}

describe('a host with clients on bad links', () => {
  test('64 clients join through 20 % loss, once each', () => {
    const scene = crowd(64, 7);
    scene.world.run(5000);
    expect(scene.host.used).toBe(64);
    expect(scene.opened.size).toBe(64);
    expect([...scene.opened.values()].every((times) => times === 1)).toBe(true);
    expect(new Set(scene.serverGot).size).toBe(64);
    expect(scene.serverGot.length).toBe(64);
    expect(scene.clientGot).toEqual(new Array(64).fill(1));
    expect(scene.ends).toEqual([]);
    expect(scene.host.verdicts(Verdict.forged)).toBe(0);
  });

  test('the server closes some, others leave, and every slot is free again', () => {
    const scene = crowd(16, 3);
    scene.world.run(4000);
    expect(scene.host.used).toBe(16);
    scene.world.at(4000, () => {
      for (let slot = 0; slot < 8; slot++) scene.host.close(slot, 'kicked', 'out');
    });
    scene.world.run(4001);
    const kicked = scene.closed.length;
    expect(kicked).toBe(8);
    scene.world.at(4100, () => {
      for (const dialer of scene.dialers) dialer.close(4100, 'closed', 'bye');
    });
    scene.world.run(15_000);
    expect(scene.closed.length).toBe(16);
    expect(scene.ends.length).toBe(16);
    expect(scene.host.used).toBe(0);
    expect(scene.dialers.every((dialer) => dialer.over)).toBe(true);
  });

  test('a client that vanishes is timed out and its slot used again, without the old id', () => {
    const scene = crowd(2, 5, { timeoutMs: 3000, maxConnections: 2 });
    let old = new Uint8Array(0);
    scene.world.tap = {
      sending: (_nowMs, { bytes, start, end, from }) => {
        if (from === 2 && bytes[start] === PacketKind.data) old = bytes.slice(start, end);
      },
    };
    scene.world.run(3000);
    expect(scene.host.used).toBe(2);
    scene.world.linkUp(2).configure({ loss: 1 });
    scene.world.run(7000);
    expect(scene.closed).toEqual([expect.stringContaining('timeout')]);
    expect(scene.host.used).toBe(1);
    const late = new Dialer({
      game: GAME,
      crypto: simulatedCrypto(99),
      server: 1,
      nowMs: 7000,
      sink: { channels: () => [], opened() {}, closed() {} },
    });
    scene.world.addNode(new Ticking(late, 16));
    scene.world.run(10_000);
    expect(scene.host.used).toBe(2);
    expect(old.length).toBeGreaterThan(20);
    const now = scene.world.nowMs;
    expect(scene.host.receive(now, old, 0, old.length, 2)).toBe(Verdict.unknown);
  });

  test('a client whose address changes goes on, on any path, and nothing it said is lost', () => {
    for (const latencyMs of [5, 60, 150, 300]) {
      const scene = crowd(1, 6, {}, { latencyMs, jitterMs: 10, loss: 0.1 });
      scene.world.run(4000);
      expect(scene.opened.size).toBe(1);
      scene.world.rebind(2);
      scene.world.at(4100, () => scene.say(0, 7));
      scene.world.run(5000 + 8 * latencyMs);
      expect(scene.host.statistics.pathChanges, `${latencyMs} ms`).toBe(1);
      scene.world.rebind(2);
      scene.world.run(9000 + 16 * latencyMs);
      expect(scene.host.statistics.pathChanges, `${latencyMs} ms`).toBe(2);
      expect(scene.serverGot).toEqual(['0:0', '0:7']);
      expect([scene.closed, scene.ends]).toEqual([[], []]);
    }
  });

  test('a packet that somebody sends from another address moves nobody', () => {
    const scene = crowd(1, 6);
    let last = new Uint8Array(0);
    scene.world.tap = {
      sending: (_nowMs, datagram) => {
        if (datagram.from !== 2 || datagram.bytes[datagram.start] !== PacketKind.data) return;
        last = datagram.bytes.slice(datagram.start, datagram.end);
      },
    };
    scene.world.run(6000);
    expect(scene.host.used).toBe(1);
    const { newest } = scene.host.connection(0)!.received;
    const now = scene.world.nowMs;
    const verdict = scene.host.receive(now, last.slice(), 0, last.length, 77);
    // Who was faster than the original is asked, and cannot answer; who was slower is not even asked.
    expect([Verdict.duplicate, Verdict.accepted] as number[]).toContain(verdict);
    scene.world.run(8000);
    expect(scene.host.address(0)).toBe(2);
    expect(scene.host.connection(0)!.received.newest).toBeGreaterThan(newest);
    expect(scene.host.statistics.pathChanges).toBe(0);
  });

  test('every way in works over bad links, and a wrong one is told', () => {
    const key = new Uint8Array(32).fill(9);
    const access = { way: 'key', key } as const;
    const credentials = [
      { way: Way.key, secret: key },
      { way: Way.key, secret: new Uint8Array(32).fill(8) },
      { way: Way.open },
    ] as const;
    const scene = crowd(6, 4, { access }, undefined, (n) => credentials[n % 3]!);
    scene.world.run(6000);
    expect(scene.host.used).toBe(2);
    expect(scene.ends.length).toBe(4);
    expect(scene.ends.every((end) => end.includes('credentials the right password'))).toBe(true);
    expect(scene.clientGot).toEqual([1, 0, 0, 1, 0, 0]);
  });
});
