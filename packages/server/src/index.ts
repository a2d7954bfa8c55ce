// '@tickwire/server': the authoritative host over UDP.
export * from './core.ts';
export {
  accept,
  type Decision,
  type GameListenOptions,
  ListeningServer,
  type ListenOptions,
  listen,
  type MessageListenOptions,
  type MessagingServer,
  type RequestInfo,
  refuse,
  Server,
} from './listen.ts';
export type { ServerStatistics, TickStatistics } from './server-statistics.ts';
