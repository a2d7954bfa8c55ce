// A player that loses its process or its network takes its seat in the match again: the same rows, predicted and shown
// as if it had never been away, whoever sits in its old place meanwhile.

import { GameClient, type ResumeState } from '@tickwire/client-node/core';
import { simulatedCrypto } from '@tickwire/netsim';
import { PacketKind, readKind, Way } from '@tickwire/protocol';
import { afterAll, describe, expect, test } from 'vitest';
import { arena as game } from '../../examples/arena/src/arena.ts';
import {
  type ArenaClient,
  type ArenaSession,
  ArenaWorld,
  differences,
  linkFor,
  seedsFor,
  wander,
} from './arena-world.ts';
import { reportWorlds } from './report.ts';

const seeds = seedsFor(3, 50);
let worlds = 0;

const TIMEOUT_MS = 10_000;
/** Long enough to find the server, and for some hundred snapshots, through the worst of links. */
const SETTLE_MS = 5000;
const FOREVER_MS = 1e9;

/** An arena whose players may go and come back. */
class Revolving extends ArenaWorld {
  /** What the server's user was told; only one player in a world ever leaves. */
  readonly told: string[] = [];
  /** Whom no data packet reaches. */
  readonly deaf = new Set<number>();

  constructor(seed: number, players: number, matches = 1) {
    super({ seed, link: linkFor(seed), players, matches });
    worlds++;
    this.world.tap = {
      sending: (_nowMs, datagram) => {
        const { bytes, start, end, to } = datagram;
        const data = readKind(bytes, start, end) === PacketKind.data;
        if (data && this.deaf.has(to)) datagram.dropped = true;
      },
    };
    this.server.onLeft(() => this.told.push('left'));
    this.server.onResumed(() => this.told.push('resumed'));
    this.server.onEnd((_session, reason) => this.told.push(`end ${reason}`));
  }

  /** Ends the process of a bot; returns what it had exported before. */
  kill(bot: number): ResumeState {
    const state = this.clients[bot]!.resumeState()!;
    this.world.sleep(this.addresses[bot]!, FOREVER_MS);
    return state;
  }

  /** A new process with an exported state. It plays as a bot of its own number. */
  resume(state: ResumeState): ArenaClient {
    const bot = this.clients.length;
    const client = new GameClient(game, {
      crypto: simulatedCrypto(77_000 + bot),
      server: this.serverAddress,
      nowMs: this.world.nowMs,
      development: true,
      credential: { way: Way.resume, ...state },
      sampleInput: (tick, out) => wander(bot, tick, out),
      onError: (error, where) => this.failures.push({ where, error }),
    });
    this.clients.push(client);
    this.addresses.push(this.world.addNode(client));
    return client;
  }

  runFor(forMs: number): void {
    this.run(this.world.nowMs + forMs);
  }

  /** Whom the rows of the first match belong to, by row id. */
  owners(): Map<number, number> {
    const table = this.match.core.tables[0]!;
    const owners = new Map<number, number>();
    for (let i = 0; i < table.count; i++) {
      owners.set(table.ids[table.order[i]!]!, table.owners[table.order[i]!]!);
    }
    return owners;
  }
}

/** What a session's row has counted. */
function tally(world: Revolving, id: number) {
  const { score, items, deaths, hits } = world.match.world.player.at(id)!.tally;
  return { score, items, deaths, hits };
}

/** The client knows the match as the server does, and owns and predicts these rows. */
function expectAtHome(world: Revolving, client: ArenaClient, rows: readonly number[]): void {
  expect(client.ended).toBeUndefined();
  expect([...client.owned].sort()).toEqual([...rows].sort());
  const place = client.match!;
  expect(differences(client, world.match, place.confirmed.wholeTick)).toEqual([]);
  expect(place.prediction.tick).toBeGreaterThan(world.match.tick - 60);
}

