// Where the peer is: challenges and answers, and a path that becomes another one.

import { describe, expect, test } from 'vitest';
import { Connection } from '../src/transport/connection.ts';
import type { ConnectionTuning } from '../src/transport/connection-options.ts';
import { PATH_CHALLENGE_BYTES } from '../src/transport/path-challenge.ts';
import { ReliableOrderedChannel } from '../src/transport/reliable-ordered.ts';
import { ControlSection, MUST_UNDERSTAND } from '../src/transport/section.ts';
import { resolveChannel } from '../src/wire/channel-options.ts';
import { TAG_BYTES } from '../src/wire/crypto.ts';
import { DATAGRAM_BYTES_MAX, HEADER_BYTES, writeHeader } from '../src/wire/packet.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { ConnectionPair, openChain, ProbeChannel } from './connection-pair.ts';
import { RecordedKeys } from './recorded-keys.ts';

const MUST = MUST_UNDERSTAND;
const CHALLENGE = MUST | ControlSection.pathChallenge;
const RESPONSE = MUST | ControlSection.pathResponse;

/** A connection whose packets are read and written by hand. */
function lone(tuning: ConnectionTuning = {}) {
  const responses: number[] = [];
  const channel = new ProbeChannel();
  const connection = new Connection({
    ...tuning,
    remoteId: 1,
    outgoing: openChain,
    incoming: openChain,
    channels: [{ id: 0, channel }],
    nowMs: 0,
    sink: { closed() {}, ended() {}, pathResponse: (data) => responses.push(data) },
  });
  const out = new Uint8Array(DATAGRAM_BYTES_MAX);
  /** Bodies of what leaves without a flush. */
  const polled = (nowMs: number) => {
    const bodies: number[][] = [];
    for (;;) {
      const length = connection.poll(nowMs, out, 0);
      if (length === 0) return bodies;
      bodies.push([...out.subarray(HEADER_BYTES, length - TAG_BYTES)]);
    }
  };
  const flushed = (nowMs: number) => {
    connection.flush(nowMs);
    return polled(nowMs);
  };
  let next = 0;
  const receive = (nowMs: number, body: readonly number[], sequence = next) => {
    next = Math.max(next, sequence + 1);
    const bytes = new Uint8Array(HEADER_BYTES + body.length + TAG_BYTES);
    writeHeader(bytes, 0, 1, sequence);
    bytes.set(body, HEADER_BYTES);
    return connection.receive(nowMs, bytes, 0, bytes.length);
  };
  const challenge = (nowMs: number, sizeBytesMax: number, data = 1) =>
    connection.writePathChallenge(nowMs, out, 0, sizeBytesMax, data);
  return { connection, channel, responses, out, polled, flushed, receive, challenge };
}

