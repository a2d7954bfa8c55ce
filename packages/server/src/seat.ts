// A session's place in a match: the rows it owns, its inputs and its snapshots, under one epoch.

import {
  type ArchetypeInputs,
  type Field,
  type RecordCodec,
  type Table,
  TickwireError,
  type Verdict,
} from '@tickwire/protocol';
import { InputBuffer } from './input-buffer.ts';
import type { RecordCache } from './record-cache.ts';
import { type SnapshotSource, SnapshotStream } from './snapshot-stream.ts';

/** Rows that one session may own: all of them are in the first packet of each of its snapshots. */
const OWNED_MAX = 16;

/** What a seat needs of the world it is in. */
export interface SeatWorld extends SnapshotSource {
  readonly inputs: readonly (ArchetypeInputs | undefined)[];
}

/** See the head of the file. */
export class Seat {
  readonly epoch: number;
  readonly inputs: InputBuffer;
  readonly #world: SeatWorld;
  readonly #snapshots: SnapshotStream;
  readonly #owner: number;
  readonly #owned: number[];
  #snapshotDue = false;
  /** The flush that comes is one with a snapshot. */
  #turn = false;

  /**
   * `owner` marks the session's rows in Table.owners; it also staggers its snapshots against those of others. `owned`:
   * rows that are its own already, and marked so.
   */
  constructor(
    world: SeatWorld,
    codecs: readonly RecordCodec[],
    inputFields: readonly Field[],
    epoch: number,
    owner: number,
    shared: RecordCache,
    owned: readonly number[],
  ) {
    this.epoch = epoch;
    this.inputs = new InputBuffer(inputFields);
    this.#world = world;
    this.#owner = owner;
    this.#owned = [...owned];
    this.#snapshots = new SnapshotStream(world, codecs, owner, shared);
  }

  /** Ids of the rows it owns. */
  get owned(): readonly number[] {
    return this.#owned;
  }

  own(id: number): void {
    const table = this.#tableOf(id);
    if (table === undefined) {
      throw new TickwireError('row-unknown', `there is no row ${id} to be owned in this match`);
    }
    if (this.#owned.includes(id)) return;
    if (this.#owned.length === OWNED_MAX) {
      throw new TickwireError('owned-full', `a session owns at most ${OWNED_MAX} rows`);
    }
    table.owners[table.slotOf(id)] = this.#owner;
    this.#owned.push(id);
  }

  disown(id: number): void {
    const at = this.#owned.indexOf(id);
    if (at < 0) return;
    this.#owned.splice(at, 1);
    const table = this.#tableOf(id);
    if (table !== undefined) table.owners[table.slotOf(id)] = 0;
  }

  /** Puts the input for `tick` into the rows it owns. */
  takeInputs(tick: number): void {
    for (let i = this.#owned.length - 1; i >= 0; i--) {
      const table = this.#tableOf(this.#owned[i]!);
      if (table === undefined) {
        this.#owned.splice(i, 1);
        continue;
      }
      const columns = this.#world.inputs[table.layout.index];
      if (columns !== undefined) {
        this.inputs.take(tick, columns, table.slotOf(this.#owned[i]!));
      }
    }
    this.inputs.finish(tick);
  }

  /** A tick was simulated; every `interval` of them a snapshot is due. Before its first input the client is not listening. */
  simulated(tick: number, interval: number): void {
    if ((tick + this.#owner) % interval === 0 && this.inputs.started) this.#snapshotDue = true;
  }

  /** Before a flush: collects what a due snapshot has to say. */
  prepare(): void {
    this.#turn = this.#snapshotDue;
    this.#snapshotDue = false;
    if (this.#turn) this.#snapshots.prepare();
  }

  /** Everything for this session leaves together with its snapshots, in as few datagrams as hold it. */
  get waits(): boolean {
    return this.inputs.started && !this.#turn;
  }

  pending(): boolean {
    return this.#snapshots.pending();
  }

  write(out: Uint8Array, start: number, end: number, sequence: number): number {
    return this.#snapshots.write(this.epoch, this.inputs, out, start, end, sequence);
  }

  stage(bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    return this.inputs.stage(bytes, start, end, sequence);
  }

  acked(sequence: number): void {
    this.#snapshots.acked(sequence);
  }

  lost(sequence: number): void {
    this.#snapshots.lost(sequence);
  }

  #tableOf(id: number): Table | undefined {
    for (const table of this.#world.tables) {
      const slot = table.slotOf(id);
      if (slot >= 0 && table.doomed[slot] === 0) return table;
    }
    return undefined;
  }
}
