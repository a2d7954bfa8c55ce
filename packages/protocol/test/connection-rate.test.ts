// What the connection makes of the credit that the rate controller gives: who may speak, who waits, who never does.

import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ChannelPlan } from '../src/transport/channel.ts';
import { Connection } from '../src/transport/connection.ts';
import type { ConnectionTuning } from '../src/transport/connection-options.ts';
import { RateController } from '../src/transport/rate-controller.ts';
import { SENT_WINDOW } from '../src/transport/sent-packets.ts';
import { ConnectionPair, openChain, ProbeChannel } from './connection-pair.ts';

const TICK_MS = 16;
const HEADERS = 28;

/** A rate that the controller can only keep. */
function fixed(bytesPerSecond: number) {
  return {
    initialBytesPerSecond: bytesPerSecond,
    minBytesPerSecond: bytesPerSecond,
    maxBytesPerSecond: bytesPerSecond,
  };
}

/** A connection whose peer is silent, its packets collected. */
function lone(channels: readonly ChannelPlan[], tuning: ConnectionTuning = {}) {
  const connection = new Connection({
    ...tuning,
    remoteId: 1,
    outgoing: openChain,
    incoming: openChain,
    channels,
    nowMs: 0,
    sink: { closed() {}, ended() {} },
  });
  const out = new Uint8Array(1472);
  const flush = (nowMs: number) => {
    const lengths: number[] = [];
    connection.flush(nowMs);
    for (let n = connection.poll(nowMs, out, 0); n > 0; n = connection.poll(nowMs, out, 0)) {
      lengths.push(n);
    }
    return lengths;
  };
  return { connection, flush };
}

/** A channel that always has another full packet to say. */
class Backlog extends ProbeChannel {
  readonly size: number;

  constructor(size = 1100) {
    super();
    this.size = size;
  }

  override pending(): boolean {
    while (this.outbox.length < 2) this.outbox.push(new Uint8Array(this.size));
    return true;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a small message of a higher priority', () => {
  test.each([
    ['packets of 1200 bytes', 8000, 1150, false],
    ['packets of 1452 bytes', 16_000, 1350, true],
    ['small packets', 8000, 100, false],
  ])('leaves in its flush, beside a backlog of %s', (_name, rate, size, probePathMtu) => {
    const small = new ProbeChannel();
    const peers = [new ProbeChannel(), new ProbeChannel()];
    const pair = new ConnectionPair(
      {
        channels: [
          { id: 0, channel: new Backlog(size), priority: -1 },
          { id: 1, channel: small },
        ],
        rate: fixed(rate),
        probePathMtu,
        link: { latencyMs: 20 },
      },
      {
        channels: peers.map((channel, id) => ({ id, channel })),
        link: { latencyMs: 20 },
      },
      1,
      1,
    );
    pair.run(probePathMtu ? 6000 : 10);
    let sent = 0;
    // At any moment of the backlog's own rhythm, which at this rate is slow.
    pair.run(3000, (tick) => {
      expect(small.outbox.length).toBe(0);
      if (tick % 61 === 0) {
        small.outbox.push(Uint8Array.of(1));
        sent++;
      }
    });
    expect(small.written.length).toBe(sent);
    expect(peers[0]!.inbox.length).toBeGreaterThan(8);
    const longest = Math.max(...pair.a.lengths);
    expect(longest).toBeGreaterThan(size);
  });

  test('but not beyond a debt of one packet: priority is no licence', () => {
    const { flush } = lone(
      [
        { id: 0, channel: new Backlog(), priority: 1 },
        { id: 1, channel: new ProbeChannel() },
      ],
      { rate: fixed(20_000), timeoutMs: 60_000 },
    );
    const lengths: number[] = [];
    for (let nowMs = 0; nowMs < 10_000; nowMs += TICK_MS) lengths.push(...flush(nowMs));
    const bytes = sum(lengths) + HEADERS * lengths.length;
    expect(bytes).toBeLessThanOrEqual(200_000 + 6000);
    expect(bytes).toBeGreaterThan(180_000);
  });
});

describe('the rate', () => {
  test('is kept by a backlog, by many channels, and by many small messages', () => {
    const many = Array.from({ length: 20 }, (_, id) => ({ id, channel: new Backlog(300) }));
    for (const channels of [
      [{ id: 0, channel: new Backlog() }],
      many,
      many.map((plan) => ({ ...plan, priority: plan.id % 3 })),
      [{ id: 0, channel: new Backlog(1) }],
    ]) {
      const { flush } = lone(channels, { rate: fixed(50_000), timeoutMs: 60_000 });
      const lengths: number[] = [];
      for (let nowMs = 0; nowMs < 10_000; nowMs += TICK_MS) lengths.push(...flush(nowMs));
      const bytes = sum(lengths) + HEADERS * lengths.length;
      // No more than its due and a packet of debt; and less only where the window of 512 packets is the limit.
      expect(bytes).toBeLessThanOrEqual(500_000 + 6000);
    }
  });

  test('a message waits for it, and not longer than it takes', () => {
    const channel = new ProbeChannel();
    const background = { id: 1, channel: new ProbeChannel(), priority: -1 };
    const { flush } = lone([{ id: 0, channel }, background], { rate: fixed(10_000) });
    const at: number[] = [];
    for (let i = 0; i < 10; i++) channel.outbox.push(new Uint8Array(1100));
    for (let nowMs = 0; nowMs < 3000; nowMs++)
      if (flush(nowMs).some((length) => length > 1000)) at.push(nowMs);
    expect(channel.outbox).toEqual([]);
    // About 1160 bytes each at 10 bytes a ms.
    expect(at.at(-1)).toBeGreaterThan(600);
    expect(at.at(-1)).toBeLessThan(1200);
  });

  test('without a limit to speak of, packets leave until as many wait for their verdict as may', () => {
    const channel = new Backlog(10);
    const { connection, flush } = lone([{ id: 0, channel }], { rate: fixed(100_000_000) });
    for (let nowMs = 0; nowMs < 500; nowMs += TICK_MS) flush(nowMs);
    expect(channel.written.length).toBe(SENT_WINDOW - 32);
    // Greetings go on, since nobody is heard.
    const { inFlight, lost } = connection.statistics;
    expect([inFlight - channel.written.length, lost]).toEqual([2, 0]);
  });
});

