import { expect, it } from 'vitest';
import { SimulatedAddressBook } from '../src/addresses.ts';

it('describes an address by its own four bytes and holds it as it is', () => {
  const book = new SimulatedAddressBook();
  const out = new Uint8Array(6);
  expect(book.describe(0x01020304, out, 1)).toBe(4);
  expect([...out]).toEqual([0, 4, 3, 2, 1, 0]);
  expect(book.hold(9)).toBe(9);
  book.release(9);
});

it('counts every address as a host of its own, unless told where it is', () => {
  const out = new Uint8Array(6);
  const own = new SimulatedAddressBook();
  expect(own.describeHost(0x01020304, out, 1)).toBe(4);
  expect([...out]).toEqual([0, 4, 3, 2, 1, 0]);
  const shared = new SimulatedAddressBook({ hostOf: (address) => (address < 10 ? 7 : address) });
  expect(shared.describeHost(3, out, 1)).toBe(4);
  expect([...out]).toEqual([0, 7, 0, 0, 0, 0]);
  shared.describeHost(0x0a0b0c0d, out, 1);
  expect([...out]).toEqual([0, 13, 12, 11, 10, 0]);
  shared.describe(3, out, 1);
  expect([...out]).toEqual([0, 3, 0, 0, 0, 0]);
});
