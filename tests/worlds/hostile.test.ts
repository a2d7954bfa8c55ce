// Datagrams that nobody honest sent, at either end: they change a counter and nothing else. Two runs of one world,
// one of them under fire, must come out the same in every state of every tick.

import type { Datagram } from '@tickwire/netsim';
import { DATAGRAM_BYTES_MAX, Verdict, verdictNames } from '@tickwire/protocol';
import { afterAll, expect, test } from 'vitest';
import { ArenaWorld, differences, roughness, seedsFor } from './arena-world.ts';
import { reportWorlds } from './report.ts';

const seeds = seedsFor(3, 50);
let worlds = 0;

const OVER_AT_MS = 4000;
/** One hostile datagram every so often, to each end. */
const INTERVAL_MS = 7;

type Attack = 'random' | 'truncated' | 'flipped' | 'replayed' | 'padded';
const ATTACKS: readonly Attack[] = ['random', 'truncated', 'flipped', 'replayed', 'padded'];

/** Everything that happened: the server's state of every tick, and what each client sent when. */
interface Course {
  readonly server: string[];
  readonly bots: string[][];
  readonly refused: number;
}

function runWorld(seed: number, attack: Attack | undefined): Course {
  const link = { latencyMs: 40, loss: 0.02, ...roughness(seed) };
  // Turns so short that a hostile datagram does not make an honest one wait.
  const arena = new ArenaWorld({ seed, link, players: 3, receiveTurnMs: 1e-6 });
  worlds++;
  const server: string[] = [];
  const bots: string[][] = arena.clients.map(() => []);
  arena.match.onTick((tick) => {
    let hash = 0;
    for (const a of arena.match.core.tables.keys()) {
      const { values } = arena.match.core.history(a, tick)!;
      for (let i = 0; i < values.length; i++) hash = (Math.imul(hash, 31) + values[i]!) | 0;
    }
    server.push(`${tick}: ${hash}`);
  });
  for (const [bot, client] of arena.clients.entries()) {
    client.on('tick', (tick) => {
      bots[bot]!.push(`${tick}: packet ${client.connection!.nextSequence}`);
    });
    client.on('confirmed', (tick, whole) => {
      if (whole) expect(differences(client, arena.match, tick)).toEqual([]);
    });
  }
  if (attack !== undefined) fire(arena, attack);
  arena.run(OVER_AT_MS);
  expect(arena.failures).toEqual([]);
  return { server, bots, refused: refusals(arena) };
}

/** Keeps copies of what passes, and sends changed ones from where they came. */
function fire(arena: ArenaWorld, attack: Attack): void {
  const random = arena.world.random('attacker');
  const seen: { bytes: Uint8Array; from: number; to: number }[] = [];
  arena.world.tap = {
    delivering(_nowMs: number, { bytes, start, end, from, to }: Datagram) {
      if (seen.length < 4000) seen.push({ bytes: bytes.slice(start, end), from, to });
    },
  };
  for (let atMs = 500; atMs < OVER_AT_MS; atMs += INTERVAL_MS) {
    arena.world.at(atMs, () => {
      const copy = seen[Math.floor(random.next() * seen.length)];
      if (copy === undefined) return;
      const bytes = spoil(copy.bytes, attack, () => random.next());
      arena.world.inject(bytes, copy.from, copy.to);
    });
  }
}

function spoil(bytes: Uint8Array, attack: Attack, random: () => number): Uint8Array {
  const at = Math.floor(random() * bytes.length);
  switch (attack) {
    case 'random':
      return Uint8Array.from({ length: 1 + at }, () => Math.floor(random() * 256));
    case 'truncated':
      return bytes.slice(0, at);
    case 'flipped': {
      const flipped = bytes.slice();
      flipped[at] = flipped[at]! ^ (1 << Math.floor(random() * 8));
      return flipped;
    }
    case 'padded': {
      const padded = new Uint8Array(Math.min(DATAGRAM_BYTES_MAX + 50, bytes.length + 1 + at));
      padded.set(bytes.subarray(0, padded.length));
      return padded;
    }
    case 'replayed':
      return bytes;
  }
}

function refusals(arena: ArenaWorld): number {
  let sum = 0;
  for (const name of verdictNames) {
    const verdict = Verdict[name];
    if (verdict === Verdict.accepted) continue;
    sum += arena.server.host.verdicts(verdict);
    for (const client of arena.clients) sum += client.connection?.verdicts(verdict) ?? 0;
  }
  return sum;
}

/** Without the last moment, which one run may have reached a rounding error before the other. */
function settled(ticks: string[]): string[] {
  return ticks.slice(0, 220);
}

test.each(seeds)('seed %i: the game goes on exactly as without', (seed) => {
  const peaceful = runWorld(seed, undefined);
  expect(peaceful.server.length).toBeGreaterThan(200);
  for (const attack of ATTACKS) {
    const attacked = runWorld(seed, attack);
    expect(attacked.refused, attack).toBeGreaterThan(peaceful.refused + 50);
    expect(attacked.server, attack).toEqual(peaceful.server);
    expect(attacked.bots.map(settled), attack).toEqual(peaceful.bots.map(settled));
  }
});

afterAll(() => reportWorlds('hostile', seeds, worlds));
