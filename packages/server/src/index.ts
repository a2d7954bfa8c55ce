// '@tickwire/server': the authoritative host over UDP.

export type { AccessOptions, TokenOptions } from './access-options.ts';
export * from './core.ts';
export {
  type GameListenOptions,
  type ListenOptions,
  listen,
  type MessageListenOptions,
} from './listen.ts';
export {
  accept,
  type Decision,
  ListeningServer,
  type MessagingServer,
  type RequestInfo,
  refuse,
  Server,
} from './listening-server.ts';
export type { ServerStatistics, TickStatistics } from './server-statistics.ts';
