import { describe, expect, test } from 'vitest';
import { Connection } from '../src/transport/connection.ts';
import { ControlSection, MUST_UNDERSTAND } from '../src/transport/section.ts';
import { TAG_BYTES } from '../src/wire/crypto.ts';
import { DATAGRAM_BYTES_MAX, HEADER_BYTES, writeHeader } from '../src/wire/packet.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { ConnectionPair, openSealer, ProbeChannel } from './connection-pair.ts';

const MUST = MUST_UNDERSTAND;

/** A packet with an ack block and sections as given, tag included. */
function packet(sequence: number, ...body: number[]): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length + TAG_BYTES);
  writeHeader(bytes, 0, 1, sequence);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

function single(...channels: ProbeChannel[]): Connection {
  return new Connection({
    remoteId: 1,
    sealOutgoing: openSealer,
    openIncoming: openSealer,
    channels: channels.map((channel, id) => [id, channel] as const),
    nowMs: 0,
    sink: { closed() {}, ended() {} },
  });
}

function receive(connection: Connection, bytes: Uint8Array, nowMs = 1): Verdict {
  return connection.receive(nowMs, bytes.slice(), 0, bytes.length);
}

/** What the connection says next; empty = nothing. */
function flush(connection: Connection, nowMs: number): number[] {
  const out = new Uint8Array(DATAGRAM_BYTES_MAX);
  connection.flush(nowMs);
  return [...out.subarray(0, connection.poll(nowMs, out, 0))];
}

describe('Connection', () => {
  test('carries sections, tells who wrote of the ack, and says nothing without a flush', () => {
    const channels = [new ProbeChannel(), new ProbeChannel()];
    const peers = [new ProbeChannel(), new ProbeChannel()];
    const pair = new ConnectionPair(
      {
        channels: [
          [0, channels[0]!],
          [31, channels[1]!],
        ],
        link: { latencyMs: 20 },
      },
      {
        channels: [
          [0, peers[0]!],
          [31, peers[1]!],
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
    first.outbox.push(new Uint8Array(1155));
    second.outbox.push(new Uint8Array(1150));
    const out = new Uint8Array(DATAGRAM_BYTES_MAX + 10);
    connection.flush(1);
    const lengths: number[] = [];
    for (let n = connection.poll(1, out, 0); n > 0; n = connection.poll(1, out, 0)) lengths.push(n);
    expect(lengths.length).toBe(2);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(DATAGRAM_BYTES_MAX);
    expect([first.written, second.written]).toEqual([[0], [1]]);
    expect([...out.subarray(DATAGRAM_BYTES_MAX)]).toEqual(new Array(10).fill(0));
  });

  test('a refused section: not acked, nothing of the packet kept, the peer sees it lost', () => {
    const sender = [new ProbeChannel(), new ProbeChannel()];
    const receiver = [new ProbeChannel(), new ProbeChannel()];
    const pair = new ConnectionPair(
      {
        channels: [
          [0, sender[0]!],
          [1, sender[1]!],
        ],
        link: { latencyMs: 10 },
      },
      {
        channels: [
          [0, receiver[0]!],
          [1, receiver[1]!],
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

  test('the round trip is measured without the time that acks were held', () => {
    const pair = new ConnectionPair(
      { channels: [[0, new ProbeChannel()]], link: { latencyMs: 40 } },
      { link: { latencyMs: 30 } },
      3,
      7,
    );
    const channel = new ProbeChannel();
    const busy = new ConnectionPair(
      { channels: [[0, channel]], link: { latencyMs: 40 } },
      { channels: [[0, new ProbeChannel()]], link: { latencyMs: 30 } },
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
    const quiet = new ConnectionPair({ link: { latencyMs: 30 } }, { keepAliveMs: 1e9 });
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

  test('wakeAt never asks for a moment at which nothing happens', () => {
    const channel = new ProbeChannel();
    const connection = single(channel);
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
  });

  test('no section type beyond the channels is a channel', () => {
    expect(() => single(...Array.from({ length: 33 }, () => new ProbeChannel()))).toThrow('unique');
    expect(ControlSection.ping).toBeGreaterThan(31);
  });
});
