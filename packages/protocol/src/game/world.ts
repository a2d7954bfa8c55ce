// One world: the tables of a game, stepped tick by tick. The same class runs on the server (all rows, history,
// authority) and on the client (predicted rows only, replayed as often as needed).

import { noteChanges } from '../replication/changes.ts';
import { Frame } from '../replication/frame.ts';
import { AUDIENCE_SERVER, type Layout } from '../replication/layout.ts';
import { loadRow, quantiseRow, Table } from '../replication/table.ts';
import { TickwireError } from '../wire/errors.ts';
import type { RowCursor } from './cursor.ts';
import type { Game } from './define-game.ts';
import { EffectEmitter, type EffectSink } from './effect-emitter.ts';
import type { GameShape, KnownFace, LiveFace, SimulateFace } from './face.ts';
import { Grid } from './grid.ts';
import { LiveSet, type RowKeeper, SimulatedSet } from './live-set.ts';
import { hashRandom, SecretRandom } from './random.ts';
import { Rewinder } from './rewind.ts';
import { ReadSet, RowPool, Scope } from './row-set.ts';
import { SimulationError } from './simulation-error.ts';

/** How a {@link World} is made. */
export interface WorldOptions {
  /** Of `random`; both ends must have the same. */
  readonly seed: number;
  /** Of `secretRandom`; keep it from clients. Default 0, which is no secret. */
  readonly secretSeed?: number;
  /** True on the server: all rows are simulated, history is kept. */
  readonly authority: boolean;
  /** Rows used after their loop or tick throw 'stale-cursor'. Default false: it costs a little per loop. */
  readonly development?: boolean;
  /** Frames kept on the server. Default 64, about a second at 60 Hz. */
  readonly historyTicks?: number;
  /** How far `rewind` goes back, at most historyTicks - 1. Default 32: half a second at 60 Hz. */
  readonly rewindTicks?: number;
}

/** Input states by slot of one controlled archetype, filled by whoever steps the world. */
export interface ArchetypeInputs {
  /** [inputField][slot], dequantised. */
  readonly values: readonly Float64Array[];
  /** By slot: 0 none, 1 repeated, 2 real. */
  readonly status: Uint8Array;
  /** By slot: the fractional tick the owner saw others at; NaN = as at the tick's start. */
  readonly viewTick: Float64Array;
}

/** Rows by id as they were when a step began: rows spawned meanwhile come after them. */
class StartIndex {
  count = 0;
  readonly order: Int32Array;
  readonly ids: Uint32Array;

  constructor(table: Table) {
    this.order = table.order;
    this.ids = table.ids;
  }
}

/** The state of a game and the step that takes it from one tick to the next. */
export class World<S extends GameShape = GameShape> implements RowKeeper {
  readonly game: Game<S>;
  readonly authority: boolean;
  readonly tables: readonly Table[];
  /** By archetype; undefined where rows take no input. */
  readonly inputs: readonly (ArchetypeInputs | undefined)[];
  /** What `simulate` is given. */
  readonly face: KnownFace<S, SimulateFace<S>>;
  /** Id of the next row to be spawned here. */
  nextId = 1;
  readonly #seed: number;
  readonly #scope: Scope;
  readonly #emitter: EffectEmitter;
  readonly #startRows: readonly StartIndex[];
  /** Over the start columns; undefined where rows have no position. */
  readonly #grids: readonly (Grid | undefined)[];
  /** [archetype][tick % history]. */
  readonly #frames: readonly (readonly Frame[])[];
  readonly #facade: KnownFace<S, LiveFace<S>> | undefined;
  readonly #scratch: Int32Array;
  #tick = -1;
  #steppedTick = -1;
  #oldestTick = -1;
  #stepping = false;

  constructor(game: Game<S>, options: WorldOptions) {
    const { seed, authority, development = false, historyTicks = 64, rewindTicks = 32 } = options;
    checkOptions(seed, historyTicks, rewindTicks);
    this.game = game;
    this.authority = authority;
    this.#seed = seed;
    this.#scope = new Scope(development);
    this.#emitter = new EffectEmitter(game.effectKinds);
    this.tables = game.layouts.map((layout) => new Table(layout));
    if (!authority) for (const table of this.tables) table.selectActive();
    this.#startRows = this.tables.map((table) => new StartIndex(table));
    this.#grids = this.tables.map((table, a) => createGrid(table, this.#startRows[a]!));
    this.inputs = game.layouts.map((layout) => createInputs(layout, game.inputFields.length));
    const frames = authority ? historyTicks : 0;
    this.#frames = game.layouts.map((l) => Array.from({ length: frames }, () => new Frame(l)));
    this.#scratch = new Int32Array(Math.max(...game.layouts.map((l) => l.stride)));
    const live = authority ? this.#createLive() : undefined;
    this.#facade = live as KnownFace<S, LiveFace<S>> | undefined;
    this.face = this.#createFace(live, options.secretSeed ?? 0, rewindTicks);
  }

  /** Last completed tick, -1 = none. */
  get tick(): number {
    return this.#tick;
  }

