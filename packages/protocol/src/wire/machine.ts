// The verbs that every protocol machine has. Learn these and the rest is which bytes and when.

/** Filled by {@link Machine.poll}: where the datagram goes. The number is opaque; an {@link AddressBook} knows it. */
export interface Destination {
  address: number;
}

/**
 * A protocol machine: bytes and time in, bytes and events out. It owns no socket, timer or clock.
 * Drain rule: after any batch of `receive` calls, call `advance` once, then `poll` until it returns 0,
 * then sleep until `wakeAt()`.
 */
export interface Machine {
  /** Takes the datagram bytes[start, end) from `from`. Returns a Verdict, never throws on wire data. */
  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): number;
  /** Where timers fire. Time going backwards is ignored. */
  advance(nowMs: number): void;
  /** Writes the next datagram at out[start..] and its destination; returns its length, 0 = drained. */
  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number;
  /** The next moment, in the same milliseconds, at which `advance` has work; Infinity = never. */
  wakeAt(): number;
}

/**
 * Knows what the opaque address numbers stand for. Numbers given with a datagram are good for that batch
 * only, unless held; so strangers can never make it grow.
 */
export interface AddressBook {
  /** Writes the address (family, host, port) as at most {@link ADDRESS_BYTES_MAX} bytes; returns how many. */
  describe(address: number, out: Uint8Array, start: number): number;
  /**
   * Writes who is counted as one, for limits per address: the host without its port, IPv6 by its /64, as at most
   * {@link HOST_BYTES_MAX} bytes. Returns how many.
   */
  describeHost(address: number, out: Uint8Array, start: number): number;
  /** Keeps the address; returns its lasting number, which later datagrams from there carry as well. */
  hold(address: number): number;
  /** Lets go of a held number. */
  release(address: number): void;
}

/** IPv6 host, port and a family byte: the longest form of {@link AddressBook.describe}. */
export const ADDRESS_BYTES_MAX = 19;

/** Half an IPv6 host and a family byte: the longest form of {@link AddressBook.describeHost}. */
export const HOST_BYTES_MAX = 9;
