// The server stands still for a while: what was owed is dropped, and the players are back soon after it is.

import type { Destination, Machine } from '@tickwire/protocol';
import { afterAll, expect, test } from 'vitest';
import { ArenaWorld, differences, seedsFor } from './arena-world.ts';
import { reportWorlds } from './report.ts';

const seeds = seedsFor(2, 50);
let worlds = 0;

const STALL_AT_MS = 3000;

/** A machine whose process sleeps: datagrams wait in the socket, timers fire late. */
function stalled(machine: Machine, fromMs: number, untilMs: number): Machine {
  const waiting: [bytes: Uint8Array, from: number][] = [];
  const asleep = (nowMs: number) => nowMs >= fromMs && nowMs < untilMs;
  return {
    receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): number {
      if (!asleep(nowMs)) return machine.receive(nowMs, bytes, start, end, from);
      waiting.push([bytes.slice(start, end), from]);
      return 0;
    },
    advance(nowMs: number): void {
      if (asleep(nowMs)) return;
      for (const [bytes, from] of waiting.splice(0)) {
        machine.receive(nowMs, bytes, 0, bytes.length, from);
      }
      machine.advance(nowMs);
    },
    poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
      return asleep(nowMs) ? 0 : machine.poll(nowMs, out, start, to);
    },
    wakeAt(): number {
      const atMs = machine.wakeAt();
      return asleep(atMs) ? untilMs : atMs;
    },
  };
}

for (const stallMs of [1000, 3000, 8000]) {
  test.each(seeds)(
    `server stalls ${stallMs} ms, seed %i: inputs count again within 1 s`,
    (seed) => {
      const arena = new ArenaWorld({
        seed,
        link: { latencyMs: 50, jitterMs: 5 },
        players: 2,
        wrapServer: (machine) => stalled(machine, STALL_AT_MS, STALL_AT_MS + stallMs),
      });
      worlds++;
      const backMs = STALL_AT_MS + stallMs + 1000;
      arena.run(backMs);
      const before = arena.clients.map((_, bot) => ({ ...arena.sessionOf(bot).inputs! }));
      arena.run(backMs + 3000);
      for (const [bot, client] of arena.clients.entries()) {
        const now = arena.sessionOf(bot).inputs!;
        expect(now.missing - before[bot]!.missing).toBeLessThan(10);
        expect(now.real - before[bot]!.real).toBeGreaterThan(165);
        expect(differences(client, arena.match, client.match!.confirmed.wholeTick)).toEqual([]);
      }
      expect(arena.server.ticksDropped).toBeGreaterThan((stallMs / 1000) * 60 - 10);
      expect(arena.failures).toEqual([]);
    },
  );
}

afterAll(() => reportWorlds('stall', seeds, worlds));
