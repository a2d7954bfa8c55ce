// The address book of a simulated network: an address number is the address, for ever.

import type { AddressBook } from '@tickwire/protocol';

/** Options of {@link SimulatedAddressBook}. */
export interface SimulatedAddressOptions {
  /** The host, a whole number, that an address is at: for many players behind one. Default: each has its own. */
  readonly hostOf?: (address: number) => number;
}

/** Addresses of a {@link World}: each is described by its own four bytes, little endian. */
export class SimulatedAddressBook implements AddressBook {
  readonly #hostOf: (address: number) => number;

  constructor({ hostOf = (address) => address }: SimulatedAddressOptions = {}) {
    this.#hostOf = hostOf;
  }

  /** Writes four bytes at out[start]; returns 4. */
  describe(address: number, out: Uint8Array, start: number): number {
    for (let i = 0; i < 4; i++) out[start + i] = address >>> (8 * i);
    return 4;
  }

  /** The same for the host that the address is at; returns 4. */
  describeHost(address: number, out: Uint8Array, start: number): number {
    return this.describe(this.#hostOf(address), out, start);
  }

  /** Simulated addresses last, so the number is returned as it is. */
  hold(address: number): number {
    return address;
  }

  /** Nothing is held, so there is nothing to do. */
  release(_address: number): void {}
}