describe('what is not a matter of credit', () => {
  /** Two sides, the first of which always has more to say than its very low rate allows. */
  function pairOf(priority: number, tuning: ConnectionTuning = {}) {
    const peer = new ProbeChannel();
    const heard = new ProbeChannel();
    const pair = new ConnectionPair(
      {
        channels: [
          { id: 0, channel: new Backlog(), priority },
          { id: 1, channel: heard },
        ],
        rate: fixed(1000),
        link: { latencyMs: 20 },
        ...tuning,
      },
      {
        channels: [
          { id: 0, channel: new ProbeChannel(), priority },
          { id: 1, channel: peer },
        ],
        link: { latencyMs: 20 },
      },
    );
    return { pair, peer, heard };
  }

  test.each([1, 0, -1])(
    'acks leave in time beside a starved backlog of priority %i',
    (priority) => {
      const { pair, peer, heard } = pairOf(priority);
      pair.run(1000, (tick) => {
        if (tick % 4 === 0) peer.outbox.push(Uint8Array.of(1));
      });
      pair.run(10);
      expect(heard.inbox.length).toBe(250);
      expect(peer.ackedSequences.length).toBe(250);
      expect(peer.lostSequences).toEqual([]);
      expect(pair.b.connection.rtt.smoothedMs).toBeLessThan(60);
    },
  );

  test.each([1, 0, -1])('keep-alives leave beside a starved backlog of priority %i', (priority) => {
    const { pair } = pairOf(priority, { keepAliveMs: 200 });
    pair.run(100);
    let last = pair.a.packets;
    let lastMs = pair.nowMs;
    pair.run(1000, () => {
      if (pair.a.packets > last) {
        last = pair.a.packets;
        lastMs = pair.nowMs;
      }
      expect(pair.nowMs - lastMs).toBeLessThanOrEqual(200 + 2 * TICK_MS);
    });
    expect(pair.a.connection.open).toBe(true);
  });

  test('keep-alives and acks leave when the window of packets is full as well', () => {
    const channel = new Backlog(10);
    const { connection, flush } = lone([{ id: 0, channel }], {
      rate: fixed(100_000_000),
      keepAliveMs: 50,
    });
    flush(0);
    flush(1);
    const packets = connection.nextSequence;
    expect(flush(60).length).toBe(1);
    expect(connection.nextSequence).toBe(packets + 1);
  });

  test('a close leaves at once', () => {
    const { pair } = pairOf(1);
    pair.run(100);
    pair.a.connection.close(pair.nowMs, 'kicked', 'bye');
    pair.run(5);
    expect(pair.b.closed).toEqual([{ reason: 'kicked', text: 'bye', remote: true }]);
  });
});

describe('the controller is told of each flush', () => {
  function flushes() {
    const told: boolean[] = [];
    vi.spyOn(RateController.prototype, 'flushed').mockImplementation((_nowMs, starved) => {
      told.push(starved);
    });
    return told;
  }

  test('once, and that nothing was left unsaid', () => {
    const told = flushes();
    const channel = new ProbeChannel();
    const { connection, flush } = lone([{ id: 0, channel }]);
    flush(0);
    channel.outbox.push(Uint8Array.of(1), Uint8Array.of(2));
    flush(16);
    flush(32);
    expect(told).toEqual([false, false, false]);
    // Polls between flushes, and flushes that nobody polls, are none.
    connection.poll(33, new Uint8Array(1472), 0);
    connection.flush(48);
    expect(told.length).toBe(3);
  });

  test('that it starved, whoever did, and only then', () => {
    for (const priority of [0, -1]) {
      const told = flushes();
      const channel = new ProbeChannel();
      const { flush } = lone(
        [
          { id: 0, channel, priority },
          { id: 1, channel: new ProbeChannel() },
        ],
        { rate: fixed(10_000) },
      );
      for (let i = 0; i < 5; i++) channel.outbox.push(new Uint8Array(1100));
      for (let nowMs = 0; channel.outbox.length > 0; nowMs += TICK_MS) flush(nowMs);
      expect(told.length).toBeGreaterThan(5);
      expect(told.pop()).toBe(false);
      expect(told.slice(0, 3)).toEqual([true, true, true]);
      flush(5000);
      expect(told.at(-1)).toBe(false);
      vi.restoreAllMocks();
    }
  });

  test('not that it starved when it waits for verdicts: a higher rate would not help', () => {
    const told = flushes();
    const { flush } = lone([{ id: 0, channel: new Backlog(10) }], { rate: fixed(100_000_000) });
    for (let nowMs = 0; nowMs < 200; nowMs += TICK_MS) flush(nowMs);
    expect(told.at(-1)).toBe(false);
  });

  test('a message that fits no packet is no want of credit', () => {
    const told = flushes();
    const channel = new ProbeChannel();
    const { flush } = lone([{ id: 0, channel }]);
    channel.outbox.push(new Uint8Array(1300));
    flush(0);
    flush(16);
    expect(told).toEqual([false, false]);
  });
});
