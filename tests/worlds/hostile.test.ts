// Datagrams that nobody honest sent, at either end and from the first moment on: they change a counter and nothing
// else. Two runs of one world, one of them under fire, must come out the same: the server's state of every tick, what
// every client predicts, shows, is told and sends.

import type { Datagram } from '@tickwire/netsim';
import { DATAGRAM_BYTES_MAX, PacketKind, Verdict, verdictNames } from '@tickwire/protocol';
import { afterAll, expect, test } from 'vitest';
import { type ArenaClient, ArenaWorld, differences, linkFor, seedsFor } from './arena-world.ts';
import { reportWorlds } from './report.ts';

const seeds = seedsFor(3, 50);
let worlds = 0;

const OVER_AT_MS = 4000;
/** Hostile datagrams every so often, to each end; the first so early that it comes before any answer. */
const INTERVAL_MS = 7;
const FIRST_AT_MS = 0.123;
/** Flips and truncations aim here half of the time: what stands behind it is mostly padding. */
const HEAD_BYTES = 100;
const COPIES_MAX = 4000;
/** Nobody lives there; what is sent to it is lost. */
const STRANGERS_FROM = 1000;

type Attack = 'random' | 'truncated' | 'flipped' | 'replayed' | 'padded';
const ATTACKS: readonly Attack[] = ['random', 'truncated', 'flipped', 'replayed', 'padded'];

/** Everything that happened. */
interface Course {
  /** The server's state of every tick. */
  readonly server: string[];
  /** What each client knew, predicted, was told and sent, tick by tick. */
  readonly bots: string[][];
  readonly refusedByServer: number;
  readonly refusedByClients: number;
}

function runWorld(seed: number, attack: Attack | undefined): Course {
  // Turns so short that a hostile datagram does not make an honest one wait.
  const arena = new ArenaWorld({ seed, link: linkFor(seed), players: 3, receiveTurnMs: 1e-6 });
  worlds++;
  const server: string[] = [];
  arena.match.onTick((tick) => {
    server.push(`${tick}: ${serverHash(arena, tick)}`);
  });
  const bots = arena.clients.map((client) => watch(arena, client));
  if (attack !== undefined) new Attacker(arena, attack);
  arena.run(OVER_AT_MS);
  expect(arena.failures).toEqual([]);
  return { server, bots, ...refusals(arena) };
}

function serverHash(arena: ArenaWorld, tick: number): number {
  let hash = 0;
  for (const a of arena.match.core.tables.keys()) {
    const { values, ids } = arena.match.core.history(a, tick)!;
    for (let i = 0; i < values.length; i++) hash = (Math.imul(hash, 31) + values[i]!) | 0;
    for (let i = 0; i < ids.length; i++) hash = (Math.imul(hash, 31) + ids[i]!) | 0;
  }
  return hash;
}

function watch(arena: ArenaWorld, client: ArenaClient): string[] {
  const course: string[] = [];
  const note = (text: string) => {
    // The last moment is left out: one run may have reached it a rounding error before the other.
    if (arena.world.nowMs < OVER_AT_MS - 100) course.push(text);
  };
  client.on('connected', () => note('connected'));
  client.on('enter', () => note(`enters ${client.match!.epoch}`));
  client.on('end', (reason) => note(`ends: ${reason}`));
  client.on('tick', (tick) => {
    const { nextSequence } = client.connection!;
    note(`tick ${tick}: packet ${nextSequence}, predicted ${predictedHash(client)}`);
  });
  client.on('confirmed', (tick, whole) => {
    note(`knows ${tick}${whole ? ' whole' : ''}`);
    if (whole) expect(differences(client, arena.match, tick)).toEqual([]);
  });
  client.onEffect('shot', (entity, { aim }, phase, tick) => {
    note(`shot of ${entity} at ${tick} ${phase}: ${aim}`);
  });
  return course;
}

const scratch = new Float64Array(1);
const scratchWords = new Int32Array(scratch.buffer);

/** Every value of every row that the client simulates, to the last bit. */
function predictedHash(client: ArenaClient): number {
  let hash = 0;
  for (const table of client.match!.world.tables) {
    for (let i = 0; i < table.activeCount; i++) {
      const slot = table.active[i]!;
      hash = (Math.imul(hash, 31) + table.ids[slot]!) | 0;
      for (const column of table.live) {
        scratch[0] = column[slot]!;
        hash = (Math.imul(hash, 31) + scratchWords[0]!) | 0;
        hash = (Math.imul(hash, 31) + scratchWords[1]!) | 0;
      }
    }
  }
  return hash;
}

interface Copy {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/**
 * Keeps copies of what passes and sends changed ones, to the server and to the clients, from where they came and from
 * addresses that nobody has.
 *
 * Who asks the server for a connection is answered, as often as he asks: the answer to a hostile request goes to the
 * client that it was stolen from. It is taken off the network here: it would take chances of the link away from honest
 * datagrams, a challenge may even help a client whose own request was lost, and a refusal of a request whose game was
 * changed on the way ends the attempt, since before there are keys nothing tells it from an honest one.
 */
class Attacker {
  readonly #arena: ArenaWorld;
  readonly #attack: Attack;
  readonly #random: () => number;
  readonly #toServer: Copy[] = [];
  readonly #toClients: Copy[] = [];
  /** Injected and not delivered yet. */
  readonly #underWay: Copy[] = [];
  /** From where the server was given hostile datagrams in the moment of the last one. */
  readonly #hostileFrom = new Set<number>();
  #hostileAtMs = -1;

