import {
  axis,
  BitWriter,
  edge,
  type Field,
  flag,
  InputBlock,
  quantise,
  Verdict,
} from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { INPUT_AHEAD_TICKS_MAX, InputBuffer } from '../src/input-buffer.ts';

const fields: Field[] = [axis(4), flag(), edge()];
const TICK_MS = 10;
const Status = { none: 0, repeated: 1, real: 2 };

interface Row {
  readonly dx: number;
  readonly hold?: boolean;
  readonly press?: boolean;
}

class Fixture {
  readonly buffer = new InputBuffer(fields);
  readonly columns = {
    values: fields.map(() => new Float64Array(4)),
    status: new Uint8Array(4),
    viewTick: new Float64Array(4),
  };
  /** Last simulated tick. */
  tick: number;
  epoch = 1;

  constructor(tick = 99) {
    this.tick = tick;
  }

  /** A packet of inputs, newest first. */
  packet(newest: number, rows: readonly Row[], view?: number, epoch = this.epoch): Uint8Array {
    const block = new InputBlock(fields);
    block.epoch = epoch;
    block.wireTick = newest & 0xffff;
    block.count = rows.length;
    if (view !== undefined) block.setView(view);
    rows.forEach(({ dx, hold, press }, n) => {
      const values = [quantise(fields[0]!, dx), hold ? 1 : 0, press ? 1 : 0];
      block.values.set(values, n * fields.length);
    });
    const bytes = new Uint8Array(200);
    const writer = new BitWriter();
    writer.reset(bytes, 0, bytes.length);
    block.write(writer);
    return bytes.slice(0, writer.finish());
  }

  sequence = 0;

  /** `sequence` of the packet that brings it; by default each is newer than the one before. */
  receive(bytes: Uint8Array, nowMs = 0, nextMs = 5, sequence = this.sequence++): Verdict {
    const verdict = this.buffer.stage(bytes, 0, bytes.length, sequence);
    if (verdict === Verdict.accepted) {
      this.buffer.commit(nowMs, this.epoch, this.tick, nextMs, TICK_MS);
    }
    return verdict;
  }

  send(newest: number, ...rows: Row[]): void {
    expect(this.receive(this.packet(newest, rows))).toBe(Verdict.accepted);
  }

  /** Simulates the next tick: [status, dx, hold, press]. */
  step(): number[] {
    this.tick++;
    this.buffer.take(this.tick, this.columns, 2);
    this.buffer.finish(this.tick);
    return [this.columns.status[2]!, ...this.columns.values.map((column) => column[2]!)];
  }
}

