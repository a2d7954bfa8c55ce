import { describe, expect, test } from 'vitest';
import { PathMtu, PROBE_BYTES } from '../src/transport/path-mtu.ts';
import { ReliableOrderedChannel } from '../src/transport/reliable-ordered.ts';
import { resolveChannel } from '../src/wire/channel-options.ts';
import { DATAGRAM_BYTES, DATAGRAM_BYTES_MAX } from '../src/wire/packet.ts';
import { ConnectionPair, type EndOptions } from './connection-pair.ts';

const HOUR_MS = 3_600_000;

/** Probes as they come due, each answered by `arrives`; returns when and how large they were. */
function probe(mtu: PathMtu, untilMs: number, arrives: (sizeBytes: number) => boolean) {
  const probes: [atMs: number, sizeBytes: number][] = [];
  let sequence = 1000;
  for (let nowMs = mtu.wakeAt(); nowMs <= untilMs; nowMs = mtu.wakeAt()) {
    expect(mtu.due(nowMs - 0.01)).toBe(0);
    const sizeBytes = mtu.due(nowMs);
    expect(sizeBytes).toBeGreaterThan(0);
    probes.push([nowMs, sizeBytes]);
    mtu.probed(nowMs, ++sequence);
    expect(mtu.due(nowMs + HOUR_MS)).toBe(0);
    expect(mtu.wakeAt()).toBe(Number.POSITIVE_INFINITY);
    if (arrives(sizeBytes)) mtu.acked(sequence, sizeBytes);
    else mtu.lost(nowMs + 100, sequence, sizeBytes);
  }
  return probes;
}

