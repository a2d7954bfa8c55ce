// What a connection can be told: by users, and by the layer that makes it. Users' part is checked here, once.

import type { SealerChain } from '../wire/crypto.ts';
import { TickwireError } from '../wire/errors.ts';
import type { ChannelPlan } from './channel.ts';
import type { ConnectionSink } from './close-sequence.ts';
import { RateController, type RateOptions } from './rate-controller.ts';

/** What users may set for their connections. */
export interface ConnectionTuning {
  /** No authentic packet for so long ends the connection, ms. Default 10000: longer than a phone takes to change cells. */
  readonly timeoutMs?: number | undefined;
  /** Idle so long sends a ping, ms. Default 2000: five may be lost before the timeout, and no NAT forgets so soon. */
  readonly keepAliveMs?: number | undefined;
  /** Bounds of the rate control, and where it starts. */
  readonly rate?: RateOptions | undefined;
  /** Tries whether the path carries larger datagrams than 1200 bytes. Default false: few games have so much to say. */
  readonly probePathMtu?: boolean | undefined;
  /**
   * Packets under one key, from 1 to 2^32; then this side takes the next. Default 2^24: far below what ChaCha20-Poly1305
   * allows, and often enough that a stolen key opens little.
   */
  readonly rotateAfterPackets?: number | undefined;
}

/** Everything a connection is made of. */
export interface ConnectionOptions extends ConnectionTuning {
  /** Goes into outgoing headers: the id that the peer chose. */
  readonly remoteId: number;
  /** The keys of each direction. */
  readonly outgoing: SealerChain;
  readonly incoming: SealerChain;
  readonly channels: readonly ChannelPlan[];
  readonly sink: ConnectionSink;
  readonly nowMs: number;
}

const TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 2_000;
const MS_MAX = 3_600_000;
const ROTATE_AFTER_PACKETS = 2 ** 24;
const ROTATE_AFTER_PACKETS_MAX = 2 ** 32;

/** Checks what users may set, before there is a connection. Throws 'option-invalid', naming the option. */
export function checkTuning(tuning: ConnectionTuning): void {
  resolveTimes(tuning);
  resolveRotation(tuning);
  new RateController(0, tuning.rate);
}

/** Times after checking. Throws 'option-invalid', naming the option. */
export function resolveTimes(tuning: ConnectionTuning): { timeoutMs: number; keepAliveMs: number } {
  const timeoutMs = checkMs('timeoutMs', tuning.timeoutMs ?? TIMEOUT_MS);
  const keepAliveMs = checkMs('keepAliveMs', tuning.keepAliveMs ?? KEEP_ALIVE_MS);
  return { timeoutMs, keepAliveMs };
}

/** Packets under one key, after checking. Throws 'option-invalid', naming the option. */
export function resolveRotation(tuning: ConnectionTuning): number {
  const { rotateAfterPackets = ROTATE_AFTER_PACKETS } = tuning;
  const whole = Number.isInteger(rotateAfterPackets);
  if (whole && rotateAfterPackets >= 1 && rotateAfterPackets <= ROTATE_AFTER_PACKETS_MAX) {
    return rotateAfterPackets;
  }
  throw new TickwireError(
    'option-invalid',
    `rotateAfterPackets is ${rotateAfterPackets}; give a whole number from 1 to ${ROTATE_AFTER_PACKETS_MAX}`,
  );
}

function checkMs(name: string, value: number): number {
  if (value > 0 && value <= MS_MAX) return value;
  throw new TickwireError('option-invalid', `${name} is ${value}; give ms above 0 up to ${MS_MAX}`);
}

const FLUSH_MS = 10;
const FLUSH_MS_MAX = 1000;

/** Least time between two flushes without a game, ms: 10, or what is given, from 1 to 1000. Throws 'option-invalid'. */
export function resolveFlushMs(flushMs: number = FLUSH_MS): number {
  if (flushMs >= 1 && flushMs <= FLUSH_MS_MAX) return flushMs;
  throw new TickwireError('option-invalid', `flushMs is ${flushMs}; give 1 to ${FLUSH_MS_MAX}`);
}
