import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AckBlock, writeAckBlock } from '../src/transport/ack-block.ts';
import { ReceivedWindow } from '../src/transport/received-window.ts';
import { SENT_WINDOW, SentWindow } from '../src/transport/sent-window.ts';
import { ByteReader, ByteWriter } from '../src/wire/bytes.ts';

class Fixture {
  readonly acked: number[] = [];
  readonly lost: number[] = [];
  readonly window = new SentWindow({
    acked: (sequence) => this.acked.push(sequence),
    lost: (sequence) => this.lost.push(sequence),
  });
  readonly peer = new ReceivedWindow();

  send(nowMs: number, eliciting = true): number {
    const sequence = this.window.next;
    this.window.sent(nowMs, 1, eliciting);
    return sequence;
  }

  arrive(...sequences: number[]): void {
    for (const sequence of sequences) this.peer.received(sequence, true);
  }

  /** What the peer would say now. */
  block(delayMs = 0): AckBlock {
    const bytes = new Uint8Array(16);
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
}

describe('SentWindow', () => {
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

  test('the oldest is lost when its place is needed', () => {
    const f = new Fixture();
    for (let i = 0; i < SENT_WINDOW; i++) f.send(0);
    expect(f.lost).toEqual([]);
    f.send(1);
    expect(f.lost).toEqual([0]);
    f.send(1);
    expect(f.lost).toEqual([0, 1]);
    expect(f.window.inFlight).toBe(SENT_WINDOW);
    f.window.detectLosses(10_000);
    expect(f.lost.length).toBe(SENT_WINDOW + 2);
    expect(f.window.inFlight).toBe(0);
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
      fc.record({ kind: fc.constant('arrive' as const), back: fc.nat(90) }),
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
          } else if (e.kind === 'arrive' && f.window.next > e.back) {
            f.arrive(f.window.next - 1 - e.back);
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
        expect(new Set(settled).size).toBe(settled.length);
        expect(settled.every((sequence) => eliciting.has(sequence))).toBe(true);
        const { acked, lost, abandoned } = f.window.statistics;
        expect([acked, lost]).toEqual([f.acked.length, f.lost.length]);
        expect(acked + lost + abandoned).toBe(eliciting.size);
      }),
    );
  });
});
