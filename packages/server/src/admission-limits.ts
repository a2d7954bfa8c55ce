// All limits of a server in one place: what may be answered, who may connect, how much a connection may send.

import { type AddressBook, RateBucket, RateBuckets } from '@tickwire/protocol';
import { AddressLimits } from './address-limits.ts';
import type { Limits } from './limits.ts';
import { RequestSieve } from './request-sieve.ts';

/** How often each limit said no, since the start. */
export interface LimitStatistics {
  /** Requests that were not answered. */
  readonly requestsLimited: number;
  /** Refusals that were not told. */
  readonly refusalsLimited: number;
  /** Proofs put off because too many connections began from their address. */
  readonly addressesLimited: number;
  /** Proofs put off because the table of addresses was full of others that had not rested. */
  readonly addressesCrowded: number;
  /** Proofs put off because too many connections began in total, or all but what is kept for first attempts. */
  readonly connectionsLimited: number;
  /** Proofs put off because too many clients were proven and not yet connected: of all, or of their address. */
  readonly halfOpenLimited: number;
  /** Packets of connections that sent too many; dropped unread. */
  readonly packetsLimited: number;
}

const NO_ENTRY = -1;

/** See the head of the file. */
export class AdmissionLimits {
  readonly #requests: RequestSieve;
  readonly #refusals: RateBucket;
  readonly #proofRefusals: RateBucket;
  readonly #addresses: AddressLimits;
  readonly #packets: RateBuckets;
  readonly #halfOpenMax: number;
  /** By slot: the entry of its address while it waits, or {@link NO_ENTRY}. */
  readonly #entries: Int16Array;
  #halfOpenLimited = 0;

  constructor(limits: Limits, addresses: AddressBook, slots: number) {
    this.#requests = new RequestSieve(limits.requests);
    this.#refusals = new RateBucket('limits.refusals', limits.refusals);
    this.#proofRefusals = new RateBucket('limits.refusals', limits.refusals);
    this.#addresses = new AddressLimits(
      addresses,
      limits.connectionsPerAddress,
      limits.connections,
    );
    this.#packets = new RateBuckets('limits.packets', limits.packets, slots);
    this.#halfOpenMax = limits.halfOpen;
    this.#entries = new Int16Array(slots).fill(NO_ENTRY);
  }

  /** As of now. */
  get statistics(): LimitStatistics {
    return {
      requestsLimited: this.#requests.limited,
      refusalsLimited: this.#refusals.limited + this.#proofRefusals.limited,
      addressesLimited: this.#addresses.limited,
      addressesCrowded: this.#addresses.crowded,
      connectionsLimited: this.#addresses.limitedInTotal,
      halfOpenLimited: this.#halfOpenLimited + this.#addresses.limitedByPlaces,
      packetsLimited: this.#packets.limited,
    };
  }

  /** Whether the request whose nonce stands at bytes[nonceAt] is answered. */
  mayAnswer(nowMs: number, bytes: Uint8Array, nonceAt: number): boolean {
    return this.#requests.admit(nowMs, bytes, nonceAt);
  }

  /** Whether a stranger is told why it cannot be answered. */
  mayRefuse(nowMs: number): boolean {
    return this.#refusals.take(nowMs);
  }

  /** Whether an address that has returned its cookie is told why it has no place; strangers have no part in these. */
  mayRefuseProof(nowMs: number): boolean {
    return this.#proofRefusals.take(nowMs);
  }

  /** Whether an address that has returned its cookie may have its proof opened. */
  mayConnect(nowMs: number, address: number, halfOpen: number): boolean {
    const free = this.#halfOpenMax - halfOpen;
    if (free > 0) return this.#addresses.take(nowMs, address, free);
    this.#halfOpenLimited++;
    return false;
  }

  /** The proof that was let through last has taken the slot, which waits. */
  waits(slot: number): void {
    this.#entries[slot] = this.#addresses.holdPlace();
  }

  /** The slot waits no more: its client is connected, or was given up. */
  waited(slot: number): void {
    const entry = this.#entries[slot]!;
    if (entry === NO_ENTRY) return;
    this.#entries[slot] = NO_ENTRY;
    this.#addresses.letGo(entry);
  }

  /** Whether a packet that names the slot is looked at. */
  mayReceive(nowMs: number, slot: number): boolean {
    return this.#packets.admits(slot, nowMs);
  }

  /** The packet was authentic: only those count, so that forgeries cannot mute anybody. */
  received(slot: number): void {
    this.#packets.spend(slot);
  }

  /** The slot is somebody else's from now on. */
  restart(slot: number): void {
    this.#packets.reset(slot);
  }
}
