// The server's machines without any socket, timer or clock.
export type { Access, ConsumeToken, TokenAccess } from './access.ts';
export { CATCH_UP_MS_MAX, CATCH_UP_TICKS_MAX, FixedStep } from './fixed-step.ts';
export { GameServer, type GameServerOptions } from './game-server.ts';
export { GameSession } from './game-session.ts';
export { ConnectionHost, type HostOptions, type HostSink } from './host.ts';
export type { HostStatistics } from './host-statistics.ts';
export { InputBuffer, type InputStatistics } from './input-buffer.ts';
export type { LimitOptions, RateLimitOptions } from './limits.ts';
export { Match, type MatchOptions } from './match.ts';
export { MessageServer, type MessageServerOptions } from './message-server.ts';
export { Session, type SessionCloseOptions } from './session.ts';
export {
  type CloseOptions,
  type ConnectRequest,
  type Log,
  type LogLevel,
  type OnError,
  SessionServer,
  type SessionServerOptions,
} from './session-server.ts';
export type { User } from './slot-table.ts';
export { SnapshotStream } from './snapshot-stream.ts';
