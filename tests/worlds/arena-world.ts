// An arena in virtual time: one server, its matches, bots on links, all from one seed. What tests compare clients
// with is the server's own history, never a client's word.

import { GameClient } from '@tickwire/client-node/core';
import {
  type LinkOptions,
  Prng,
  SimulatedAddressBook,
  simulatedCrypto,
  World,
} from '@tickwire/netsim';
import type { Machine } from '@tickwire/protocol';
import { GameServer } from '@tickwire/server/core';
import { arena, HP, openPlace } from '../../examples/arena/src/arena.ts';

/** How a world is made. */
export interface ArenaWorldOptions {
  readonly seed: number;
  readonly link?: LinkOptions;
  readonly players: number;
  readonly matches?: number;
  readonly items?: number;
  /** Time between two receive turns of a node. Default 1 ms, as a busy event loop has it. */
  readonly receiveTurnMs?: number;
  /** Puts something between the network and the server. */
  readonly wrapServer?: (server: Machine) => Machine;
  /** Fills in a bot's input; by default it wanders, turns and shoots, each bot in its own way. */
  readonly sample?: (bot: number, tick: number, out: ArenaInput) => void;
}

export type ArenaServer = ReturnType<typeof createServer>;
export type ArenaClient = ReturnType<typeof createClient>;
export type ArenaMatch = ReturnType<ArenaServer['createMatch']>;
export type ArenaSession = ArenaServer['sessions'] extends ReadonlyMap<number, infer S> ? S : never;
export type ArenaInput = ArenaClient['input'];

/** What went wrong in user code; tests expect it to stay empty. */
export type Failures = { where: string; error: Error }[];

function createServer(seed: number, failures: Failures) {
  return new GameServer(arena, {
    crypto: simulatedCrypto(seed),
    addresses: new SimulatedAddressBook(),
    nowMs: 0,
    development: true,
    onError: (error, where) => failures.push({ where, error }),
  });
}

function createClient(
  seed: number,
  server: number,
  nowMs: number,
  failures: Failures,
  sampleInput: (tick: number, out: FieldInput) => void,
) {
  return new GameClient(arena, {
    crypto: simulatedCrypto(seed),
    server,
    nowMs,
    development: true,
    sampleInput,
    onError: (error, where) => failures.push({ where, error }),
  });
}

interface FieldInput {
  dx: number;
  dy: number;
  turn: number;
  fire: boolean;
}

/** See the head of the file. */
export class ArenaWorld {
  readonly world: World;
  readonly server: ArenaServer;
  readonly serverAddress: number;
  readonly matches: ArenaMatch[] = [];
  readonly clients: ArenaClient[] = [];
  readonly addresses: number[] = [];
  readonly failures: Failures = [];
  /** Bots give no input while true. */
  silent = false;
  readonly #options: ArenaWorldOptions;

  constructor(options: ArenaWorldOptions) {
    this.#options = options;
    const { seed, link = {}, players, matches = 1, items = 12, receiveTurnMs = 1 } = options;
    this.world = new World({ seed, link, receiveTurnMs });
    this.server = createServer(seed, this.failures);
    const { wrapServer = (machine) => machine } = options;
    this.serverAddress = this.world.addNode(wrapServer(this.server), { server: true });
    for (let i = 0; i < matches; i++) this.#addMatch(seed + i, items);
    this.server.onSession((session) => {
      this.matches[(session.id - 1) % this.matches.length]!.add(session);
    });
    for (let bot = 0; bot < players; bot++) this.addClient(bot);
  }

  get match(): ArenaMatch {
    return this.matches[0]!;
  }

  get client(): ArenaClient {
    return this.clients[0]!;
  }

  /** Adds a bot; its connection starts now. */
  addClient(bot: number): ArenaClient {
    const { seed, sample = wander } = this.#options;
    const client = createClient(
      seed * 1000 + bot + 1,
      this.serverAddress,
      this.world.nowMs,
      this.failures,
      (tick, out) => {
        out.dx = 0;
        out.dy = 0;
        out.turn = 0;
        if (!this.silent) sample(bot, tick, out);
      },
    );
    this.clients.push(client);
    this.addresses.push(this.world.addNode(client));
    return client;
  }

  run(untilMs: number): void {
    this.world.run(untilMs);
  }

