// What the tick bench asks of everything that it measures. One small interface; peers differ behind it only.

/** The work of one run: the same for every peer. */
export interface Load {
  readonly clients: number;
  /** Application payload of one client-tick, bytes. */
  readonly upBytes: number;
  readonly downBytes: number;
}

/** Running totals. A message is one client's payload of one tick; bytes are what stands in datagrams or frames. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
  /** UDP payload bytes; 0 where the peer cannot tell. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** The measured side. */
export interface ServerEnd {
  /** Port on 127.0.0.1. */
  readonly port: number;
  readonly traffic: Traffic;
  /** Hands the payload of this tick for every client to the system. */
  tick(): void;
}

/** The loading side: one socket for each client. */
export interface GeneratorEnd {
  readonly traffic: Traffic;
  /** Sends one client's payload of this tick. */
  send(client: number): void;
}

/** One way to carry the load. */
export interface Peer {
  /** Why it cannot run here; undefined = it can. */
  missing(): string | undefined;
  listen(load: Load): Promise<ServerEnd>;
  /** Resolves when every client has joined. */
  join(load: Load, port: number): Promise<GeneratorEnd>;
}

/** Totals that a peer counts in. */
export class TrafficCount implements Traffic {
  sent = 0;
  received = 0;
  sentBytes = 0;
  receivedBytes = 0;
}
