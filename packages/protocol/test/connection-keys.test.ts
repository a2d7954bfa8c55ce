// The keys of a connection change under it, whatever the path does.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Connection } from '../src/transport/connection.ts';
import { UNACKED_PACKETS_MAX } from '../src/transport/key-phases.ts';
import { ReliableOrderedChannel } from '../src/transport/reliable-ordered.ts';
import { resolveChannel } from '../src/wire/channel-options.ts';
import { readPhase, readWireSequence } from '../src/wire/packet.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { ConnectionPair, openChain } from './connection-pair.ts';
import { RecordedKeys } from './recorded-keys.ts';

const limits = resolveChannel({ kind: 'reliable-ordered' });

/** One end whose packets are collected, with the keys of both of its directions. */
class Side {
  readonly heard: number[] = [];
  readonly channel = new ReliableOrderedChannel(limits, (bytes, start) =>
    this.heard.push(bytes[start]! | (bytes[start + 1]! << 8)),
  );
  readonly outgoing: RecordedKeys;
  readonly incoming: RecordedKeys;
  readonly connection: Connection;
  said = 0;
  readonly #out = new Uint8Array(1472);

  constructor(index: number, rotateAfterPackets: number) {
    this.outgoing = new RecordedKeys(1 + index);
    this.incoming = new RecordedKeys(2 - index);
    this.connection = new Connection({
      remoteId: 7,
      outgoing: this.outgoing,
      incoming: this.incoming,
      rotateAfterPackets,
      // The schedules let packets lie for long.
      timeoutMs: 3_600_000,
      channels: [{ id: 0, channel: this.channel }],
      nowMs: 0,
      sink: { closed() {}, ended() {} },
    });
  }

  say(): void {
    const sent = this.channel.send(Uint8Array.of(this.said, this.said >> 8), 0, 2);
    if (sent === 'queued') this.said++;
  }