  /** The server's session of a bot. */
  sessionOf(bot: number): ArenaSession {
    const from = this.addresses[bot]!;
    for (const session of this.server.sessions.values()) if (session.from === from) return session;
    throw new Error(`bot ${bot} has no session`);
  }

  /** Which match a bot is in. */
  matchOf(bot: number): ArenaMatch {
    const session = this.sessionOf(bot);
    return this.matches.find((match) => match.sessions.has(session))!;
  }

  #addMatch(seed: number, items: number): void {
    const match = this.server.createMatch({ seed });
    const random = new Prng(seed).fork('places');
    match.onEnter((session) => {
      const row = match.world.player.spawn();
      const [x, y] = openPlace(random.next(), random.next());
      row.pose.x = x;
      row.pose.y = y;
      row.motion.x = x;
      row.motion.y = y;
      row.life.hp = HP;
      match.own(session, row.id);
    });
    for (let i = 0; i < items; i++) {
      const { place } = match.world.item.spawn();
      [place.x, place.y] = openPlace(random.next(), random.next());
    }
    this.matches.push(match);
  }
}

/** Round and about, always turning, shooting now and then. */
export function wander(bot: number, tick: number, out: ArenaInput): void {
  out.dx = ((tick >> 5) + bot) % 3 === 0 ? -1 : 0.75;
  out.dy = ((tick >> 6) + bot * 7) % 2 === 0 ? 0.5 : -1;
  out.turn = bot % 2 === 0 ? 0.4 : -0.3;
  out.fire = tick % (20 + bot) === 0;
}

/**
 * Every field in which what the client knows of the world at `tick` differs from the server's state of that tick,
 * in words; empty = the same entities with the same values. Fields that are not for this client are left out.
 */
export function differences(client: ArenaClient, match: ArenaMatch, tick: number): string[] {
  const place = client.match;
  if (place === undefined) return ['the client is in no match'];
  const found: string[] = [];
  for (const [a, layout] of arena.layouts.entries()) {
    const frame = match.core.history(a, tick);
    if (frame === undefined) return [`the server no longer knows tick ${tick}`];
    const table = place.world.tables[a]!;
    if (table.count !== frame.count) found.push(`${layout.name}: ${table.count} of ${frame.count}`);
    for (let i = 0; i < frame.count; i++) {
      const serverSlot = frame.order[i]!;
      const id = frame.ids[serverSlot]!;
      const slot = table.slotOf(id);
      if (slot < 0) {
        found.push(`${layout.name} ${id} is not known`);
        continue;
      }
      const samples = place.confirmed.samples(a, slot);
      for (let f = 0; f < layout.stride; f++) {
        if (layout.audiences[f]! > (samples.owned ? 1 : 0)) continue;
        const here = samples.values[samples.newestAt + f]!;
        const there = frame.values[serverSlot * layout.stride + f]!;
        if (here !== there) found.push(`${layout.fieldNames[f]} of ${id}: ${here}, not ${there}`);
      }
    }
  }
  return found;
}

/** Seeds of a suite: few in the quick run, `full` in the full one. */
export function seedsFor(quick: number, full: number): number[] {
  const count = process.env.TICKWIRE_WORLDS === 'full' ? full : quick;
  return Array.from({ length: count }, (_, i) => i + 1);
}

/** Link qualities that vary with the seed: jitter up to 40 ms, reordering and duplicates in two of three. */
export function roughness(seed: number): Pick<LinkOptions, 'jitterMs' | 'reorder' | 'duplicate'> {
  return [
    { jitterMs: 0 },
    { jitterMs: 10, reorder: 0.05, duplicate: 0.05 },
    { jitterMs: 40, reorder: 0.02, duplicate: 0.2 },
  ][seed % 3]!;
}

export const LOSSES = [0, 0.05, 0.2];
export const ROUND_TRIPS_MS = [0, 100, 300];

/**
 * The link of a suite that runs each seed once: nine seeds in a row meet every loss with every round trip, 27 meet
 * each of these with every roughness, and the first three already differ in loss.
 */
export function linkFor(seed: number): LinkOptions & { readonly latencyMs: number } {
  const loss = LOSSES[seed % 3]!;
  const rttMs = ROUND_TRIPS_MS[(seed + Math.floor(seed / 3)) % 3]!;
  return { latencyMs: rttMs / 2, loss, ...roughness(Math.floor(seed / 9) + seed) };
}
