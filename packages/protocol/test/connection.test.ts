import { describe, expect, test } from 'vitest';
import type { Channel, ChannelPlan } from '../src/transport/channel.ts';
import { Connection } from '../src/transport/connection.ts';
import type { ConnectionOptions } from '../src/transport/connection-options.ts';
import { ControlSection, MUST_UNDERSTAND } from '../src/transport/section.ts';
import { TAG_BYTES } from '../src/wire/crypto.ts';
import {
  DATAGRAM_BYTES,
  DATAGRAM_BYTES_MAX,
  HEADER_BYTES,
  writeHeader,
} from '../src/wire/packet.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { ConnectionPair, openChain, ProbeChannel } from './connection-pair.ts';

const MUST = MUST_UNDERSTAND;

/** A packet with an ack block and sections as given, tag included. */
function packet(sequence: number, ...body: number[]): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length + TAG_BYTES);
  writeHeader(bytes, 0, 1, sequence);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

function plain(channels: readonly Channel[]): ConnectionOptions {
  return {
    remoteId: 1,
    outgoing: openChain,
    incoming: openChain,
    channels: channels.map((channel, id) => ({ id, channel })),
    nowMs: 0,
    sink: { closed() {}, ended() {} },
  };
}

function single(...channels: ProbeChannel[]): Connection {
  return new Connection(plain(channels));
}

function receive(connection: Connection, bytes: Uint8Array, nowMs = 1): Verdict {
  return connection.receive(nowMs, bytes.slice(), 0, bytes.length);
}

/** What the connection says first at a flush; empty = nothing. */
function flush(connection: Connection, nowMs: number): number[] {
  const out = new Uint8Array(DATAGRAM_BYTES_MAX);
  connection.flush(nowMs);
  const first = [...out.subarray(0, connection.poll(nowMs, out, 0))];
  while (connection.poll(nowMs, out, 0) > 0);
  return first;
}

