// The client's machines without any socket, timer or clock.
export { ClientMatch } from './client-match.ts';
export type { ClientStatistics, GameStatistics } from './client-statistics.ts';
export { ConfirmedWorld } from './confirmed-world.ts';
export { Dialer, type DialerOptions, type DialerSink } from './dialer.ts';
export type { EffectPhase } from './effect-ledger.ts';
export { GameClient, type GameClientOptions } from './game-client.ts';
export { InputClock } from './input-clock.ts';
export {
  MessageClient,
  type MessageClientOptions,
} from './message-client.ts';
export type { PredictionStatistics, Rollback } from './prediction.ts';
export {
  type CloseOptions,
  type ResumeState,
  SessionClient,
  type SessionClientOptions,
  type SessionClientStatistics,
} from './session-client.ts';
export { ViewClock } from './view-clock.ts';
