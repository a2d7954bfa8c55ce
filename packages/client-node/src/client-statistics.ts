// One plain object with everything a client measures.

import type { Connection, GameShape } from '@tickwire/protocol';
import type { ClientMatch } from './client-match.ts';
import type { PredictionStatistics } from './prediction.ts';
import type { SessionClientStatistics } from './session-client.ts';

/** What a client measures of its game. Milliseconds and ticks as named; zeros before anything was measured. */
export interface GameStatistics {
  readonly rttMs: number;
  readonly jitterMs: number;
  /** Packets of ours with a known fate, and how many of them were lost. */
  readonly packetsAcked: number;
  readonly packetsLost: number;
  /** How early inputs arrive at the server, and how early they should. */
  readonly slackMs: number;
  readonly slackTargetMs: number;
  /** Speed of the tick clock, 1 = as the server. */
  readonly clockSpeed: number;
  readonly clockSnaps: number;
  readonly prediction: PredictionStatistics;
  /** Mean distance that a rollback moved an own row, units. */
  readonly correctionMeanUnits: number;
  /** How far behind the newest snapshot others are shown, ticks. */
  readonly viewDelayTicks: number;
  readonly starvedTicks: number;
  readonly viewedTicks: number;
  /** Snapshot packets refused: baseline not there, overtaken, no room for new entities; ignored: of an earlier place. */
  readonly baselineMissing: number;
  readonly outdated: number;
  readonly tableFull: number;
  readonly oldEpoch: number;
}

/** What a client of a game measures. */
export interface ClientStatistics extends SessionClientStatistics, GameStatistics {}

const NO_PREDICTION = { compared: 0, mispredicted: 0, rollbacks: 0, replayedTicks: 0, resyncs: 0 };

/** Reads the parts. */
export function collectStatistics<S extends GameShape>(
  connection: Connection | undefined,
  match: ClientMatch<S> | undefined,
): GameStatistics {
  const corrections = match?.corrections ?? [];
  const moves = corrections.reduce((sum, { moves }) => sum + moves, 0);
  const moved = corrections.reduce((sum, { movedUnits }) => sum + movedUnits, 0);
  return {
    rttMs: connection?.rtt.smoothedMs ?? 0,
    jitterMs: connection?.rtt.variationMs ?? 0,
    packetsAcked: connection?.statistics.acked ?? 0,
    packetsLost: connection?.statistics.lost ?? 0,
    slackMs: match?.clock.slackMs ?? 0,
    slackTargetMs: match?.clock.targetMs ?? 0,
    clockSpeed: match?.clock.speed ?? 1,
    clockSnaps: match?.clock.snaps ?? 0,
    prediction: { ...(match?.prediction.statistics ?? NO_PREDICTION) },
    correctionMeanUnits: moves === 0 ? 0 : moved / moves,
    viewDelayTicks: match?.viewClock.delayTicks ?? 0,
    starvedTicks: match?.starvedTicks ?? 0,
    viewedTicks: match?.viewedTicks ?? 0,
    baselineMissing: match?.reader.baselineMissing ?? 0,
    outdated: match?.reader.outdated ?? 0,
    tableFull: match?.reader.tableFull ?? 0,
    oldEpoch: match?.reader.oldEpoch ?? 0,
  };
}
