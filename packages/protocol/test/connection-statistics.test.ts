import { describe, expect, test } from 'vitest';
import { SENT_WINDOW } from '../src/transport/sent-packets.ts';
import { ConnectionPair, ProbeChannel } from './connection-pair.ts';

function talking(link: object, bytes = 100, seed = 1) {
  const channels = [new ProbeChannel(), new ProbeChannel()] as const;
  const pair = new ConnectionPair(
    { channels: [{ id: 5, channel: channels[0] }], link },
    { channels: [{ id: 5, channel: channels[1] }], link },
    seed,
  );
  const talk = () => {
    for (const channel of channels) channel.outbox.push(new Uint8Array(bytes));
  };
  return { pair, channels, talk };
}

describe('the statistics of a connection', () => {
  test('of a young one are guesses and zeros', () => {
    const { pair } = talking({});
    expect(pair.a.connection.statistics).toMatchObject({
      rttMs: 250,
      jitterMs: 125,
      lossOut: 0,
      lossIn: 0,
      packetsOut: 0,
      packetsIn: 0,
      bytesOut: 0,
      bytesIn: 0,
      bytesPerSecondOut: 0,
      bytesPerSecondIn: 0,
      acked: 0,
      lost: 0,
      spuriousLosses: 0,
      abandoned: 0,
      inFlight: 0,
      queueMs: 0,
      rateReason: 'starting',
      datagramBytes: 1200,
      keyGenerationOut: 0,
      keyGenerationIn: 0,
    });
    expect(pair.a.connection.statistics.rateBytesPerSecond).toBeGreaterThan(0);
  });

  test('count what passed on both sides alike', () => {
    const { pair, channels, talk } = talking({ latencyMs: 30 });
    pair.run(200, talk);
    pair.run(50);
    const [a, b] = [pair.a.connection.statistics, pair.b.connection.statistics];
    expect([a.packetsOut, a.bytesOut]).toEqual([b.packetsIn, b.bytesIn]);
    expect([b.packetsOut, b.bytesOut]).toEqual([a.packetsIn, a.bytesIn]);
    expect(a.packetsOut).toBe(pair.a.packets);
    expect(a.bytesOut).toBe(pair.a.lengths.reduce((sum, length) => sum + length, 0));
    expect(pair.a.connection.channelBytesOut(5)).toBe(200 * 100);
    expect(pair.b.connection.channelBytesIn(5)).toBe(200 * 100);
    expect(pair.a.connection.channelBytesOut(4)).toBe(0);
    expect(pair.a.connection.channelBytesOut(64)).toBe(0);
    expect(channels[1].inbox.length).toBe(200);
    expect([a.lost, a.lossOut, a.lossIn, a.inFlight]).toEqual([0, 0, 0, 0]);
  });

  test('the round trip and its jitter', () => {
    const quiet = talking({ latencyMs: 40 });
    quiet.pair.run(300, quiet.talk);
    const still = quiet.pair.a.connection.statistics;
    expect(still.rttMs).toBeGreaterThan(79.9);
    expect(still.rttMs).toBeLessThan(83);
    expect(still.jitterMs).toBeLessThan(3);
    const rough = talking({ latencyMs: 60, jitterMs: 30 });
    rough.pair.run(600, rough.talk);
    const shaky = rough.pair.a.connection.statistics;
    // Of packets that overtake each other the fastest are measured.
    expect(shaky.rttMs).toBeGreaterThan(70);
    expect(shaky.rttMs).toBeLessThan(150);
    expect(shaky.jitterMs).toBeGreaterThan(5);
    expect(shaky.jitterMs).toBeLessThan(40);
  });

  test('bandwidth over the last second, both ways', () => {
    const { pair, talk } = talking({ latencyMs: 10 }, 500);
    pair.run(200, talk);
    const { bytesPerSecondOut, bytesPerSecondIn } = pair.a.connection.statistics;
    const perSecond = 62.5 * pair.a.lengths.at(-1)!;
    expect(Math.abs(bytesPerSecondOut / perSecond - 1)).toBeLessThan(0.05);
    expect(Math.abs(bytesPerSecondIn / perSecond - 1)).toBeLessThan(0.05);
    pair.run(70);
    expect(pair.a.connection.statistics.bytesPerSecondOut).toBeLessThan(100);
  });

  test('losses of either direction are told apart', () => {
    const { pair, talk } = talking({ latencyMs: 20 });
    pair.b.link.configure({ latencyMs: 20, loss: 0.2 });
    // Averages over the last second or so: mean readings over a longer time.
    let [out, into, readings] = [0, 0, 0];
    pair.run(3000, (tick) => {
      talk();
      if (tick < 200 || tick % 50 !== 0) return;
      out += pair.b.connection.statistics.lossOut;
      into += pair.a.connection.statistics.lossIn;
      readings++;
    });
    expect(Math.abs(out / readings - 0.2)).toBeLessThan(0.05);
    expect(Math.abs(into / readings - 0.2)).toBeLessThan(0.05);
    // Four acks lost in a row pass for a loss now and then.
    expect(pair.a.connection.statistics.lost).toBeLessThan(3000 / 100);
    expect(pair.a.connection.statistics.lost).toBe(pair.a.connection.statistics.spuriousLosses);
    expect(pair.b.connection.statistics.lossIn).toBe(0);
  });

  test('every packet that wanted a verdict is in one place', () => {
    const { pair, channels, talk } = talking({ latencyMs: 50, loss: 0.1, jitterMs: 20 });
    for (let i = 0; i < 20; i++) {
      pair.run(20, talk);
      const { acked, lost, inFlight } = pair.a.connection.statistics;
      // Pings are the only others.
      expect(acked + lost + inFlight).toBeGreaterThanOrEqual(channels[0].written.length);
      expect(inFlight).toBeLessThanOrEqual(SENT_WINDOW);
    }
    const before = pair.a.connection.statistics;
    pair.a.connection.close(pair.nowMs, 'closed', '');
    const after = pair.a.connection.statistics;
    expect(after.abandoned).toBe(before.inFlight);
    expect(after.inFlight).toBe(0);
  });

  test('a reading does not change any more, and reading changes nothing', () => {
    const { pair, talk } = talking({ latencyMs: 20 });
    pair.run(20, talk);
    const reading = pair.a.connection.statistics;
    const copy = { ...reading };
    expect(pair.a.connection.statistics).toEqual(copy);
    pair.run(20, talk);
    expect(reading).toEqual(copy);
    expect(pair.a.connection.statistics).not.toEqual(copy);
  });
});
