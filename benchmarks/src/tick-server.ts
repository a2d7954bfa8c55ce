// The measured process of a run: one peer's server, which hands a whole tick to the system at once.

import { peers } from './peers/all.ts';
import { runSide } from './tick-process.ts';

await runSide(async ({ peer, load, hz }) => {
  const server = await peers[peer].listen(load);
  return {
    port: server.port,
    traffic: server.traffic,
    stepMs: 1000 / hz,
    step: () => server.tick(),
  };
});
