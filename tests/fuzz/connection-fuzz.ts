// Random operations on a live connection with all delivery kinds, over a network that the fuzzer holds in its hands:
// packets wait in a list and are delivered, dropped, doubled, overtaken or mutated as a seed decides.
//
// Two modes. `sealed`: tags are checked, so mutated packets must change nothing, keys change often and no sequence is sealed
// twice under one, and at the end everything reliable must have arrived, once and in order. `trusted`: tags are not checked, so mutations reach the parsers as if a hostile but
// authenticated peer had sent them; then nothing may throw or grow, and both sides must go on talking. They need not
// agree any more: who believed a lie about a reliable message will find the truth malformed for ever.

import { Prng } from '@tickwire/netsim';
import { HEADER_BYTES, TAG_BYTES } from '@tickwire/protocol';
import { openChain } from '../../packages/protocol/test/connection-pair.ts';
import { RecordedKeys } from '../../packages/protocol/test/recorded-keys.ts';
import { disagreement, FiveKinds, LATEST_KEYS } from './five-kinds.ts';

export type FuzzMode = 'sealed' | 'trusted';

/** What a case did. */
export interface FuzzReport {
  operations: number;
  packets: number;
  mutated: number;
}

const OPERATIONS = 600;
/** Packets that wait in one direction at most; the oldest is dropped. */
const WAITING_MAX = 80;
/** Packets of one flush; the rate control allows far fewer. */
const FLUSH_PACKETS_MAX = 600;
/** Clean network for so long at the end: above the longest backoff of losses. */
const HEAL_MS = 60_000;
const TICK_MS = 16;

/** Packets under one key, in cases of their own. */
const ROTATIONS = [1, 5, 64];

interface Side {
  readonly peer: FiveKinds;
  /** Packets on their way from this side. */
  readonly waiting: Uint8Array[];
}

/** One case: everything follows from seed and mode. */
export class ConnectionFuzz {
  readonly #random: Prng;
  readonly #mode: FuzzMode;
  readonly #sides: readonly [Side, Side];
  readonly #out = new Uint8Array(2048);
  /** Real packets of earlier, to be mutated and brought back. */
  readonly #old: Uint8Array[] = [];
  /** All keys there are, when packets are sealed. */
  readonly #keys: RecordedKeys[] = [];
  readonly #report: FuzzReport = { operations: 0, packets: 0, mutated: 0 };
  #nowMs = 1000;