  /** Where effects go as they are emitted, replays included. */
  get effects(): EffectSink {
    return this.#emitter.sink;
  }

  set effects(sink: EffectSink) {
    this.#emitter.sink = sink;
  }

  /** Effects lost because one tick emitted for too many entities. */
  get effectsDropped(): number {
    return this.#emitter.dropped;
  }

  /** The live rows, for code between ticks. Throws 'not-authority' on a client. */
  get facade(): KnownFace<S, LiveFace<S>> {
    if (this.#facade) return this.#facade;
    throw new TickwireError('not-authority', 'only the server changes rows outside of simulate');
  }

  /**
   * Computes one tick: simulate, then despawning, quantising and (server) history. A client may step the
   * same tick again. Throws SimulationError when simulate throws; the world is then in the middle of a tick.
   */
  step(tick: number): void {
    if (this.#stepping) throw new TickwireError('already-stepping', 'step called inside simulate');
    this.#checkTick(tick);
    this.#begin(tick);
    try {
      this.game.simulate(this.face as never);
    } catch (error) {
      throw new SimulationError(tick, this.#scope.abandonedId, error);
    } finally {
      this.#emitter.end();
      this.#scope.reset();
      this.#stepping = false;
    }
    this.#complete(tick);
  }

  /** Rows of one archetype at a tick of the recent past; undefined when it is no longer, or never was, kept. */
  history(archetype: number, tick: number): Frame | undefined {
    const frames = this.#frames[archetype]!;
    if (tick < 0 || frames.length === 0) return undefined;
    const frame = frames[tick % frames.length]!;
    return frame.tick === tick ? frame : undefined;
  }

  /**
   * Writes id and quantised values of the active rows of one archetype, as many as fit, row after row.
   * Returns how many rows. With {@link loadRows} this is how prediction keeps its past.
   */
  saveRows(archetype: number, ids: Uint32Array, values: Int32Array): number {
    const table = this.tables[archetype]!;
    const { stride } = table.layout;
    const room = Math.min(ids.length, Math.floor(values.length / stride));
    const count = Math.min(table.activeCount, room);
    for (let i = 0; i < count; i++) {
      const slot = table.active[i]!;
      ids[i] = table.ids[slot]!;
      quantiseRow(table, slot, values, i * stride);
    }
    return count;
  }

  /** Sets rows back to what {@link saveRows} wrote; ids that are unknown by now are passed over. */
  loadRows(archetype: number, ids: Uint32Array, values: Int32Array, count: number): void {
    const table = this.tables[archetype]!;
    for (let i = 0; i < count; i++) {
      const slot = table.slotOf(ids[i]!);
      if (slot >= 0) loadRow(table, slot, values, i * table.layout.stride);
    }
  }

  /** For row sets only. */
  takeId(): number {
    return this.nextId++;
  }

  /** For row sets only. */
  spawned(layout: Layout, slot: number): void {
    const inputs = this.inputs[layout.index];
    if (inputs) {
      inputs.status[slot] = 0;
      inputs.viewTick[slot] = Number.NaN;
      for (let f = 0; f < inputs.values.length; f++) {
        inputs.values[f]![slot] = Number(this.game.inputFields[f]!.zero);
      }
    }
    // Inside a step the new row waits for the next one.
    const table = this.tables[layout.index]!;
    if (!this.#stepping) table.activeCount = table.count;
  }

  #checkTick(tick: number): void {
    const whole = Number.isInteger(tick) && tick >= 0;
    // History and changes are kept per tick, so the server leaves none out and repeats none.
    if (whole && (!this.authority || this.#tick < 0 || tick === this.#tick + 1)) return;
    throw new TickwireError('tick-order', `step(${tick}) cannot follow tick ${this.#tick}`);
  }

  #begin(tick: number): void {
    this.#stepping = true;
    this.#steppedTick = tick;
    this.#scope.reset();
    this.#emitter.begin(tick);
    for (let a = 0; a < this.tables.length; a++) {
      const table = this.tables[a]!;
      if (this.authority) {
        table.forgetRemoved();
        table.compact();
        table.activeCount = table.count;
      }
      this.#startRows[a]!.count = table.count;
      this.#grids[a]?.invalidate();
      markActiveStart(table);
    }
  }

  #complete(tick: number): void {
    for (let a = 0; a < this.tables.length; a++) {
      const table = this.tables[a]!;
      if (this.authority) this.#capture(table, a, tick);
      else this.#quantiseActive(table);
    }
    if (this.authority) this.#noteOldest(tick);
    this.#tick = tick;
  }

  #capture(table: Table, archetype: number, tick: number): void {
    table.compact();
    table.activeCount = table.count;
    const frames = this.#frames[archetype]!;
    const before = this.history(archetype, this.#tick);
    const frame = frames[tick % frames.length]!;
    frame.capture(table, tick);
    noteChanges(table, before, frame);
  }

  /** Each new frame takes the place of the oldest one once the history is full. */
  #noteOldest(tick: number): void {
    if (this.#oldestTick < 0) this.#oldestTick = tick;
    this.#oldestTick = Math.max(this.#oldestTick, tick - this.#frames[0]!.length + 1);
  }

  #quantiseActive(table: Table): void {
    for (let i = 0; i < table.activeCount; i++) {
      quantiseRow(table, table.active[i]!, this.#scratch, 0);
    }
  }

  #createLive(): Record<string, LiveSet<unknown>> {
    const entries = this.tables.map((table, a) => {
      const rows = this.#writablePool(table, a);
      return [table.layout.name, new LiveSet(table, rows, this)] as const;
    });
    return Object.fromEntries(entries);
  }

  #createFace(
    live: Record<string, LiveSet<unknown>> | undefined,
    secretSeed: number,
    rewindTicks: number,
  ): KnownFace<S, SimulateFace<S>> {
    const world = this;
    const own = {
      get tick(): number {
        return world.#steppedTick;
      },
      dt: 1 / this.game.tickHz,
      random: (entity: number, n = 0) => hashRandom(world.#seed, world.#steppedTick, entity, n),
      emit: this.#emitter.face,
      authority: live && this.#createAuthority(live, secretSeed, rewindTicks),
    };
    this.tables.forEach((table, a) => {
      const value = this.#createSimulated(table, a);
      Object.defineProperty(own, table.layout.name, { value, enumerable: true });
    });
    return own as unknown as KnownFace<S, SimulateFace<S>>;
  }

  #createSimulated(table: Table, archetype: number): SimulatedSet<unknown, unknown> {
    const { layout, start } = table;
    const make = () => this.game.cursors[archetype]!.readOnly(start);
    const index = this.#startRows[archetype]!;
    const grid = this.#grids[archetype];
    const others = new ReadSet(this.#scope, layout, index, start, make, grid);
    return new SimulatedSet(table, this.#writablePool(table, archetype), others);
  }

  #createAuthority(live: Record<string, unknown>, secretSeed: number, rewindTicks: number): object {
    const secret = new SecretRandom(secretSeed);
    const { tables, game } = this;
    const rewinder = new Rewinder(
      this.#scope,
      this,
      tables,
      this.#startRows,
      game.cursors,
      rewindTicks,
    );
    return {
      ...live,
      secretRandom: () => secret.next(),
      rewind: (id: number) => rewinder.rewind(this.#viewTickOf(id), this.#oldestTick, this.#tick),
    };
  }

  #viewTickOf(id: number): number {
    for (let a = 0; a < this.tables.length; a++) {
      const inputs = this.inputs[a];
      const slot = inputs ? this.tables[a]!.slotOf(id) : -1;
      if (inputs && slot >= 0) return inputs.viewTick[slot]!;
    }
    return Number.NaN;
  }

  #writablePool(table: Table, archetype: number): RowPool<unknown> {
    const write = this.authority ? table.live : predictedColumns(table);
    const make = (): RowCursor =>
      this.game.cursors[archetype]!.writable(table.live, write, this.inputs[archetype]);
    return new RowPool(this.#scope, make, true);
  }
}

function checkOptions(seed: number, historyTicks: number, rewindTicks: number): void {
  if (!Number.isSafeInteger(seed)) {
    throw new TickwireError('world-invalid', `seed ${seed} must be a safe integer`);
  }
  const whole = Number.isInteger(historyTicks) && Number.isInteger(rewindTicks);
  if (whole && historyTicks >= 2 && rewindTicks >= 0 && rewindTicks < historyTicks) return;
  const found = `historyTicks ${historyTicks}, rewindTicks ${rewindTicks}`;
  throw new TickwireError('world-invalid', `${found}: needs 0 <= rewindTicks < historyTicks >= 2`);
}

function createInputs(layout: Layout, fieldCount: number): ArchetypeInputs | undefined {
  if (!layout.controlled) return undefined;
  const { capacity } = layout;
  return {
    values: Array.from({ length: fieldCount }, () => new Float64Array(capacity)),
    status: new Uint8Array(capacity),
    viewTick: new Float64Array(capacity).fill(Number.NaN),
  };
}

function createGrid({ layout, start }: Table, index: StartIndex): Grid | undefined {
  if (layout.positionX < 0) return undefined;
  return new Grid(index, start[layout.positionX]!, start[layout.positionY]!);
}

/** Where a client's simulate writes: what it cannot predict goes nowhere, so it stays as last confirmed. */
function predictedColumns(table: Table): readonly Float64Array[] {
  const { layout, live } = table;
  const nowhere = new Float64Array(layout.capacity);
  return live.map((column, f) => {
    const { predict, audience } = layout.components[layout.componentOf[f]!]!;
    return predict && audience !== AUDIENCE_SERVER ? column : nowhere;
  });
}

function markActiveStart(table: Table): void {
  const { live, start, active, activeCount } = table;
  for (let f = 0; f < live.length; f++) {
    const from = live[f]!;
    const to = start[f]!;
    for (let i = 0; i < activeCount; i++) to[active[i]!] = from[active[i]!]!;
  }
}
