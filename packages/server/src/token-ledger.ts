// Which connect tokens were used here. A token lets in one connection: it is pending while an attempt proves itself,
// and consumed, until it expires, at the attempt's first sealed packet.
//
//   claim -> pending -> consume -> consumed
//               |  ^
//        release v  | claim, by whoever has the token: a client that starts over must not be locked out
//            forgotten, unless a shared store was asked: it must not be asked twice about one token
//
// The newest attempt has the place, so no more than one can consume it. Wall times are unix ms.

import { keyOf } from './id-key.ts';

/** Tokens that are remembered, if nobody says otherwise: two a second for an hour, the longest lifetime. */
export const LEDGER_TOKENS_MAX = 8192;

/** The `holder` of a token that no attempt has. */
const NOBODY = -1;

/** What the shared store, if there is one, has been asked and has said about a token. */
const Store = { unasked: 0, asked: 1, granted: 2 } as const;

interface Entry {
  expiresWallMs: number;
  /** The slot of the attempt that has the token, or {@link NOBODY}. */
  holder: number;
  store: number;
  consumed: boolean;
}

/**
 * What a claim comes to. `fresh`: go on; where there is a shared store, ask it. `asked`: the store has been asked about
 * this token, wait for the same answer. `granted`: the store said yes, go on. `used`, `full`: refuse.
 */
export type Claim = 'fresh' | 'asked' | 'granted' | 'used' | 'full';

/** See the head of the file. Tokens are named by the 16 bytes of their id. */
export class TokenLedger {
  readonly #entries = new Map<string, Entry>();
  readonly #capacity: number;
  #full = 0;
  /** Nothing that may be dropped expires before. */
  #nextExpiryWallMs = Number.POSITIVE_INFINITY;
  /** What expires up to here may have been dropped. */
  #droppedWallMs = Number.NEGATIVE_INFINITY;

  /** @param capacity tokens that are remembered at a time; further ones are refused, never others forgotten. */
  constructor(capacity: number = LEDGER_TOKENS_MAX) {
    this.#capacity = capacity;
  }

  /** Tokens that are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** Tokens that were refused because as many as may be were remembered. */
  get full(): number {
    return this.#full;
  }

  /** The slot of the attempt that has the token, -1 = none. Whoever claims it next takes it from there. */
  holderOf(id: Uint8Array): number {
    return this.#entries.get(keyOf(id))?.holder ?? NOBODY;
  }

  /** The attempt in `slot` wants the token, which has not expired; on 'fresh', 'asked' and 'granted' it has it. */
  claim(id: Uint8Array, slot: number, expiresWallMs: number, nowWallMs: number): Claim {
    const key = keyOf(id);
    const entry = this.#entries.get(key);
    if (entry === undefined) return this.#enter(key, slot, expiresWallMs, nowWallMs);
    if (entry.consumed) return 'used';
    entry.holder = slot;
    if (entry.store === Store.unasked) return 'fresh';
    return entry.store === Store.asked ? 'asked' : 'granted';
  }

  /** The attempt in `slot` is over, whatever became of it. Every slot that claimed is released, or consumes. */
  release(id: Uint8Array, slot: number): void {
    const key = keyOf(id);
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.holder !== slot) return;
    if (entry.store === Store.unasked) this.#entries.delete(key);
    else this.#letGo(entry);
  }

  /**
   * The first sealed packet of the attempt in `slot` has come: the token lets nobody in any more. False: the attempt has
   * lost it to a newer one, and is to end. An expiry since the claim changes nothing: the place was given in time.
   */
  consume(id: Uint8Array, slot: number): boolean {
    const entry = this.#entries.get(keyOf(id));
    if (entry === undefined || entry.holder !== slot) return false;
    entry.consumed = true;
    this.#letGo(entry);
    return true;
  }

  /** The shared store is being asked about a token that was just claimed. */
  ask(id: Uint8Array): void {
    const entry = this.#entries.get(keyOf(id));
    if (entry?.store === Store.unasked) entry.store = Store.asked;
  }

  /**
   * The shared store has answered: yes, no, or (undefined) not at all, in which case the next claim asks again. Returns
   * the slot that waits for it, which need not be the one that asked; -1 = none.
   */
  answer(id: Uint8Array, granted: boolean | undefined): number {
    const key = keyOf(id);
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.store !== Store.asked) return NOBODY;
    const { holder } = entry;
    if (granted === undefined) this.#forgetAnswer(key, entry);
    else if (granted) entry.store = Store.granted;
    else {
      entry.consumed = true;
      this.#letGo(entry);
    }
    return holder;
  }

  #enter(key: string, slot: number, expiresWallMs: number, nowWallMs: number): Claim {
    // A clock that went backwards must not bring a dropped token back to life.
    if (expiresWallMs <= this.#droppedWallMs) return 'used';
    if (this.#entries.size >= this.#capacity) this.#dropExpired(nowWallMs);
    if (this.#entries.size >= this.#capacity) {
      this.#full++;
      return 'full';
    }
    this.#entries.set(key, { expiresWallMs, holder: slot, store: Store.unasked, consumed: false });
    return 'fresh';
  }

  #forgetAnswer(key: string, entry: Entry): void {
    entry.store = Store.unasked;
    if (entry.holder === NOBODY) this.#entries.delete(key);
  }

  #letGo(entry: Entry): void {
    entry.holder = NOBODY;
    this.#nextExpiryWallMs = Math.min(this.#nextExpiryWallMs, entry.expiresWallMs);
  }

  /**
   * Forgets what has expired. What an attempt still has stays, so that two could not consume it; its slot bounds it. Goes
   * through all entries only when one has expired, so that a full table costs nothing per refusal.
   */
  #dropExpired(nowWallMs: number): void {
    if (nowWallMs < this.#nextExpiryWallMs) return;
    this.#droppedWallMs = Math.max(this.#droppedWallMs, nowWallMs);
    this.#nextExpiryWallMs = Number.POSITIVE_INFINITY;
    for (const [key, entry] of this.#entries) {
      if (entry.holder !== NOBODY) continue;
      if (entry.expiresWallMs <= nowWallMs) this.#entries.delete(key);
      else this.#letGo(entry);
    }
  }
}
