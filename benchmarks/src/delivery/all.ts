// Every peer of the delivery bench.

import { enet } from './enet.ts';
import { kcp } from './kcp.ts';
import type { DeliveryPeer } from './peer.ts';
import { tickwire } from './tickwire.ts';

export const peers: readonly DeliveryPeer[] = [tickwire, enet, kcp];
