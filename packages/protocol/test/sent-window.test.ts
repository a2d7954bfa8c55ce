import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACK_BLOCK_BYTES_MAX, AckBlock, writeAckBlock } from '../src/transport/ack-block.ts';
import { RateController } from '../src/transport/rate-controller.ts';
import { ACK_HISTORY, ReceivedWindow } from '../src/transport/received-window.ts';
import type { RttEstimator } from '../src/transport/rtt.ts';
import { SENT_WINDOW } from '../src/transport/sent-packets.ts';
import { SentWindow } from '../src/transport/sent-window.ts';
import { ByteReader, ByteWriter } from '../src/wire/bytes.ts';
import { Verdict } from '../src/wire/verdict.ts';

/** What a packet costs on the path beside its payload. */
const HEADERS = 28;
const SIZE = 100;

/** Notes what the window tells its rate controller. */
class SpyRate extends RateController {
  readonly calls: [name: string, slot: number, sizeBytes?: number, eliciting?: boolean][] = [];
  acknowledgements = 0;
  sampled = 0;
  silences = 0;

  override sent(nowMs: number, slot: number, sizeBytes: number, eliciting: boolean): void {
    this.calls.push(['sent', slot, sizeBytes, eliciting]);
    super.sent(nowMs, slot, sizeBytes, eliciting);
  }

  override acked(nowMs: number, slot: number): void {
    this.calls.push(['acked', slot]);
    super.acked(nowMs, slot);
  }

  override lost(nowMs: number, slot: number): void {
    this.calls.push(['lost', slot]);
    super.lost(nowMs, slot);
  }

  override silent(nowMs: number): void {
    this.silences++;
    super.silent(nowMs);
  }

  override acknowledged(nowMs: number, rtt: RttEstimator, sampled: boolean): void {
    this.acknowledgements++;
    if (sampled) this.sampled++;
    super.acknowledged(nowMs, rtt, sampled);
  }
}

class Fixture {
  readonly acked: number[] = [];
  readonly lost: number[] = [];
  /** Masks told with each verdict. */
  readonly masks: [number, number][] = [];
  readonly rate = new SpyRate(0);
  readonly window = new SentWindow(
    {
      acked: (sequence, low, high) => this.#told(this.acked, sequence, low, high),
      lost: (sequence, low, high) => this.#told(this.lost, sequence, low, high),
    },
    this.rate,
  );
  readonly peer = new ReceivedWindow();
  readonly arrived = new Set<number>();

  send(nowMs: number, eliciting = true, sizeBytes = SIZE, low = 1, high = 0): number {
    const sequence = this.window.next;
    this.window.sent(nowMs, sizeBytes, low, high, eliciting);
    return sequence;
  }

  arrive(...sequences: number[]): void {
    for (const sequence of sequences) {
      this.peer.received(0, sequence, true);
      this.arrived.add(sequence);
    }
  }

  /** What the peer would say now. */
  block(delayMs = 0): AckBlock {
    const bytes = new Uint8Array(ACK_BLOCK_BYTES_MAX);
    const writer = new ByteWriter();
    writer.reset(bytes, 0, bytes.length);
    writeAckBlock(writer, this.peer, delayMs);
    const reader = new ByteReader();
    reader.reset(bytes, 0, writer.position);
    const block = new AckBlock();
    expect(block.read(reader)).toBe(true);
    return block;
  }

  ack(nowMs: number, delayMs = 0): boolean {
    return this.window.receive(nowMs, this.block(delayMs));
  }

  #told(list: number[], sequence: number, low: number, high: number): void {
    list.push(sequence);
    this.masks.push([low, high]);
  }
}

