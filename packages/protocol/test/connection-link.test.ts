// Reliable delivery and verdicts over bad links, in virtual time.

import type { LinkOptions } from '@tickwire/netsim';
import { describe, expect, test } from 'vitest';
import { ReliableOrderedChannel } from '../src/transport/reliable-ordered.ts';
import { UnreliableSequencedChannel } from '../src/transport/unreliable-sequenced.ts';
import { resolveChannel } from '../src/wire/channel-options.ts';
import { ConnectionPair, ProbeChannel } from './connection-pair.ts';

const ordered = resolveChannel({ kind: 'reliable-ordered' });
const sequenced = resolveChannel({ kind: 'unreliable-sequenced' });

function numberOf(bytes: Uint8Array, start: number): number {
  return bytes[start]! | (bytes[start + 1]! << 8) | (bytes[start + 2]! << 16);
}

const scratch = new Uint8Array(400);

function numbered(value: number, size: number): Uint8Array {
  scratch[0] = value;
  scratch[1] = value >>> 8;
  scratch[2] = value >>> 16;
  return scratch.subarray(0, size);
}

/** Sends `count` numbered messages each way and expects them all, once and in order. */
function exchange(link: LinkOptions, count: number, seed: number, ticks: number): ConnectionPair {
  const got = [0, 0];
  const sent = [0, 0];
  const make = (side: number) =>
    new ReliableOrderedChannel(ordered, (bytes, start) => {
      if (numberOf(bytes, start) !== got[side]) throw new Error(`out of order at ${got[side]}`);
      got[side]!++;
    });
  const channels = [make(0), make(1)];
  const pair = new ConnectionPair(
    { channels: [{ id: 0, channel: channels[0]! }], link },
    { channels: [{ id: 0, channel: channels[1]! }], link },
    seed,
  );
  const feed = (tick: number) => {
    for (const side of [0, 1]) {
      for (let n = 0; n < 5 && sent[side]! < count; n++) {
        const size = 3 + ((tick * 7 + n * 13) % 90);
        if (channels[side]!.send(numbered(sent[side]!, size), 0, size) !== 'queued') break;
        sent[side]!++;
      }
    }
  };
  pair.run(ticks, feed, () => got[0] === count && got[1] === count);
  expect(got, `seed ${seed}`).toEqual([count, count]);
  pair.run(200);
  expect(channels.map((channel) => channel.statistics.queued)).toEqual([0, 0]);
  return pair;
}

const links: [string, LinkOptions][] = [
  ['a perfect link', {}],
  ['5 % loss', { latencyMs: 50, jitterMs: 10, loss: 0.05 }],
  [
    '25 % loss, duplicates, reordering',
    { latencyMs: 80, jitterMs: 30, loss: 0.25, duplicate: 0.2, reorder: 0.2 },
  ],
  ['bursts of loss', { latencyMs: 30, burstLoss: { enter: 0.02, leave: 0.15 } }],
  ['300 ms and 40 ms of jitter', { latencyMs: 150, jitterMs: 40, loss: 0.05 }],
];

describe('a connection over a bad link', () => {
  test.each(links)('reliable messages arrive once and in order: %s', (_name, link) => {
    for (let seed = 1; seed <= 3; seed++) exchange(link, 600, seed, 6000);
  });

  test('a quiet link has no loss to report', () => {
    const pair = exchange({ latencyMs: 60, jitterMs: 5 }, 300, 9, 2000);
    expect(pair.a.connection.statistics.lost).toBe(0);
    expect(pair.b.connection.statistics.lost).toBe(0);
  });

  test('past the wrap of the 16-bit sequence, with loss', () => {
    let got = 0;
    let sent = 0;
    const sender = new ReliableOrderedChannel(ordered, () => {});
    const receiver = new ReliableOrderedChannel(ordered, (bytes, start) => {
      if (numberOf(bytes, start) !== got) throw new Error(`out of order at ${got}`);
      got++;
    });
    const link = { latencyMs: 40, loss: 0.02, reorder: 0.02, duplicate: 0.02 };
    // The other side only acks, so the two sides' sequences run at different speeds.
    const pair = new ConnectionPair(
      { channels: [{ id: 0, channel: sender }], link },
      { channels: [{ id: 0, channel: receiver }], link },
      4,
    );
    pair.run(70_000, () => {
      if (sender.send(numbered(sent, 3), 0, 3) === 'queued') sent++;
    });
    pair.run(300);
    expect(pair.a.connection.nextSequence).toBeGreaterThan(0x10000);
    expect(got).toBe(sent);
    expect(sent).toBeGreaterThan(69_000);
  });

  test('sequenced messages never go back', () => {
    let newest = -1;
    let count = 0;
    const receiver = new UnreliableSequencedChannel(sequenced, (bytes, start) => {
      const value = numberOf(bytes, start);
      expect(value).toBeGreaterThan(newest);
      newest = value;
      count++;
    });
    const sender = new UnreliableSequencedChannel(sequenced, () => {});
    const link = { latencyMs: 50, jitterMs: 40, loss: 0.1, reorder: 0.2, duplicate: 0.2 };
    const pair = new ConnectionPair(
      { channels: [{ id: 0, channel: sender }], link },
      { channels: [{ id: 0, channel: receiver }], link },
    );
    pair.run(500, (tick) => sender.send(numbered(tick, 20), 0, 20));
    expect(count).toBeGreaterThan(200);
    expect(count + receiver.statistics.overtaken).toBeLessThanOrEqual(500);
    expect(receiver.statistics.overtaken).toBeGreaterThan(10);
  });

  test('each packet that wants a verdict gets exactly one, and acked means it arrived', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const a = new ProbeChannel();
      const b = new ProbeChannel();
      const link = { latencyMs: 60, jitterMs: 30, loss: 0.2, reorder: 0.1, duplicate: 0.1 };
      const pair = new ConnectionPair(
        { channels: [{ id: 0, channel: a }], link },
        { channels: [{ id: 0, channel: b }], link },
        seed,
      );
      let sent = 0;
      pair.run(400, (tick) => {
        a.outbox.push(numbered(sent++, 3).slice());
        if (tick % 3 === 0) b.outbox.push(Uint8Array.of(1));
      });
      pair.a.connection.close(pair.nowMs, 'closed', '');
      const settled = [...a.ackedSequences, ...a.lostSequences];
      expect(new Set(settled).size).toBe(settled.length);
      const { acked, lost, abandoned } = pair.a.connection.statistics;
      // Each packet held the channel, the ping that greets rode in the first.
      expect(acked + lost + abandoned).toBe(a.written.length);
      const arrived = new Set(b.inbox.map((body) => numberOf(Uint8Array.from(body), 0)));
      const ackedBodies = a.ackedSequences.map((sequence) => a.written.indexOf(sequence));
      expect(ackedBodies.every((n) => arrived.has(n))).toBe(true);
      expect(pair.a.connection.statistics.spuriousLosses).toBeLessThan(acked / 5);
    }
  });
});
