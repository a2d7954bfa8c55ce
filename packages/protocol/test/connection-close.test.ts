import { describe, expect, test } from 'vitest';
import { Connection } from '../src/transport/connection.ts';
import type { EndReason } from '../src/transport/end-reason.ts';
import { TAG_BYTES } from '../src/wire/crypto.ts';
import { HEADER_BYTES, writeHeader } from '../src/wire/packet.ts';
import { ConnectionPair, type End, openChain, ProbeChannel } from './connection-pair.ts';

const SEEDS = 40;
const BAD = { latencyMs: 50, jitterMs: 10, loss: 0.2, duplicate: 0.05, reorder: 0.05 };

/** Sent packets that wanted a verdict all have one. */
function expectSettled(end: End, channel: ProbeChannel): void {
  const { acked, lost, abandoned } = end.connection.statistics;
  expect(acked + lost + abandoned).toBeGreaterThanOrEqual(channel.written.length);
  const told = channel.ackedSequences.length + channel.lostSequences.length;
  expect(channel.written.length - told).toBeLessThanOrEqual(abandoned);
}

function pairFor(seed: number) {
  const channels = [new ProbeChannel(), new ProbeChannel()] as const;
  const pair = new ConnectionPair(
    { channels: [{ id: 0, channel: channels[0] }], link: BAD },
    { channels: [{ id: 0, channel: channels[1] }], link: BAD },
    seed,
  );
  const talk = () => {
    for (const channel of channels) channel.outbox.push(Uint8Array.of(1));
  };
  return { pair, channels, talk };
}

describe('closing a connection over 20 % loss', () => {
  test('one-sided: the reason and the text arrive, each side ends once', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { pair, channels, talk } = pairFor(seed);
      pair.run(30, talk);
      pair.a.connection.close(pair.nowMs, 'kicked', 'läuft nicht');
      pair.a.connection.close(pair.nowMs, 'closed', 'again');
      pair.run(600, talk);
      expect(pair.a.closed).toEqual([{ reason: 'kicked', text: 'läuft nicht', remote: false }]);
      expect(pair.b.closed, `seed ${seed}`).toEqual([
        { reason: 'kicked', text: 'läuft nicht', remote: true },
      ]);
      expect([pair.a.ended, pair.b.ended]).toEqual([1, 1]);
      expectSettled(pair.a, channels[0]);
      expectSettled(pair.b, channels[1]);
    }
  });

  test('both at once: each side ends once, with its own reason', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { pair, talk } = pairFor(seed);
      pair.run(30, talk);
      pair.a.connection.close(pair.nowMs, 'kicked', '');
      pair.b.connection.close(pair.nowMs, 'closed', '');
      pair.run(600, talk);
      expect(pair.a.closed).toEqual([{ reason: 'kicked', text: '', remote: false }]);
      expect(pair.b.closed).toEqual([{ reason: 'closed', text: '', remote: false }]);
      expect([pair.a.ended, pair.b.ended]).toEqual([1, 1]);
    }
  });

  test('to a peer that is gone it gives up', () => {
    const { pair } = pairFor(1);
    pair.run(30);
    pair.a.link.configure({ loss: 1 });
    pair.a.connection.close(pair.nowMs, 'shutdown', '');
    const before = pair.a.packets;
    pair.run(600);
    expect(pair.a.ended).toBe(1);
    expect(pair.a.packets - before).toBe(10);
    expect(pair.b.closed[0]).toBe(undefined);
  });

  test('nothing is delivered any more after the close', () => {
    const { pair, channels } = pairFor(2);
    pair.run(30);
    pair.b.connection.close(pair.nowMs, 'closed', '');
    channels[0].outbox.push(Uint8Array.of(9));
    pair.run(300);
    expect(channels[1].inbox).toEqual([]);
  });
});

describe('a hostile close', () => {
  function lone() {
    const closed: [EndReason, boolean][] = [];
    const counts = { ended: 0, proven: 0 };
    const connection = new Connection({
      remoteId: 1,
      outgoing: openChain,
      incoming: openChain,
      channels: [],
      nowMs: 0,
      sink: {
        proven: () => counts.proven++,
        closed: (reason, _text, remote) => closed.push([reason, remote]),
        ended: () => counts.ended++,
      },
    });
    const receive = (sequence: number, ...body: number[]) => {
      const bytes = new Uint8Array(HEADER_BYTES + body.length + TAG_BYTES);
      writeHeader(bytes, 0, 1, sequence);
      bytes.set(body, HEADER_BYTES);
      return connection.receive(1, bytes, 0, bytes.length);
    };
    return { connection, closed, counts, receive };
  }

  test('in the very packet that confirms ours ends nothing twice', () => {
    const { connection, closed, counts, receive } = lone();
    connection.close(1, 'closed', '');
    expect(connection.poll(1, new Uint8Array(1200), 0)).toBeGreaterThan(0);
    receive(0, 1, 0, 0, 0, 0, 0x80 | 65, 1, 1);
    expect(closed).toEqual([['closed', false]]);
    expect(counts.ended).toBe(1);
    connection.advance(5000);
    expect(counts.ended).toBe(1);
  });

  test('a connection closed before the peer was heard is never proven', () => {
    const { connection, counts, receive } = lone();
    connection.close(1, 'shutdown', '');
    connection.poll(1, new Uint8Array(1200), 0);
    receive(0, 1, 0, 0, 0, 0);
    expect(counts).toEqual({ proven: 0, ended: 1 });
  });

  test('every close packet has its verdict in the end', () => {
    const { connection } = lone();
    const out = new Uint8Array(1200);
    connection.close(1, 'closed', '');
    let sent = 0;
    for (let nowMs = 1; nowMs < 10_000; nowMs += 50) {
      connection.advance(nowMs);
      if (connection.poll(nowMs, out, 0) > 0) sent++;
    }
    const { acked, lost, abandoned } = connection.statistics;
    expect(acked + lost + abandoned).toBe(sent);
  });

  test('called while a packet is being written, is not confirmed by the ack of that packet', () => {
    const channel = new ProbeChannel();
    const pair = new ConnectionPair(
      { channels: [{ id: 0, channel }], link: { latencyMs: 20 } },
      { channels: [{ id: 0, channel: new ProbeChannel() }], link: { latencyMs: 20 } },
    );
    pair.run(20);
    const write = channel.write.bind(channel);
    channel.write = (...args) => {
      pair.a.connection.close(pair.nowMs, 'kicked', 'out');
      return write(...args);
    };
    channel.outbox.push(Uint8Array.of(1));
    const out = new Uint8Array(1472);
    pair.a.connection.flush(pair.nowMs);
    const length = pair.a.connection.poll(pair.nowMs, out, 0);
    // The packet under way arrives; the close behind it, and the next ones, do not.
    pair.b.connection.receive(pair.nowMs, out, 0, length);
    expect(pair.a.connection.poll(pair.nowMs, out, 0)).toBeGreaterThan(0);
    pair.a.link.configure({ latencyMs: 20, loss: 1 });
    pair.run(10);
    expect(pair.b.closed).toEqual([]);
    expect(pair.a.connection.settled).toBe(false);
    pair.a.link.configure({ latencyMs: 20 });
    pair.run(40);
    expect(pair.b.closed).toEqual([{ reason: 'kicked', text: 'out', remote: true }]);
    expect(pair.a.connection.settled).toBe(true);
  });
});
