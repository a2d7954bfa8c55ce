// What the rate controller can be told and what it tells: options with their defaults, checked once, and its state.

import { TickwireError } from '../wire/errors.ts';

/** What decided the present rate. */
export type RateReason =
  /** The beginning: it grows until the path shows its limit. */
  | 'starting'
  /** It grows slowly, then ever faster, to find out whether there is more. */
  | 'probing'
  /** A queue was building up. */
  | 'queue'
  /** Much more was lost than the path loses anyway. */
  | 'loss'
  /** Nothing is heard from the peer. */
  | 'silence'
  /** The application says less than it may, so there is nothing to find out. */
  | 'application';

/** Bounds of the rate, bytes a second, headers of 28 bytes a datagram included. */
export interface RateOptions {
  /**
   * Where it starts. Default 24,000: below the slowest link that a game is played on (256 kbit/s), and enough for
   * 370 bytes at 60 Hz.
   */
  readonly initialBytesPerSecond?: number;
  /** It never falls below this. Default 4,000: three full packets a second, so that every channel still moves. */
  readonly minBytesPerSecond?: number;
  /** It never grows above this. Default 125,000,000: more than the window of packets in flight can carry. */
  readonly maxBytesPerSecond?: number;
}

/** The present state of the controller. */
export interface RateState {
  /** Allowed rate, bytes a second, headers included. */
  readonly bytesPerSecond: number;
  /** Estimated wait in queues on the way to the peer, ms. */
  readonly queueMs: number;
  readonly reason: RateReason;
}

const INITIAL = 24_000;
const MIN = 4_000;
const MAX = 125_000_000;
/** The smallest rate that can be asked for: an ack a second and little more. */
const LEAST = 100;

/** Checks and completes the options. @throws TickwireError `option-invalid`, naming the option. */
export function resolveRate(options: RateOptions): Required<RateOptions> {
  const { maxBytesPerSecond = MAX } = options;
  const { minBytesPerSecond = Math.min(MIN, maxBytesPerSecond) } = options;
  bounded('maxBytesPerSecond', maxBytesPerSecond, LEAST, MAX);
  bounded('minBytesPerSecond', minBytesPerSecond, LEAST, maxBytesPerSecond);
  const usual = Math.min(maxBytesPerSecond, Math.max(minBytesPerSecond, INITIAL));
  const { initialBytesPerSecond = usual } = options;
  bounded('initialBytesPerSecond', initialBytesPerSecond, minBytesPerSecond, maxBytesPerSecond);
  return { initialBytesPerSecond, minBytesPerSecond, maxBytesPerSecond };
}

function bounded(name: string, value: number, low: number, high: number): void {
  if (value >= low && value <= high) return;
  throw new TickwireError(
    'option-invalid',
    `rate option ${name} is ${value}; give a number from ${low} to ${high}`,
  );
}
