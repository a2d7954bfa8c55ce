// What a server sends to addresses of which it does not know that somebody is there, over whatever states it can be
// brought into: `HostLab` has the server and those around it, fast-check chooses what they do, `StrangerLedger` counts.

import {
  type Destination,
  type Machine,
  PADDED_BYTES,
  PacketKind,
  readKind,
} from '@tickwire/protocol';
import type { ConnectionHost } from '@tickwire/server/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HostLab } from './host-lab.ts';

const seed = Number(process.env.TICKWIRE_SECURITY_SEED ?? 1);
const runs = Number(process.env.TICKWIRE_SECURITY_RUNS ?? 150);
const JUMPS_MS = [0, 1, 20, 100, 200, 1000, 2000, 4000, 5000, 9000, 11_000] as const;

type Step = readonly [operation: number, a: number, b: number];

const steps = fc.array(fc.tuple(fc.nat(31), fc.nat(255), fc.nat(255)), {
  minLength: 40,
  maxLength: 160,
  size: 'max',
});

/** Lets one thing happen. */
function take(lab: HostLab, [operation, a, b]: Step): void {
  const client = lab.clients[a % Math.max(1, lab.clients.length)];
  const old = lab.corpus[a % Math.max(1, lab.corpus.length)];
  if (client === undefined || operation === 0) lab.addClient(b);
  else if (operation === 1) lab.request(lab.victim(a), b % 5);
  else if (operation === 2) lab.request(client.address, b % 5);
  else if (operation === 3) lab.move(client, b);
  else if (operation === 4 && old !== undefined) lab.arrive(lab.victim(b), old.bytes);
  else if (operation === 5 && old !== undefined) lab.arrive(client.address, old.bytes);
  else if (operation === 6 && old !== undefined) {
    const packet = old.bytes.slice();
    packet[(a * 256 + b) % packet.length]! ^= 1 + (a % 255);
    lab.arrive(b % 2 === 0 ? old.from : lab.victim(b), packet);
  } else if (operation === 7) lab.closeSlot(a % 6);
  else if (operation === 8 && a % 4 === 0) client.dialer.close(lab.nowMs, 'closed', 'bye');
  else if (operation === 9 && old !== undefined) {
    const from = b % 2 === 0 ? lab.victim(b) : client.address;
    lab.arriveTogether(from, new Array(1 + (b % 20)).fill(old.bytes));
  } else if (operation < 13) lab.decide(b % 4);
  else if (operation < 17) lab.pass(JUMPS_MS[b % JUMPS_MS.length]!);
  else if (operation < 19) lab.flush();
  else if (operation < 22) lab.settle(client);
  else if (operation === 22 && a % 4 === 0) lab.crowd();
  else lab.pump(client, b % 16 < 12 ? 1 : b % 4);
}

/** The host with a bug between it and the world. */
abstract class Planted implements Machine {
  protected readonly host: ConnectionHost;

  constructor(host: ConnectionHost) {
    this.host = host;
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): number {
    return this.host.receive(nowMs, bytes, start, end, from);
  }

  advance(nowMs: number): void {
    this.host.advance(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    return this.host.poll(nowMs, out, start, to);
  }

  wakeAt(): number {
    return this.host.wakeAt();
  }
}

/** Says the last challenge again when time has passed. */
class Repeating extends Planted {
  #last: { bytes: Uint8Array; address: number; atMs: number } | undefined;

  override poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    const length = super.poll(nowMs, out, start, to);
    if (length > 0 && readKind(out, start, length) === PacketKind.challenge) {
      this.#last = { bytes: out.slice(start, length), address: to.address, atMs: nowMs };
    }
    if (length > 0 || this.#last === undefined || nowMs < this.#last.atMs + 200) return length;
    out.set(this.#last.bytes, start);
    to.address = this.#last.address;
    const { length: again } = this.#last.bytes;
    this.#last = undefined;
    return again;
  }
}

/** Takes requests without their padding. */
class Unpadded extends Planted {
  override receive(
    nowMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
  ): number {
    if (readKind(bytes, start, end) !== PacketKind.request) {
      return super.receive(nowMs, bytes, start, end, from);
    }
    const padded = new Uint8Array(PADDED_BYTES);
    padded.set(bytes.subarray(start, Math.min(end, start + PADDED_BYTES)));
    return super.receive(nowMs, padded, 0, PADDED_BYTES, from);
  }
}

/** Sends data to wherever an accepted packet came from last. */
class Trusting extends Planted {
  #newest = 0;

  override receive(
    nowMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
  ): number {
    const kind = readKind(bytes, start, end);
    const verdict = super.receive(nowMs, bytes, start, end, from);
    if (kind === PacketKind.data && verdict === 0) this.#newest = from;
    return verdict;
  }

  override poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    const length = super.poll(nowMs, out, start, to);
    const data = length > 0 && readKind(out, start, start + length) === PacketKind.data;
    if (data && this.#newest !== 0) to.address = this.#newest;
    return length;
  }
}

/** What an exploration comes to: what went wrong, and how often what was reached. */
function explore(numRuns: number, wrap?: (host: ConnectionHost) => Machine) {
  const reached = new Map<string, number>();
  const add = (what: string, times: number) => reached.set(what, (reached.get(what) ?? 0) + times);
  const property = fc.property(fc.nat(10_000), fc.nat(3), steps, (labSeed, access, taken) => {
    const lab = new HostLab({ seed: labSeed, access, ...(wrap !== undefined && { wrap }) });
    for (const step of taken) {
      take(lab, step);
      if (lab.wrong !== undefined) throw new Error(lab.wrong);
    }
    for (const [what, times] of lab.reached) add(what, times);
    add('path changes', lab.host.statistics.pathChanges);
  });
  // For a planted bug it is enough that there are steps that show it; otherwise the fewest are looked for.
  const found = fc.check(property, { seed, numRuns, endOnFailure: wrap !== undefined });
  const what = (found.errorInstance as Error | undefined)?.message;
  return {
    wrong: found.failed ? `${what}\n${fc.defaultReportMessage(found)}` : undefined,
    reached,
  };
}

/** States and answers without which the exploration would have proven little. */
const EXPECTED = [
  'asked',
  'opened',
  'resumed',
  'client live',
  'closed closed',
  'closed kicked',
  'closed timeout',
  'client ended: credentials',
  'client ended: refused',
  'client ended: resume-invalid',
  'client ended: token-expired',
  'client ended: token-used',
  'client ended: full',
  'path challenge',
  'path changes',
  'sent kind 2',
  'sent kind 4',
  'sent kind 5',
  'sent kind 6',
  'verdict limited',
] as const;

test('answers to an unproven address never exceed what came from it, and none is unasked', () => {
  const { wrong, reached } = explore(runs);
  expect(wrong).toBeUndefined();
  expect(EXPECTED.filter((what) => (reached.get(what) ?? 0) < 5)).toEqual([]);
});

test.each([
  ['repeats an answer', (host: ConnectionHost) => new Repeating(host), 'unasked'],
  ['answers short requests', (host: ConnectionHost) => new Unpadded(host), 'more than came'],
  ['follows an address unproven', (host: ConnectionHost) => new Trusting(host), 'to '],
] as const)('a server that %s is noticed', (_name, wrap, what) => {
  expect(explore(runs, wrap).wrong).toContain(what);
});
