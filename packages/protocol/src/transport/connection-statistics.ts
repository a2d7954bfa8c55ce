// What a connection knows about its path and its traffic, as plain numbers.

import type { IncomingKeys, OutgoingKeys } from './key-phases.ts';
import type { Path } from './path.ts';
import type { RateReason } from './rate-controller.ts';
import type { ReceivedWindow } from './received-window.ts';
import type { SentWindow } from './sent-window.ts';
import type { Traffic } from './traffic.ts';

/**
 * A reading, made anew by each `connection.statistics`; cheap, a few dozen loads. The estimators:
 * round trip and jitter: exponential averages of RFC 6298 over each newly acked packet's own send time, less the peer's
 * ack delay; losses: exponential averages over verdicts (out) and over sequences (in) with weight 1/64; bandwidth: mean
 * of the last second, UDP payload; rate, queue and reason: see rate-controller.ts.
 */
export interface ConnectionStatistics {
  /** Smoothed round trip, ms; a guess of 250 until the first sample. */
  readonly rttMs: number;
  /** Mean deviation of the round trip, ms. */
  readonly jitterMs: number;
  /** Share of this side's recent packets that were lost, 0 to 1. */
  readonly lossOut: number;
  /** Share of the peer's recent packets that never came, 0 to 1. */
  readonly lossIn: number;
  /** Data packets since the connection was opened, and their UDP payload. */
  readonly packetsOut: number;
  readonly packetsIn: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** Over the last second, UDP payload. */
  readonly bytesPerSecondOut: number;
  readonly bytesPerSecondIn: number;
  /** Verdicts on this side's packets that asked for an ack. */
  readonly acked: number;
  readonly lost: number;
  /** Lost packets that an ack named after all. */
  readonly spuriousLosses: number;
  /** In flight when the connection ended. */
  readonly abandoned: number;
  /** Waiting for a verdict now. */
  readonly inFlight: number;
  /** What the rate controller allows now, IP and UDP headers included. */
  readonly rateBytesPerSecond: number;
  /** Delay that it believes is a queue on the path, ms. */
  readonly queueMs: number;
  /** What decided the rate last. */
  readonly rateReason: RateReason;
  /** Largest UDP payload that is sent now. */
  readonly datagramBytes: number;
  /** How often each direction's key was changed. */
  readonly keyGenerationOut: number;
  readonly keyGenerationIn: number;
}

/** Where the numbers come from. */
export interface StatisticsSources {
  readonly sent: SentWindow;
  readonly received: ReceivedWindow;
  readonly path: Path;
  readonly keysOut: OutgoingKeys;
  readonly keysIn: IncomingKeys;
  readonly trafficOut: Traffic;
  readonly trafficIn: Traffic;
}

/** Takes a reading. */
export function readStatistics(nowMs: number, sources: StatisticsSources): ConnectionStatistics {
  const { sent, received, path, keysOut, keysIn, trafficOut, trafficIn } = sources;
  const { bytesPerSecond, queueMs, reason } = path.rate.state;
  const { acked, lost, spuriousLosses, abandoned } = sent.statistics;
  return {
    rttMs: sent.rtt.smoothedMs,
    jitterMs: sent.rtt.variationMs,
    lossOut: sent.lossShare,
    lossIn: received.lossShare,
    packetsOut: trafficOut.packets,
    packetsIn: trafficIn.packets,
    bytesOut: trafficOut.bytes,
    bytesIn: trafficIn.bytes,
    bytesPerSecondOut: trafficOut.bytesPerSecond(nowMs),
    bytesPerSecondIn: trafficIn.bytesPerSecond(nowMs),
    acked,
    lost,
    spuriousLosses,
    abandoned,
    inFlight: sent.inFlight,
    rateBytesPerSecond: bytesPerSecond,
    queueMs,
    rateReason: reason,
    datagramBytes: path.mtu.sizeBytes,
    keyGenerationOut: keysOut.generation,
    keyGenerationIn: keysIn.generation,
  };
}
