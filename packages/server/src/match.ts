// One match: a world of its own and the sessions in it. A server runs many; a session is in one at a time.

import {
  EffectsWriter,
  FRAGMENT_BYTES,
  type Game,
  type GameShape,
  type MessageDeclarations,
  RecordCodec,
  type SimulationError,
  TickwireError,
  World,
  writeEnter,
  writeLeave,
} from '@tickwire/protocol';
import type { GameSession } from './game-session.ts';
import { RecordCache } from './record-cache.ts';
import { Seat } from './seat.ts';

/** Options of `server.createMatch`. */
export interface MatchOptions {
  /** Of `random` in simulate; clients are told. Default 0. */
  readonly seed?: number;
  /** Of `secretRandom`; clients are not told. Default: drawn by the server. */
  readonly secretSeed?: number;
  /** Sessions, at most. Default: the most rows that a controlled archetype holds. */
  readonly maxPlayers?: number;
  /** Snapshots per second to each client; the tick rate is divided by a whole number. Default 30. */
  readonly snapshotHz?: number;
}

/** What a match needs of its server. */
export interface MatchPort {
  readonly secretSeed: number;
  readonly development: boolean;
  /** Calls user code on behalf of a session: a throw ends that session. */
  guard(session: GameSession<never>, where: string, call: () => void): void;
  stopped(match: Match, error: Error): void;
  /** Calls user code on behalf of nobody: a throw is reported. */
  observe(where: string, call: () => void): void;
  /** The session does not take its events any more. */
  tooSlow(session: GameSession<never>): void;
}

const SNAPSHOT_HZ = 30;
/** What a column of 32 bits tells apart; two sessions of one match are never so far apart. */
const OWNERS = 0x7fff_ffff;
const EVENT_HEAD = new Uint8Array(16);

/** See the head of the file. */
export class Match<
  S extends GameShape = GameShape,
  M extends MessageDeclarations = MessageDeclarations,
