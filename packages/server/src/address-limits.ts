// How many connections may begin: from each address, and in total. It is asked only for addresses that have returned a
// cookie, so nobody can take a place in it, or use up a share, in the name of another.
//
// Half of what the total holds is kept for addresses that have begun none for as long as an empty share takes to fill: a
// first attempt. So a few addresses that begin as many as they may keep nobody out who comes from elsewhere. The same
// with places of clients that are not connected yet: who waits for many already gets another one only while as many are
// free, so that some are always left for others (a dynamic threshold: Choudhury and Hahne, 1998).
//
// One fixed table, a bucket for each address; 38 KiB, whatever comes. An entry that has rested, and has no places, says
// nothing that a new one would not, so it may be given to another address. Any other never is: a debt would be forgiven.
// If none has rested, an address that has no entry is refused.
//
// The whole address is compared, and all entries are looked at: there is no hash, so no collision to be chosen. That
// takes a microsecond, and four when none has rested: about what the cookie took that was checked before.

import {
  type AddressBook,
  HOST_BYTES_MAX,
  RateBucket,
  RateBuckets,
  type RateLimit,
} from '@tickwire/protocol';

/**
 * Addresses known at once. Who has not rested began a connection within burst / perSecond seconds, or has places; with
 * the default limits these are never as many: 464 that began in 2 s, and 512 places.
 */
const ENTRIES = 1024;
/** Of an address and its length: three words. */
const WORDS = 3;
const LENGTH_AT = HOST_BYTES_MAX;

/** See the head of the file. */
export class AddressLimits {
  readonly #addresses: AddressBook;
  readonly #each: RateBuckets;
  readonly #total: RateBucket;
  /** Of the total, in tokens: what first attempts may take and others may not. */
  readonly #kept: number;
  readonly #restMs: number;
  readonly #words = new Uint32Array(WORDS);
  readonly #key = new Uint8Array(this.#words.buffer);
  /** Of all entries: the first words, then the second, then the third. */
  readonly #keys = new Uint32Array(WORDS * ENTRIES);
  /** By entry: when it began a connection last. */
  readonly #begunMs = new Float64Array(ENTRIES);
  /** By entry: clients that are proven and not yet connected. */
  readonly #places = new Uint16Array(ENTRIES);
  #last = 0;
  #size = 0;
  #crowded = 0;
  #limitedByPlaces = 0;

  /** `each` is for one address, `total` for all. Throws 'option-invalid' for what is no limit. */
  constructor(addresses: AddressBook, each: RateLimit, total: RateLimit) {
    this.#addresses = addresses;
    this.#each = new RateBuckets('limits.connectionsPerAddress', each, ENTRIES);
    this.#total = new RateBucket('limits.connections', total);
    this.#kept = Math.floor(total.burst / 2);
    this.#restMs = (1000 * each.burst) / each.perSecond;
  }

  /** Connections that did not begin because too many did from their address. */
  get limited(): number {
    return this.#each.limited;
  }

  /** Connections that did not begin because too many did in total. */
  get limitedInTotal(): number {
    return this.#total.limited;
  }

  /** Connections that did not begin because no entry was to be had for their address. */
  get crowded(): number {
    return this.#crowded;
  }

  /** Connections that did not begin because their address had more places than were free. */
  get limitedByPlaces(): number {
    return this.#limitedByPlaces;
  }

  /** Entries in use; those that say nothing any more are counted until another address takes them over. */
  get size(): number {
    return this.#size;
  }

  /**
   * Whether a connection from this proven address may begin now; `freePlaces` = of all, for clients that are not connected
   * yet. A no takes nothing from any share.
   */
  take(nowMs: number, address: number, freePlaces = Number.POSITIVE_INFINITY): boolean {
    if (!this.#total.admits(nowMs)) return false;
    this.#readKey(address);
    const known = this.#find();
    const isFirst = known < 0 || this.#rested(known, nowMs);
    if (!isFirst && !this.#total.admits(nowMs, 1 + this.#kept)) return false;
    const entry = known < 0 ? this.#claim(nowMs) : known;
    if (entry < 0) {
      this.#crowded++;
      return false;
    }
    if (!this.#each.admits(entry, nowMs)) return false;
    if (this.#places[entry]! > freePlaces) {
      this.#limitedByPlaces++;
      return false;
    }
    this.#each.spend(entry);
    this.#total.spend();
    this.#begunMs[entry] = nowMs;
    this.#last = entry;
    return true;
  }

  /** The connection that began last waits to be connected. Returns its entry, to let go of the place with. */
  holdPlace(): number {
    this.#places[this.#last]!++;
    return this.#last;
  }

  /** One of the entry's clients is connected, or was given up. */
  letGo(entry: number): void {
    this.#places[entry]!--;
  }

  /** Whether it is as if nobody had ever come from there. */
  #rested(entry: number, nowMs: number): boolean {
    if (this.#places[entry] !== 0 || !(nowMs - this.#begunMs[entry]! >= this.#restMs)) return false;
    return this.#each.full(entry, nowMs);
  }

  /** The address without its port. The length keeps apart what would differ in zeros at the end only. */
  #readKey(address: number): void {
    this.#key.fill(0);
    this.#key[LENGTH_AT] = this.#addresses.describeHost(address, this.#key, 0);
  }

  #find(): number {
    const keys = this.#keys;
    const first = this.#words[0]!;
    const second = this.#words[1]!;
    const third = this.#words[2]!;
    for (let entry = 0; entry < this.#size; entry++) {
      if (keys[entry] !== first || keys[ENTRIES + entry] !== second) continue;
      if (keys[2 * ENTRIES + entry] === third) return entry;
    }
    return -1;
  }

  /** The first entry that says nothing any more, or a new one; -1 = there is none. */
  #claim(nowMs: number): number {
    let entry = 0;
    while (entry < this.#size && !this.#rested(entry, nowMs)) entry++;
    if (entry === ENTRIES) return -1;
    if (entry === this.#size) this.#size++;
    for (let word = 0; word < WORDS; word++)
      this.#keys[word * ENTRIES + entry] = this.#words[word]!;
    return entry;
  }
}
