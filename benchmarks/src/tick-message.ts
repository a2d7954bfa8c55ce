// What the bench and its two processes tell each other over their IPC channel.

import type { PeerName } from './peers/all.ts';
import type { Load } from './peers/peer.ts';
import type { WindowResult } from './tick-window.ts';

/** A fault planted to prove that the bench sees it. */
export type PlantedFault = 'loss' | 'lag';

/** What one run is. Travels as JSON in the first argument of both processes. */
export interface RunOrder {
  readonly peer: PeerName;
  readonly load: Load;
  readonly hz: number;
  readonly seconds: number;
  readonly warmUpMs: number;
  readonly plant?: PlantedFault;
  /** Where the server listens; the generator's order has it. */
  readonly port?: number;
}

/** From the bench: everybody has joined, warm up and measure. */
export interface StartMessage {
  readonly kind: 'start';
}

/** From a process: it is up. The server names its port; the generator's clients have all joined. */
export interface ReadyMessage {
  readonly kind: 'ready';
  readonly port: number;
}

/** From a process: its window closed. It goes on working until it is ended. */
export interface DoneMessage {
  readonly kind: 'done';
  readonly window: WindowResult;
  /** 99th percentile of how late the process took its steps. */
  readonly lateMsP99: number;
}

/** What the processes say. */
export type ProcessMessage = ReadyMessage | DoneMessage;
