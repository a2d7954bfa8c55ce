// What a match tells its players reliably and in order: entering, leaving, and effects. One event a message.
//
//   enter:    1 type 1; 1 epoch; 4 tick; 4 seed                         (bytes)
//   leave:    1 type 2; 1 epoch
//   effects:  1 type 3; 1 epoch; 4 tick; then bits:
//             per effect: 1 bit 1; 8 kind; var entity; var n; fields of the payload, `bits` each; at the end 1 bit 0

import type { Field } from '../replication/field.ts';
import { BitReader, BitWriter } from '../wire/bits.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';

const EventType = { enter: 1, leave: 2, effects: 3 } as const;

const EFFECTS_HEAD_BYTES = 6;

/** Writes an enter event at out[0..]; returns its length. */
export function writeEnter(out: Uint8Array, epoch: number, tick: number, seed: number): number {
  const writer = new ByteWriter();
  writer.reset(out, 0, out.length);
  writer.u8(EventType.enter);
  writer.u8(epoch);
  writer.u32(tick);
  writer.u32(seed);
  return writer.position;
}

/** Writes a leave event at out[0..]; returns its length. */
export function writeLeave(out: Uint8Array, epoch: number): number {
  out[0] = EventType.leave;
  out[1] = epoch;
  return 2;
}

/** Collects the effects of one tick into messages. The epoch is each session's own, so it is set when sending. */
export class EffectsWriter {
  readonly bytes: Uint8Array;
  readonly #kinds: readonly (readonly Field[])[];
  readonly #bits = new BitWriter();
  #count = 0;

  constructor(kinds: readonly (readonly Field[])[], bytesMax: number) {
    this.#kinds = kinds;
    this.bytes = new Uint8Array(bytesMax);
  }

  get count(): number {
    return this.#count;
  }

  begin(tick: number): void {
    this.#count = 0;
    this.bytes[0] = EventType.effects;
    for (let i = 0; i < 4; i++) this.bytes[2 + i] = tick >>> (8 * i);
    this.#bits.reset(this.bytes, EFFECTS_HEAD_BYTES, this.bytes.length);
  }

  /** False = this message is full: finish it, begin the next. */
  add(kind: number, entity: number, n: number, values: Int32Array): boolean {
    const bits = this.#bits;
    const mark = bits.bitPosition;
    bits.write(1, 1);
    bits.write(kind, 8);
    bits.writeVar(entity);
    bits.writeVar(n);
    const fields = this.#kinds[kind]!;
    for (let f = 0; f < fields.length; f++) bits.write(values[f]!, fields[f]!.bits);
    if (bits.overflowed || bits.remainingBits < 1) {
      bits.truncate(mark);
      return false;
    }
    this.#count++;
    return true;
  }

  /** Ends the message; returns its length. */
  finish(): number {
    this.#bits.write(0, 1);
    return this.#bits.finish();
  }
}

/** Receives what {@link MatchEventReader} reads. */
export interface MatchEventSink {
  enter(epoch: number, tick: number, seed: number): void;
  leave(epoch: number): void;
  /** `values`: quantised payload, valid during the call. */
  effect(
    epoch: number,
    tick: number,
    kind: number,
    entity: number,
    n: number,
    values: Int32Array,
  ): void;
}

/** Reads match events; of a malformed message nothing is told and `read` returns false. */
export class MatchEventReader {
  readonly #kinds: readonly (readonly Field[])[];
  readonly #sink: MatchEventSink;
  readonly #reader = new ByteReader();
  readonly #bits = new BitReader();
  readonly #values: Int32Array;
  #kind = 0;
  #entity = 0;
  #n = 0;

  constructor(kinds: readonly (readonly Field[])[], sink: MatchEventSink) {
    this.#kinds = kinds;
    this.#sink = sink;
    this.#values = new Int32Array(Math.max(1, ...kinds.map((fields) => fields.length)));
  }

  read(bytes: Uint8Array, start: number, end: number): boolean {
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    const type = reader.u8();
    const epoch = reader.u8();
    if (type === EventType.leave) {
      if (reader.failed || reader.remaining > 0) return false;
      this.#sink.leave(epoch);
      return true;
    }
    const tick = reader.u32();
    if (type === EventType.effects && !reader.failed) {
      return this.#readEffects(bytes, reader.position, end, epoch, tick);
    }
    const seed = reader.u32();
    if (type !== EventType.enter || reader.failed || reader.remaining > 0) return false;
    this.#sink.enter(epoch, tick, seed);
    return true;
  }

  #readEffects(
    bytes: Uint8Array,
    start: number,
    end: number,
    epoch: number,
    tick: number,
  ): boolean {
    const bits = this.#bits;
    // Twice over the bits: the sink hears of effects only once all of them are known to be valid.
    bits.reset(bytes, start, end);
    while (bits.read(1) === 1) if (!this.#readEffect()) return false;
    if (!bits.atEnd()) return false;
    bits.reset(bytes, start, end);
    while (bits.read(1) === 1) {
      this.#readEffect();
      this.#sink.effect(epoch, tick, this.#kind, this.#entity, this.#n, this.#values);
    }
    return true;
  }

  /** Reads one effect into the fields; false = malformed. */
  #readEffect(): boolean {
    const bits = this.#bits;
    this.#kind = bits.read(8);
    this.#entity = bits.readVar();
    this.#n = bits.readVar();
    const fields = this.#kinds[this.#kind];
    if (fields === undefined) return false;
    let valid = true;
    for (let f = 0; f < fields.length; f++) {
      this.#values[f] = bits.read(fields[f]!.bits);
      if (this.#values[f]! > fields[f]!.max) valid = false;
    }
    return valid && !bits.failed;
  }
}
