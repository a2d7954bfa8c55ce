import { describe, expect, test } from 'vitest';
import { CloseSequence } from '../src/transport/close-sequence.ts';
import { END_TEXT_BYTES_MAX } from '../src/transport/end-reason.ts';
import { ByteWriter } from '../src/wire/bytes.ts';

class Fixture {
  readonly closed: [string, string, boolean][] = [];
  ended = 0;
  abandoned = 0;
  readonly close = new CloseSequence(
    {
      closed: (reason, text, remote) => this.closed.push([reason, text, remote]),
      ended: () => this.ended++,
    },
    () => this.abandoned++,
  );

  /** The close section, header included; empty for a bare ack. */
  write(nowMs: number): Uint8Array {
    const bytes = new Uint8Array(300);
    const writer = new ByteWriter();
    writer.reset(bytes, 0, bytes.length);
    this.close.write(nowMs, writer);
    expect(writer.overflowed).toBe(false);
    return bytes.slice(0, writer.position);
  }

  receive(nowMs: number, body: readonly number[] | Uint8Array): void {
    this.close.receive(nowMs, Uint8Array.from(body), 0, body.length);
  }
}

describe('CloseSequence', () => {
  test('is open until somebody closes', () => {
    const f = new Fixture();
    f.close.advance(1e9);
    expect(f.close.open).toBe(true);
    expect(f.close.wantsPacket(1e9)).toBe(false);
  });

  test('the closing side repeats until it is confirmed', () => {
    const f = new Fixture();
    f.close.begin(100, 'kicked', 'bye', 80);
    expect(f.closed).toEqual([['kicked', 'bye', false]]);
    expect(f.close.wantsPacket(100)).toBe(true);
    expect([...f.write(100)]).toEqual([65 | 0x80, 4, 1, 98, 121, 101]);
    expect(f.close.wantsPacket(179)).toBe(false);
    expect(f.close.wakeAt()).toBe(180);
    expect(f.close.wantsPacket(180)).toBe(true);
    f.write(180);
    f.close.confirmed();
    f.close.confirmed();
    expect(f.ended).toBe(1);
    expect(f.close.over).toBe(true);
    expect(f.close.wakeAt()).toBe(Number.POSITIVE_INFINITY);
    expect(f.close.wantsPacket(1e9)).toBe(false);
  });

  test('and gives up after ten times', () => {
    const f = new Fixture();
    f.close.begin(0, 'closed', '', 1e6);
    let packets = 0;
    for (let nowMs = 0; nowMs < 20_000; nowMs += 10) {
      f.close.advance(nowMs);
      if (f.close.wantsPacket(nowMs)) {
        f.write(nowMs);
        packets++;
      }
    }
    expect(packets).toBe(10);
    expect(f.ended).toBe(1);
    expect(f.closed.length).toBe(1);
  });

  test('the other side answers each repeat and forgets a second later', () => {
    const f = new Fixture();
    f.receive(1000, [2, 104, 105]);
    expect(f.closed).toEqual([['shutdown', 'hi', true]]);
    expect(f.close.wantsPacket(1000)).toBe(true);
    expect(f.write(1000).length).toBe(0);
    expect(f.close.wantsPacket(1000)).toBe(false);
    f.receive(1100, [2]);
    expect(f.close.wantsPacket(1100)).toBe(true);
    f.write(1100);
    f.close.advance(1999);
    expect(f.ended).toBe(0);
    f.close.advance(2000);
    expect(f.ended).toBe(1);
    f.receive(2001, [2]);
    expect(f.closed.length).toBe(1);
    expect(f.close.wantsPacket(2001)).toBe(false);
  });

  test('closing on both sides at once ends once', () => {
    const f = new Fixture();
    f.close.begin(0, 'closed', 'mine', 50);
    f.write(0);
    f.receive(10, [0]);
    expect(f.closed).toEqual([['closed', 'mine', false]]);
    f.close.confirmed();
    f.close.advance(1010);
    expect(f.ended).toBe(1);
  });

  test('an unknown or missing reason reads as closed, and text that is too long is cut', () => {
    const f = new Fixture();
    f.receive(0, [250, 0xff]);
    expect(f.closed).toEqual([['closed', '\ufffd', true]]);
    const g = new Fixture();
    g.receive(0, []);
    expect(g.closed).toEqual([['closed', '', true]]);
    const h = new Fixture();
    h.receive(0, [1, ...new Array(900).fill(97)]);
    expect(h.closed[0]![1].length).toBe(END_TEXT_BYTES_MAX);
    const sender = new Fixture();
    sender.close.begin(0, 'closed', '€'.repeat(100), 50);
    const section = sender.write(0);
    expect(section.length).toBe(3 + 1 + 198);
  });

  test('silence ends it at once', () => {
    const f = new Fixture();
    f.close.timeOut();
    f.close.timeOut();
    expect(f.closed).toEqual([['timeout', '', false]]);
    expect(f.ended).toBe(1);
    expect(f.abandoned).toBeGreaterThan(0);
    f.close.begin(0, 'closed', '', 0);
    expect(f.closed.length).toBe(1);
  });
});
