// The server's machines without any socket, timer or clock.
export { CATCH_UP_MS_MAX, CATCH_UP_TICKS_MAX, FixedStep } from './fixed-step.ts';
export {
  type CloseOptions,
  type ConnectRequest,
  GameServer,
  type GameServerOptions,
  type Log,
  type LogLevel,
  type OnError,
} from './game-server.ts';
export { ConnectionHost, type HostOptions, type HostSink } from './host.ts';
export { InputBuffer, type InputStatistics } from './input-buffer.ts';
export { Match, type MatchOptions } from './match.ts';
export { Session } from './session.ts';
export { SnapshotStream } from './snapshot-stream.ts';
