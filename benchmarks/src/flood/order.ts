// What the flood bench and its processes tell each other over their IPC channels. The bench commands, a process answers
// each command with a reading of its own clock and counts; a window is the difference of two readings of one process.

/** What a process is; `process.ts` has them. */
export type Role = 'receiver' | 'server' | 'players' | 'flooder';

/** What one process is to do. Travels as JSON in its first argument. */
export interface FloodOrder {
  readonly role: Role;
  /** Where the target listens; 0 for the target itself. */
  readonly port: number;
  /** Hostile datagrams a second. */
  readonly rate: number;
  readonly players: number;
  /** Clients that join while the window is open. */
  readonly joins: number;
  readonly windowMs: number;
}

/** `start` the load, `open` and `close` the window, `read` when what was under way has arrived. */
export type Command = 'start' | 'open' | 'close' | 'read';

/** Running totals; each process fills in what it knows. */
export interface FloodCounts {
  /** Hostile datagrams: sent by the flooder, received by the target. */
  readonly hostile: number;
  /** Inputs of players that belong to the window: sent by the players, delivered by the server. */
  readonly inputs: number;
  /** Of the clients that have joined in the window: from their first request to their connection, ms. */
  readonly joinMs: readonly number[];
  /** What the system granted to the target. */
  readonly receiveBufferBytes: number;
  /** Datagrams to the target that found that buffer full; undefined where the system does not tell. */
  readonly dropped?: number | undefined;
}

/** Nothing counted. */
export const NOTHING: FloodCounts = { hostile: 0, inputs: 0, joinMs: [], receiveBufferBytes: 0 };

/** One process at one moment. */
export interface Reading {
  /** Of the process's own monotonic clock. */
  readonly atMs: number;
  /** The process's own user and system time. */
  readonly cpuUs: number;
  /** 99th percentile of how late it took its steps since the window opened. */
  readonly lateMsP99: number;
  readonly counts: FloodCounts;
}

/** First thing that a process says: it is up. */
export interface Ready {
  readonly port: number;
}
