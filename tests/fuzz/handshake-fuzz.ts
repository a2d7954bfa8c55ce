// The handshake and the states behind it, on both sides, against datagrams that are valid, changed, cut, spliced, replayed
// and from elsewhere. `HostLab` has the server, its clients and the rules that must hold after each operation; at the end
// an honest client must still get in.

import { Prng } from '@tickwire/netsim';
import { HostLab, type LabOptions } from '../security/host-lab.ts';
import { mutated } from './datagram-mutations.ts';

/** What a case did. */
export interface HandshakeFuzzReport {
  operations: number;
  mutated: number;
  replayed: number;
  joined: number;
}

const OPERATIONS = 250;
const JUMPS_MS = [0, 1, 20, 100, 200, 500, 1000, 4000, 5000, 9000] as const;
/** Half-open places are given up, closes are over, limits are forgotten. */
const REST_MS = 15_000;
const HONEST_TRIES = 12;
/** More than there are. */
const SLOTS_MAX = 64;

/** One case: everything follows from the seed. */
export class HandshakeFuzz {
  readonly #random: Prng;
  readonly #lab: HostLab;
  readonly #report: HandshakeFuzzReport = { operations: 0, mutated: 0, replayed: 0, joined: 0 };

  /** `wrap` puts something between the server and the world, such as a bug. */
  constructor(seed: number, wrap?: LabOptions['wrap']) {
    this.#random = new Prng(seed).fork('handshake');
    this.#lab = new HostLab({ seed, access: this.#below(4), ...(wrap && { wrap }) });
  }

  /** Throws an Error that says what went wrong. */
  run(): HandshakeFuzzReport {
    while (this.#report.operations++ < OPERATIONS) {
      this.#operate();
      if (this.#lab.wrong !== undefined) throw new Error(this.#lab.wrong);
    }
    this.#letSomebodyIn();
    this.#report.joined = this.#opened;
    return this.#report;
  }

  #below(n: number): number {
    return this.#random.u32() % n;
  }

  #operate(): void {
    const lab = this.#lab;
    const client = lab.clients[this.#below(Math.max(1, lab.clients.length))];
    const choice = this.#below(100);
    if (client === undefined || choice < 4) lab.addClient(this.#below(256));
    else if (choice < 6) lab.settle(client);
    else if (choice < 10) lab.request(this.#anybody(), this.#below(5));
    else if (choice < 12) lab.move(client, this.#below(256));
    else if (choice < 14) lab.closeSlot(this.#below(4));
    else if (choice < 15) client.dialer.close(lab.nowMs, 'closed', 'bye');
    else if (choice < 20) lab.decide(this.#below(4));
    else if (choice < 28) lab.pass(JUMPS_MS[this.#below(JUMPS_MS.length)]!);
    else if (choice < 32) lab.flush();
    else if (choice < 50) lab.pump(client, this.#below(8) === 0 ? this.#below(4) : 1);
    else if (choice < 65) this.#replay();
    else this.#mutate();
  }

  #anybody(): number {
    const clients = this.#lab.clients;
    if (this.#below(2) === 0) return this.#lab.victim(this.#below(4));
    return clients[this.#below(Math.max(1, clients.length))]?.address ?? 7;
  }

  #replay(): void {
    const old = this.#old();
    if (old === undefined) return;
    this.#report.replayed++;
    this.#hand(old.bytes, this.#below(2) === 0 ? old.from : this.#anybody());
  }

  #mutate(): void {
    const [old, other] = [this.#old(), this.#old()];
    if (old === undefined || other === undefined) return;
    this.#report.mutated++;
    const packet = mutated(old.bytes, other.bytes, (n) => this.#below(n));
    this.#hand(packet, this.#below(3) === 0 ? this.#anybody() : old.from);
  }

  /** To the server, or in the server's name to a client. */
  #hand(bytes: Uint8Array, from: number): void {
    const { clients } = this.#lab;
    const client = clients[this.#below(Math.max(1, clients.length))];
    if (client !== undefined && this.#below(2) === 0) this.#lab.reach(client, bytes);
    else this.#lab.arrive(from, bytes);
  }

  #old() {
    const { corpus } = this.#lab;
    return corpus[this.#below(Math.max(1, corpus.length))];
  }

  /** Who is there goes, and then somebody honest comes. */
  #letSomebodyIn(): void {
    const lab = this.#lab;
    for (let slot = 0; slot < SLOTS_MAX; slot++) lab.closeSlot(slot);
    for (let passed = 0; passed < REST_MS; passed += 50) {
      lab.pass(50);
      lab.decide(0);
    }
    if (lab.host.used !== 0) throw new Error(`${lab.host.used} places are never given back`);
    lab.mendStore();
    const client = lab.join(lab.goodCredential());
    const before = this.#opened;
    for (let tries = HONEST_TRIES; tries > 0 && this.#opened === before; tries--)
      lab.settle(client);
    if (lab.wrong !== undefined) throw new Error(lab.wrong);
    if (this.#opened === before) {
      throw new Error(`an honest client does not get in: ${client.ended ?? 'no answer'}`);
    }
  }

  /** Connections that became live. */
  get #opened(): number {
    return this.#lab.reached.get('opened') ?? 0;
  }
}
