// Slots as a plain model has them, which searches them all.

import { simulatedCrypto } from '@tickwire/netsim';
import {
  COOKIE_BYTES,
  type Crypto,
  Hello,
  KEY_BYTES,
  NO_SECRET,
  NONCE_BYTES,
} from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlotIndex } from '../src/slot-index.ts';
import { isWaiting, type Slot, SlotState, SlotTable } from '../src/slot-table.ts';

const secrets = { es: NO_SECRET, transcript: NO_SECRET } as never;
const admission = (resumes = 0) => ({ secret: NO_SECRET, resumes });

/** The proof of a nonce and a key, each of them a number. */
function hello(nonce: number, key = 0): Hello {
  const view = new DataView(new ArrayBuffer(NONCE_BYTES));
  view.setUint32(nonce % 13, nonce);
  return Object.assign(new Hello(), {
    nonce: new Uint8Array(view.buffer),
    clientKey: new Uint8Array(KEY_BYTES).fill(key),
    cookie: new Uint8Array(COOKIE_BYTES),
  });
}

/** All nonces stand in the same place: the worst that could be chosen, if the secret were known. */
const colliding: Crypto = { ...simulatedCrypto(1), randomBytes: (out) => out.fill(0) };

describe('the index', () => {
  test.each([1, 2, 5, 64])('of %i slots finds those that are in it, and ends', (capacity) => {
    for (const crypto of [simulatedCrypto(1), colliding]) {
      const index = new SlotIndex(crypto, capacity);
      const nonces = Array.from({ length: capacity }, (_, n) => hello(n).nonce);
      const found = (nonce: Uint8Array) => {
        const slots: number[] = [];
        for (let at = index.home(nonce); index.at(at) >= 0; at = index.next(at)) {
          slots.push(index.at(at));
        }
        return slots;
      };
      for (const [slot, nonce] of nonces.entries()) index.add(nonce, slot);
      for (const [slot, nonce] of nonces.entries()) expect(found(nonce)).toContain(slot);
      for (let slot = 0; slot < capacity; slot += 2) index.remove(slot);
      for (const [slot, nonce] of nonces.entries()) {
        expect(found(nonce).includes(slot)).toBe(slot % 2 === 1);
      }
      for (let slot = 1; slot < capacity; slot += 2) index.remove(slot);
      expect(nonces.flatMap(found)).toEqual([]);
    }
  });

  test('nonces that count up, and those that differ in one bit, do not crowd', () => {
    const index = new SlotIndex(simulatedCrypto(7), 8192);
    const nonces = Array.from({ length: 4096 }, (_, n) => {
      const nonce = new Uint8Array(NONCE_BYTES);
      new DataView(nonce.buffer).setUint32(n % 2 === 0 ? 0 : 12, n);
      return nonce;
    });
    for (let bit = 0; bit < 128; bit++) {
      const nonce = new Uint8Array(NONCE_BYTES);
      nonce[bit >> 3] = 1 << (bit & 7);
      nonces.push(nonce);
    }
    for (const [slot, nonce] of nonces.entries()) index.add(nonce, slot);
    let steps = 0;
    for (const nonce of nonces) {
      for (let at = index.home(nonce); index.at(at) >= 0; at = index.next(at)) steps++;
    }
    expect(steps / nonces.length).toBeLessThan(4);
  });
});

describe('the table', () => {
  test('takes as many as there are slots, and sixteen more of those that resume', () => {
    const table = new SlotTable(simulatedCrypto(1), 5);
    const take = (nonce: number, resumes = 0) =>
      table.take(hello(nonce), secrets, admission(resumes), 0);
    for (let n = 0; n < 5; n++) expect(take(n)?.index).toBe(n);
    expect(take(5)).toBeUndefined();
    for (let n = 5; n < 21; n++) expect(take(n, 1)?.index).toBe(n);
    expect(take(21, 1)).toBeUndefined();
    table.free(table.slots[3]!);
    expect([take(22), take(23, 1)?.index, table.used]).toEqual([undefined, 3, 21]);
  });

  test('tells once when a slot waits no more, whatever becomes of it', () => {
    const waited: number[] = [];
    const table = new SlotTable(simulatedCrypto(1), 3, ({ index }) => waited.push(index));
    const [a, b, c] = [0, 1, 2].map((n) => table.take(hello(n), secrets, admission(), 0)!);
    table.become(a!, SlotState.halfOpen);
    expect([table.halfOpen, waited]).toEqual([3, []]);
    table.become(a!, SlotState.live);
    table.become(b!, SlotState.leaving);
    table.free(c!);
    expect([table.halfOpen, waited]).toEqual([0, [0, 1, 2]]);
    table.become(a!, SlotState.leaving);
    table.free(a!);
    table.free(b!);
    expect([table.halfOpen, table.used, waited.length]).toEqual([0, 0, 3]);
  });

  const step = fc.record({
    what: fc.constantFrom('take', 'take', 'take', 'become', 'free'),
    nonce: fc.nat(11),
    key: fc.nat(1),
    pick: fc.nat(30),
    state: fc.constantFrom(SlotState.halfOpen, SlotState.live, SlotState.leaving),
  });

  test.each([
    ['as they come', simulatedCrypto(1)],
    ['all in one place', colliding],
  ])('is as the model says, nonces %s', (_how, crypto) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const table = new SlotTable(crypto, 9);
        const model: { slot: Slot; nonce: number; key: number }[] = [];
        for (const { what, nonce, key, pick, state } of steps) {
          const chosen = model[pick % Math.max(1, model.length)];
          if (what === 'take' && table.find(hello(nonce, key)) === undefined) {
            const slot = table.take(hello(nonce, key), secrets, admission(), 0);
            expect(slot === undefined).toBe(model.length === 9);
            if (slot !== undefined) model.push({ slot, nonce, key });
          } else if (what === 'become' && chosen !== undefined) {
            table.become(chosen.slot, state);
          } else if (what === 'free' && chosen !== undefined) {
            table.free(chosen.slot);
            model.splice(model.indexOf(chosen), 1);
          }
          const waiting = model.filter(({ slot }) => isWaiting(slot.state)).length;
          expect([table.used, table.halfOpen]).toEqual([model.length, waiting]);
          expect(new Set(model.map(({ slot }) => slot.index)).size).toBe(model.length);
        }
        for (let nonce = 0; nonce < 12; nonce++) {
          for (let key = 0; key < 2; key++) {
            const known = model.find((one) => one.nonce === nonce && one.key === key);
            expect(table.find(hello(nonce, key))).toBe(known?.slot);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