> {
  /** Counts up from 1 over the life of the server. */
  readonly id: number;
  readonly seed: number;
  readonly maxPlayers: number;
  /** Ticks between two snapshots for one client. */
  readonly snapshotInterval: number;
  readonly #game: Game<S, M>;
  readonly #port: MatchPort;
  readonly #world: World<S>;
  readonly #codecs: readonly RecordCodec[];
  readonly #shared: RecordCache;
  readonly #sessions = new Set<GameSession<M>>();
  readonly #effects: EffectsWriter;
  #onEnter: (session: GameSession<M>) => void = () => {};
  #onLeave: (session: GameSession<M>) => void = () => {};
  #onTick: (tick: number) => void = () => {};
  #stoppedBy: Error | undefined;
  #effectsDropped = 0;

  constructor(id: number, game: Game<S, M>, options: MatchOptions, port: MatchPort) {
    const snapshotHz = options.snapshotHz ?? SNAPSHOT_HZ;
    if (!(snapshotHz > 0 && snapshotHz <= game.tickHz)) {
      const range = `above 0, at most the tick rate ${game.tickHz}`;
      throw new TickwireError('match-invalid', `snapshotHz ${snapshotHz} must be ${range}`);
    }
    const rows = game.layouts.filter((layout) => layout.controlled).map((l) => l.capacity);
    this.id = id;
    this.seed = (options.seed ?? 0) >>> 0;
    this.maxPlayers = options.maxPlayers ?? Math.max(0, ...rows);
    this.snapshotInterval = Math.max(1, Math.round(game.tickHz / snapshotHz));
    this.#game = game;
    this.#port = port;
    this.#world = new World<S>(game as Game<S>, {
      seed: this.seed,
      secretSeed: options.secretSeed ?? port.secretSeed,
      authority: true,
      development: port.development,
    });
    this.#codecs = game.layouts.map((layout) => new RecordCodec(layout));
    this.#shared = new RecordCache(this.#codecs);
    const kinds = game.effectKinds.map((kind) => kind.fields);
    this.#effects = new EffectsWriter(kinds, FRAGMENT_BYTES);
    this.#world.effects = {
      emitted: (kind, tick, entity, n, values) => this.#emit(kind, tick, entity, n, values),
    };
  }

  /** The rows, for code between ticks. */
  get world(): World<S>['facade'] {
    return this.#world.facade;
  }

  /** The machine behind `world`: tables, history, inputs. */
  get core(): World<S> {
    return this.#world;
  }

  /** Last simulated tick, -1 before the first. */
  get tick(): number {
    return this.#world.tick;
  }

  get sessions(): ReadonlySet<GameSession<M>> {
    return this.#sessions;
  }

  /** What simulate threw; the match stands still since then. */
  get stoppedBy(): Error | undefined {
    return this.#stoppedBy;
  }

  /** Effects that a client was too far behind to be told. */
  get effectsDropped(): number {
    return this.#effectsDropped;
  }

  /** Called when a session has entered: spawn its rows and `own` them. */
  onEnter(handler: (session: GameSession<M>) => void): void {
    this.#onEnter = handler;
  }

  /** Called when a session leaves, before the rows it owns are despawned. */
  onLeave(handler: (session: GameSession<M>) => void): void {
    this.#onLeave = handler;
  }

  /** Called after each simulated tick. */
  onTick(handler: (tick: number) => void): void {
    this.#onTick = handler;
  }

  /** Takes a session in, out of whatever match it was in. Throws 'match-full', 'match-stopped', 'session-ended'. */
  add(session: GameSession<M>): void {
    if (session.match === this) return;
    if (session.ended !== undefined) {
      throw new TickwireError('session-ended', `session ${session.id} is no longer connected`);
    }
    if (this.#stoppedBy !== undefined) {
      throw new TickwireError('match-stopped', `match ${this.id} was stopped by an error`);
    }
    if (this.#sessions.size >= this.maxPlayers) {
      throw new TickwireError('match-full', `match ${this.id} has ${this.maxPlayers} players`);
    }
    session.match?.remove(session);
    session.match = this;
    this.#sessions.add(session);
    this.#seat(session, []);
    if (session.ended !== undefined) return;
    this.#port.guard(session as never, 'onEnter', () => this.#onEnter(session));
  }

  /** For the server: the session has a new connection. Its place and its rows are the same, all else starts anew. */
  resume(session: GameSession<M>): void {
    if (this.#sessions.has(session)) this.#seat(session, session.seat?.owned ?? []);
  }

  /** Puts a session out of the match; it stays connected, or away. Its rows are despawned. */
  remove(session: GameSession<M>): void {
    if (!this.#sessions.delete(session)) return;
    this.#port.guard(session as never, 'onLeave', () => this.#onLeave(session));
    for (const id of [...(session.seat?.owned ?? [])]) this.#despawn(id);
    this.#tell(session, writeLeave(EVENT_HEAD, session.epoch));
    session.seat = undefined;
    session.match = undefined;
  }

  /** Makes a row the session's own: it takes its inputs and is predicted by its client. Throws 'row-unknown', 'owned-full'. */
  own(session: GameSession<M>, id: number): void {
    if (!this.#sessions.has(session)) {
      throw new TickwireError('not-in-match', `session ${session.id} is not in match ${this.id}`);
    }
    session.seat?.own(id);
  }

  /** Gives a row back to the server: nobody's inputs, nobody's prediction. */
  disown(session: GameSession<M>, id: number): void {
    session.seat?.disown(id);
  }

  /** For the server: simulates one tick. A throw in simulate stops this match and no other. */
  step(): void {
    if (this.#stoppedBy !== undefined) return;
    const tick = this.#world.tick + 1;
    for (const session of this.#sessions) session.seat?.takeInputs(tick);
    this.#effects.begin(tick);
    try {
      this.#world.step(tick);
      this.#sendEffects();
    } catch (error) {
      this.#stop(error as SimulationError);
      return;
    }
    for (const session of this.#sessions) session.seat?.simulated(tick, this.snapshotInterval);
    this.#port.observe('onTick', () => this.#onTick(tick));
  }

  /** For the server, before a flush. */
  prepare(): void {
    if (this.#stoppedBy !== undefined) return;
    for (const session of this.#sessions) if (session.connected) session.seat?.prepare();
  }

  /** Gives the session a seat with nothing said or heard yet, and tells its client. */
  #seat(session: GameSession<M>, owned: readonly number[]): void {
    session.epoch = (session.epoch + 1) & 0xff;
    session.seat = new Seat(
      this.#world,
      this.#codecs,
      this.#game.inputFields,
      session.epoch,
      ownerOf(session),
      this.#shared,
      owned,
    );
    this.#tell(session, writeEnter(EVENT_HEAD, session.epoch, this.#world.tick + 1, this.seed));
  }

  /**
   * Entering and leaving must be known: a client so far behind that it cannot be told is put out. Who is away hears of
   * its place when it is back.
   */
  #tell(session: GameSession<M>, length: number): void {
    if (!session.connected) return;
    if (session.events.send(EVENT_HEAD, 0, length) !== 'full') return;
    this.#port.tooSlow(session as never);
  }

  #stop(error: Error): void {
    this.#stoppedBy = error;
    for (const session of [...this.#sessions]) this.remove(session);
    this.#port.stopped(this as unknown as Match, error);
  }

  #despawn(id: number): void {
    for (const table of this.#world.tables) {
      const slot = table.slotOf(id);
      if (slot >= 0) table.despawn(slot);
    }
  }

  #emit(kind: number, tick: number, entity: number, n: number, values: Int32Array): void {
    if (this.#effects.add(kind, entity, n, values)) return;
    this.#sendEffects();
    this.#effects.begin(tick);
    this.#effects.add(kind, entity, n, values);
  }

  #sendEffects(): void {
    if (this.#effects.count === 0) return;
    const { bytes } = this.#effects;
    const length = this.#effects.finish();
    for (const session of this.#sessions) {
      if (!session.connected) continue;
      bytes[1] = session.epoch;
      if (session.events.send(bytes, 0, length) !== 'queued') this.#effectsDropped++;
    }
  }
}

/** The session's mark in Table.owners: its own as long as it lives, whatever connections it has. */
function ownerOf(session: { readonly id: number }): number {
  return ((session.id - 1) % OWNERS) + 1;
}