describe.each(seeds)('seed %i', (seed) => {
  test('a player whose process is lost comes back to its rows, its score and its place', () => {
    const world = new Revolving(seed, 3);
    world.run(SETTLE_MS);
    const session = world.sessionOf(0);
    const rows = [...session.seat!.owned];
    const { slot, epoch } = session;
    const state = world.kill(0);
    world.runFor(TIMEOUT_MS + 3000);
    expect(world.told).toEqual(['left']);
    expect(world.match.sessions.has(session)).toBe(true);
    expect(world.match.world.player.at(rows[0]!)).toBeDefined();
    const before = tally(world, rows[0]!);

    // Somebody else comes, and gets the place that is free.
    world.addClient(3);
    world.runFor(SETTLE_MS);
    expect(world.sessionOf(3).slot).toBe(slot);
    const back = world.resume(state);
    const wrong: string[] = [];
    let entered = 0;
    back.on('enter', () => entered++);
    back.on('confirmed', (tick, whole) => {
      if (whole) wrong.push(...differences(back, world.match, tick));
    });
    world.runFor(SETTLE_MS);
    expect(world.told).toEqual(['left', 'resumed']);
    expect(entered).toBe(1);
    expect(wrong).toEqual([]);
    expect(world.sessionOf(4)).toBe(session);
    expect([session.epoch, session.match]).toEqual([epoch + 1, world.match]);
    expectAtHome(world, back, rows);
    for (const [name, count] of Object.entries(before)) {
      expect(tally(world, rows[0]!)[name as keyof typeof before]).toBeGreaterThanOrEqual(count);
    }
    // Its inputs move the row again.
    expect(session.inputs!.real).toBeGreaterThan(60);
    expect(new Set(world.owners().values()).size).toBe(4);
    expectAtHome(world, world.clients[3]!, world.sessionOf(3).seat!.owned);
    expect(world.failures).toEqual([]);
  });

  test('a player whose network is gone is the same one when it is back', () => {
    const world = new Revolving(seed, 2);
    world.run(SETTLE_MS);
    const session = world.sessionOf(0);
    const rows = [...session.seat!.owned];
    for (const way of ['up', 'down'] as const) {
      world.world.stall(world.addresses[0]!, way, 20_000, 'drop');
    }
    world.runFor(20_000);
    expect(world.client.ended).toBe('timeout');
    const back = world.resume(world.client.resumeState()!);
    world.runFor(SETTLE_MS);
    expect(world.told).toEqual(['left', 'resumed']);
    expectAtHome(world, back, rows);
    expect(world.failures).toEqual([]);
  });

  test('a player that hears nothing after it came back tries again, and is at home', () => {
    const world = new Revolving(seed, 2);
    world.run(SETTLE_MS);
    const session = world.sessionOf(0);
    const rows = [...session.seat!.owned];
    const state = world.kill(0);
    world.runFor(TIMEOUT_MS + 3000);
    const deaf = world.resume(state);
    world.deaf.add(world.addresses.at(-1)!);
    world.runFor(TIMEOUT_MS + SETTLE_MS);
    expect([deaf.ended, deaf.resumeState()]).toEqual(['timeout', state]);
    expect(world.told.slice(0, 2)).toEqual(['left', 'resumed']);
    const back = world.resume(state);
    world.runFor(SETTLE_MS);
    expect(world.told).toEqual(['left', 'resumed', 'left', 'resumed']);
    expect(session.epoch).toBe(3);
    expectAtHome(world, back, rows);
    // Now the server knows that it has heard.
    const late = world.resume(state);
    world.runFor(SETTLE_MS);
    expect([late.ended, back.ended]).toEqual(['resume-invalid', undefined]);
    expect(world.failures).toEqual([]);
  });

  test('twice in a row, and beside the live connection', () => {
    const world = new Revolving(seed, 2);
    world.run(SETTLE_MS);
    const session = world.sessionOf(0);
    const rows = [...session.seat!.owned];
    const first = world.client.resumeState()!;
    const second = world.resume(first);
    world.runFor(SETTLE_MS);
    expect(world.client.ended).toBe('replaced');
    expectAtHome(world, second, rows);
    const third = world.resume(second.resumeState()!);
    const late = world.resume(first);
    world.runFor(SETTLE_MS);
    expect([second.ended, late.ended]).toEqual(['replaced', 'resume-invalid']);
    expectAtHome(world, third, rows);
    expect(world.told).toEqual(['left', 'resumed', 'left', 'resumed']);
    expect(session.epoch).toBe(3);
    expect(world.failures).toEqual([]);
  });
});

