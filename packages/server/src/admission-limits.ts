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
  /** Proofs put off because the table of addresses was full of others in debt. */
  readonly addressesCrowded: number;
  /** Proofs put off because too many connections began in total. */
  readonly connectionsLimited: number;
  /** Proofs put off because too many clients were proven and not yet connected. */
  readonly halfOpenLimited: number;
  /** Packets of connections that sent too many; dropped unread. */
  readonly packetsLimited: number;
}

/** See the head of the file. */
export class AdmissionLimits {
  readonly #requests: RequestSieve;
  readonly #refusals: RateBucket;
  readonly #proofRefusals: RateBucket;
  readonly #addresses: AddressLimits;
  readonly #packets: RateBuckets;
  readonly #halfOpenMax: number;
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
  }

  /** As of now. */
  get statistics(): LimitStatistics {
    return {
      requestsLimited: this.#requests.limited,
      refusalsLimited: this.#refusals.limited + this.#proofRefusals.limited,
      addressesLimited: this.#addresses.limited,
      addressesCrowded: this.#addresses.crowded,
      connectionsLimited: this.#addresses.limitedInTotal,
      halfOpenLimited: this.#halfOpenLimited,
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
    if (halfOpen < this.#halfOpenMax) return this.#addresses.take(nowMs, address);
    this.#halfOpenLimited++;
    return false;
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
