// Acks that still tell the truth when the two sides send at very different rates and many acks in a row are lost.

import type { LinkOptions } from '@tickwire/netsim';
import { describe, expect, test } from 'vitest';
import { ConnectionPair, ProbeChannel } from './connection-pair.ts';

/** No limit, and no pings that would be counted beside the channel's packets. */
const TUNING = {
  rate: { initialBytesPerSecond: 1_000_000, minBytesPerSecond: 1_000_000 },
  keepAliveMs: 3_600_000,
  timeoutMs: 3_600_000,
};
const STALL_EVERY_MS = 1777;

interface Case {
  /** Packets a second of the side that is acked, and of the side that acks. */
  readonly perSecond: number;
  readonly acksPerSecond: number;
  readonly link?: LinkOptions;
  /** Silence of the acking side, now and then. */
  readonly stallMs?: number;
  readonly seconds?: number;
  readonly seed?: number;
}

/** Runs the case until everything is settled and counts what became of the packets of the fast side. */
function run({ perSecond, acksPerSecond, stallMs = 0, seconds = 12, seed = 1, ...rest }: Case) {
  const { link = { latencyMs: 50 } } = rest;
  const fast = new ProbeChannel();
  const slow = new ProbeChannel();
  const pair = new ConnectionPair(
    { channels: [{ id: 0, channel: fast }], link, ...TUNING },
    { channels: [{ id: 0, channel: slow }], link, ...TUNING, tickMs: 1000 / acksPerSecond },
    seed,
    1000 / perSecond,
  );
  let stalls = 0;
  pair.run(seconds * perSecond, (tick) => {
    fast.outbox.push(Uint8Array.of(tick));
    if (slow.outbox.length === 0) slow.outbox.push(Uint8Array.of(1));
    if (stallMs === 0 || pair.nowMs < (stalls + 1) * STALL_EVERY_MS) return;
    stalls++;
    pair.b.link.stall(pair.nowMs, pair.nowMs + stallMs, 'drop');
  });
  pair.run(3 * perSecond);
  const kept = new Set(slow.keptSequences);
  const acked = fast.ackedSequences;
  const { spuriousLosses } = pair.a.connection.statistics;
  return {
    stalls,
    written: fast.written.length,
    kept: kept.size,
    acked: acked.length,
    lost: fast.lostSequences.length,
    /** Kept, and held lost by the sender: because nothing at all was heard for too long. */
    mistaken: fast.lostSequences.filter((sequence) => kept.has(sequence)).length,
    spuriousLosses,
    /** Kept, and never named by any ack. */
    untold: kept.size - acked.length - spuriousLosses,
    lies: acked.filter((sequence) => !kept.has(sequence)).length,
  };
}

describe('acks', () => {
  test.each([
    [120, 20],
    [240, 20],
    [1000, 30],
  ])(
    'of %i packets a second in %i packets a second: nothing is held lost that came',
    (fast, slow) => {
      const result = run({ perSecond: fast, acksPerSecond: slow });
      expect(result).toMatchObject({ lost: 0, spuriousLosses: 0, untold: 0, lies: 0 });
      expect(result.acked).toBe(result.written);
    },
  );

  test.each([
    [120, 20],
    [60, 60],
    [850, 30],
  ])(
    'of %i a second in %i a second, after 250 ms in which none came: every packet is told of',
    (fast, slow) => {
      const result = run({ perSecond: fast, acksPerSecond: slow, stallMs: 250 });
      expect(result.stalls).toBeGreaterThan(4);
      expect(result).toMatchObject({ untold: 0, lies: 0, kept: result.written });
      // A silence longer than a round trip costs a packet or two their good verdict, not more, and it is corrected.
      expect(result.mistaken).toBeLessThanOrEqual(2 * result.stalls);
      expect(result.spuriousLosses).toBe(result.mistaken);
    },
  );

  test('the reach has an end: what 256 later packets have covered before an ack came is held lost', () => {
    const result = run({ perSecond: 1000, acksPerSecond: 30, stallMs: 400 });
    // About 400 + 33 packets between two acks that arrive, of which 257 are told of.
    expect(result.untold).toBeGreaterThan(100 * result.stalls);
    expect(result.untold).toBeLessThan(220 * result.stalls);
    expect(result.lies).toBe(0);
    expect(result.acked + result.lost).toBe(result.written);
  });

  test.each([
    ['20 % loss', { latencyMs: 50, loss: 0.2 }],
    ['bursts of loss', { latencyMs: 30, burstLoss: { enter: 0.05, leave: 0.6 } }],
    ['reordering and duplicates', { latencyMs: 60, jitterMs: 30, reorder: 0.2, duplicate: 0.2 }],
  ] as [string, LinkOptions][])(
    'beside %s: what is acked was kept, what was kept is told of',
    (_name, link) => {
      for (let seed = 1; seed <= 3; seed++) {
        const result = run({ perSecond: 120, acksPerSecond: 20, stallMs: 250, link, seed });
        expect(result).toMatchObject({ untold: 0, lies: 0 });
        expect(result.spuriousLosses).toBe(result.mistaken);
        expect(result.acked + result.lost).toBe(result.written);
        expect(result.mistaken).toBeLessThan(result.written / 6);
      }
    },
  );
});