  write(nowMs: number): Uint8Array[] {
    const packets: Uint8Array[] = [];
    this.connection.flush(nowMs);
    for (;;) {
      const length = this.connection.poll(nowMs, this.#out, 0);
      if (length === 0) return packets;
      packets.push(this.#out.slice(0, length));
    }
  }

  /** A copy of the packet comes. */
  receive(nowMs: number, packet: Uint8Array): Verdict {
    const verdict = this.connection.receive(nowMs, packet.slice(), 0, packet.length);
    this.connection.advance(nowMs);
    return verdict;
  }
}

/** Phase by sequence of what a side says while every packet is acked before the next. */
function phases(rotateAfterPackets: number, packets: number): number[] {
  const [a, b] = [new Side(0, rotateAfterPackets), new Side(1, 2 ** 24)];
  const found: number[] = [];
  for (let nowMs = 0; found.length < packets; nowMs += 100) {
    a.say();
    b.say();
    for (const packet of a.write(nowMs)) {
      expect(readWireSequence(packet, 0)).toBe(found.length);
      found.push(readPhase(packet, 0));
      expect(b.receive(nowMs, packet)).toBe(Verdict.accepted);
    }
    for (const packet of b.write(nowMs + 1)) a.receive(nowMs + 1, packet);
  }
  const { keyGenerationOut } = a.connection.statistics;
  // A key may be ready for the packet after the last.
  const last = Math.ceil(packets / rotateAfterPackets) - 1;
  expect(b.connection.statistics.keyGenerationIn).toBe(last);
  expect(keyGenerationOut - last).toBeLessThanOrEqual(1);
  const sizes = a.outgoing.sealed.slice(0, last).map(({ size }) => size);
  expect(sizes).toEqual(sizes.map(() => rotateAfterPackets));
  return found;
}

describe('the keys of a connection', () => {
  test.each([1, 2, 64])('change after exactly %d packets', (after) => {
    const expected = Array.from({ length: 300 }, (_, sequence) => Math.floor(sequence / after) & 1);
    expect(phases(after, 300)).toEqual(expected);
  });

  test('do not change while nothing of the present one is acked', () => {
    const a = new Side(0, 4);
    const b = new Side(1, 4);
    for (let nowMs = 0; nowMs < 3000; nowMs += 16) {
      a.say();
      for (const packet of a.write(nowMs)) {
        expect(readPhase(packet, 0)).toBe(0);
        b.receive(nowMs, packet);
      }
    }
    expect(a.connection.nextSequence).toBeGreaterThan(50);
    expect(a.connection.statistics.keyGenerationOut).toBe(0);
    for (const packet of b.write(3000)) a.receive(3000, packet);
    a.say();
    expect(readPhase(a.write(3016)[0]!, 0)).toBe(1);
    expect(a.outgoing.made).toBe(2);
  });

  test('the key before is forgotten in time, also without a packet', () => {
    const [a, b] = [new Side(0, 2), new Side(1, 64)];
    const packets = [1, 101, 201].map((nowMs) => {
      a.say();
      const [packet] = a.write(nowMs);
      // The second is held back.
      if (nowMs !== 101) b.receive(nowMs, packet!);
      for (const ack of b.write(nowMs + 30)) a.receive(nowMs + 30, ack);
      return packet!;
    });
    expect(packets.map((packet) => readPhase(packet, 0))).toEqual([0, 0, 1]);
    expect(b.connection.statistics.keyGenerationIn).toBe(1);
    b.connection.advance(9000);
    const { tried } = b.incoming;
    // Even for a clock that goes back.
    expect(b.receive(300, packets[1]!)).toBe(Verdict.stale);
    expect(b.incoming.tried).toBe(tried);
  });

  test('a peer that acks nothing ends the connection when its key is worn out', () => {
    const closed: string[] = [];
    const connection = new Connection({
      remoteId: 1,
      outgoing: openChain,
      incoming: openChain,
      rotateAfterPackets: 1,
      keepAliveMs: 1,
      timeoutMs: 3_600_000,
      channels: [],
      nowMs: 0,
      sink: { closed: (reason) => closed.push(reason), ended() {} },
    });
    const out = new Uint8Array(1472);
    let nowMs = 0;
    for (; connection.nextSequence < 1 + UNACKED_PACKETS_MAX; nowMs++) {
      connection.flush(nowMs);
      while (connection.poll(nowMs, out, 0) > 0);
    }
    expect(closed).toEqual([]);
    connection.flush(nowMs);
    expect(closed).toEqual(['error']);
    expect(connection.open).toBe(false);
  });

  test('forged packets of either phase make no key and turn nothing', () => {
    const [a, b] = [new Side(0, 64), new Side(1, 64)];
    a.say();
    b.receive(1, a.write(1)[0]!);
    for (let i = 0; i < 300; i++) {
      a.say();
      const packet = a.write(17 + i * 100)[0]!;
      packet[0]! ^= 0x10;
      expect(b.receive(18 + i * 100, packet)).toBe(Verdict.forged);
    }
    expect([b.incoming.made, b.connection.statistics.keyGenerationIn]).toEqual([2, 0]);
    expect(b.incoming.failed).toBe(300);
  });

  test.each([1, 64])(
    'after %d packets, over links that lose a quarter and reorder: all arrives, in step',
    (after) => {
      const got = [0, 0];
      const sent = [0, 0];
      const COUNT = 4000;
      const channels = [0, 1].map(
        (side) =>
          new ReliableOrderedChannel(limits, (bytes, start) => {
            const number = bytes[start]! | (bytes[start + 1]! << 8);
            if (number !== got[side]) throw new Error(`${number} came out of order`);
            got[side]!++;
          }),
      );
      const keys = [1, 2, 1, 2].map((number) => new RecordedKeys(number));
      const link = {
        latencyMs: 60,
        jitterMs: 30,
        loss: 0.25,
        reorder: 0.2,
        duplicate: 0.1,
      };
      const end = (side: number) => ({
        rotateAfterPackets: after,
        channels: [{ id: 0, channel: channels[side]! }],
        link,
        outgoing: keys[side]!,
        incoming: keys[3 - side]!,
      });
      const pair = new ConnectionPair(end(0), end(1), 5);
      const inStep = () => {
        const [a, b] = [pair.a.connection.statistics, pair.b.connection.statistics];
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          const behind = from.keyGenerationOut - to.keyGenerationIn;
          if (behind !== 0 && behind !== 1) throw new Error(`${behind} generations behind`);
        }
      };
      const feed = () => {
        inStep();
        for (const side of [0, 1]) {
          for (let n = 0; n < 2 && sent[side]! < COUNT; n++) {
            const number = sent[side]!;
            const bytes = Uint8Array.of(number, number >> 8);
            if (channels[side]!.send(bytes, 0, 2) === 'queued') sent[side]!++;
          }
        }
      };
      pair.run(20_000, feed, () => got[0] === COUNT && got[1] === COUNT);
      expect(got).toEqual([COUNT, COUNT]);
      for (const { connection } of [pair.a, pair.b]) {
        const { keyGenerationOut, packetsOut } = connection.statistics;
        // With 64 each generation is a second; with 1, a round trip and its losses.
        expect(keyGenerationOut).toBeGreaterThan(after === 1 ? 50 : packetsOut / 64 / 2);
        expect(connection.verdicts(Verdict.malformed)).toBe(0);
      }
      expect(keys.flatMap(({ repeated }) => repeated)).toEqual([]);
    },
  );
});

/** One step of a schedule: what happens, to whom, and how far back in its packets. */
const step = fc.record({
  kind: fc.constantFrom(
    'say',
    'flush',
    'deliver',
    'deliver',
    'drop',
    'double',
    'forge',
    'pass',
    'wait',
  ),
  side: fc.nat(1),
  place: fc.nat(30),
});

class Schedule {
  readonly sides: readonly [Side, Side];
  readonly #waiting: [Uint8Array[], Uint8Array[]] = [[], []];
  nowMs = 1;

