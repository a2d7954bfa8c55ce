// Takes the truth out of the server: the complete quantised state of every tick of a match, some ticks at once, after
// the datagrams of the last of them have left. Layout: state-batch.ts.

import type { Frame, Table } from '@tickwire/protocol';
import { BatchWriter } from './state-batch.ts';

/** What a {@link TruthRecorder} needs of a match. `Match.core` is such a world. */
export interface TruthOptions {
  /** Number of the match. */
  readonly index: number;
  /** Ticks in a batch. */
  readonly batchTicks: number;
  readonly world: {
    readonly tick: number;
    readonly tables: readonly Table[];
    history(archetype: number, tick: number): Frame | undefined;
  };
  /** Whether the owner of a row, as in `Table.owners`, gave no input for a tick. */
  wasMissing(owner: number, tick: number): boolean;
  send(batch: Int32Array): void;
}

/** See the head of the file. */
export class TruthRecorder {
  readonly #options: TruthOptions;
  readonly #writer = new BatchWriter();
  #sentTick = -1;
  #due = false;

  constructor(options: TruthOptions) {
    this.#options = options;
  }

  /** A tick was simulated. */
  ticked(tick: number): void {
    if (this.#due || tick - this.#sentTick < this.#options.batchTicks) return;
    this.#due = true;
    setImmediate(this.#send);
  }

  readonly #send = (): void => {
    const { index, world, send } = this.#options;
    this.#due = false;
    this.#writer.push(index);
    while (this.#sentTick < world.tick) this.#write(++this.#sentTick);
    send(this.#writer.take());
  };

  #write(tick: number): void {
    const writer = this.#writer;
    writer.push(tick);
    const lengthAt = writer.length;
    writer.push(0);
    for (const table of this.#options.world.tables) this.#writeRows(tick, table);
    writer.set(lengthAt, writer.length - lengthAt - 1);
  }

  #writeRows(tick: number, { layout, owners }: Table): void {
    const { world, wasMissing } = this.#options;
    const frame = world.history(layout.index, tick);
    if (frame === undefined) throw new Error(`tick ${tick} has left the history`);
    this.#writer.push(frame.count);
    for (let i = 0; i < frame.count; i++) {
      const slot = frame.order[i]!;
      const owner = owners[slot]!;
      this.#writer.push(frame.ids[slot]!);
      this.#writer.push(owner > 0 && wasMissing(owner, tick) ? 1 : 0);
      this.#writer.append(frame.values, slot * layout.stride, layout.stride);
    }
  }
}
