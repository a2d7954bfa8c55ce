// Gives dgram's address strings opaque numbers. Strangers share a small ring of numbers that are good for one
// batch; only held addresses take memory that lasts.

import { isIPv6 } from 'node:net';
import type { AddressBook } from '../wire/machine.ts';

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
    const host = this.host(address);
    const port = this.port(address);
    const parts = isIPv6(host) ? ipv6Groups(host) : host.split('.').map(Number);
    const width = parts.length === 8 ? 2 : 1;
    let at = start;
    out[at++] = width === 2 ? 6 : 4;
    for (const part of parts) {
      if (width === 2) out[at++] = part >>> 8;
      out[at++] = part;
    }
    out[at++] = port >>> 8;
    out[at++] = port;
    return at - start;
  }
}

/** The eight groups of an IPv6 address; a zone after `%` is left out, an embedded IPv4 tail becomes two groups. */
function ipv6Groups(host: string): number[] {
  const [bare] = host.split('%') as [string];
  const [head, tail] = bare.split('::').map((half) => (half === '' ? [] : half.split(':'))) as [
    string[],
    string[] | undefined,
  ];
  const groups = (half: string[]) =>
    half.flatMap((group) => {
      if (!group.includes('.')) return [Number.parseInt(group, 16)];
      const [a, b, c, d] = group.split('.').map(Number) as [number, number, number, number];
      return [(a << 8) | b, (c << 8) | d];
    });
  const left = groups(head);
  const right = groups(tail ?? []);
  const zeros = new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0);
  return [...left, ...zeros, ...right].slice(0, 8);
}
