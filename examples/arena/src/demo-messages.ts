// What the processes of the demo say to each other over Node's channel between parent and child. No code.

/** How the server process is to be; its first argument, as JSON. */
export interface ServerPlan {
  readonly host: string;
  readonly players: number;
  readonly matches: number;
  readonly seed: number;
  readonly snapshotHz: number;
  /** Packets count as acked although they were lost: a planted bug. */
  readonly breakAck: boolean;
  /** Ticks in a batch of truth. */
  readonly batchTicks: number;
}

/** How a process of bots is to be; its first argument, as JSON. */
export interface BotsPlan {
  readonly url: string;
  /** Numbers of its bots: from `first` on. */
  readonly first: number;
  readonly count: number;
  readonly seed: number;
  readonly broken: 'prediction' | 'quantise' | undefined;
  /** Number of the bot whose view is sent, -1 = none. */
  readonly watched: number;
}

/** Orders to children. `report` is answered with statistics, `confirm` with the state each bot was told. */
export interface Order {
  readonly type: 'report' | 'silent' | 'confirm' | 'close';
}

/** Sums since the start, and averages as of now, over all sessions of the server. */
export interface ServerFigures {
  readonly ticksRun: number;
  readonly ticksDropped: number;
  readonly tickMsP50: number;
  readonly tickMsP99: number;
  readonly tickLateMsP99: number;
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly sessions: number;
  readonly packetsAcked: number;
  /** Without those that an ack named after all. */
  readonly packetsLost: number;
  readonly inputsReal: number;
  readonly inputsMissing: number;
}

/** Sums over the bots of a process: counters since the start, the others as of now. */
export interface BotFigures {
  readonly bots: number;
  readonly rttMs: number;
  readonly slackMs: number;
  readonly packetsAcked: number;
  readonly packetsLost: number;
  readonly rollbacks: number;
  readonly movedUnits: number;
  readonly moves: number;
  readonly starvedTicks: number;
  readonly viewedTicks: number;
  readonly baselineMissing: number;
}

/** The server's truth that a bot's player is this one. */
export interface Joined {
  readonly type: 'joined';
  readonly bot: number;
  readonly match: number;
  readonly player: number;
}

/** What the server process says. */
export type ServerReport =
  | { readonly type: 'listening'; readonly port: number }
  | Joined
  | { readonly type: 'ended'; readonly bot: number; readonly reason: string }
  | { readonly type: 'truth'; readonly batch: Int32Array }
  | { readonly type: 'figures'; readonly figures: ServerFigures }
  | { readonly type: 'stopped'; readonly reason: string };

/** What one bot was told by the server, complete as of `tick`; -1 = it was never told everything. */
export interface Confirmed {
  readonly bot: number;
  readonly tick: number;
  /** Snapshots it refused because they named a state that it never had. */
  readonly baselineMissing: number;
  /** Undefined where nothing complete arrived while it was asked. */
  readonly state: Int32Array | undefined;
}

/** What a process of bots says. */
export type BotsReport =
  | { readonly type: 'ended'; readonly bot: number; readonly reason: string }
  | { readonly type: 'predictions'; readonly batch: Int32Array }
  | { readonly type: 'figures'; readonly figures: BotFigures }
  | { readonly type: 'confirmed'; readonly confirmed: Confirmed }
  | { readonly type: 'view'; readonly view: BotView };

/** What one bot sees: id, x, y, aim of each player. */
export interface BotView {
  readonly bot: number;
  readonly self: number;
  readonly players: Float64Array;
}
