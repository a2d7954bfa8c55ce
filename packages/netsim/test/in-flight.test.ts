import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Carrier, InFlight } from '../src/in-flight.ts';

const word = (value: number) => new Uint8Array([value & 255, value >> 8]);

describe('InFlight', () => {
  it('gives datagrams back by due time, equal times in the order pushed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 64 }), (dues) => {
        const inFlight = new InFlight({ datagrams: 64, datagramBytes: 2 });
        for (const [i, due] of dues.entries()) inFlight.push(due, word(i), 0, 2, 1, 2);
        const popped: number[] = [];
        for (let slot = inFlight.pop(99); slot >= 0; slot = inFlight.pop(99)) {
          const at = inFlight.startOf(slot);
          popped.push(inFlight.storage[at]! | (inFlight.storage[at + 1]! << 8));
          inFlight.release(slot);
        }
        const sorted = dues
          .map((due, i) => ({ due, i }))
          .sort((a, b) => a.due - b.due || a.i - b.i);
        expect(popped).toEqual(sorted.map((entry) => entry.i));
        expect(inFlight.held).toBe(0);
      }),
    );
  });

  it('stays in order when pushes and pops mix', () => {
    const step = fc.option(fc.integer({ min: 0, max: 20 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const inFlight = new InFlight({ datagrams: 16, datagramBytes: 2 });
        const model: number[] = [];
        for (const due of steps) {
          if (due !== null) {
            expect(inFlight.push(due, word(due), 0, 2, 0, 0)).toBe(model.length < 16);
            if (model.length < 16) model.push(due);
            continue;
          }
          model.sort((a, b) => a - b);
          expect(inFlight.wakeAt()).toBe(model[0] ?? Number.POSITIVE_INFINITY);
          const slot = inFlight.pop(20);
          const expected = model.shift();
          if (expected === undefined) expect(slot).toBe(-1);
          else expect(inFlight.storage[inFlight.startOf(slot)]).toBe(expected);
          if (slot >= 0) inFlight.release(slot);
        }
      }),
    );
  });

  it('holds its bound and refuses one more, and one byte more', () => {
    const inFlight = new InFlight({ datagrams: 2, datagramBytes: 4 });
    const bytes = new Uint8Array(8);
    expect(inFlight.push(0, bytes, 0, 5, 0, 0)).toBe(false);
    expect(inFlight.push(0, bytes, 0, 4, 0, 0)).toBe(true);
    expect(inFlight.push(0, bytes, 4, 4, 0, 0)).toBe(true);
    expect(inFlight.push(0, bytes, 0, 1, 0, 0)).toBe(false);
    inFlight.release(inFlight.pop(0));
    expect(inFlight.push(0, bytes, 0, 1, 0, 0)).toBe(true);
  });

  it('keeps what is not due and notices a second release', () => {
    const inFlight = new InFlight({ datagrams: 1 });
    inFlight.push(5, word(1), 0, 2, 0, 0);
    expect(inFlight.pop(4.999)).toBe(-1);
    const slot = inFlight.pop(5);
    inFlight.release(slot);
    expect(() => inFlight.release(slot)).toThrow(/released already/);
    expect(() => new InFlight({ datagrams: 0 })).toThrow(/datagrams is 0/);
  });

  it('tells of what is dropped while its bytes are there, and of nothing that is cancelled', () => {
    const { inFlight, carrier, push } = carried();
    const told: string[] = [];
    inFlight.onDrop = (slot, reason) => {
      told.push(`${reason} ${inFlight.storage[inFlight.startOf(slot)]} ${inFlight.held}`);
    };
    const [first, second, third] = [push(1), push(2), push(3)];
    inFlight.drop(second, 'link-queue');
    inFlight.cancel(first);
    expect(told).toEqual(['link-queue 2 3']);
    expect([first, second, third].map((slot) => inFlight.waits(slot, carrier, slot))).toEqual([
      false,
      false,
      true,
    ]);
    expect(inFlight.pop(9)).toBe(third);
    expect(inFlight.pop(9)).toBe(-1);
  });

  it('knows a datagram by its slot only together with who pushed it, and which of his it was', () => {
    const { inFlight, carrier, push } = carried();
    const slot = push(1);
    expect(inFlight.waits(slot, carrier, slot)).toBe(true);
    expect(inFlight.waits(slot, carrier, slot + 1)).toBe(false);
    expect(inFlight.waits(slot, { ...carrier }, slot)).toBe(false);
    inFlight.pop(9);
    expect(inFlight.waits(slot, carrier, slot)).toBe(false);
  });

  it('remembers who was damaged, and forgets it with the slot', () => {
    const { inFlight, push } = carried();
    const slot = push(1);
    expect([inFlight.corrupt(slot, 1), inFlight.isCorrupted(slot)]).toEqual([true, true]);
    inFlight.release(inFlight.pop(9));
    expect(push(1)).toBe(slot);
    expect(inFlight.isCorrupted(slot)).toBe(false);
    inFlight.push(0, word(0), 0, 0, 0, 0);
    expect(inFlight.corrupt(inFlight.newest, 1)).toBe(false);
    expect(inFlight.isCorrupted(inFlight.newest)).toBe(false);
  });
});

/** A store, and somebody who pushes: each datagram holds the time at which it is due, and is known by its slot. */
function carried() {
  const inFlight = new InFlight({ datagrams: 8, datagramBytes: 2 });
  const carrier: Carrier = { latestStall: undefined, landed: () => {}, cutOff: () => {} };
  const push = (dueMs: number) => {
    inFlight.nextDueMs[0] = dueMs;
    // The storage hands out slots from 0 on, and the last released one first.
    const slot = inFlight.newest < 0 || inFlight.held === 0 ? 0 : inFlight.newest + 1;
    inFlight.pushNext(word(dueMs), 0, 2, 0, 0, carrier, slot, false);
    expect(inFlight.newest).toBe(slot);
    return slot;
  };
  return { inFlight, carrier, push };
}
