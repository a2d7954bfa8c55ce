// Places for connections: taken by a proof, found again by the same proof, named on the wire by an id whose low
// half is the index.

import {
  type Connection,
  type Crypto,
  type Hello,
  KEY_BYTES,
  NONCE_BYTES,
} from '@tickwire/protocol';

/** What a slot is in the middle of. */
export const SlotState = { free: 0, deciding: 1, halfOpen: 2, live: 3, leaving: 4 } as const;

/** One place for a connection. */
export class Slot {
  readonly index: number;
  state: number = SlotState.free;
  localId = 0;
  remoteId = 0;
  address = 0;
  sinceMs = 0;
  readonly nonce = new Uint8Array(NONCE_BYTES);
  readonly clientKey = new Uint8Array(KEY_BYTES);
  readonly serverKey = new Uint8Array(KEY_BYTES);
  connection: Connection | undefined;

  constructor(index: number) {
    this.index = index;
  }
}

/** See the head of the file. */
export class SlotTable {
  /** By index; grows up to the bound, never shrinks. */
  readonly slots: Slot[] = [];
  readonly #crypto: Crypto;
  readonly #capacity: number;
  readonly #idBytes = new Uint8Array(2);
  #used = 0;

  constructor(crypto: Crypto, capacity: number) {
    this.#crypto = crypto;
    this.#capacity = capacity;
  }

  /** Slots that are not free. */
  get used(): number {
    return this.#used;
  }

  /** The slot that the same proof took before. The nonce alone tells: the cookie binds it to the address. */
  find(hello: Hello): Slot | undefined {
    for (const slot of this.slots) {
      let same = slot.state !== SlotState.free;
      for (let i = 0; same && i < NONCE_BYTES; i++) same = slot.nonce[i] === hello.nonce[i];
      if (same) return slot;
    }
    return undefined;
  }

  /** Takes a slot for a proof, with keys of its own; -1 = full. */
  take(hello: Hello, nowMs: number): number {
    let index = this.slots.findIndex((slot) => slot.state === SlotState.free);
    if (index < 0) {
      if (this.slots.length >= this.#capacity) return -1;
      index = this.slots.length;
      this.slots.push(new Slot(index));
    }
    const slot = this.slots[index]!;
    slot.state = SlotState.deciding;
    slot.localId = this.#newId(index);
    slot.remoteId = hello.clientId;
    slot.sinceMs = nowMs;
    slot.nonce.set(hello.nonce);
    slot.clientKey.set(hello.clientKey);
    this.#crypto.randomBytes(slot.serverKey);
    this.#used++;
    return index;
  }

  free(slot: Slot): void {
    slot.state = SlotState.free;
    slot.connection = undefined;
    slot.localId = 0;
    this.#used--;
  }

  /** Low half: the slot. High half: random, not 0, so that ids of earlier holders of the slot do not fit. */
  #newId(index: number): number {
    this.#crypto.randomBytes(this.#idBytes);
    const high = this.#idBytes[0]! | (this.#idBytes[1]! << 8) || 1;
    return ((high << 16) | index) >>> 0;
  }
}
