// What a link can be told, its defaults, and the one place that checks it.

import { TickwireError } from '@tickwire/protocol';

/** Bytes of IPv4 and UDP headers that each datagram costs on the wire, on top of its payload. */
export const HEADER_BYTES = 28;

/** Loss in bursts after Gilbert and Elliott: a link is in a good or a bad state, moved before each datagram. */
export interface BurstLoss {
  /** Chance to fall from good to bad, per datagram, 0..1. */
  enter: number;
  /** Chance to come back from bad to good, per datagram, above 0 to 1. A bad stretch is 1/leave datagrams in the mean. */
  leave: number;
  /** Loss while bad, 0..1. Default 1. While good, {@link LinkOptions.loss} holds. */
  loss?: number | undefined;
}

/**
 * Whom a full queue turns away: the newcomer (`tail`, as most routers do), or the oldest that still waits (`head`, so
 * that what comes out is fresh and the sender hears of the loss a queue earlier). The one being sent is never dropped.
 */
export type QueuePolicy = 'tail' | 'head';

/** One direction of a network path. Everything is off by default: a link that delivers at once. */
export interface LinkOptions {
  /** One-way delay in ms. Default 0. */
  latencyMs?: number | undefined;
  /** Uniform variation of the delay, plus or minus, in ms; a delay never falls below 0. Default 0. */
  jitterMs?: number | undefined;
  /**
   * Whether jitter keeps the order, as queues and radios do: nobody overtakes, a datagram comes out together with
   * the one before it or later. Copies and what `reorder` holds back are free of it. Default false.
   */
  inOrder?: boolean | undefined;
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
  /**
   * Fraction of datagrams in which 1 to 3 random bits are flipped, 0..1; a copy has a chance of its own. The checksum
   * of UDP would catch most of them: this is for those that it lets through, and for paths without one. Default 0.
   */
  corrupt?: number | undefined;
  /** Datagrams larger than this vanish, headers of 28 bytes included. At least 28. Default Infinity. */
  mtuBytes?: number | undefined;
  /** Bandwidth in kbit/s, headers of 28 bytes per datagram included. Default Infinity. */
  rateKbps?: number | undefined;
  /** Bytes, headers included, that may wait for bandwidth; what does not fit is dropped. Default 65536. */
  queueBytes?: number | undefined;
  /** Whom a full queue drops. Default 'tail'. */
  queuePolicy?: QueuePolicy | undefined;
}

/** {@link LinkOptions} after checking, with every default filled in. */
export interface ResolvedLink {
  readonly latencyMs: number;
  readonly jitterMs: number;
  readonly inOrder: boolean;
  readonly loss: number;
  readonly burstEnter: number;
  readonly burstLeave: number;
  readonly burstLoss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly reorderMs: number;
  readonly corrupt: number;
  readonly mtuBytes: number;
  readonly rateKbps: number;
  readonly queueBytes: number;
  readonly queuePolicy: QueuePolicy;
}

/** Longest delay that can be asked for: a minute says that seconds were meant. */
const DELAY_MAX_MS = 60_000;
const QUEUE_MAX_BYTES = 1 << 30;
const UNLIMITED = Number.POSITIVE_INFINITY;

/** Checks and completes link options. @throws TickwireError `option-invalid`, naming the option. */
export function resolveLink(options: LinkOptions): ResolvedLink {
  const { burstLoss: burst, inOrder = false, queuePolicy = 'tail' } = options;
  return {
    latencyMs: within('latencyMs', options.latencyMs ?? 0, 0, DELAY_MAX_MS),
    jitterMs: within('jitterMs', options.jitterMs ?? 0, 0, DELAY_MAX_MS),
    inOrder: oneOf('inOrder', inOrder, [true, false]),
    loss: within('loss', options.loss ?? 0, 0, 1),
    burstEnter: within('burstLoss.enter', burst?.enter ?? 0, 0, 1),
    burstLeave: within('burstLoss.leave', burst?.leave ?? 1, Number.MIN_VALUE, 1),
    burstLoss: within('burstLoss.loss', burst?.loss ?? 1, 0, 1),
    duplicate: within('duplicate', options.duplicate ?? 0, 0, 1),
    reorder: within('reorder', options.reorder ?? 0, 0, 1),
    reorderMs: within('reorderMs', options.reorderMs ?? 40, 0, DELAY_MAX_MS),
    corrupt: within('corrupt', options.corrupt ?? 0, 0, 1),
    mtuBytes: within('mtuBytes', options.mtuBytes ?? UNLIMITED, HEADER_BYTES, UNLIMITED),
    rateKbps: within('rateKbps', options.rateKbps ?? UNLIMITED, Number.MIN_VALUE, UNLIMITED),
    queueBytes: within('queueBytes', options.queueBytes ?? 65536, 0, QUEUE_MAX_BYTES),
    queuePolicy: oneOf('queuePolicy', queuePolicy, ['tail', 'head']),
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

function oneOf<T>(name: string, value: T, known: readonly T[]): T {
  if (known.includes(value)) return value;
  throw new TickwireError(
    'option-invalid',
    `link option ${name} is ${value}; give ${known.join(' or ')}`,
  );
}
