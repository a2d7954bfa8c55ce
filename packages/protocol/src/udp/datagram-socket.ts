// The interface between machines and whatever carries datagrams. dgram-socket.ts implements it over node:dgram;
// nothing above it may know dgram's strings, rinfo or callbacks.

import type { AddressBook, Machine } from '../wire/machine.ts';

/** Receives what a socket brings. The range is valid only during the call. */
export interface DatagramSink {
  /** One datagram; every datagram of a batch carries the same `nowMs`. */
  datagram(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): void;
  /** No more datagrams for now: time to advance and drain. */
  batchEnd(): void;
  /** The socket reports an error; it stays usable unless `fatal`. What this throws is lost. */
  failed(error: Error, fatal: boolean): void;
}

/** Where a socket is bound. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
  readonly family: 4 | 6;
}

/** Counters of one socket. */
export interface SocketStatistics {
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Not handed to the system because too many were waiting already. */
  readonly dropped: number;
  readonly errors: number;
  /**
   * Where datagrams are built: 'shared' with the cryptography, which then copies nothing, or in memory of its 'own',
   * because the shared memory was taken by other sockets of the process.
   */
  readonly arena: 'shared' | 'own';
}

/** A bound socket. */
export interface DatagramSocket {
  readonly addresses: AddressBook;
  readonly address: SocketAddress;
  readonly statistics: SocketStatistics;
  /** Bytes of receive buffer that the system granted. */
  readonly receiveBufferBytes: number;
  /** The opaque, held address of a literal host and port. */
  resolve(host: string, port: number): number;
  /** Host and port of an opaque address. */
  describe(address: number): { host: string; port: number };
  /** Takes a whole flush: everything that `machine.poll` offers until it is drained. */
  drain(nowMs: number, machine: Machine): void;
  /** Resolves when nothing more will come out of it. */
  close(): Promise<void>;
}
