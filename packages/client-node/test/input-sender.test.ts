import { BitReader, InputBlock } from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputSender } from '../src/input-sender.ts';
import { inputRow, smallGame } from './small-game.ts';

const EPOCH = 5;

function create() {
  const sender = new InputSender(smallGame.inputFields);
  const add = (tick: number, viewTick = Number.NaN) =>
    sender.add(tick, inputRow((tick % 15) - 7, tick % 3 === 0), viewTick);
  /** Writes a packet; says which ticks are in it, newest first, having checked their values. */
  const send = (sequence: number): number[] => {
    const out = new Uint8Array(300);
    const length = sender.write(EPOCH, out, 10, 300, sequence);
    expect(length).toBeGreaterThan(0);
    const block = new InputBlock(smallGame.inputFields);
    const bits = new BitReader();
    bits.reset(out, 10, 10 + length);
    expect(block.read(bits)).toBe(true);
    expect(block.epoch).toBe(EPOCH);
    return Array.from({ length: block.count }, (_, n) => {
      const tick = block.wireTick - n;
      const row = block.values.subarray(n * 3, n * 3 + 3);
      expect([...row]).toEqual([...inputRow((tick % 15) - 7, tick % 3 === 0)]);
      return tick;
    });
  };
  return { sender, add, send };
}

describe('input sender', () => {
  test('nothing waits before the first input', () => {
    const { sender, add } = create();
    expect([sender.pending(), sender.waiting]).toEqual([false, 0]);
    sender.acked(3);
    sender.simulated(99);
    add(100);
    expect([sender.pending(), sender.waiting]).toEqual([true, 1]);
  });

  test('every packet carries all that is not acked', () => {
    const { sender, add, send } = create();
    add(10);
    expect(send(0)).toEqual([10]);
    expect(sender.pending()).toBe(false);
    add(11);
    expect(send(1)).toEqual([11, 10]);
    add(12);
    sender.acked(0);
    expect(send(2)).toEqual([12, 11]);
    sender.acked(2);
    expect(sender.waiting).toBe(0);
    add(13);
    expect(send(3)).toEqual([13]);
  });

  test('acks out of order, unknown and late change nothing back', () => {
    const { sender, add, send } = create();
    for (const tick of [10, 11, 12]) {
      add(tick);
      send(tick);
    }
    sender.acked(12);
    sender.acked(10);
    sender.acked(999);
    expect(sender.waiting).toBe(0);
  });

  test('an ack of a packet 256 packets ago says nothing', () => {
    const { sender, add, send } = create();
    add(10);
    for (let sequence = 0; sequence <= 256; sequence++) send(sequence);
    sender.acked(0);
    expect(sender.waiting).toBe(1);
    sender.acked(1);
    expect(sender.waiting).toBe(0);
  });

  test('what the server has simulated is of no use any more', () => {
    const { sender, add, send } = create();
    for (let tick = 10; tick < 20; tick++) add(tick);
    sender.simulated(17);
    expect(send(0)).toEqual([19, 18]);
    sender.simulated(500);
    expect(sender.waiting).toBe(0);
    add(20);
    expect(send(1)).toEqual([20]);
  });

  test('at most 32', () => {
    const { sender, add, send } = create();
    for (let tick = 10; tick < 10 + 32; tick++) add(tick);
    expect(send(0)).toHaveLength(32);
    add(42);
    expect(sender.waiting).toBe(32);
    expect(send(1)).toHaveLength(32);
  });

  test('past a tick that was left out nothing goes back', () => {
    const { add, send } = create();
    add(10);
    add(11);
    add(14);
    add(15);
    expect(send(0)).toEqual([15, 14]);
  });

  test('a clock that went back: acks of what was sent before do not count', () => {
    const { sender, add, send } = create();
    for (let tick = 10; tick < 15; tick++) add(tick);
    send(0);
    add(12);
    expect(send(1)).toEqual([12]);
    sender.acked(0);
    expect(sender.waiting).toBe(1);
    add(13);
    expect(send(2)).toEqual([13, 12]);
    sender.acked(1);
    expect(sender.waiting).toBe(1);
  });

  test('what the player saw goes along, if anything', () => {
    const { sender, add } = create();
    const block = new InputBlock(smallGame.inputFields);
    const bits = new BitReader();
    const out = new Uint8Array(300);
    const read = () => {
      bits.reset(out, 0, sender.write(EPOCH, out, 0, 300, 0));
      block.read(bits);
      return block.hasView ? block.wireViewTick + block.viewFraction / 256 : undefined;
    };
    add(10);
    expect(read()).toBeUndefined();
    add(11, 7.25);
    expect(read()).toBe(7.25);
    add(12, 65536 + 0.5);
    expect(read()).toBe(0.5);
  });

  test('no room: nothing is written outside', () => {
    const { sender, add } = create();
    for (let tick = 10; tick < 20; tick++) add(tick);
    const out = new Uint8Array(12).fill(0xa5);
    expect(sender.write(EPOCH, out, 4, 6, 0)).toBe(0);
    expect([...out.subarray(0, 4), ...out.subarray(6)].every((byte) => byte === 0xa5)).toBe(true);
  });

  test('any losses: a packet holds the newest input and every one not known to have come', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 80 }), (arrivals) => {
        const { sender, add, send } = create();
        let acked = 99;
        arrivals.forEach((arrives, n) => {
          add(100 + n);
          const ticks = send(n);
          const wanted = Math.min(32, 100 + n - acked);
          expect(ticks).toEqual(Array.from({ length: wanted }, (_, i) => 100 + n - i));
          if (!arrives) return;
          sender.acked(n);
          acked = 100 + n;
        });
      }),
      { numRuns: 100 },
    );
  });
});
