// How a channel of messages is declared: its delivery kind and its bounds. Both sides declare the same, and a
// receiver's limits are made of the sender's by `resolveChannel`, so that a sender can never exceed them.

import { TickwireError } from './errors.ts';

/** How messages of a channel are delivered. */
export type DeliveryKind =
  /** Said once, in whatever order they arrive. */
  | 'unreliable'
  /** Said once; what was overtaken by a newer one is dropped. */
  | 'unreliable-sequenced'
  /** Each exactly once, as soon as it is there. */
  | 'reliable-unordered'
  /** Each exactly once, in the order of sending. */
  | 'reliable-ordered'
  /** Values by key: the newest value of each key arrives; older ones may never. */
  | 'reliable-latest';

/** All delivery kinds. */
export const deliveryKinds: readonly DeliveryKind[] = [
  'unreliable',
  'unreliable-sequenced',
  'reliable-unordered',
  'reliable-ordered',
  'reliable-latest',
];

/** One channel of messages. Everything but the kind has a default. */
export interface ChannelOptions {
  readonly kind: DeliveryKind;
  /** Higher goes first, from -8 to 7; the lowest of a connection never goes into debt with the rate. Default 0. */
  readonly priority?: number;
  /** Share of the bandwidth among channels of the same priority, 1 to 100. Default 1. */
  readonly weight?: number;
  /** Bytes of the longest message. Default 256 KiB if reliable, 16 KiB if not; of a latest value always 1100 at most. */
  readonly messageBytes?: number;
  /** Bytes that wait or are not yet acknowledged; `send` says full beyond it. Default: two of the longest message, at least 64 KiB. */
  readonly queueBytes?: number;
  /** Messages that wait or are not yet acknowledged. Default 1024. */
  readonly queueEntries?: number;
  /** What could not be sent within so long is dropped and counted. Default: never if reliable, 250 ms if not. */
  readonly ttlMs?: number;
  /** Keys of a reliable-latest channel, those just deleted included. Default 1024. */
  readonly keys?: number;
}

/** {@link ChannelOptions} after checking, with every default filled in. */
export type ChannelLimits = Required<ChannelOptions>;

/** Bytes of a message, or a piece of one, in one packet: with all headers and the longest ack block it fits the smallest datagram budget. */
export const FRAGMENT_BYTES = 1100;

const KIB = 1024;
const RELIABLE_BYTES = 256 * KIB;
const UNRELIABLE_BYTES = 16 * KIB;
/** The longest message that can be asked for: as many fragments as the receiver's window has room for beside others. */
const RELIABLE_BYTES_MAX = 256 * KIB;
const UNRELIABLE_BYTES_MAX = 64 * KIB;
const QUEUE_BYTES_MIN = 64 * KIB;
const QUEUE_BYTES_MAX = 16 * KIB * KIB;
const ENTRIES = 1024;
const ENTRIES_MAX = 65_536;
const UNRELIABLE_TTL_MS = 250;
const PRIORITY_MIN = -8;
const PRIORITY_MAX = 7;
const WEIGHT_MAX = 100;

/** Checks and completes the options of a channel. Throws 'option-invalid', naming the option. */
export function resolveChannel(options: ChannelOptions): ChannelLimits {
  const { kind } = options;
  if (!deliveryKinds.includes(kind)) {
    throw new TickwireError('option-invalid', `'${kind}' is no delivery kind`);
  }
  const reliable = kind.startsWith('reliable');
  const messageMax = messageBytesMax(kind);
  const messageDefault = Math.min(messageMax, reliable ? RELIABLE_BYTES : UNRELIABLE_BYTES);
  const messageBytes = whole('messageBytes', options.messageBytes ?? messageDefault, 1, messageMax);
  const queueDefault = Math.max(QUEUE_BYTES_MIN, 2 * messageBytes);
  const ttlMs = options.ttlMs ?? (reliable ? Number.POSITIVE_INFINITY : UNRELIABLE_TTL_MS);
  if (!(ttlMs > 0)) throw invalid('ttlMs', ttlMs, 'a number above 0');
  return {
    kind,
    messageBytes,
    ttlMs,
    priority: whole('priority', options.priority ?? 0, PRIORITY_MIN, PRIORITY_MAX),
    weight: whole('weight', options.weight ?? 1, 1, WEIGHT_MAX),
    queueBytes: whole(
      'queueBytes',
      options.queueBytes ?? queueDefault,
      messageBytes,
      QUEUE_BYTES_MAX,
    ),
    queueEntries: whole('queueEntries', options.queueEntries ?? ENTRIES, 1, ENTRIES_MAX),
    keys: whole('keys', options.keys ?? ENTRIES, 1, ENTRIES_MAX),
  };
}

function messageBytesMax(kind: DeliveryKind): number {
  if (kind === 'reliable-latest') return FRAGMENT_BYTES;
  return kind.startsWith('reliable') ? RELIABLE_BYTES_MAX : UNRELIABLE_BYTES_MAX;
}

function whole(name: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw invalid(name, value, `a whole number from ${low} to ${high}`);
}

function invalid(name: string, value: number, wanted: string): TickwireError {
  return new TickwireError('option-invalid', `channel option ${name} is ${value}; give ${wanted}`);
}