describe('a path challenge', () => {
  test('is 30 bytes: header, empty ack block, the section, tag', () => {
    const { challenge, receive, flushed, out, connection } = lone();
    flushed(1);
    receive(1, [0, MUST | 0, 1, 5]);
    expect(PATH_CHALLENGE_BYTES).toBe(30);
    expect(challenge(2, 30, 0xfedc_ba98)).toBe(30);
    expect([...out.subarray(0, 14)]).toEqual(
      [[6, 1, 0, 0, 0, 1, 0], [0], [CHALLENGE, 4], [0x98, 0xba, 0xdc, 0xfe]].flat(),
    );
    expect(connection.nextSequence).toBe(2);
    expect(connection.statistics).toMatchObject({ packetsOut: 2, inFlight: 2 });
  });

  test.each([0, 24, 29])('is not written into %d bytes, and takes nothing then', (sizeBytesMax) => {
    const { challenge, connection, out } = lone();
    expect(challenge(2, sizeBytesMax)).toBe(0);
    expect(connection.nextSequence).toBe(0);
    expect(out.every((byte) => byte === 0)).toBe(true);
  });

  test.each([30, 31, 1200])('is no longer where %d bytes are allowed', (sizeBytesMax) => {
    expect(lone().challenge(2, sizeBytesMax)).toBe(30);
  });

  test('neither acks nor keeps alive: those go to the address in use', () => {
    const { challenge, connection, receive, flushed } = lone();
    flushed(1);
    receive(100, [0, MUST | 0, 1, 5]);
    challenge(110, 30);
    expect(connection.wakeAt()).toBe(125);
    expect(flushed(125)).toEqual([[1, 0, 0, (25 * 16) & 0xff, 1]]);
    challenge(2100, 30);
    expect(flushed(2125).length).toBe(1);
  });

  test('is not written once the connection is closed', () => {
    const { challenge, connection } = lone();
    connection.close(1, 'closed', '');
    expect(challenge(2, 30)).toBe(0);
  });

  test('is answered at once, without a flush, and the answer is told', () => {
    const keys = [1, 2, 1, 2].map((number) => new RecordedKeys(number));
    const pair = new ConnectionPair(
      { outgoing: keys[0]!, incoming: keys[3]!, link: { latencyMs: 20 } },
      { outgoing: keys[1]!, incoming: keys[2]!, link: { latencyMs: 20 } },
    );
    pair.run(30);
    pair.b.flushes = false;
    const out = new Uint8Array(DATAGRAM_BYTES_MAX);
    for (const data of [0, 1, 0x8000_0000, 0xffff_ffff]) {
      const length = pair.a.connection.writePathChallenge(pair.nowMs, out, 0, 1200, data);
      pair.a.link.send(pair.nowMs, out, 0, length, 0, 0);
      pair.run(4);
    }
    expect(pair.a.responses).toEqual([0, 1, 0x8000_0000, 0xffff_ffff]);
    expect(pair.b.responses).toEqual([]);
    const { lost, lossOut } = pair.a.connection.statistics;
    expect([lost, lossOut]).toEqual([0, 0]);
  });

  test('lost ones say nothing of the path in use', () => {
    const make = () =>
      new ConnectionPair({ link: { latencyMs: 20 } }, { link: { latencyMs: 20 } }, 9);
    const [pair, twin] = [make(), make()];
    const out = new Uint8Array(64);
    pair.run(500, (tick) => {
      if (tick % 20 === 7) pair.a.connection.writePathChallenge(pair.nowMs, out, 0, 64, tick);
    });
    twin.run(500);
    const { lost, ...rest } = pair.a.connection.statistics;
    expect(lost).toBeGreaterThan(20);
    const { rttMs, lossOut, rateBytesPerSecond, rateReason, queueMs } =
      twin.a.connection.statistics;
    expect(rest).toMatchObject({ lossOut, rateBytesPerSecond, rateReason, queueMs });
    expect(Math.abs(rest.rttMs - rttMs)).toBeLessThan(1);
  });
});

