// Which requests are answered when more come than may be: a flood of requests from addresses that nobody is at costs
// whoever sends it nothing, so no address tells friend from foe. But a client asks again, with the same nonce, every
// 200 ms, and a flood that draws a new nonce each time does not. So half of the answers go to whoever comes first, and
// half are kept for nonces that were seen before and not answered.
//
// Seen nonces are remembered in one fixed table, 256 KiB, touched only while more comes than may be answered.
// It has 16384 sets of four tags, the latest first. Set and tag come from the nonce as it is: a client's is random, and
// one that is chosen to meet a client's would have to be known. At 100,000 a second a set gets 1.2 new tags in 200 ms,
// so 96 of 100 are still there when they are repeated.
//
// What it does not do: who repeats each nonce of a flood takes part in the second half as well. Then a client gets an
// answer as often as any of the flood's requests does, by share of what comes, which is still something: it asks 25
// times. Nobody who is connected needs an answer.

import { checkRateLimit, RateBucket, type RateLimit } from '@tickwire/protocol';

const SETS = 16_384;
/** Tags of a set. With one, a quarter would be written over before they are repeated. */
const WAYS = 4;

/** See the head of the file. */
export class RequestSieve {
  readonly #first: RateBucket;
  readonly #again: RateBucket;
  readonly #tags = new Int32Array(SETS * WAYS);
  readonly #repeated = new Float64Array(1);

  /** `limit` is for both halves together. Throws 'option-invalid' for what is no limit. */
  constructor(limit: RateLimit) {
    const { perSecond, burst } = checkRateLimit('limits.requests', limit);
    const half = { perSecond: perSecond / 2, burst: Math.max(1, burst / 2) };
    this.#first = new RateBucket('limits.requests', half);
    this.#again = new RateBucket('limits.requests', half);
  }

  /** Requests that may be answered because they came again. */
  get repeated(): number {
    return this.#repeated[0]!;
  }

  /** Requests that may not be answered. */
  get limited(): number {
    return this.#first.limited - this.#repeated[0]!;
  }

  /** Whether the request whose nonce begins at `nonceAt` may be answered. Reads six bytes and allocates nothing. */
  admit(nowMs: number, bytes: Uint8Array, nonceAt: number): boolean {
    if (this.#first.take(nowMs)) return true;
    if (!this.#seen(bytes, nonceAt) || !this.#again.take(nowMs)) return false;
    this.#repeated[0]!++;
    return true;
  }

  /** Whether the nonce is in its set; it is from now on, before all others. */
  #seen(bytes: Uint8Array, at: number): boolean {
    const tags = this.#tags;
    const low = bytes[at]! | (bytes[at + 1]! << 8);
    // An empty place is 0, so no tag is.
    const tag = low | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24) || 1;
    const set = WAYS * ((bytes[at + 4]! | (bytes[at + 5]! << 8)) % SETS);
    let way = 0;
    while (way < WAYS - 1 && tags[set + way] !== tag) way++;
    const seen = tags[set + way] === tag;
    for (; way > 0; way--) tags[set + way] = tags[set + way - 1]!;
    tags[set] = tag;
    return seen;
  }
}