  constructor(arena: ArenaWorld, attack: Attack) {
    this.#arena = arena;
    this.#attack = attack;
    const random = arena.world.random('attacker');
    this.#random = () => random.next();
    arena.world.tap = {
      delivering: (nowMs, datagram) => this.#delivering(nowMs, datagram),
      sending: (nowMs, datagram) => this.#sending(nowMs, datagram),
    };
    const [client] = arena.addresses as [number];
    const server = arena.serverAddress;
    const blank = new Uint8Array(HEAD_BYTES);
    for (let atMs = FIRST_AT_MS; atMs < OVER_AT_MS; atMs += INTERVAL_MS) {
      arena.world.at(atMs, () => {
        this.#fire(this.#pick(this.#toServer) ?? { bytes: blank, from: client, to: server });
        this.#fire(this.#pick(this.#toClients) ?? { bytes: blank, from: server, to: client });
      });
    }
  }

  #pick(copies: readonly Copy[]): Copy | undefined {
    return copies[Math.floor(this.#random() * copies.length)];
  }

  #fire({ bytes, from, to }: Copy): void {
    const spoiled = spoil(bytes, this.#attack, this.#random);
    // A client's proof that is good still is answered once in 50 ms. Here that answer is taken away, see above, so that
    // the client's own repeat might find none; the security tests have such proofs.
    const isProof = (bytes[0]! & 0x0f) === PacketKind.proof;
    if (!isProof) this.#inject({ bytes: spoiled, from, to });
    const stranger = STRANGERS_FROM + Math.floor(this.#random() * 1000);
    this.#inject({ bytes: spoiled, from: stranger, to });
  }

  #inject(copy: Copy): void {
    if (copy.bytes.length === 0) return;
    this.#underWay.push(copy);
    this.#arena.world.inject(copy.bytes, copy.from, copy.to);
  }

  #delivering(nowMs: number, { bytes, start, end, from, to }: Datagram): void {
    const range = bytes.subarray(start, end);
    const at = this.#underWay.findIndex(
      (copy) => copy.from === from && copy.to === to && sameBytes(copy.bytes, range),
    );
    const toServer = to === this.#arena.serverAddress;
    if (at < 0) {
      const copies = toServer ? this.#toServer : this.#toClients;
      if (copies.length < COPIES_MAX) copies.push({ bytes: range.slice(), from, to });
      return;
    }
    this.#underWay.splice(at, 1);
    if (!toServer) return;
    if (nowMs !== this.#hostileAtMs) this.#hostileFrom.clear();
    this.#hostileFrom.add(from);
    this.#hostileAtMs = nowMs;
  }

  /** The server answers at once: what it says to a sender in the moment of a hostile datagram is the answer to it. */
  #sending(nowMs: number, datagram: Datagram): void {
    if (datagram.from !== this.#arena.serverAddress) return;
    if (datagram.bytes[datagram.start] === PacketKind.data) return;
    datagram.dropped = nowMs === this.#hostileAtMs && this.#hostileFrom.has(datagram.to);
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function spoil(bytes: Uint8Array, attack: Attack, random: () => number): Uint8Array {
  const head = random() < 0.5 ? Math.min(HEAD_BYTES, bytes.length) : bytes.length;
  const at = Math.floor(random() * head);
  switch (attack) {
    case 'random': {
      // Pure noise, or noise behind a beginning that somebody honest wrote.
      const kept = random() < 0.5 ? 0 : Math.floor(random() * 40);
      return Uint8Array.from({ length: 1 + Math.floor(random() * bytes.length) }, (_, i) =>
        i < kept ? bytes[i]! : Math.floor(random() * 256),
      );
    }
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

function refusals(arena: ArenaWorld): Pick<Course, 'refusedByServer' | 'refusedByClients'> {
  let refusedByServer = 0;
  let refusedByClients = 0;
  for (const name of verdictNames) {
    const verdict = Verdict[name];
    if (verdict === Verdict.accepted) continue;
    refusedByServer += arena.server.host.verdicts(verdict);
    for (const client of arena.clients) {
      refusedByClients += client.connection?.verdicts(verdict) ?? 0;
    }
  }
  return { refusedByServer, refusedByClients };
}

function firstDifference(here: readonly string[], there: readonly string[]): string {
  const at = here.findIndex((line, i) => line !== there[i]);
  if (at >= 0) return `${here[at]}, not ${there[at]}`;
  return here.length === there.length ? 'none' : `nothing after ${here.at(-1)}`;
}

test.each(seeds)('seed %i: the game goes on exactly as without', (seed) => {
  const peaceful = runWorld(seed, undefined);
  expect(peaceful.server.length).toBeGreaterThan(200);
  for (const bot of peaceful.bots) expect(bot.length).toBeGreaterThan(100);
  for (const attack of ATTACKS) {
    const attacked = runWorld(seed, attack);
    expect(firstDifference(attacked.server, peaceful.server), attack).toBe('none');
    for (const [bot, course] of attacked.bots.entries()) {
      expect(firstDifference(course, peaceful.bots[bot]!), `${attack}, bot ${bot}`).toBe('none');
    }
    expect(attacked.refusedByServer, attack).toBeGreaterThan(peaceful.refusedByServer + 500);
    expect(attacked.refusedByClients, attack).toBeGreaterThan(peaceful.refusedByClients + 50);
  }
});

afterAll(() => reportWorlds('hostile', seeds, worlds));
