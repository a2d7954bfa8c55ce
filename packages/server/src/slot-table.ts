// Places for connections: taken by a proof, found again by the same proof, named on the wire by an id whose low
// half is the index. Nothing here takes longer the more of them there are: whoever has a cookie can ask at will.

import {
  ACCEPT_BYTES,
  type Connection,
  type Crypto,
  cookieSlice,
  type Hello,
  KEY_BYTES,
  NO_SECRET,
  NONCE_BYTES,
  type ProofSecrets,
  type ResumeKeys,
  sameBytes,
  TickwireError,
} from '@tickwire/protocol';
import { PathChange } from './path-change.ts';
import { SlotIndex } from './slot-index.ts';

/** What a slot is in the middle of. */
export const SlotState = { free: 0, deciding: 1, halfOpen: 2, live: 3, leaving: 4 } as const;

/** Who a connect token says that a client is. */
export interface User {
  /** As the backend named it, at most 64 bytes. */
  readonly id: string;
  /** Whatever the backend put into the token, at most 512 bytes. */
  readonly data: Uint8Array;
}

/** What is known of a client whose proof was good. */
export interface Admission {
  /** Goes into the keys; NO_SECRET when it needed none. */
  readonly secret: Uint8Array;
  /** The session that it resumes, 0 = none. */
  readonly resumes: number;
  readonly user?: User | undefined;
  /** Of its token. */
  readonly tokenId?: Uint8Array | undefined;
  /** From its token; undefined = the server's own. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Slots beyond the bound, for clients that resume: the seat that they come back to may still have its old one. So many
 * at once come back to a server that is full.
 */
const SLOTS_TO_RESUME = 16;

/** The index of a slot is half of an id. */
const SLOTS_MAX = 65_536;

const NOBODY: Admission = { secret: NO_SECRET, resumes: 0 };

/** One place for a connection. */
export class Slot {
  readonly index: number;
  /** {@link SlotTable.become} sets it, and nobody else. */
  readonly state: number = SlotState.free;
  localId = 0;
  remoteId = 0;
  address = 0;
  sinceMs = 0;
  readonly nonce = new Uint8Array(NONCE_BYTES);
  readonly clientKey = new Uint8Array(KEY_BYTES);
  /** Of the proof that took it: which of a client's attempts is the later one. */
  cookieSlice = 0;
  /** What was agreed on with the proof, until it is answered. */
  secrets: ProofSecrets | undefined;
  admission = NOBODY;
  /** The answer, to be repeated when the proof is. */
  readonly accept = new Uint8Array(ACCEPT_BYTES);
  /** When it was given last. */
  acceptedMs = Number.NEGATIVE_INFINITY;
  /** With these its session can be resumed. */
  resumeKeys: ResumeKeys | undefined;
  connection: Connection | undefined;
  readonly path = new PathChange();

  constructor(index: number) {
    this.index = index;
  }
}

/** See the head of the file. */
export class SlotTable {
  /** By index; grows up to the bound, never shrinks. */
  readonly slots: Slot[] = [];
  readonly #crypto: Crypto;
  /** Slots that there can be, those for clients that resume included. */
  readonly capacity: number;
  readonly #bound: number;
  readonly #index: SlotIndex;
  /** Indexes of slots that are free again. */
  readonly #free: number[] = [];
  readonly #waited: (slot: Slot) => void;
  readonly #idBytes = new Uint8Array(2);
  #halfOpen = 0;

  /**
   * `waited` is told when a slot waits no more, see {@link isWaiting}. Throws 'option-invalid' for a capacity that ids
   * cannot name.
   */
  constructor(crypto: Crypto, capacity: number, waited: (slot: Slot) => void = () => {}) {
    this.#crypto = crypto;
    this.#waited = waited;
    if (!(Number.isInteger(capacity) && capacity >= 1 && capacity < SLOTS_MAX)) {
      const want = `give a whole number from 1 to ${SLOTS_MAX - 1}`;
      throw new TickwireError('option-invalid', `maxConnections is ${capacity}; ${want}`);
    }
    this.#bound = capacity;
    this.capacity = Math.min(capacity + SLOTS_TO_RESUME, SLOTS_MAX);
    this.#index = new SlotIndex(crypto, this.capacity);
  }

  /** Slots that are not free. */
  get used(): number {
    return this.slots.length - this.#free.length;
  }

  /** Slots whose clients have not been heard on their connection yet. */
  get halfOpen(): number {
    return this.#halfOpen;
  }

  /** The slot that the same proof took before: the same nonce, which the cookie binds to the address, and key. */
  find(hello: Hello): Slot | undefined {
    const { nonce, clientKey } = hello;
    const index = this.#index;
    for (let place = index.home(nonce); index.at(place) >= 0; place = index.next(place)) {
      const slot = this.slots[index.at(place)]!;
      if (sameBytes(slot.nonce, nonce) && sameBytes(slot.clientKey, clientKey)) return slot;
    }
    return undefined;
  }

  /** Takes a slot for a proof; undefined = full. */
  take(hello: Hello, secrets: ProofSecrets, admission: Admission, nowMs: number): Slot | undefined {
    const bound = admission.resumes === 0 ? this.#bound : this.capacity;
    if (this.used >= bound) return undefined;
    const slot = this.slots[this.#free.pop() ?? this.slots.push(new Slot(this.slots.length)) - 1]!;
    this.become(slot, SlotState.deciding);
    slot.localId = this.#newId(slot.index);
    slot.remoteId = hello.clientId;
    slot.sinceMs = nowMs;
    slot.nonce.set(hello.nonce);
    slot.clientKey.set(hello.clientKey);
    slot.cookieSlice = cookieSlice(hello.cookie);
    slot.secrets = secrets;
    slot.admission = admission;
    this.#index.add(slot.nonce, slot.index);
    return slot;
  }

  /** The slot is in the middle of something else from now on; for nothing at all there is `free`. */
  become(slot: Slot, state: number): void {
    const waited = isWaiting(slot.state);
    const waits = isWaiting(state);
    (slot as { state: number }).state = state;
    if (waits && !waited) this.#halfOpen++;
    if (waits || !waited) return;
    this.#halfOpen--;
    this.#waited(slot);
  }

  /** Nobody has the slot, which was taken, any more. */
  free(slot: Slot): void {
    this.become(slot, SlotState.free);
    this.#index.remove(slot.index);
    this.#free.push(slot.index);
    slot.connection = undefined;
    slot.secrets = undefined;
    slot.admission = NOBODY;
    slot.resumeKeys = undefined;
    slot.localId = 0;
    slot.acceptedMs = Number.NEGATIVE_INFINITY;
  }

  /** Low half: the slot. High half: random, not 0, so that ids of earlier holders of the slot do not fit. */
  #newId(index: number): number {
    this.#crypto.randomBytes(this.#idBytes);
    const high = this.#idBytes[0]! | (this.#idBytes[1]! << 8) || 1;
    return ((high << 16) | index) >>> 0;
  }
}

/** Whether a slot in this state waits for its decision, or for its client's first packet. */
export function isWaiting(state: number): boolean {
  return state === SlotState.deciding || state === SlotState.halfOpen;
}
