// What a link can be told, its defaults, and the one place that checks it.

import { TickwireError } from '@tickwire/protocol';

/** Loss in bursts after Gilbert and Elliott: a link is in a good or a bad state, moved before each datagram. */
export interface BurstLoss {
  /** Chance to fall from good to bad, per datagram, 0..1. */
  enter: number;
  /** Chance to come back from bad to good, per datagram, above 0 to 1. A bad stretch is 1/leave datagrams in the mean. */
  leave: number;
  /** Loss while bad, 0..1. Default 1. While good, {@link LinkOptions.loss} holds. */
  loss?: number | undefined;
}

/** One direction of a network path. Everything is off by default: a link that delivers at once. */
export interface LinkOptions {
  /** One-way delay in ms. Default 0. */
  latencyMs?: number | undefined;
  /** Uniform variation of the delay, plus or minus, in ms; a delay never falls below 0. Default 0. */
  jitterMs?: number | undefined;
  /** Fraction of datagrams lost, each on its own, 0..1. Default 0. */
  loss?: number | undefined;
  /** Loss in bursts, on top of `loss`. Default none. */
  burstLoss?: BurstLoss | undefined;
  /** Fraction of datagrams delivered twice, 0..1; the copy has a jitter of its own. Default 0. */
  duplicate?: number | undefined;
  /** Fraction of datagrams held back by `reorderMs`, 0..1. Default 0. */
  reorder?: number | undefined;
  /** How long a reordered datagram is held back, in ms. Default 40: later ones overtake it at 30 Hz and above. */
  reorderMs?: number | undefined;
  /** Bandwidth in kbit/s, headers of 28 bytes per datagram included. Default Infinity. */
  rateKbps?: number | undefined;
  /** Bytes, headers included, that may wait for bandwidth; what does not fit is dropped. Default 65536. */
  queueBytes?: number | undefined;
}

/** {@link LinkOptions} after checking, with every default filled in. */
export interface ResolvedLink {
  readonly latencyMs: number;
  readonly jitterMs: number;
  readonly loss: number;
  readonly burstEnter: number;
  readonly burstLeave: number;
  readonly burstLoss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly reorderMs: number;
  readonly rateKbps: number;
  readonly queueBytes: number;
}

/** Longest delay that can be asked for: a minute says that seconds were meant. */
const DELAY_MAX_MS = 60_000;
const QUEUE_MAX_BYTES = 1 << 30;

/** Checks and completes link options. @throws TickwireError `option-invalid`, naming the option. */
export function resolveLink(options: LinkOptions): ResolvedLink {
  const burst = options.burstLoss;
  return {
    latencyMs: within('latencyMs', options.latencyMs ?? 0, 0, DELAY_MAX_MS),
    jitterMs: within('jitterMs', options.jitterMs ?? 0, 0, DELAY_MAX_MS),
    loss: within('loss', options.loss ?? 0, 0, 1),
    burstEnter: within('burstLoss.enter', burst?.enter ?? 0, 0, 1),
    burstLeave: within('burstLoss.leave', burst?.leave ?? 1, Number.MIN_VALUE, 1),
    burstLoss: within('burstLoss.loss', burst?.loss ?? 1, 0, 1),
    duplicate: within('duplicate', options.duplicate ?? 0, 0, 1),
    reorder: within('reorder', options.reorder ?? 0, 0, 1),
    reorderMs: within('reorderMs', options.reorderMs ?? 40, 0, DELAY_MAX_MS),
    rateKbps: within(
      'rateKbps',
      options.rateKbps ?? Number.POSITIVE_INFINITY,
      Number.MIN_VALUE,
      Number.POSITIVE_INFINITY,
    ),
    queueBytes: within('queueBytes', options.queueBytes ?? 65536, 0, QUEUE_MAX_BYTES),
  };
}

function within(name: string, value: number, low: number, high: number): number {
  if (value >= low && value <= high) return value;
  const floor = low === Number.MIN_VALUE ? 'above 0' : `from ${low}`;
  throw new TickwireError(
    'option-invalid',
    `link option ${name} is ${value}; give a number ${floor} to ${high}`,
  );
}