describe('the answer to a path challenge', () => {
  test('is the next packet, once, and is not said again when it is lost', () => {
    const { receive, polled, flushed, connection } = lone();
    flushed(1);
    expect(connection.urgent).toBe(false);
    expect(receive(2, [0, CHALLENGE, 4, 9, 8, 7, 6])).toBe(Verdict.accepted);
    expect(connection.urgent).toBe(true);
    const [body, ...more] = polled(2);
    expect(body!.slice(-6)).toEqual([RESPONSE, 4, 9, 8, 7, 6]);
    expect(more).toEqual([]);
    expect([connection.urgent, connection.statistics.inFlight]).toEqual([false, 2]);
    connection.advance(1500);
    expect(connection.statistics.lost).toBe(2);
    expect(connection.urgent).toBe(false);
    expect(polled(1500)).toEqual([]);
    expect(flushed(1500).flat()).not.toContain(RESPONSE);
  });

  test('leaves alone without a flush, and beside others in one', () => {
    const { receive, polled, flushed, channel } = lone();
    flushed(1);
    channel.outbox.push(Uint8Array.of(5), Uint8Array.of(6));
    receive(2, [0, CHALLENGE, 4, 1, 2, 3, 4]);
    expect(polled(2).map((body) => body.slice(5))).toEqual([[RESPONSE, 4, 1, 2, 3, 4]]);
    receive(3, [0, CHALLENGE, 4, 1, 2, 3, 5]);
    const bodies = flushed(3).map((body) => body.slice(5));
    expect(bodies).toEqual([
      [RESPONSE, 4, 1, 2, 3, 5, MUST | 0, 1, 5],
      [MUST | 0, 1, 6],
    ]);
  });

  test('of many challenges only the newest is answered', () => {
    const { receive, polled, flushed } = lone();
    flushed(1);
    for (let i = 0; i < 100; i++) receive(2, [0, CHALLENGE, 4, i, 0, 0, 0]);
    expect(polled(2).map((body) => body.slice(-6))).toEqual([[RESPONSE, 4, 99, 0, 0, 0]]);
  });

  test('a packet that is not kept is not answered', () => {
    const { receive, polled, flushed, channel } = lone();
    flushed(1);
    channel.verdict = Verdict.refused;
    expect(receive(2, [0, CHALLENGE, 4, 1, 2, 3, 4, MUST | 0, 1, 5])).toBe(Verdict.refused);
    channel.verdict = Verdict.malformed;
    expect(receive(2, [0, CHALLENGE, 4, 1, 2, 3, 4, MUST | 0, 1, 5])).toBe(Verdict.malformed);
    expect(receive(2, [0, CHALLENGE, 3, 1, 2, 3])).toBe(Verdict.malformed);
    expect(receive(2, [0, CHALLENGE, 5, 1, 2, 3, 4, 5])).toBe(Verdict.malformed);
    expect(polled(2)).toEqual([]);
  });

  test('changes nothing that was measured: whoever is asked does not begin anew', () => {
    const { connection, polled, flushed, receive } = lone();
    flushed(1);
    receive(41, [1, 0, 0, 0, 0]);
    const { rttMs, rateBytesPerSecond, datagramBytes } = connection.statistics;
    expect([rttMs, connection.statistics.acked]).toEqual([40, 1]);
    expect(receive(60, [0, CHALLENGE, 4, 1, 2, 3, 4])).toBe(Verdict.accepted);
    expect(polled(60)).toHaveLength(1);
    expect(connection.statistics).toMatchObject({ rttMs, rateBytesPerSecond, datagramBytes });
  });

  test('after the end there is none', () => {
    const { receive, polled, flushed, connection, responses } = lone();
    flushed(1);
    receive(2, [0, CHALLENGE, 4, 1, 2, 3, 4]);
    connection.close(2, 'closed', '');
    receive(3, [0, CHALLENGE, 4, 1, 2, 3, 4]);
    expect(polled(3).map((body) => body[5])).toEqual([MUST | ControlSection.close]);
    expect(receive(4, [0, RESPONSE, 4, 1, 2, 3, 4])).toBe(Verdict.accepted);
    expect(responses).toEqual([]);
  });

  test('every answer is told, whatever was asked: the host knows its question', () => {
    const { receive, responses, flushed } = lone();
    flushed(1);
    receive(2, [0, RESPONSE, 4, 1, 0, 0, 0]);
    receive(3, [0, RESPONSE, 4, 0xff, 0xff, 0xff, 0xff]);
    expect(receive(3, [0, RESPONSE, 4, 1, 0, 0, 0], 1)).toBe(Verdict.duplicate);
    expect(receive(4, [0, RESPONSE, 3, 1, 0, 0])).toBe(Verdict.malformed);
    expect(responses).toEqual([1, 0xffff_ffff]);
  });

  test('is told after everything else in its packet was kept, and the host may do anything then', () => {
    const channel = new ProbeChannel();
    const seen: unknown[] = [];
    const connection: Connection = new Connection({
      remoteId: 1,
      outgoing: openChain,
      incoming: openChain,
      channels: [{ id: 0, channel }],
      nowMs: 0,
      sink: {
        closed() {},
        ended() {},
        pathResponse: (data) => {
          seen.push([data, channel.inbox.length, connection.received.newestKept]);
          connection.pathChanged(1);
          connection.close(1, 'closed', '');
        },
      },
    });
    const body = [0, RESPONSE, 4, 7, 0, 0, 0, MUST | 0, 1, 5];
    const bytes = new Uint8Array(HEADER_BYTES + body.length + TAG_BYTES);
    writeHeader(bytes, 0, 1, 0);
    bytes.set(body, HEADER_BYTES);
    expect(connection.receive(1, bytes, 0, bytes.length)).toBe(Verdict.accepted);
    expect(seen).toEqual([[7, 1, 0]]);
  });
});

test('who raised the newest sequence was authentic and newer than all before', () => {
  const { connection, receive, channel, flushed } = lone();
  flushed(1);
  const raises = (body: readonly number[], sequence: number) => {
    const before = connection.received.newest;
    const verdict = receive(2, body, sequence);
    return [verdict, connection.received.newest > before];
  };
  expect(raises([0, MUST | 0, 1, 5], 3)).toEqual([Verdict.accepted, true]);
  expect(raises([0, MUST | 0, 1, 5], 2)).toEqual([Verdict.accepted, false]);
  expect(raises([0, MUST | 0, 1, 5], 3)).toEqual([Verdict.duplicate, false]);
  expect(raises([0, MUST | 0, 9, 5], 9)).toEqual([Verdict.malformed, false]);
  channel.verdict = Verdict.refused;
  expect(raises([0, MUST | 0, 1, 5], 5)).toEqual([Verdict.refused, true]);
  expect(raises([0, MUST | 0, 1, 5], 4)).toEqual([Verdict.refused, false]);
});