describe('InputBuffer', () => {
  test('each tick takes its own input', () => {
    const f = new Fixture();
    f.send(102, { dx: 1, press: true }, { dx: -1 }, { dx: 0, hold: true });
    expect(f.step()).toEqual([Status.real, 0, 1, 0]);
    expect(f.step()).toEqual([Status.real, -1, 0, 0]);
    expect(f.step()).toEqual([Status.real, 1, 0, 1]);
    expect(f.buffer.statistics).toMatchObject({ real: 3, missing: 0, late: 0, outOfWindow: 0 });
  });

  test('all rows of a player take the same input', () => {
    const f = new Fixture();
    f.send(100, { dx: 1, press: true });
    f.tick = 100;
    for (const slot of [0, 3]) f.buffer.take(100, f.columns, slot);
    f.buffer.finish(100);
    expect([...f.columns.values[2]!]).toEqual([1, 0, 0, 1]);
    expect(f.buffer.statistics.real).toBe(1);
  });

  test('before the first input nothing is pressed and nothing counts as missing', () => {
    const f = new Fixture();
    for (let i = 0; i < 20; i++) expect(f.step()).toEqual([Status.none, 0, 0, 0]);
    expect(f.buffer.statistics.missing).toBe(0);
    expect(f.buffer.started).toBe(false);
    f.send(f.tick + 1, { dx: 1 });
    expect(f.step()).toEqual([Status.real, 1, 0, 0]);
  });

  test('a missing input repeats what is held ten times, presses never, then nothing', () => {
    const f = new Fixture();
    f.send(100, { dx: -1, hold: true, press: true });
    expect(f.step()).toEqual([Status.real, -1, 1, 1]);
    for (let i = 0; i < 10; i++) expect(f.step()).toEqual([Status.repeated, -1, 1, 0]);
    expect(f.step()).toEqual([Status.none, 0, 0, 0]);
    expect(f.buffer.statistics).toMatchObject({ real: 1, missing: 11 });
    expect([100, 101, 111, 112].map((tick) => f.buffer.wasMissing(tick))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    f.send(112, { dx: 0, hold: true });
    expect(f.step()).toEqual([Status.real, 0, 1, 0]);
    expect(f.step()).toEqual([Status.repeated, 0, 1, 0]);
  });

  test('a late input is counted and used for nothing', () => {
    const f = new Fixture();
    f.send(100, { dx: 1 });
    f.step();
    f.step();
    f.send(101, { dx: -1, press: true });
    expect(f.buffer.statistics.late).toBe(1);
    expect(f.step()).toEqual([Status.repeated, 1, 0, 0]);
  });

  test('redundancy fills a gap before its tick', () => {
    const f = new Fixture();
    f.send(100, { dx: 1 });
    f.send(102, { dx: 0 }, { dx: -1, press: true }, { dx: 1 });
    f.step();
    expect(f.step()).toEqual([Status.real, -1, 0, 1]);
  });

  test('what came first counts: no input is changed afterwards', () => {
    const f = new Fixture();
    f.send(100, { dx: 1 });
    f.send(100, { dx: -1, press: true });
    expect(f.step()).toEqual([Status.real, 1, 0, 0]);
  });

  test('the window ends 32 ticks ahead', () => {
    const f = new Fixture();
    f.send(f.tick + INPUT_AHEAD_TICKS_MAX + 1, { dx: 1 }, { dx: -1 });
    expect(f.buffer.statistics.outOfWindow).toBe(1);
    for (let i = 1; i < INPUT_AHEAD_TICKS_MAX; i++) f.step();
    expect(f.step()).toEqual([Status.real, -1, 0, 0]);
    expect(f.step()[0]).toBe(Status.repeated);
  });

  test('inputs of another epoch are counted and change nothing', () => {
    const f = new Fixture();
    expect(f.receive(f.packet(100, [{ dx: 1 }], undefined, 2))).toBe(Verdict.accepted);
    expect(f.buffer.statistics.oldEpoch).toBe(1);
    expect(f.buffer.started).toBe(false);
    expect(f.step()[0]).toBe(Status.none);
  });

  test('ticks go on past the wrap of the wire', () => {
    const f = new Fixture(0xfffd);
    f.send(0x10001, { dx: 1 }, { dx: 1 }, { dx: -1 }, { dx: 0 });
    expect(f.step()).toEqual([Status.real, 0, 0, 0]);
    expect(f.step()).toEqual([Status.real, -1, 0, 0]);
    expect(f.step()).toEqual([Status.real, 1, 0, 0]);
    expect(f.tick).toBe(0x10000);
    expect(f.buffer.newestTick).toBe(0x10001);
  });

  test('inputs of ticks before the first are out of the window', () => {
    const f = new Fixture(-1);
    f.send(0xffff, { dx: 1 });
    expect(f.buffer.statistics.outOfWindow).toBe(1);
    f.send(0, { dx: 1 });
    expect(f.step()).toEqual([Status.real, 1, 0, 0]);
  });

  test('the slack is the time to the tick of the newest input, told once', () => {
    const f = new Fixture();
    expect(f.buffer.takeFeedback()).toBe(false);
    f.receive(f.packet(103, [{ dx: 0 }]), 1000, 1004);
    expect(f.buffer.slackMs).toBe(4 + 3 * TICK_MS);
    expect(f.buffer.takeFeedback()).toBe(true);
    expect(f.buffer.takeFeedback()).toBe(false);
    // An overtaken packet says nothing new; a late one does, by how much.
    f.receive(f.packet(102, [{ dx: 0 }]), 1001, 1004, -1);
    expect(f.buffer.takeFeedback()).toBe(false);
    f.tick = 110;
    f.receive(f.packet(108, [{ dx: 0 }]), 1101, 1104);
    expect(f.buffer.slackMs).toBe(3 - 3 * TICK_MS);
    expect(f.buffer.newestTick).toBe(108);
  });

  test('a client that was far ahead and goes back is told how it stands', () => {
    const f = new Fixture();
    f.receive(f.packet(f.tick + 500, [{ dx: 0 }]), 1000, 1004);
    expect(f.buffer.takeFeedback()).toBe(true);
    expect(f.buffer.statistics.outOfWindow).toBe(1);
    f.receive(f.packet(f.tick + 2, [{ dx: 1 }]), 1001, 1004);
    expect(f.buffer.takeFeedback()).toBe(true);
    expect(f.buffer.slackMs).toBe(3 + TICK_MS);
  });

  test('the view belongs to the newest input and moves with the older ones', () => {
    const f = new Fixture();
    f.receive(f.packet(101, [{ dx: 0 }, { dx: 1 }], 90.5));
    f.step();
    expect(f.columns.viewTick[2]).toBe(89.5);
    f.step();
    expect(f.columns.viewTick[2]).toBe(90.5);
    f.step();
    expect(f.columns.viewTick[2]).toBeNaN();
  });

  test('a commit without a staged section does nothing', () => {
    const f = new Fixture();
    f.epoch = 0;
    f.buffer.commit(0, 0, f.tick, 0, TICK_MS);
    expect(f.buffer.started).toBe(false);
    expect(f.buffer.statistics.oldEpoch).toBe(0);
    expect(f.receive(Uint8Array.of(1, 2))).toBe(Verdict.malformed);
    f.buffer.commit(0, 0, f.tick, 0, TICK_MS);
    expect(f.buffer.started).toBe(false);
  });

  test('random bytes never throw, and no tick takes what is out of range', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 }), (packets) => {
        const f = new Fixture();
        for (const bytes of packets) {
          if (bytes.length > 0) bytes[0] = 1;
          f.receive(bytes);
          const [, dx, hold, press] = f.step();
          expect(Math.abs(dx!)).toBeLessThanOrEqual(1);
          expect([0, 1]).toContain(hold);
          expect([0, 1]).toContain(press);
        }
      }),
    );
  });

  test('every tick is either real or, after the first, missing', () => {
    const packet = fc.record({
      ahead: fc.integer({ min: -5, max: 40 }),
      count: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(fc.option(packet, { nil: undefined }), { maxLength: 60 }), (packets) => {
        const f = new Fixture();
        const wanted = new Set<number>();
        let first = Number.POSITIVE_INFINITY;
        packets.forEach((p) => {
          if (p !== undefined) {
            const newest = f.tick + p.ahead;
            f.send(newest, ...new Array(p.count).fill({ dx: 1 }));
            for (let tick = newest; tick > newest - p.count; tick--) {
              if (tick > f.tick && tick <= f.tick + INPUT_AHEAD_TICKS_MAX) wanted.add(tick);
            }
          }
          const [status] = f.step();
          if (wanted.has(f.tick)) first = Math.min(first, f.tick);
          expect(status === Status.real).toBe(wanted.has(f.tick));
          expect(f.buffer.wasMissing(f.tick)).toBe(f.tick > first && status !== Status.real);
        });
      }),
    );
  });
});
