// Gives dgram's address strings opaque numbers. Strangers share a small ring of numbers that are good for one
// batch; only held addresses take memory that lasts.

import type { AddressBook } from '../wire/machine.ts';
import { writeCountedHost, writeHost } from './host-bytes.ts';

/** More than libuv hands over in one turn, so a number stays good until its batch is drained. */
const STRANGERS = 256;

/** Held numbers start here; below are strangers. */
const HELD_FROM = STRANGERS;

/** The address book of one dgram socket. */
export class AddressTable implements AddressBook {
  readonly #hosts: string[] = new Array(STRANGERS).fill('');
  readonly #ports: number[] = new Array(STRANGERS).fill(0);
  readonly #holders: number[] = new Array(STRANGERS).fill(0);
  readonly #held = new Map<string, Map<number, number>>();
  readonly #free: number[] = [];
  #nextStranger = 0;

  /** The number of a datagram's source: the held one, or the next stranger's. Allocates nothing. */
  lookup(host: string, port: number): number {
    const held = this.#held.get(host)?.get(port);
    if (held !== undefined) return held;
    const index = this.#nextStranger;
    this.#nextStranger = (index + 1) % STRANGERS;
    this.#hosts[index] = host;
    this.#ports[index] = port;
    return index;
  }

  host(address: number): string {
    return this.#hosts[address] ?? '';
  }

  port(address: number): number {
    return this.#ports[address] ?? 0;
  }

  /** Held addresses. */
  get size(): number {
    return this.#hosts.length - STRANGERS - this.#free.length;
  }

  hold(address: number): number {
    if (address >= HELD_FROM) {
      this.#holders[address]!++;
      return address;
    }
    const host = this.host(address);
    const port = this.port(address);
    const known = this.#held.get(host)?.get(port);
    if (known !== undefined) return this.hold(known);
    const index = this.#free.pop() ?? this.#hosts.length;
    this.#hosts[index] = host;
    this.#ports[index] = port;
    this.#holders[index] = 1;
    let ports = this.#held.get(host);
    if (ports === undefined) {
      ports = new Map();
      this.#held.set(host, ports);
    }
    ports.set(port, index);
    return index;
  }

  release(address: number): void {
    if (address < HELD_FROM || --this.#holders[address]! > 0) return;
    const host = this.host(address);
    const ports = this.#held.get(host);
    ports?.delete(this.port(address));
    if (ports?.size === 0) this.#held.delete(host);
    this.#free.push(address);
  }

  /** One family byte, the host's 4 or 16 bytes, the port. */
  describe(address: number, out: Uint8Array, start: number): number {
    const port = this.port(address);
    const at = start + writeHost(this.host(address), out, start);
    out[at] = port >>> 8;
    out[at + 1] = port;
    return at + 2 - start;
  }

  describeHost(address: number, out: Uint8Array, start: number): number {
    return writeCountedHost(this.host(address), out, start);
  }
}