describe('PathMtu', () => {
  test('says nothing unless it is asked to', () => {
    const mtu = new PathMtu(0, false);
    expect([mtu.due(HOUR_MS), mtu.wakeAt()]).toEqual([0, Number.POSITIVE_INFINITY]);
    expect(mtu.sizeBytes).toBe(DATAGRAM_BYTES);
  });

  test('sizes are above the base and within what a reader takes', () => {
    expect(PROBE_BYTES[0]!).toBeGreaterThan(DATAGRAM_BYTES);
    expect(PROBE_BYTES.at(-1)!).toBeLessThanOrEqual(DATAGRAM_BYTES_MAX);
    expect([...PROBE_BYTES].sort((a, b) => a - b)).toEqual(PROBE_BYTES);
  });

  test('climbs step by step, a second each, and rests at the top', () => {
    const mtu = new PathMtu(500, true);
    const probes = probe(mtu, HOUR_MS, () => true);
    expect(probes).toEqual(PROBE_BYTES.map((sizeBytes, i) => [1500 + i * 1000, sizeBytes]));
    expect(mtu.sizeBytes).toBe(PROBE_BYTES.at(-1));
    expect(mtu.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('gives a size up after three losses, and asks again in ten minutes', () => {
    const mtu = new PathMtu(0, true);
    const probes = probe(mtu, HOUR_MS / 2, (sizeBytes) => sizeBytes <= 1300);
    expect(probes.slice(0, 5)).toEqual([
      [1000, 1280],
      [2000, 1372],
      [3000, 1372],
      [4000, 1372],
      [604_100, 1372],
    ]);
    expect(probes.length).toBe(1 + 3 * 3);
    expect(mtu.sizeBytes).toBe(1280);
  });

  test('two losses of three are borne', () => {
    const mtu = new PathMtu(0, true);
    let count = 0;
    const probes = probe(mtu, HOUR_MS, () => ++count % 3 === 0);
    expect(probes.length).toBe(9);
    expect(mtu.sizeBytes).toBe(1452);
  });

  test('six large packets lost in a row are a black hole, five are not', () => {
    const mtu = new PathMtu(0, true);
    probe(mtu, 10_000, () => true);
    for (let i = 0; i < 5; i++) mtu.lost(20_000, i, 1300);
    mtu.acked(5, 1201);
    for (let i = 6; i < 11; i++) mtu.lost(20_000, i, 1300);
    // Small ones tell nothing, whether they arrive or not.
    mtu.acked(11, 1200);
    mtu.lost(20_000, 12, 1200);
    expect(mtu.sizeBytes).toBe(1452);
    mtu.lost(20_000, 13, 1201);
    expect(mtu.sizeBytes).toBe(DATAGRAM_BYTES);
    expect(mtu.wakeAt()).toBe(620_000);
    // And up again, from the first step.
    expect(probe(mtu, HOUR_MS, () => true).map(([, sizeBytes]) => sizeBytes)).toEqual(PROBE_BYTES);
    expect(mtu.sizeBytes).toBe(1452);
  });

  test('a verdict on a probe of before the black hole raises nothing above what it was', () => {
    const mtu = new PathMtu(0, true);
    probe(mtu, 2000, () => true);
    expect(mtu.sizeBytes).toBe(1372);
    mtu.probed(3000, 77);
    for (let i = 0; i < 6; i++) mtu.lost(3100, i, 1372);
    expect(mtu.sizeBytes).toBe(DATAGRAM_BYTES);
    mtu.acked(77, 1452);
    expect(mtu.sizeBytes).toBe(DATAGRAM_BYTES);
    expect(mtu.wakeAt()).toBe(603_100);
  });
});

/** Packets are filled as far as whole messages fill them. */
function expectNearly(longest: number, sizeBytes: number): void {
  expect(longest).toBeLessThanOrEqual(sizeBytes);
  expect(longest).toBeGreaterThan(sizeBytes - 110);
}

describe('a connection that probes', () => {
  const limits = resolveChannel({ kind: 'reliable-ordered' });
  const CHUNK = 100;

  /** Sends chunks one way, as many as the channel takes, and expects them all. */
  function bulk(path: EndOptions) {
    let sent = 0;
    let got = 0;
    const sender = new ReliableOrderedChannel(limits, () => {});
    const receiver = new ReliableOrderedChannel(limits, (bytes, start) => {
      const number = bytes[start]! | (bytes[start + 1]! << 8);
      if (number !== got++ % 0x10000) throw new Error(`${number} came as number ${got - 1}`);
    });
    const rate = { initialBytesPerSecond: 200_000 };
    const pair = new ConnectionPair(
      { probePathMtu: true, rate, ...path, channels: [{ id: 0, channel: sender }] },
      { channels: [{ id: 0, channel: receiver }], link: { latencyMs: 20 } },
    );
    const chunk = new Uint8Array(CHUNK);
    const send = (perTick: number) => {
      for (let n = 0; n < perTick; n++) {
        chunk[0] = sent;
        chunk[1] = sent >> 8;
        if (sender.send(chunk, 0, CHUNK) === 'queued') sent++;
      }
    };
    /** For so many seconds; the longest datagram of them. */
    const run = (seconds: number, perTick = 14) => {
      pair.a.lengths.length = 0;
      pair.run(Math.floor(seconds * 62.5), () => send(perTick));
      expect(pair.a.connection.open && pair.b.connection.open).toBe(true);
      return Math.max(...pair.a.lengths);
    };
    const finish = () => {
      pair.run(1000);
      expect(got).toBe(sent);
      expect(sender.statistics).toMatchObject({ queued: 0, queuedBytes: 0 });
    };
    const size = () => pair.a.connection.statistics.datagramBytes;
    return { pair, run, finish, size, sent: () => sent };
  }

  test('uses what the path carries', () => {
    const { run, finish, size } = bulk({ link: { latencyMs: 20 } });
    expectNearly(run(0.9), DATAGRAM_BYTES);
    expectNearly(run(6), 1452);
    expect(size()).toBe(1452);
    finish();
  });

  test('also when it always has more to say than it may', () => {
    const rate = { initialBytesPerSecond: 50_000, maxBytesPerSecond: 50_000 };
    const { run, finish, size } = bulk({ link: { latencyMs: 20 }, rate });
    run(8, 100);
    expect(size()).toBe(1452);
    finish();
  });

  test('and when it says nothing at all', () => {
    const { run, size } = bulk({ link: { latencyMs: 20 } });
    expect(run(8, 0)).toBe(1452);
    expect(size()).toBe(1452);
  });

  test('stays below what a path of 1400 bytes drops, and loses nothing but probes', () => {
    const { pair, run, finish, size } = bulk({ link: { latencyMs: 20, mtuBytes: 1400 } });
    run(20);
    expect(size()).toBe(1372);
    expect(pair.a.link.counters.mtuDropped).toBe(3);
    expect(pair.a.connection.statistics.lost).toBe(3);
    finish();
  });

  test('bears probes that always vanish, also beside random loss', () => {
    for (const loss of [0, 0.1]) {
      const { pair, run, finish, size } = bulk({ link: { latencyMs: 20, loss, mtuBytes: 1228 } });
      run(30);
      expect(size()).toBe(DATAGRAM_BYTES);
      expect(pair.a.link.counters.mtuDropped).toBe(3);
      // Another three ten minutes later.
      run(600, 0);
      expect(pair.a.link.counters.mtuDropped).toBe(6);
      finish();
    }
  });

  test('probes that vanish tell nothing of the path: no loss, no silence, no other rate', () => {
    const rate = { initialBytesPerSecond: 200_000 };
    const idle = (probePathMtu: boolean) => {
      const { pair, run } = bulk({ link: { latencyMs: 20, mtuBytes: 1228 }, probePathMtu, rate });
      run(30, 0);
      const { lossOut, rateBytesPerSecond, rateReason, lost } = pair.a.connection.statistics;
      return { lossOut, rateBytesPerSecond, rateReason, lost };
    };
    expect(idle(true)).toEqual({ ...idle(false), lost: 3 });
  });

  test('falls back when the path shrinks, and nothing is lost for good', () => {
    for (const mtuBytes of [1240, 1350]) {
      const { pair, run, finish, size } = bulk({ link: { latencyMs: 20 } });
      run(8);
      expect(size()).toBe(1452);
      pair.a.link.configure({ latencyMs: 20, mtuBytes });
      run(5);
      expect(size()).toBe(DATAGRAM_BYTES);
      const dropped = pair.a.link.counters.mtuDropped;
      expect(dropped).toBeGreaterThanOrEqual(6);
      expectNearly(run(5), DATAGRAM_BYTES);
      expect(pair.a.link.counters.mtuDropped).toBe(dropped);
      finish();
      expect(pair.a.closed).toEqual([]);
    }
  });

  test('random loss alone is no black hole', () => {
    for (const loss of [0.05, 0.1]) {
      const { run, finish, size } = bulk({ link: { latencyMs: 20, loss } });
      run(30);
      expect(size()).toBeGreaterThan(DATAGRAM_BYTES);
      finish();
    }
  });

  test('a peer that does not probe reads what is longer, and answers at its own size', () => {
    const { pair, run, size } = bulk({ link: { latencyMs: 20 } });
    run(8);
    expect(size()).toBe(1452);
    expect(pair.b.connection.statistics.datagramBytes).toBe(DATAGRAM_BYTES);
    expect(Math.max(...pair.b.lengths)).toBeLessThan(100);
  });
});
