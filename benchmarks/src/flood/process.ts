// The program of every process of the flood bench; its order says which one it is.

import { openFlooder } from './flooder.ts';
import type { FloodOrder, Role } from './order.ts';
import { openPlayers } from './players.ts';
import { openReceiver } from './receiver.ts';
import { openServer } from './server.ts';
import { type OpenSide, runSide } from './side.ts';

const roles: Readonly<Record<Role, OpenSide>> = {
  receiver: openReceiver,
  server: openServer,
  players: openPlayers,
  flooder: openFlooder,
};

const order: FloodOrder = JSON.parse(process.argv[2] ?? '');
await runSide(order, roles[order.role]);
