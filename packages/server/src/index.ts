// '@tickwire/server': the authoritative host over UDP.
export * from './core.ts';
export {
  accept,
  type Decision,
  type ListenOptions,
  listen,
  type RequestInfo,
  refuse,
  Server,
} from './listen.ts';
export type { ServerStatistics } from './server-statistics.ts';
