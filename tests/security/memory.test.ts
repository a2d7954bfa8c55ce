// What strangers can make a server hold: the figure of SECURITY.md, from the constants that it names, and what a host
// takes that is flooded for it.

import { readFileSync } from 'node:fs';
import { simulatedCrypto } from '@tickwire/netsim';
import {
  DATA_PACKET_BYTES_MIN,
  type Machine,
  NONCE_BYTES,
  PADDED_BYTES,
  PacketKind,
  writeHeader,
  writeRequest,
} from '@tickwire/protocol';
import { ConnectionHost } from '@tickwire/server/core';
import { expect, test } from 'vitest';
import { AddressTable } from '../../packages/protocol/src/udp/address-table.ts';
import { fixedBytes, fixedTables, HOST_CHARACTERS_MAX, heldBytes } from './fixed-tables.ts';

const GAME = { idHash: 1, digest: 2 };
const DATAGRAMS = 20_000;
const ROUNDS = 5;
const NONCE_AT = 15;
const COOKIE_AT = 32;
/** What a server has besides, whatever comes: counters, shares of proven addresses and of connections. */
const BESIDES_BYTES = 96 * 1024;
/** What the collector and the compiler are off by. */
const NOISE_BYTES = 48 * 1024;

interface Server {
  readonly machine: Machine;
  readonly addresses: AddressTable;
}

function createHost(): Server {
  const addresses = new AddressTable();
  const machine = new ConnectionHost({
    game: GAME,
    crypto: simulatedCrypto(1),
    addresses,
    sink: { requested: () => {}, channels: () => [], opened: () => {}, closed: () => {} },
  });
  return { machine, addresses };
}

/** 100,000 a second, each from a host of its own: requests, proofs that are none, data of nobody. */
function flood({ machine, addresses }: Server, first: number, count: number): void {
  const packet = new Uint8Array(PADDED_BYTES);
  const words = new DataView(packet.buffer);
  const [out, to] = [new Uint8Array(PADDED_BYTES), { address: 0 }];
  for (let n = first; n < first + count; n++) {
    writeRequest(packet, 0, { game: GAME, nonce: new Uint8Array(NONCE_BYTES) });
    words.setUint32(NONCE_AT, Math.imul(n, 0x9e3779b1));
    words.setUint32(NONCE_AT + 4, Math.imul(n, 0x85ebca6b));
    let end = PADDED_BYTES;
    if (n % 8 === 6) packet[0] = PacketKind.proof;
    if (n % 8 === 6) packet.fill(n, COOKIE_AT, COOKIE_AT + 60);
    if (n % 8 === 7) writeHeader(packet, 0, n, n);
    if (n % 8 === 7) end = DATA_PACKET_BYTES_MIN;
    const host = `fe80::${n.toString(16)}%${'x'.repeat(HOST_CHARACTERS_MAX)}`;
    const from = addresses.lookup(host.slice(0, HOST_CHARACTERS_MAX), n % 0x10000);
    machine.receive(n / 100, packet, 0, end, from);
    // Less often than the ring has room for.
    if (n % 1000 === 0) while (machine.poll(n / 100, out, 0, to) > 0);
  }
}

/** What `act` takes, in bytes: the median of some times, as the compiler and the collector take or give in between. */
function taken(act: (round: number) => void): number {
  const rounds = Array.from({ length: ROUNDS }, (_, round) => {
    const before = heldBytes();
    act(round);
    return heldBytes() - before;
  });
  return rounds.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
}

/** Bytes that a new server takes when it is made, and those more that it takes in each flood. */
function growth(create: () => Server): { made: number; flooded: number } {
  const servers = [create()];
  flood(servers[0]!, 0, DATAGRAMS);
  const made = taken(() => servers.push(create()));
  const flooded = taken((round) => flood(servers[0]!, (1 + round) * DATAGRAMS, DATAGRAMS));
  expect([servers.length, servers[0]!.addresses.size]).toEqual([1 + ROUNDS, 0]);
  return { made, flooded };
}

test('what strangers make a server hold is fixed, and SECURITY.md says how much it is', () => {
  const kib = Math.ceil(fixedBytes() / 1024);
  const tables = Object.entries(fixedTables()).map(([what, n]) => `${what} ${n}`);
  console.log(`strangers make a server hold ${kib} KiB at most, in bytes: ${tables.join(', ')}`);
  const page = readFileSync(new URL('../../SECURITY.md', import.meta.url), 'utf8');
  expect(page).toContain(`**${kib} KiB**`);

  const { made, flooded } = growth(createHost);
  const round = (bytes: number) => (bytes / 1024).toFixed(0);
  console.log(`a server took ${round(made)} KiB, and ${round(flooded)} KiB more in a flood`);
  expect(made + flooded).toBeLessThan(fixedBytes() + BESIDES_BYTES);
  // The tables are no guess: they are there.
  expect(made + flooded).toBeGreaterThan(0.9 * fixedBytes());
  expect(flooded).toBeLessThan(fixedTables()['addresses being read']! + NOISE_BYTES);
});

test('a server that keeps two bytes of a request is noticed', () => {
  const notes: Uint8Array[] = [];
  const { flooded } = growth(() => {
    const { machine, addresses } = createHost();
    const growing: Machine = {
      receive: (nowMs, bytes, start, end, from) => {
        notes.push(bytes.slice(NONCE_AT, NONCE_AT + 2));
        return machine.receive(nowMs, bytes, start, end, from);
      },
      advance: (nowMs) => machine.advance(nowMs),
      poll: (nowMs, out, start, to) => machine.poll(nowMs, out, start, to),
      wakeAt: () => machine.wakeAt(),
    };
    return { machine: growing, addresses };
  });
  expect(notes.length).toBe((1 + ROUNDS) * DATAGRAMS);
  expect(flooded).toBeGreaterThan(fixedTables()['addresses being read']! + NOISE_BYTES);
  expect(flooded).toBeGreaterThan(BESIDES_BYTES);
});
