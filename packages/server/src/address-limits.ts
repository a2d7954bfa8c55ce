// How many connections may begin: from each address, and in total. It is asked only for addresses that have returned a
// cookie, so nobody can take a place in it, or use up a share, in the name of another.
//
// One fixed table, a bucket for each address; 28 KiB, whatever comes. An entry whose bucket is full again says nothing
// that a new one would not, so it may be given to another address. One in debt never is: it would be forgiven. If all
// are in debt, an address that has none is refused.
//
// The whole address is compared, and all entries are looked at: there is no hash, so no collision to be chosen. That
// takes a microsecond, and four when all entries are in debt: about what the cookie took that was checked before.

import {
  type AddressBook,
  HOST_BYTES_MAX,
  RateBucket,
  RateBuckets,
  type RateLimit,
} from '@tickwire/protocol';

/**
 * Addresses known at once. Who is in debt began a connection within burst / perSecond seconds; in that time all
 * together begin few enough that with the default limits the table is never full.
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
  readonly #words = new Uint32Array(WORDS);
  readonly #key = new Uint8Array(this.#words.buffer);
  /** Of all entries: the first words, then the second, then the third. */
  readonly #keys = new Uint32Array(WORDS * ENTRIES);
  #size = 0;
  #crowded = 0;

  /** `each` is for one address, `total` for all. Throws 'option-invalid' for what is no limit. */
  constructor(addresses: AddressBook, each: RateLimit, total: RateLimit) {
    this.#addresses = addresses;
    this.#each = new RateBuckets('limits.connectionsPerAddress', each, ENTRIES);
    this.#total = new RateBucket('limits.connections', total);
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

  /** Entries in use; those that say nothing any more are counted until another address takes them over. */
  get size(): number {
    return this.#size;
  }

  /** Whether a connection from this proven address may begin now. A no takes nothing from any share. */
  take(nowMs: number, address: number): boolean {
    if (!this.#total.admits(nowMs)) return false;
    this.#readKey(address);
    let entry = this.#find();
    if (entry < 0) entry = this.#claim(nowMs);
    if (entry < 0) {
      this.#crowded++;
      return false;
    }
    if (!this.#each.take(entry, nowMs)) return false;
    this.#total.spend();
    return true;
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
    while (entry < this.#size && !this.#each.full(entry, nowMs)) entry++;
    if (entry === ENTRIES) return -1;
    if (entry === this.#size) this.#size++;
    for (let word = 0; word < WORDS; word++)
      this.#keys[word * ENTRIES + entry] = this.#words[word]!;
    return entry;
  }
}
