// When the inputs fall silent, every client comes to know the world exactly, in time; and whenever a snapshot says
// it is whole, it is.

import { afterAll, describe, expect, test } from 'vitest';
import {
  ArenaWorld,
  differences,
  LOSSES,
  ROUND_TRIPS_MS,
  roughness,
  seedsFor,
} from './arena-world.ts';
import { reportWorlds } from './report.ts';

const seeds = seedsFor(3, 50);
let worlds = 0;

const SILENT_AT_MS = 4000;
/** Bots coast for two seconds at most; an item taken last comes back after 3 s; a player hit last respawns within 1 s. */
const OVER_AT_MS = 13_000;

interface Witness {
  /** Wrong fields in snapshots that said they were whole. */
  readonly wrong: string[];
  /** [tick, when it arrived] of every whole snapshot. */
  readonly whole: [tick: number, atMs: number][];
}

function watch(arena: ArenaWorld): Witness[] {
  return arena.clients.map((client) => {
    const witness: Witness = { wrong: [], whole: [] };
    client.on('confirmed', (tick, whole) => {
      if (!whole) return;
      witness.whole.push([tick, arena.world.nowMs]);
      for (const difference of differences(client, arena.match, tick)) {
        witness.wrong.push(`tick ${tick}: ${difference}`);
      }
    });
    return witness;
  });
}

/** The tick from which on nothing changed any more. */
function restTick(arena: ArenaWorld): number {
  let newest = 0;
  for (const table of arena.match.core.tables) {
    for (let i = 0; i < table.count; i++) {
      newest = Math.max(newest, table.changedOwner[table.order[i]!]!);
    }
  }
  return newest;
}

for (const loss of LOSSES) {
  for (const rttMs of ROUND_TRIPS_MS) {
    describe(`loss ${loss * 100} %, round trip ${rttMs} ms`, () => {
      test.each(seeds)('seed %i', (seed) => {
        const link = { latencyMs: rttMs / 2, loss, ...roughness(seed) };
        const arena = new ArenaWorld({ seed, link, players: 4 });
        const witnesses = watch(arena);
        arena.world.at(SILENT_AT_MS, () => {
          arena.silent = true;
        });
        arena.run(OVER_AT_MS);
        worlds++;
        expect(arena.failures).toEqual([]);
        expect(arena.match.sessions.size).toBe(4);
        const rest = restTick(arena);
        const restMs = (rest + 1) * (1000 / 60);
        expect(restMs).toBeLessThan(OVER_AT_MS - rttMs - 2000);
        for (const [bot, witness] of witnesses.entries()) {
          expect(witness.wrong).toEqual([]);
          const first = witness.whole.find(([tick]) => tick >= rest);
          expect(first, `bot ${bot} never saw the world at rest`).toBeDefined();
          expect(first![1]).toBeLessThanOrEqual(restMs + rttMs + 2000);
          const own = arena.clients[bot]!;
          const last = witness.whole.at(-1)![0];
          expect(differences(own, arena.match, last)).toEqual([]);
          expect(predictedDifferences(arena, bot, last)).toEqual([]);
        }
      });
    });
  }
}

/** At rest the predicted rows are what the server has, too. */
function predictedDifferences(arena: ArenaWorld, bot: number, tick: number): string[] {
  const { world } = arena.clients[bot]!.match!;
  const found: string[] = [];
  for (const [a, table] of world.tables.entries()) {
    const frame = arena.match.core.history(a, tick)!;
    for (let i = 0; i < table.activeCount; i++) {
      const slot = table.active[i]!;
      const serverSlot = frame.slotOf(table.ids[slot]!);
      const { layout } = table;
      for (let f = 0; f < layout.stride; f++) {
        const there = frame.values[serverSlot * layout.stride + f]!;
        const value = layout.mins[f]! + there * layout.steps[f]!;
        const here = table.live[f]![slot]!;
        if (here !== value) found.push(`${layout.fieldNames[f]}: ${here}, not ${value}`);
      }
    }
  }
  return found;
}

afterAll(() => reportWorlds('convergence', seeds, worlds));