describe('a path that becomes another one', () => {
  const limits = resolveChannel({ kind: 'reliable-ordered' });

  /** Sends chunks from a to b, `perTick` at a time. */
  function talking(options: ConnectionTuning = {}) {
    let sent = 0;
    let got = 0;
    const chunk = new Uint8Array(100);
    const sender = new ReliableOrderedChannel(limits, () => {});
    const receiver = new ReliableOrderedChannel(limits, (bytes, start) => {
      const number = bytes[start]! | (bytes[start + 1]! << 8);
      if (number !== got++) throw new Error(`${number} came as number ${got - 1}`);
    });
    const pair = new ConnectionPair(
      { ...options, channels: [{ id: 0, channel: sender }], link: { latencyMs: 20 } },
      { channels: [{ id: 0, channel: receiver }], link: { latencyMs: 20 } },
    );
    const run = (ticks: number, perTick: number) =>
      pair.run(ticks, () => {
        for (let n = 0; n < perTick; n++) {
          chunk[0] = sent;
          chunk[1] = sent >> 8;
          if (sender.send(chunk, 0, chunk.length) === 'queued') sent++;
        }
      });
    const arrived = () => [got, sent];
    return { pair, run, arrived, statistics: () => pair.a.connection.statistics };
  }

  test('is a fresh one: guesses again, and every message arrives', () => {
    const { pair, run, arrived, statistics } = talking();
    pair.b.link.configure({ latencyMs: 20, loss: 0.1 });
    pair.a.link.configure({ latencyMs: 20, loss: 0.1 });
    run(300, 6);
    pair.a.link.configure({ latencyMs: 60 });
    pair.b.link.configure({ latencyMs: 60 });
    const before = statistics();
    expect(before.rttMs).toBeLessThan(60);
    expect(before.lossOut * before.lossIn * before.inFlight).toBeGreaterThan(0);
    pair.a.connection.pathChanged(pair.nowMs);
    const fresh = new ConnectionPair({}, {}).a.connection.statistics;
    const { rttMs, jitterMs, lossOut, lossIn, datagramBytes } = fresh;
    const { rateBytesPerSecond, queueMs, rateReason } = fresh;
    expect(statistics()).toMatchObject({ rttMs, jitterMs, lossOut, lossIn, datagramBytes });
    expect(statistics()).toMatchObject({ rateBytesPerSecond, queueMs, rateReason });
    // What was counted, and what is under way, stays.
    const { inFlight, acked, lost, packetsOut } = before;
    expect(statistics()).toMatchObject({ inFlight, acked, lost, packetsOut });
    run(100, 1);
    expect(statistics().rttMs).toBeGreaterThan(115);
    expect(statistics().rttMs).toBeLessThan(135);
    run(400, 0);
    const [got, sent] = arrived();
    expect(got).toBe(sent);
  });

  test('packets under way that are lost say nothing of it, and what they said is said again', () => {
    const { pair, run, arrived, statistics } = talking();
    run(100, 3);
    pair.a.link.configure({ loss: 1 });
    run(6, 3);
    pair.a.link.configure({ latencyMs: 20 });
    const { inFlight, lost } = statistics();
    expect(inFlight).toBeGreaterThanOrEqual(6);
    pair.a.connection.pathChanged(pair.nowMs);
    run(200, 1);
    expect(statistics().lost).toBeGreaterThanOrEqual(lost + 6);
    expect(statistics().lossOut).toBe(0);
    expect(statistics().rateReason).not.toBe('silence');
    run(100, 0);
    expect(arrived()[0]).toBe(arrived()[1]);
  });

  test('large packets under way do not keep it from looking for a larger size again', () => {
    const rate = { initialBytesPerSecond: 400_000 };
    const { pair, run, statistics } = talking({ probePathMtu: true, rate });
    run(500, 30);
    expect(statistics().datagramBytes).toBe(1452);
    pair.a.link.configure({ loss: 1 });
    run(10, 30);
    pair.a.link.configure({ latencyMs: 20, mtuBytes: 1420 });
    pair.a.connection.pathChanged(pair.nowMs);
    expect(statistics().datagramBytes).toBe(1200);
    run(500, 30);
    expect(statistics().datagramBytes).toBe(1372);
  });

  test('it works on both ends, at any time', () => {
    const { pair, run, arrived } = talking();
    for (let i = 0; i < 50; i++) {
      run(7, 2);
      pair.a.connection.pathChanged(pair.nowMs);
      if (i % 3 === 0) pair.b.connection.pathChanged(pair.nowMs);
    }
    run(300, 0);
    expect(arrived()[0]).toBe(arrived()[1]);
  });
});