  constructor(seed: number, mode: FuzzMode) {
    this.#random = new Prng(seed).fork(mode);
    this.#mode = mode;
    // A key for each direction: what a side sent must not open as if its peer had.
    const chain = (from: number) => {
      if (mode === 'trusted') return openChain;
      const keys = new RecordedKeys(1 + from);
      this.#keys.push(keys);
      return keys;
    };
    const rotation = mode === 'trusted' ? undefined : ROTATIONS[seed % ROTATIONS.length];
    const side = (own: number) => ({
      peer: new FiveKinds(this.#nowMs, chain(own), chain(1 - own), rotation),
      waiting: [],
    });
    this.#sides = [side(0), side(1)];
  }

  /** Throws an Error that says what went wrong. */
  run(): FuzzReport {
    while (this.#report.operations++ < OPERATIONS) this.#operate();
    this.#heal();
    return this.#report;
  }

  #below(n: number): number {
    return this.#random.u32() % n;
  }

  #operate(): void {
    const from = this.#below(2);
    const side = this.#sides[from]!;
    const choice = this.#below(100);
    if (choice < 18) side.peer.send(this.#below(4), this.#size());
    else if (choice < 26) side.peer.set(this.#below(LATEST_KEYS + 4), this.#valueSize());
    else if (choice < 45) this.#flush(side);
    else if (choice < 60) this.#pass(this.#below(40));
    else if (choice < 61) this.#pass(this.#below(4000));
    else if (choice < 80) this.#deliver(from, 0);
    else if (choice < 85) this.#deliver(from, this.#below(side.waiting.length + 1));
    else if (choice < 89) side.waiting.splice(this.#below(side.waiting.length + 1), 1);
    else if (choice < 92) this.#double(side);
    else if (choice < 93) this.#ask(side);
    else this.#mutate(from);
    this.#check();
  }

  #size(): number {
    const edges = [1, 4, 60, 1099, 1100, 1101, 2200, 2201, 7999, 8000, 8001];
    return this.#below(3) === 0 ? edges[this.#below(edges.length)]! : this.#below(300);
  }

  #valueSize(): number {
    const edges = [0, 1, 1100, 1101];
    return this.#below(3) === 0 ? edges[this.#below(edges.length)]! : this.#below(100);
  }

  #flush(side: Side): void {
    side.peer.connection.flush(this.#nowMs);
    this.#drain(side);
  }

  #drain(side: Side): void {
    for (let packets = 0; ; packets++) {
      const length = side.peer.connection.poll(this.#nowMs, this.#out, 0);
      if (length === 0) return;
      if (packets > FLUSH_PACKETS_MAX) throw new Error('poll does not end');
      const packet = this.#out.slice(0, length);
      side.waiting.push(packet);
      if (side.waiting.length > WAITING_MAX) side.waiting.shift();
      if (this.#old.length < 200) this.#old.push(packet);
      else this.#old[this.#below(200)] = packet;
      this.#report.packets++;
    }
  }

  #pass(ms: number): void {
    this.#nowMs += ms;
    for (const side of this.#sides) {
      side.peer.connection.advance(this.#nowMs);
      this.#drain(side);
    }
  }

  #deliver(from: number, place: number): void {
    const [packet] = this.#sides[from]!.waiting.splice(place, 1);
    if (packet !== undefined) this.#receive(1 - from, packet);
  }

  #receive(to: number, packet: Uint8Array): void {
    const side = this.#sides[to]!;
    // Opening may work in place, and the original may come again.
    side.peer.connection.receive(this.#nowMs, packet.slice(), 0, packet.length);
    side.peer.connection.advance(this.#nowMs);
    this.#drain(side);
  }

  #double(side: Side): void {
    const packet = side.waiting[this.#below(side.waiting.length + 1)];
    if (packet !== undefined) side.waiting.push(packet);
  }

  /** A path challenge on its way with the others, or the path is another one. */
  #ask(side: Side): void {
    const { connection } = side.peer;
    if (this.#below(4) === 0) connection.pathChanged(this.#nowMs);
    const sizeBytesMax = this.#below(60);
    const data = this.#random.u32();
    const length = connection.writePathChallenge(this.#nowMs, this.#out, 0, sizeBytesMax, data);
    if (length > sizeBytesMax) throw new Error(`a challenge of ${length} bytes`);
    if (length > 0) side.waiting.push(this.#out.slice(0, length));
  }

  /** A real packet, changed somewhere, to either side. */
  #mutate(to: number): void {
    const real = this.#old[this.#below(this.#old.length + 1)];
    if (real === undefined) return;
    this.#report.mutated++;
    this.#receive(to, this.#mutation(real));
  }

  #mutation(real: Uint8Array): Uint8Array {
    // A peer that jumps its own sequences is heard by nobody: without tags, the header stays, but for its sequence.
    const first = this.#mode === 'trusted' ? HEADER_BYTES : 0;
    const body = real.length - TAG_BYTES;
    let packet: Uint8Array = real.slice();
    for (let changes = 1 + this.#below(3); changes > 0; changes--) {
      const at = first + this.#below(Math.max(1, body - first));
      const kind = this.#below(6);
      if (kind === 0) packet[at]! ^= 1 << this.#below(8);
      else if (kind === 1) packet[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][this.#below(6)]!;
      else if (kind === 2) packet.copyWithin(at, first + this.#below(body - first));
      else if (kind === 3) packet = packet.slice(0, first + this.#below(packet.length - first));
      else if (kind === 4) packet = grown(packet, this.#below(300), this.#below(256));
      else packet = spliced(packet, this.#old[this.#below(this.#old.length)]!, at);
    }
    if (this.#mode === 'trusted' && packet.length > HEADER_BYTES) this.#renumber(packet);
    return packet;
  }

  /** A sequence that has not been seen, not far from the newest, so that the body gets read. */
  #renumber(packet: Uint8Array): void {
    const sequence = this.#sides[0]!.peer.connection.nextSequence + this.#below(8);
    packet[5] = sequence;
    packet[6] = sequence >> 8;
  }

  #check(): void {
    this.#checkKeys();
    for (const { peer } of this.#sides) {
      const excess = peer.excess();
      if (excess !== undefined) throw new Error(`beyond its bound: ${excess}`);
      if (Number.isNaN(peer.connection.wakeAt())) throw new Error('wakeAt is not a number');
      const broken = Object.entries(peer.connection.statistics).find(([, v]) => Number.isNaN(v));
      if (broken !== undefined) throw new Error(`statistic ${broken[0]} is not a number`);
    }
  }

  #checkKeys(): void {
    for (const { repeated } of this.#keys) {
      if (repeated.length > 0) throw new Error(`sealed twice under one key: ${repeated[0]}`);
    }
    if (this.#mode === 'trusted') return;
    const [a, b] = this.#sides.map(({ peer }) => peer.connection.statistics);
    for (const [from, to] of [[a!, b!] as const, [b!, a!] as const]) {
      const behind = from.keyGenerationOut - to.keyGenerationIn;
      if (behind !== 0 && behind !== 1) throw new Error(`${behind} generations behind`);
    }
  }

  /** A clean network: sealed, everything arrives; trusted, packets are still believed, on both sides. */
  #heal(): void {
    // Who is believed may also say goodbye.
    if (this.#mode === 'trusted' && this.#sides.some(({ peer }) => peer.ended !== undefined))
      return;
    const received = this.#sides.map(({ peer }) => peer.connection.statistics.packetsIn);
    const until = this.#nowMs + HEAL_MS;
    const done = () =>
      this.#mode === 'sealed'
        ? this.#sides.every(({ peer }) => peer.unsettled === 0)
        : this.#sides.every(
            ({ peer }, i) => peer.connection.statistics.packetsIn > received[i]! + 9,
          );
    while (!done()) {
      if (this.#nowMs > until) throw new Error(`no end after ${HEAL_MS} ms of a clean network`);
      this.#pass(TICK_MS);
      for (const [i, side] of this.#sides.entries()) {
        if (side.peer.ended !== undefined) throw new Error(`it ended: ${side.peer.ended}`);
        if (this.#mode === 'trusted') side.peer.send(0, 10);
        this.#flush(side);
        while (side.waiting.length > 0) this.#deliver(i, 0);
      }
      this.#check();
    }
    const [a, b] = this.#sides;
    const wrong =
      this.#mode === 'sealed' && (disagreement(a.peer, b.peer) ?? disagreement(b.peer, a.peer));
    if (wrong) throw new Error(wrong);
  }
}

function grown(packet: Uint8Array, by: number, value: number): Uint8Array {
  const longer = new Uint8Array(packet.length + by).fill(value);
  longer.set(packet);
  return longer;
}

function spliced(packet: Uint8Array, other: Uint8Array, at: number): Uint8Array {
  const tail = other.slice(Math.min(at, other.length));
  const longer = new Uint8Array(Math.min(at, packet.length) + tail.length);
  longer.set(packet.subarray(0, at));
  longer.set(tail, Math.min(at, packet.length));
  return longer;
}
