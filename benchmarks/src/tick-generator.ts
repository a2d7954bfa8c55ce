// The loading process of a run. Clients are not in step with each other: each has its own phase within the
// tick, in slices of about a millisecond. The same pattern loads every peer.

import { peers } from './peers/all.ts';
import type { PlantedFault } from './tick-message.ts';
import { runSide } from './tick-process.ts';

/** One in so many messages is left out, twice what a run tolerates. */
const PLANTED_LOSS = 50;
/** How long, and after how many slices each, the event loop is held up. */
const PLANTED_STALL_MS = 8;
const PLANTED_STALL_SLICES = 40;

await runSide(async ({ peer, load, hz, port, plant }) => {
  const generator = await peers[peer].join(load, port!);
  const slices = Math.max(1, Math.floor(1000 / hz));
  let turn = 0;
  return {
    port: 0,
    traffic: generator.traffic,
    stepMs: 1000 / hz / slices,
    step(index) {
      stall(plant, index);
      for (let client = index % slices; client < load.clients; client += slices) {
        if (plant === 'loss' && ++turn % PLANTED_LOSS === 0) continue;
        generator.send(client);
      }
    },
  };
});

function stall(plant: PlantedFault | undefined, index: number): void {
  if (plant !== 'lag' || index % PLANTED_STALL_SLICES !== 0) return;
  const untilMs = performance.now() + PLANTED_STALL_MS;
  while (performance.now() < untilMs);
}
