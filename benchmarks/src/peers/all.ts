// Every peer by the name that the command line uses, in the order in which a round runs them.

import { dgram } from './dgram.ts';
import type { Peer } from './peer.ts';
import { tickwire } from './tickwire.ts';
import { ws } from './ws.ts';

export const peers = { dgram, ws, tickwire } satisfies Record<string, Peer>;

/** A key of {@link peers}. */
export type PeerName = keyof typeof peers;

export const peerNames = Object.keys(peers) as PeerName[];