describe('SentWindow', () => {
  test('a packet on another path gets its verdict and tells nothing else', () => {
    for (const arrives of [true, false]) {
      const f = new Fixture();
      f.send(0);
      f.arrive(0);
      f.ack(80);
      const calls = f.rate.calls.length;
      f.window.sentElsewhere(100, 30);
      expect(f.window.inFlight).toBe(1);
      if (arrives) f.arrive(1);
      f.ack(100);
      f.window.detectLosses(9000);
      expect([f.acked, f.lost]).toEqual(arrives ? [[0, 1], []] : [[0], [1]]);
      expect(f.masks.at(-1)).toEqual([0, 0]);
      expect([f.window.rtt.samples, f.window.rtt.smoothedMs]).toEqual([1, 80]);
      expect([f.window.lossShare, f.rate.silences, f.rate.calls.length]).toEqual([0, 0, calls]);
      // Late, and still nothing.
      f.arrive(1);
      f.ack(9001);
      expect([f.window.rtt.samples, f.window.statistics.spuriousLosses]).toEqual([1, 0]);
    }
  });

  test('several packets on other paths at once', () => {
    const f = new Fixture();
    for (let i = 0; i < 5; i++) f.window.sentElsewhere(i, 30);
    f.window.detectLosses(9000);
    expect(f.lost).toEqual([0, 1, 2, 3, 4]);
    expect([f.window.lossShare, f.rate.silences, f.rate.calls]).toEqual([0, 0, []]);
  });

  test('after a restart packets under way get their verdicts and tell nothing of the new path', () => {
    const f = new Fixture();
    for (let i = 0; i < 10; i++) f.send(i * 10);
    f.arrive(0, 1);
    f.ack(100);
    const rate = new SpyRate(100);
    const calls = f.rate.calls.length;
    f.window.restart(rate);
    expect(f.window.inFlight).toBe(8);
    expect([f.window.rtt.samples, f.window.rtt.smoothedMs, f.window.lossShare]).toEqual([
      0, 250, 0,
    ]);
    f.arrive(4);
    f.ack(120);
    expect(f.acked).toEqual([1, 0, 4]);
    expect(f.window.rtt.samples).toBe(0);
    const sequence = f.send(130);
    f.arrive(sequence);
    f.ack(190);
    expect([f.window.rtt.samples, f.window.rtt.latestMs]).toEqual([1, 60]);
    // Overtaken on the new path: lost, for whoever wrote into them.
    f.window.detectLosses(400);
    expect(f.lost).toEqual([2, 3, 5, 6, 7, 8, 9]);
    expect([f.window.lossShare, rate.silences]).toEqual([0, 0]);
    const slot = sequence % SENT_WINDOW;
    expect(rate.calls.map(([name, at]) => [name, at])).toEqual([
      ['sent', slot],
      ['acked', slot],
    ]);
    expect(f.rate.calls.length).toBe(calls);
    // And what is lost from now on counts again.
    f.send(500);
    f.window.detectLosses(9000);
    expect(f.window.lossShare).toBeGreaterThan(0);
    expect(rate.silences).toBe(1);
  });

  test('after a restart the wait for a sign of life is that of a fresh one', () => {
    const f = new Fixture();
    const waitMs = (nowMs: number) => {
      f.send(nowMs);
      return f.window.wakeAt() - nowMs;
    };
    const fresh = waitMs(0);
    f.window.detectLosses(fresh);
    expect(waitMs(10_000)).toBeGreaterThan(fresh);
    f.window.detectLosses(20_000);
    f.window.restart(new SpyRate(20_000));
    expect(waitMs(20_000)).toBe(fresh);
  });

  test('knows the newest packet that was acked', () => {
    const f = new Fixture();
    expect(f.window.newestAcked).toBe(-1);
    for (let i = 0; i < 5; i++) f.send(i, i !== 3);
    f.arrive(3);
    f.ack(10);
    expect(f.window.newestAcked).toBe(3);
    f.arrive(1);
    f.ack(11);
    expect(f.window.newestAcked).toBe(3);
  });

  test('an ack settles a packet once', () => {
    const f = new Fixture();
    f.send(0);
    f.arrive(0);
    expect(f.window.inFlight).toBe(1);
    expect(f.ack(80)).toBe(true);
    expect(f.ack(90)).toBe(true);
    expect(f.acked).toEqual([0]);
    expect(f.window.inFlight).toBe(0);
    expect(f.window.wakeAt()).toBe(Number.POSITIVE_INFINITY);
    expect(f.window.rtt.samples).toBe(1);
    expect(f.window.rtt.latestMs).toBe(80);
  });

  test('the ack delay is taken out of the round trip', () => {
    const f = new Fixture();
    f.send(0);
    f.arrive(0);
    f.ack(100, 25);
    expect(f.window.rtt.latestMs).toBe(75);
    f.send(200);
    f.arrive(1);
    f.ack(230, 4000);
    expect(f.window.rtt.latestMs).toBe(0);
  });

  test('a packet overtaken by an acked one is lost after the loss delay, not before', () => {
    const f = new Fixture();
    for (let i = 0; i < 40; i++) {
      f.send(i * 10);
      f.arrive(i);
      f.ack(i * 10 + 10);
    }
    const missing = f.send(1000);
    f.send(1001);
    f.arrive(41);
    f.ack(1011);
    expect(f.lost).toEqual([]);
    const at = f.window.wakeAt();
    expect(at).toBeCloseTo(1000 + f.window.rtt.lossDelayMs, 6);
    f.window.detectLosses(at - 0.01);
    expect(f.lost).toEqual([]);
    f.window.detectLosses(at);
    expect(f.lost).toEqual([missing]);
    expect(f.window.inFlight).toBe(0);
  });

  test('without any sign of life everything in flight is lost, with backoff once for all of them', () => {
    const f = new Fixture();
    for (let i = 0; i < 5; i++) f.send(0);
    const first = f.window.wakeAt();
    expect(first).toBe(800);
    f.window.detectLosses(first);
    expect(f.lost).toEqual([0, 1, 2, 3, 4]);
    f.send(first);
    expect(f.window.wakeAt()).toBe(first + 1600);
    f.window.detectLosses(first + 1600);
    f.send(3000);
    expect(f.window.wakeAt()).toBe(3000 + 2000);
  });

  test('a late ack corrects the statistics and nothing else', () => {
    const f = new Fixture();
    f.send(0);
    f.window.detectLosses(800);
    expect(f.lost).toEqual([0]);
    f.arrive(0);
    f.ack(900);
    f.ack(901);
    expect(f.acked).toEqual([]);
    expect(f.window.statistics).toEqual({ acked: 0, lost: 1, spuriousLosses: 1, abandoned: 0 });
  });

  test('a path slower than the longest wait is learnt from late acks', () => {
    const f = new Fixture();
    let nowMs = 0;
    for (let i = 0; i < 10; i++) {
      const sequence = f.send(nowMs);
      f.window.detectLosses(nowMs + 2999);
      f.arrive(sequence);
      f.ack(nowMs + 3000);
      nowMs += 3001;
    }
    expect(f.acked.length).toBeGreaterThan(5);
    expect(f.window.rtt.smoothedMs).toBeCloseTo(3000, 0);
  });

  test('packets that want no verdict get none, but measure the path', () => {
    const f = new Fixture();
    f.send(0, false);
    f.arrive(0);
    f.ack(50);
    expect(f.acked).toEqual([]);
    expect(f.window.statistics.acked).toBe(0);
    expect(f.window.rtt.latestMs).toBe(50);
  });

  test('an ack of what was never sent is a lie and changes nothing', () => {
    const f = new Fixture();
    f.send(0);
    f.send(0);
    f.arrive(2);
    expect(f.ack(10)).toBe(false);
    expect(f.acked).toEqual([]);
    expect(f.window.rtt.samples).toBe(0);
    expect(new Fixture().window.receive(0, f.block())).toBe(false);
  });

  test('the oldest is lost when its place is needed, and found under its own size and masks', () => {
    const f = new Fixture();
    for (let i = 0; i < SENT_WINDOW; i++) f.send(0, true, 100 + i, i, i << 1);
    expect(f.lost).toEqual([]);
    expect(f.window.sizeBytes(0)).toBe(100);
    f.send(1);
    expect(f.lost).toEqual([0]);
    f.send(1);
    expect(f.lost).toEqual([0, 1]);
    expect(f.masks).toEqual([
      [0, 0],
      [1, 2],
    ]);
    expect(f.window.inFlight).toBe(SENT_WINDOW);
    f.window.detectLosses(10_000);
    expect(f.lost.length).toBe(SENT_WINDOW + 2);
    expect(f.window.inFlight).toBe(0);
  });

  test('the masks go back with the verdict, all 64 bits of them', () => {
    const f = new Fixture();
    f.send(0, true, SIZE, -1, 0);
    f.send(0, true, SIZE, 0, -1);
    f.send(0, true, SIZE, 1 << 31, 1 << 31);
    f.arrive(0, 2);
    f.ack(10);
    f.window.detectLosses(2000);
    expect([f.acked, f.lost]).toEqual([[2, 0], [1]]);
    expect(f.masks).toEqual([
      [1 << 31, 1 << 31],
      [-1, 0],
      [0, -1],
    ]);
  });

  test('is full when data has left only the reserve for acks and pings, until verdicts come', () => {
    const f = new Fixture();
    const room = SENT_WINDOW - 32;
    for (let i = 0; i < room; i++) {
      expect(f.window.full).toBe(false);
      f.send(0);
    }
    expect(f.window.full).toBe(true);
    // Acks and pings go on, and the reserve holds them: nothing in flight is pushed out.
    for (let i = 0; i < 32; i++) f.send(0, i % 2 === 0);
    expect(f.lost).toEqual([]);
    // What counts is the span from the oldest: acks of the newest alone make no room.
    f.peer.received(0, room + 31, true);
    f.ack(10);
    expect(f.window.full).toBe(true);
    f.window.detectLosses(5000);
    expect(f.window.inFlight).toBe(0);
    expect(f.window.full).toBe(false);
  });

  test('is not full when everything has its verdict, however long ago', () => {
    const f = new Fixture();
    for (let i = 0; i < 3 * SENT_WINDOW; i++) {
      f.send(i);
      f.arrive(i);
      if (i % 100 === 99) f.ack(i);
      expect(f.window.full).toBe(false);
    }
    for (let i = 0; i < 2 * SENT_WINDOW; i++) f.send(9999, false);
    expect(f.window.full).toBe(false);
  });

  test('tells the rate controller of every packet, once, headers of the path included', () => {
    const f = new Fixture();
    f.send(0);
    f.send(0, false, 24);
    f.send(1, true, 1200);
    f.arrive(0, 1);
    f.ack(50);
    f.ack(51);
    f.window.detectLosses(5000);
    expect(f.rate.calls).toEqual([
      ['sent', 0, SIZE + HEADERS, true],
      ['sent', 1, 24 + HEADERS, false],
      ['sent', 2, 1200 + HEADERS, true],
      ['acked', 0],
      ['lost', 2],
    ]);
    // Two acks came; each newly acked packet measures once.
    expect([f.rate.acknowledgements, f.rate.sampled, f.rate.silences]).toEqual([2, 1, 1]);
  });

  test('tells it of silence, not of losses that acks have shown', () => {
    const f = new Fixture();
    for (let i = 0; i < 40; i++) {
      f.send(i * 10);
      if (i % 2 === 1) f.arrive(i);
      f.ack(i * 10 + 10);
    }
    f.window.detectLosses(500);
    expect(f.lost.length).toBeGreaterThan(10);
    expect(f.rate.silences).toBe(0);
  });

  test('an ack block is believed as far as it reaches and no further', () => {
    for (const [count, reach] of [
      [63, 64],
      [64, 128],
      [200, 256],
      [256, 256],
      [300, 256],
    ] as const) {
      const f = new Fixture();
      for (let i = 0; i <= count; i++) {
        f.send(0);
        f.arrive(i);
      }
      const block = f.block();
      expect(block.reach).toBe(reach);
      expect(f.window.receive(10, block)).toBe(true);
      expect(f.acked.length).toBe(Math.min(count, reach) + 1);
      expect(f.acked.at(-1)).toBe(Math.max(0, count - ACK_HISTORY));
    }
  });

  test('bits beyond the reach of a block acknowledge nothing', () => {
    const f = new Fixture();
    for (let i = 0; i <= 200; i++) f.send(0);
    const block = new AckBlock();
    const reader = new ByteReader();
    reader.reset(Uint8Array.of(1, 200, 0, 0, 0), 0, 5);
    expect(block.read(reader)).toBe(true);
    f.window.receive(10, block);
    expect(f.acked).toEqual(Array.from({ length: 65 }, (_, n) => 200 - n));
  });

  test('whoever is told of an ack may end everything: nobody else is told any more', () => {
    const told: number[] = [];
    const window: SentWindow = new SentWindow(
      {
        acked: (sequence) => {
          told.push(sequence);
          window.abandon();
        },
        lost: (sequence) => told.push(sequence),
      },
      new RateController(0),
    );
    const f = new Fixture();
    for (let i = 0; i < 10; i++) {
      window.sent(0, SIZE, 1, 0, true);
      if (i % 3 === 0) f.arrive(i);
    }
    expect(window.receive(10, f.block())).toBe(true);
    window.detectLosses(10_000);
    expect(told).toEqual([9]);
    expect(window.inFlight).toBe(0);
    expect(window.statistics).toMatchObject({ acked: 1, abandoned: 9, lost: 0 });
  });

  test('abandons what is in flight, once', () => {
    const f = new Fixture();
    f.send(0);
    f.send(0);
    f.send(0, false);
    f.window.abandon();
    f.window.abandon();
    f.arrive(0, 1, 2);
    f.ack(10);
    f.window.detectLosses(10_000);
    expect(f.acked).toEqual([]);
    expect(f.lost).toEqual([]);
    expect(f.window.statistics.abandoned).toBe(2);
  });

  test('every packet that wants a verdict gets exactly one, whatever arrives when', () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant('send' as const), eliciting: fc.boolean() }),
      fc.record({ kind: fc.constant('arrive' as const), back: fc.nat(300) }),
      fc.record({ kind: fc.constant('burst' as const), count: fc.nat(300) }),
      fc.record({ kind: fc.constant('ack' as const), delayMs: fc.nat(30) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(400) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 150 }), (events) => {
        const f = new Fixture();
        let nowMs = 0;
        const eliciting = new Set<number>();
        for (const e of events) {
          nowMs++;
          if (e.kind === 'send') {
            const sequence = f.send(nowMs, e.eliciting);
            if (e.eliciting) eliciting.add(sequence);
          } else if (e.kind === 'burst') {
            for (let i = 0; i < e.count; i++) eliciting.add(f.send(nowMs));
          } else if (e.kind === 'arrive' && f.window.next > e.back) {
            const sequence = f.window.next - 1 - e.back;
            if (f.peer.check(sequence) === Verdict.accepted) f.arrive(sequence);
          } else if (e.kind === 'ack') {
            expect(f.ack(nowMs, e.delayMs)).toBe(true);
          } else if (e.kind === 'wait') {
            nowMs += e.ms;
            f.window.detectLosses(nowMs);
          }
          expect(f.window.inFlight).toBe(eliciting.size - f.acked.length - f.lost.length);
        }
        f.window.abandon();
        const settled = [...f.acked, ...f.lost];
        expect(f.acked.every((sequence) => f.arrived.has(sequence))).toBe(true);
        expect(new Set(settled).size).toBe(settled.length);
        expect(settled.every((sequence) => eliciting.has(sequence))).toBe(true);
        const { acked, lost, abandoned } = f.window.statistics;
        expect([acked, lost]).toEqual([f.acked.length, f.lost.length]);
        expect(acked + lost + abandoned).toBe(eliciting.size);
      }),
    );
  });
});
