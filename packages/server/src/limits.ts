// How much a server takes from those who are, or want to be, its clients: options, their defaults and why, checked once.
//
// What is above a limit is dropped and counted, and no answer tells so. A client repeats its request and its proof
// every 200 ms for 5 s, so one that is dropped for a moment connects a moment later. With the defaults 32 players join
// from behind one address at once, then 16 a second: 64 well within 10 s.

import {
  BURST_MAX,
  checkNames,
  checkRateLimit,
  type RateLimit,
  TickwireError,
} from '@tickwire/protocol';
import { LEDGER_TOKENS_MAX } from './token-ledger.ts';

/** A rate as an option: what is left out is the default; a burst left out stays in proportion to the rate. */
export interface RateLimitOptions {
  /** Above 0 up to 10^9. */
  readonly perSecond?: number;
  /** So many at once after a rest, from 1 to 10^9. */
  readonly burst?: number;
}

/** What may be set; all rates are per second. */
export interface LimitOptions {
  /**
   * New connections from one proven address, IPv6 by /64. Default 16, burst 32: in the 5 s that a half-open slot lives
   * one address takes 112 of them at most, less than a quarter of the default `halfOpen`.
   */
  readonly connectionsPerAddress?: RateLimitOptions;
  /**
   * New connections in total. Default 200, burst 64: a handshake takes some 0.5 ms, so a tenth of a core. Half of the
   * burst is kept for addresses that have begun none for burst / perSecond of the limit above, by default 2 s: a few
   * addresses that begin as many as they may, or fail as often, do not keep others out. Who has 400 addresses does: so
   * many first attempts there are in 2 s.
   */
  readonly connections?: RateLimitOptions;
  /**
   * Slots whose client is proven, and not yet connected; a whole number from 1 to 65535. Default 512, or all slots if
   * there are fewer: half of the default slots. One address gets another only while it has no more of them than are
   * free. So one alone has half of them at most, ten together leave one in eleven free, and 64 players join from behind
   * one address.
   */
  readonly halfOpen?: number;
  /**
   * Packets from one connection. Default 10000, burst 20000: ten a millisecond, far more than any game sends. Keep above
   * 1000: clients that send so many are within the protocol.
   */
  readonly packets?: RateLimitOptions;
  /**
   * Requests answered, half of them for those who ask again. Default 5000, burst 1000: a fifth of a second's worth, as
   * clients ask again after that time.
   */
  readonly requests?: RateLimitOptions;
  /**
   * Refusals told to strangers, and as many again to addresses that have returned a cookie. Default 100, burst 100: who
   * is not told just waits longer before giving up.
   */
  readonly refusals?: RateLimitOptions;
  /** Messages from one connection in one channel. Default 10000, burst 20000, as for packets. */
  readonly messages?: RateLimitOptions;
  /**
   * Connect tokens that are remembered until they expire, so that none is used twice; a whole number from 1 to 1000000.
   * Further ones are refused. Default 8192: two a second for an hour, the longest lifetime unless
   * `tokens.maxLifetimeMs` says otherwise.
   */
  readonly tokens?: number;
}

/** {@link LimitOptions}, complete and checked. */
export interface Limits {
  readonly connectionsPerAddress: RateLimit;
  readonly connections: RateLimit;
  readonly halfOpen: number;
  readonly packets: RateLimit;
  readonly requests: RateLimit;
  readonly refusals: RateLimit;
  readonly messages: RateLimit;
  readonly tokens: number;
}

/** Why they are these stands at {@link LimitOptions}. */
const DEFAULTS: Limits = {
  connectionsPerAddress: { perSecond: 16, burst: 32 },
  connections: { perSecond: 200, burst: 64 },
  halfOpen: 512,
  packets: { perSecond: 10_000, burst: 20_000 },
  requests: { perSecond: 5000, burst: 1000 },
  refusals: { perSecond: 100, burst: 100 },
  messages: { perSecond: 10_000, burst: 20_000 },
  tokens: LEDGER_TOKENS_MAX,
};

/** What slot numbers allow. */
const HALF_OPEN_MAX = 65_535;
/** A store that outlives the process is the better place for more. */
const TOKENS_MAX = 1_000_000;

/** Limits that are numbers, not rates. */
type Counts = 'halfOpen' | 'tokens';

/**
 * Checks and completes the options; `slots` = connections that the server has room for. Throws 'option-invalid', naming
 * the option.
 */
export function resolveLimits(options: LimitOptions, slots: number): Limits {
  checkNames('limits', options, DEFAULTS);
  return {
    connectionsPerAddress: resolveLimit('connectionsPerAddress', options),
    connections: resolveLimit('connections', options),
    halfOpen: Math.min(resolveCount('halfOpen', options, HALF_OPEN_MAX), slots),
    packets: resolveLimit('packets', options),
    requests: resolveLimit('requests', options),
    refusals: resolveLimit('refusals', options),
    messages: resolveLimit('messages', options),
    tokens: resolveCount('tokens', options, TOKENS_MAX),
  };
}

function resolveLimit(name: Exclude<keyof Limits, Counts>, options: LimitOptions): RateLimit {
  const usual = DEFAULTS[name];
  const given = options[name] ?? {};
  if (typeof given !== 'object') {
    const want = 'give { perSecond, burst }';
    throw new TickwireError('option-invalid', `limits.${name} is ${given}; ${want}`);
  }
  checkNames(`limits.${name}`, given, usual);
  const { perSecond = usual.perSecond } = given;
  const { burst = proportional(perSecond, usual) } = given;
  return checkRateLimit(`limits.${name}`, { perSecond, burst });
}

/** The usual burst for that rate, as far as it is one. */
function proportional(perSecond: number, usual: RateLimit): number {
  return Math.min(BURST_MAX, Math.max(1, (perSecond * usual.burst) / usual.perSecond));
}

function resolveCount(name: Counts, options: LimitOptions, max: number): number {
  const { [name]: value = DEFAULTS[name] } = options;
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  const want = `give a whole number from 1 to ${max}`;
  throw new TickwireError('option-invalid', `limits.${name} is ${value}; ${want}`);
}