describe('a match and those who are away', () => {
  /** A world in which the first of two players is away. */
  function withoutOne(seed: number, matches = 1): [Revolving, ArenaSession, ResumeState] {
    const world = new Revolving(seed, 2, matches);
    world.run(SETTLE_MS);
    const session = world.sessionOf(0);
    const state = world.kill(0);
    world.runFor(TIMEOUT_MS + 3000);
    expect(session.connected).toBe(false);
    return [world, session, state];
  }

  test('rows without inputs come to rest, and nothing is told to nobody', () => {
    const [world, session] = withoutOne(1);
    const [id] = session.seat!.owned;
    const { x, y } = world.match.world.player.at(id!)!.motion;
    const { sent, queued } = session.events.statistics;
    const dropped = world.match.effectsDropped;
    world.runFor(10_000);
    const now = world.match.world.player.at(id!)!;
    if (now.tally.deaths === 0) expect([now.motion.x, now.motion.y]).toEqual([x, y]);
    expect(session.events.statistics).toMatchObject({ sent, queued });
    expect(world.match.effectsDropped).toBe(dropped);
    expect(world.failures).toEqual([]);
  });

  test('they are gone with their rows when nobody comes back', () => {
    const [world, session] = withoutOne(2);
    const left: number[] = [];
    world.match.onLeave(({ id }) => left.push(id));
    const [id] = session.seat!.owned;
    world.runFor(30_000);
    expect(world.told).toEqual(['left', 'end timeout']);
    expect(left).toEqual([session.id]);
    expect(world.match.sessions.has(session)).toBe(false);
    expect(world.match.world.player.at(id!)).toBeUndefined();
  });

  test('they are waited for from when they are missed, after however long a standstill', () => {
    const world = new Revolving(6, 2);
    world.run(SETTLE_MS);
    const state = world.kill(0);
    world.kill(1);
    // What is on its way arrives, so that the server finds nothing when it wakes up.
    world.runFor(1000);
    world.world.sleep(world.serverAddress, 120_000);
    world.runFor(125_000);
    expect(world.told).toEqual(['left', 'left']);
    const back = world.resume(state);
    world.runFor(SETTLE_MS);
    expect([back.ended, world.told.at(-1)]).toEqual([undefined, 'resumed']);
    expect(back.owned).toHaveLength(1);
  });

  test('a match may put them out; then they come back to no match', () => {
    const [world, session, state] = withoutOne(3);
    world.match.remove(session);
    expect([session.match, session.seat, session.ended]).toEqual([undefined, undefined, undefined]);
    const back = world.resume(state);
    world.runFor(SETTLE_MS);
    expect([back.ended, back.match]).toEqual([undefined, undefined]);
    expect(world.told).toEqual(['left', 'resumed']);
    world.match.add(session);
    world.runFor(SETTLE_MS);
    expectAtHome(world, back, session.seat!.owned);
  });

  test('they may be moved to another match, and wake up there', () => {
    const [world, session, state] = withoutOne(4, 2);
    const other = world.matches.find((match) => match !== session.match)!;
    other.add(session);
    const [id] = session.seat!.owned;
    const back = world.resume(state);
    world.runFor(SETTLE_MS);
    expect(session.match).toBe(other);
    expect(back.owned).toEqual([id]);
    expect(differences(back, other, back.match!.confirmed.wholeTick)).toEqual([]);
    expect(world.failures).toEqual([]);
  });

  test('a kick ends them, and their rows', () => {
    const [world, session, state] = withoutOne(5);
    const [id] = session.seat!.owned;
    session.kick();
    expect(world.told).toEqual(['left', 'end kicked']);
    expect(world.match.world.player.at(id!)).toBeUndefined();
    const late = world.resume(state);
    world.runFor(SETTLE_MS);
    expect(late.ended).toBe('resume-invalid');
  });
});

afterAll(() => reportWorlds('resume', seeds, worlds));