describe('Connection', () => {
  test('carries sections, tells who wrote of the ack, and says nothing without a flush', () => {
    const channels = [new ProbeChannel(), new ProbeChannel()];
    const peers = [new ProbeChannel(), new ProbeChannel()];
    const pair = new ConnectionPair(
      {
        channels: [
          { id: 0, channel: channels[0]! },
          { id: 63, channel: channels[1]! },
        ],
        link: { latencyMs: 20 },
      },
      {
        channels: [
          { id: 0, channel: peers[0]! },
          { id: 63, channel: peers[1]! },
        ],
        link: { latencyMs: 20 },
      },
    );
    channels[0]!.outbox.push(Uint8Array.of(1, 2), Uint8Array.of(3));
    channels[1]!.outbox.push(new Uint8Array(300).fill(7));
    const out = new Uint8Array(DATAGRAM_BYTES_MAX);
    expect(pair.a.connection.poll(0, out, 0)).toBe(0);
    pair.run(10);
    expect(peers[0]!.inbox).toEqual([[1, 2], [3]]);
    expect(peers[1]!.inbox).toEqual([new Array(300).fill(7)]);
    for (const { ackedSequences, written } of channels) {
      expect(ackedSequences.toSorted()).toEqual(written);
    }
    expect(pair.b.connection.verdicts(Verdict.accepted)).toBe(pair.a.packets);
  });

  test('a packet is never longer than its budget, and what did not fit follows', () => {
    const first = new ProbeChannel();
    const second = new ProbeChannel();
    const connection = single(first, second);
    // Header, ack block of one byte, section header, tag.
    const room = DATAGRAM_BYTES - HEADER_BYTES - 1 - 3 - TAG_BYTES;
    first.outbox.push(new Uint8Array(room));
    second.outbox.push(new Uint8Array(room - 10), new Uint8Array(room + 1));
    const out = new Uint8Array(DATAGRAM_BYTES_MAX + 10).fill(0xcc);
    connection.flush(1);
    const lengths: number[] = [];
    for (let n = connection.poll(1, out, 0); n > 0; n = connection.poll(1, out, 0)) lengths.push(n);
    expect(lengths).toEqual([DATAGRAM_BYTES, DATAGRAM_BYTES - 10]);
    expect([first.written, second.written]).toEqual([[0], [1]]);
    expect([...out.subarray(DATAGRAM_BYTES)]).toEqual(
      new Array(DATAGRAM_BYTES_MAX - 1190).fill(0xcc),
    );
    // What fits nowhere waits, and holds up nobody.
    first.outbox.push(Uint8Array.of(1));
    expect(flush(connection, 500).length).toBeGreaterThan(0);
    expect(first.outbox).toEqual([]);
    expect(second.outbox.length).toBe(1);
  });

  test('a refused section: not acked, nothing of the packet kept, the peer sees it lost', () => {
    const sender = [new ProbeChannel(), new ProbeChannel()];
    const receiver = [new ProbeChannel(), new ProbeChannel()];
    const pair = new ConnectionPair(
      {
        channels: [
          { id: 0, channel: sender[0]! },
          { id: 1, channel: sender[1]! },
        ],
        link: { latencyMs: 10 },
      },
      {
        channels: [
          { id: 0, channel: receiver[0]! },
          { id: 1, channel: receiver[1]! },
        ],
        link: { latencyMs: 10 },
      },
    );
    pair.run(10);
    receiver[1]!.verdict = Verdict.refused;
    sender[0]!.outbox.push(Uint8Array.of(1));
    sender[1]!.outbox.push(Uint8Array.of(2));
    pair.run(3);
    receiver[1]!.verdict = Verdict.accepted;
    sender[0]!.outbox.push(Uint8Array.of(3));
    pair.run(100);
    expect(pair.b.connection.verdicts(Verdict.refused)).toBe(1);
    expect(receiver[0]!.inbox).toEqual([[3]]);
    expect(receiver[1]!.inbox).toEqual([]);
    expect(sender[0]!.lostSequences).toEqual(sender[1]!.written);
    expect(sender[0]!.ackedSequences).toEqual([sender[0]!.written[1]]);
    expect(pair.a.connection.statistics.spuriousLosses).toBe(0);
  });

  test('unknown sections: skipped when optional, refused when they must be understood', () => {
    const channel = new ProbeChannel();
    const connection = single(channel);
    expect(receive(connection, packet(0, 0, 9, 1, 0xaa, MUST | 0, 1, 5))).toBe(Verdict.accepted);
    expect(receive(connection, packet(1, 0, MUST | 9, 1, 0xaa, MUST | 0, 1, 6))).toBe(
      Verdict.refused,
    );
    expect(channel.inbox).toEqual([[5]]);
    expect(connection.received.kept(0)).toBe(true);
    expect(connection.received.kept(1)).toBe(false);
  });

  test('an ack of a packet that was never sent is malformed, and nothing of its packet counts', () => {
    const channel = new ProbeChannel();
    const connection = single(channel);
    expect(receive(connection, packet(0, 1, 0, 0, 0, 0, MUST | 0, 1, 5))).toBe(Verdict.malformed);
    expect(channel.inbox).toEqual([]);
    expect(connection.received.newest).toBe(-1);
    expect(flush(connection, 1).length).toBeGreaterThan(0);
    // Now sequence 0 was sent, and the very same packet is good.
    expect(receive(connection, packet(0, 1, 0, 0, 0, 0, MUST | 0, 1, 5))).toBe(Verdict.accepted);
    expect(receive(connection, packet(1, 1, 1, 0, 0, 0))).toBe(Verdict.malformed);
  });

  test('a malformed section leaves the acks of its packet alone as well', () => {
    const channel = new ProbeChannel();
    const connection = single(channel);
    channel.outbox.push(Uint8Array.of(1));
    flush(connection, 1);
    channel.verdict = Verdict.malformed;
    expect(receive(connection, packet(0, 1, 0, 0, 0, 0, MUST | 0, 1, 5))).toBe(Verdict.malformed);
    expect(channel.ackedSequences).toEqual([]);
    expect(connection.received.newest).toBe(-1);
  });

  test('an ack waits 25 ms for a packet to ride in, and elicits none itself', () => {
    const connection = single(new ProbeChannel(), new ProbeChannel(false));
    flush(connection, 1);
    receive(connection, packet(0, 0, MUST | 0, 1, 5), 100);
    expect(flush(connection, 110)).toEqual([]);
    expect(connection.wakeAt()).toBe(125);
    const ack = flush(connection, 125);
    expect(ack.length).toBe(HEADER_BYTES + 5 + TAG_BYTES);
    expect(ack.slice(HEADER_BYTES, HEADER_BYTES + 5)).toEqual([1, 0, 0, (25 * 16) & 0xff, 1]);
    receive(connection, packet(1, 0, MUST | 1, 1, 5), 200);
    receive(connection, packet(2, 0), 210);
    expect(flush(connection, 400)).toEqual([]);
  });

  test('when packets are missing the ack leaves with the next flush, and so does one that fills a gap', () => {
    const connection = single(new ProbeChannel(), new ProbeChannel(false));
    flush(connection, 1);
    receive(connection, packet(0, 0, MUST | 0, 1, 5), 100);
    receive(connection, packet(2, 0, MUST | 0, 1, 5), 101);
    expect(connection.wakeAt()).toBe(101);
    expect(connection.ackOverdue(101)).toBe(true);
    expect(connection.wantsFlush(101)).toBe(true);
    // 2 was kept and 1 was not: bit 0 of the history.
    const ack = flush(connection, 102);
    expect(ack.slice(HEADER_BYTES, -TAG_BYTES)).toEqual([3, 2, 0, 16, 0, 1, 0xfe]);
    // Such news is said twice, since somebody waits for it; then no more.
    expect(connection.wakeAt()).toBe(107);
    expect(flush(connection, 106.9)).toEqual([]);
    expect(flush(connection, 107).length).toBe(ack.length);
    expect(flush(connection, 109)).toEqual([]);
    receive(connection, packet(1, 0, MUST | 0, 1, 5), 110);
    expect(flush(connection, 110).slice(HEADER_BYTES, -TAG_BYTES)).toEqual([1, 2, 0, 9 * 16, 0]);
    expect(flush(connection, 115).length).toBeGreaterThan(0);
    // In order again: an ordinary delay.
    receive(connection, packet(3, 0, MUST | 0, 1, 5), 120);
    expect(flush(connection, 140)).toEqual([]);
    expect(flush(connection, 145).length).toBeGreaterThan(0);
    // A gap before a packet that asks for nothing hurries nobody; nor does a packet that was refused.
    receive(connection, packet(6, 0, MUST | 1, 1, 5), 200);
    receive(connection, packet(9, 0, MUST | 40, 1, 5), 201);
    expect(flush(connection, 300)).toEqual([]);
  });

  test('the second time is left to a packet that leaves in between', () => {
    const channel = new ProbeChannel();
    const connection = single(channel);
    flush(connection, 1);
    receive(connection, packet(5, 0, MUST | 0, 1, 5), 100);
    expect(flush(connection, 100).length).toBeGreaterThan(0);
    channel.outbox.push(Uint8Array.of(1));
    expect(flush(connection, 103).length).toBeGreaterThan(0);
    expect(flush(connection, 120)).toEqual([]);
  });

  test('a lost packet that carried something is urgent until a flush, a lost ping is not', () => {
    const channel = new ProbeChannel();
    const connection = single(channel);
    flush(connection, 1);
    connection.advance(2500);
    expect(connection.statistics.lost).toBe(1);
    expect(connection.urgent).toBe(false);
    channel.outbox.push(Uint8Array.of(1));
    flush(connection, 2500);
    connection.advance(6000);
    expect(channel.lostSequences.length).toBe(1);
    expect(connection.urgent).toBe(true);
    flush(connection, 6000);
    expect(connection.urgent).toBe(false);
  });

  test('an ack that waits is hurried by a gap, never delayed by what comes in order', () => {
    const connection = single(new ProbeChannel());
    flush(connection, 1);
    for (let s = 0; s < 5; s++) receive(connection, packet(s, 0, MUST | 0, 1, 5), 100 + s * 10);
    expect(connection.wakeAt()).toBe(125);
  });

  test('the round trip is measured without the time that acks were held', () => {
    const pair = new ConnectionPair(
      { channels: [{ id: 0, channel: new ProbeChannel() }], link: { latencyMs: 40 } },
      { link: { latencyMs: 30 } },
      3,
      7,
    );
    const channel = new ProbeChannel();
    const busy = new ConnectionPair(
      { channels: [{ id: 0, channel }], link: { latencyMs: 40 } },
      { channels: [{ id: 0, channel: new ProbeChannel() }], link: { latencyMs: 30 } },
      3,
      7,
    );
    pair.run(50);
    busy.run(300, () => channel.outbox.push(Uint8Array.of(1)));
    expect(busy.a.connection.rtt.smoothedMs).toBeGreaterThanOrEqual(69.9);
    expect(busy.a.connection.rtt.smoothedMs).toBeLessThan(72);
    expect(busy.a.connection.statistics.lost).toBe(0);
  });

  test('both greet at once, so that each is known to live after one way', () => {
    const pair = new ConnectionPair({ link: { latencyMs: 50 } }, { link: { latencyMs: 50 } });
    pair.run(6);
    expect([pair.a.proven, pair.b.proven]).toEqual([1, 1]);
    pair.run(10);
    expect(pair.a.connection.rtt.samples).toBeGreaterThan(0);
  });

  test('and greet again until they are heard', () => {
    const pair = new ConnectionPair({ link: { loss: 1 } }, {});
    pair.b.flushes = false;
    pair.run(60);
    expect(pair.a.packets).toBeGreaterThanOrEqual(4);
    expect(pair.b.proven).toBe(0);
    pair.a.link.configure({});
    pair.run(15);
    expect(pair.b.proven).toBe(1);
  });

  test('two idle connections keep each other alive with few packets, and acks of pings elicit none', () => {
    const pair = new ConnectionPair({ link: { latencyMs: 30 } }, { link: { latencyMs: 30 } });
    pair.run(625);
    const before = pair.a.packets + pair.b.packets;
    pair.run(625);
    const packets = pair.a.packets + pair.b.packets - before;
    expect(packets).toBeGreaterThanOrEqual(8);
    expect(packets).toBeLessThanOrEqual(20);
    expect(pair.a.closed).toEqual([]);
    expect(pair.b.closed).toEqual([]);
    // One side alone: each ping is answered by one packet that asks for nothing.
    const quiet = new ConnectionPair({ link: { latencyMs: 30 } }, { keepAliveMs: 3_600_000 });
    quiet.run(100);
    const pings = quiet.a.packets;
    const acks = quiet.b.packets;
    quiet.run(1250);
    expect(quiet.a.packets - pings).toBeLessThanOrEqual(11);
    expect(quiet.b.packets - acks).toBe(quiet.a.packets - pings);
  });

  test('silence for the timeout ends it, and not a tick before', () => {
    const pair = new ConnectionPair({ timeoutMs: 1000 }, {});
    pair.run(20);
    const silentFromMs = pair.nowMs;
    pair.b.link.configure({ loss: 1 });
    pair.run(
      1000,
      () => {},
      () => pair.a.closed.length > 0,
    );
    expect(pair.a.closed).toEqual([{ reason: 'timeout', text: '', remote: false }]);
    expect(pair.a.ended).toBe(1);
    expect(pair.nowMs - silentFromMs).toBeGreaterThan(700);
    expect(pair.nowMs - silentFromMs).toBeLessThanOrEqual(1016);
    expect(receive(pair.a.connection, packet(9, 0))).toBe(Verdict.unexpected);
    expect(pair.a.connection.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('time going backwards is ignored', () => {
    const connection = single();
    connection.advance(9000);
    connection.advance(-1e9);
    connection.flush(9001);
    expect(connection.open).toBe(true);
  });

  test.each([false, true])(
    'wakeAt never asks for a moment at which nothing happens; probing %s',
    (probing) => {
      const channel = new ProbeChannel();
      const connection = new Connection({
        ...plain([channel]),
        probePathMtu: probing,
      });
      let nowMs = 0.1;
      channel.outbox.push(Uint8Array.of(1));
      for (let steps = 0; connection.open; steps++) {
        expect(steps).toBeLessThan(100);
        flush(connection, nowMs);
        const next = connection.wakeAt();
        expect(next).toBeGreaterThan(nowMs);
        if (connection.open) nowMs = next;
      }
      expect(nowMs).toBe(10_000);
    },
  );

  test('channels have ids of their own, 0 to 63, and weights above 0', () => {
    const channel = new ProbeChannel();
    const make =
      (plan: ChannelPlan, more: ChannelPlan[] = []) =>
      () =>
        new Connection({ ...plain([]), channels: [plan, ...more] });
    expect(make({ id: 63, channel })).not.toThrow();
    for (const id of [64, -1]) expect(make({ id, channel })).toThrow('unique');
    expect(make({ id: 3, channel }, [{ id: 3, channel }])).toThrow('unique');
    for (const weight of [0, -1, Number.NaN]) {
      expect(make({ id: 0, channel, weight })).toThrow('weight');
    }
    expect(ControlSection.ping).toBeGreaterThan(63);
  });

  test('64 channels in one packet, each told of its verdict', () => {
    const sides = [0, 1].map(() => Array.from({ length: 64 }, () => new ProbeChannel()));
    const plans = sides.map((side) => side.map((channel, id) => ({ id, channel })));
    const pair = new ConnectionPair({ channels: plans[0]! }, { channels: plans[1]! });
    for (const [id, channel] of sides[0]!.entries()) channel.outbox.push(Uint8Array.of(id));
    pair.run(5);
    for (const [id, channel] of sides[0]!.entries()) {
      expect(channel.written).toEqual([0]);
      expect(channel.ackedSequences).toEqual([0]);
      expect(sides[1]![id]!.inbox).toEqual([[id]]);
    }
    expect(pair.b.connection.channelBytesIn(63)).toBe(1);
    expect(pair.a.connection.channelBytesOut(63)).toBe(1);
  });

  test('the end is told to every channel, and nothing of a later packet is kept', () => {
    const channels = [new ProbeChannel(), new ProbeChannel()];
    const connection = single(...channels);
    flush(connection, 1);
    connection.close(2, 'closed', '');
    for (const channel of channels) expect(channel.closes).toBeGreaterThan(0);
    expect(receive(connection, packet(0, 0, MUST | 0, 1, 5), 3)).toBe(Verdict.refused);
    expect(channels[0]!.inbox).toEqual([]);
    expect(connection.received.kept(0)).toBe(false);
  });

  test('a channel that closes the connection while it is told of an ack: the packet is not kept', () => {
    const closing = new ProbeChannel();
    const other = new ProbeChannel();
    const connection = single(closing, other);
    closing.acked = () => connection.close(5, 'closed', '');
    closing.outbox.push(Uint8Array.of(1));
    flush(connection, 1);
    expect(receive(connection, packet(0, 1, 0, 0, 0, 0, MUST | 1, 1, 5), 5)).toBe(Verdict.refused);
    expect(other.inbox).toEqual([]);
    expect(connection.received.kept(0)).toBe(false);
    expect(connection.open).toBe(false);
  });
});
