// Which entities travelled in which packet, until its fate is known: a circular log of records and a ring of
// packets that point into it. A packet whose records were overwritten before its ack counts as lost.

import { SequenceRing } from '@tickwire/protocol';

/** Packets whose fate may be open at once. */
const PACKETS = 128;
/** Records of all of them together: at 30 packets a second and 100 records each, two seconds. */
const RECORDS = 8192;

/** A record of an entity that is gone carries this instead of archetype and slot. */
export const GONE = -1;

/** See the head of the file. */
export class SentRecords {
  readonly #packets = new SequenceRing(PACKETS);
  readonly #ticks = new Float64Array(PACKETS);
  readonly #starts = new Float64Array(PACKETS);
  readonly #counts = new Int32Array(PACKETS);
  readonly #places = new Int32Array(RECORDS);
  readonly #ids = new Uint32Array(RECORDS);
  #next = 0;
  #open = 0;

  /** Starts noting the records of packet `sequence`, a snapshot of `tick`. */
  begin(sequence: number, tick: number): void {
    this.#open = this.#packets.put(sequence);
    this.#ticks[this.#open] = tick;
    this.#starts[this.#open] = this.#next;
    this.#counts[this.#open] = 0;
  }

  /** `place` = archetype << 16 | slot, or GONE. */
  add(place: number, id: number): void {
    const at = this.#next++ % RECORDS;
    this.#places[at] = place;
    this.#ids[at] = id;
    this.#counts[this.#open]!++;
  }

  /** Calls for each record of the packet and forgets it. */
  take(sequence: number, record: (place: number, id: number, tick: number) => void): void {
    if (!this.#packets.has(sequence)) return;
    const slot = this.#packets.slot(sequence);
    this.#packets.remove(sequence);
    const start = this.#starts[slot]!;
    if (this.#next - start > RECORDS) return;
    for (let i = 0; i < this.#counts[slot]!; i++) {
      const at = (start + i) % RECORDS;
      record(this.#places[at]!, this.#ids[at]!, this.#ticks[slot]!);
    }
  }
}
