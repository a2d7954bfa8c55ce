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