  constructor(rotateAfterPackets: number) {
    this.sides = [new Side(0, rotateAfterPackets), new Side(1, rotateAfterPackets)];
  }

  run(kind: string, from: number, place: number): void {
    const side = this.sides[from]!;
    const waiting = this.#waiting[from]!;
    const at = waiting.length === 0 ? 0 : place % waiting.length;
    if (kind === 'say') side.say();
    else if (kind === 'flush') waiting.push(...side.write(this.nowMs));
    else if (kind === 'pass') this.nowMs += place * 5;
    else if (kind === 'wait') this.nowMs += place * 100;
    else if (waiting.length === 0) return;
    else if (kind === 'double') waiting.push(waiting[at]!);
    else if (kind === 'forge') this.#forge(from, waiting[at]!);
    else {
      const [packet] = waiting.splice(at, 1);
      if (kind === 'deliver') this.sides[1 - from]!.receive(this.nowMs, packet!);
    }
    this.check();
  }

  /** The phase bit is flipped, and so perhaps is the sequence. */
  #forge(from: number, packet: Uint8Array): void {
    const to = this.sides[1 - from]!;
    const { keyGenerationIn } = to.connection.statistics;
    const forged = packet.slice();
    forged[0]! ^= 0x10;
    const { made } = to.incoming;
    expect(to.receive(this.nowMs, forged)).not.toBe(Verdict.accepted);
    expect(to.connection.statistics.keyGenerationIn).toBe(keyGenerationIn);
    expect(to.incoming.made).toBe(made);
  }

  check(): void {
    for (const [i, side] of this.sides.entries()) {
      const behind =
        side.connection.statistics.keyGenerationOut -
        this.sides[1 - i]!.connection.statistics.keyGenerationIn;
      if (behind !== 0 && behind !== 1) throw new Error(`${behind} generations behind`);
      expect(side.outgoing.repeated).toEqual([]);
    }
  }

  /** A clean network: everything said arrives, and the keys go on changing on both sides. */
  heal(): void {
    const before = this.sides.map(({ connection }) => connection.statistics.keyGenerationOut);
    const done = () =>
      this.sides.every(
        (side, i) =>
          this.sides[1 - i]!.heard.length === side.said &&
          side.connection.statistics.keyGenerationOut >= before[i]! + 2,
      );
    for (let tick = 0; !done(); tick++) {
      if (tick > 5000) throw new Error('the phases are stuck');
      this.nowMs += 16;
      for (const side of this.sides) side.say();
      for (const from of [0, 1]) {
        this.run('flush', from, 0);
        while (this.#waiting[from]!.length > 0) this.run('deliver', from, 0);
      }
    }
    for (const [i, { heard }] of this.sides.entries()) {
      expect(heard).toEqual(Array.from({ length: this.sides[1 - i]!.said }, (_, n) => n));
    }
  }
}

test('no schedule of loss, reordering, copies and forgeries stops the keys or uses a pair twice', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 2, 5, 64),
      fc.array(step, { maxLength: 250 }),
      (after, steps) => {
        const schedule = new Schedule(after);
        for (const { kind, side, place } of steps) schedule.run(kind, side, place);
        schedule.heal();
      },
    ),
    { numRuns: 60 },
  );
});
