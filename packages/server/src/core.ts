// The server's machines without any socket, timer or clock.
export { CATCH_UP_MS_MAX, CATCH_UP_TICKS_MAX, FixedStep } from './fixed-step.ts';
export { GameServer, type GameServerOptions } from './game-server.ts';
export { GameSession } from './game-session.ts';
export { ConnectionHost, type HostOptions, type HostSink } from './host.ts';
export { InputBuffer, type InputStatistics } from './input-buffer.ts';
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
export { SnapshotStream } from './snapshot-stream.ts';
