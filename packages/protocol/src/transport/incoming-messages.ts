// The receiving half of the reliable kinds: checks and stages the records of a section, keeps them on commit, and
// delivers messages: in order, or as soon as they are there. Layout and window stand in reliable-record.ts.
//
// Every record before #first has come. Some of those, and of the window after it, are fragments still held, so the
// ring spans the window and, before it, the longest message but one fragment.
//
// What has come never contradicts itself: there are messages of which all of it is part. A new record is checked
// against the nearest known ones before and after it, which is enough, as those agree with all others. So between the
// first and the last record of a message there is nothing but that message, and until it is delivered all is held.

import { ByteReader } from '../wire/bytes.ts';
import { type ChannelLimits, FRAGMENT_BYTES } from '../wire/channel-options.ts';
import { expandSequence } from '../wire/sequence.ts';
import { SequenceRing } from '../wire/sequence-ring.ts';
import { Verdict } from '../wire/verdict.ts';
import { fragmentCount, RecordHead } from './fragment.ts';
import { type MessageChannelStatistics, type MessageSink, SinkErrors } from './message-channel.ts';
import { follows, RELIABLE_WINDOW, WHOLE } from './reliable-record.ts';

/** Records known at once: the window, and up to 238 fragments before it of a message that goes on in it. */
const RECORDS = 512;
const NOTHING = new Uint8Array(0);

/** See the head of the file. */
export class IncomingMessages {
  readonly #statistics: MessageChannelStatistics;
  readonly #sink: MessageSink;
  readonly #errors = new SinkErrors();
  readonly #ordered: boolean;
  readonly #messageBytes: number;
  readonly #fragments: number;
  /** A sender within its own bound never has more than that on the way; the rest is for the message that is due. */
  readonly #heldBytesMax: number;
  readonly #reader = new ByteReader();
  readonly #head = new RecordHead();
  /** Records that came, or are staged; what is held of them. */
  readonly #ring = new SequenceRing(RECORDS);
  readonly #parts = new Uint16Array(RECORDS);
  readonly #held: (Uint8Array | undefined)[] = new Array(RECORDS).fill(undefined);
  /** Staged records: those of a section that are new, so never more than the window has ids. */
  readonly #ids = new Float64Array(RELIABLE_WINDOW);
  readonly #starts = new Int32Array(RELIABLE_WINDOW);
  readonly #ends = new Int32Array(RELIABLE_WINDOW);
  #packet: Uint8Array = NOTHING;
  #staged = 0;
  #stagedBytes = 0;
  /** The first record missing, and the first record of the message due next (ordered only). */
  #first = 0;
  #due = 0;
  /** No record from here on is known. */
  #end = 0;
  #closed = false;

  constructor(
    limits: ChannelLimits,
    statistics: MessageChannelStatistics,
    sink: MessageSink,
    ordered: boolean,
  ) {
    this.#statistics = statistics;
    this.#sink = sink;
    this.#ordered = ordered;
    this.#messageBytes = limits.messageBytes;
    this.#fragments = fragmentCount(limits.messageBytes);
    this.#heldBytesMax = limits.queueBytes + limits.messageBytes;
  }

  /** Checks the section bytes[start, end) and stages what is new in it. */
  stage(bytes: Uint8Array, start: number, end: number): Verdict {
    this.#unstage();
    if (this.#closed) return Verdict.refused;
    this.#reader.reset(bytes, start, end);
    this.#packet = bytes;
    const verdict = this.#stageRecords();
    if (verdict !== Verdict.accepted) this.#unstage();
    return verdict;
  }

  /** Keeps what was staged and delivers what has become complete; then throws what the sink threw first. */
  commit(): void {
    const staged = this.#staged;
    this.#staged = 0;
    for (let i = 0; i < staged && !this.#closed; i++) this.#keep(i);
    if (this.#ordered) this.#deliverDue();
    else this.#deliverComplete(staged);
    this.#packet = NOTHING;
    this.#errors.release();
  }

  /** Nothing is delivered any more, so nothing need be held. */
  close(): void {
    this.#closed = true;
    this.#held.fill(undefined);
  }

  #unstage(): void {
    for (let i = 0; i < this.#staged; i++) this.#ring.remove(this.#ids[i]!);
    this.#staged = 0;
    this.#stagedBytes = 0;
  }

  #stageRecords(): Verdict {
    const reader = this.#reader;
    if (reader.remaining === 0) return Verdict.malformed;
    while (reader.remaining > 0) if (!this.#stageRecord()) return Verdict.malformed;
    const fits = this.#statistics.heldBytes + this.#stagedBytes <= this.#heldBytesMax;
    return fits ? Verdict.accepted : Verdict.refused;
  }

  /** Whether the next record is well formed and contradicts nothing that is known. */
  #stageRecord(): boolean {
    const reader = this.#reader;
    const head = this.#head;
    const id = expandSequence(reader.u16(), this.#first);
    if (!head.read(reader, this.#fragments, false)) return false;
    const start = reader.position;
    reader.skip(head.length);
    if (reader.failed || id < 0 || id >= this.#first + RELIABLE_WINDOW) return false;
    if (head.index * FRAGMENT_BYTES + head.length > this.#messageBytes) return false;
    const part = head.index * 2 + (head.last ? 1 : 0);
    if (this.#ring.has(id)) return this.#partOf(id) === part;
    if (id < this.#first) return true;
    if (!this.#consistent(id, part)) return false;
    this.#parts[this.#ring.put(id)] = part;
    if (id >= this.#end) this.#end = id + 1;
    this.#ids[this.#staged] = id;
    this.#starts[this.#staged] = start;
    this.#ends[this.#staged++] = start + head.length;
    this.#stagedBytes += head.length;
    return true;
  }

  /**
   * Whether a missing record can be what it says. Of what is before it, the nearest one is of interest if it is not
   * farther than right before the message; of what is after it, if its message may reach back here.
   */
  #consistent(id: number, part: number): boolean {
    const ring = this.#ring;
    const begin = id - (part >>> 1);
    if (begin < 0) return false;
    let before = id - 1;
    while (before >= begin && !ring.has(before)) before--;
    if (ring.has(before) && !follows(this.#partOf(before), part, id - before)) return false;
    const end = Math.min(this.#end, id + this.#fragments + 1);
    let after = id + 1;
    while (after < end && !ring.has(after)) after++;
    return after >= end || follows(part, this.#partOf(after), after - id);
  }

  #partOf(id: number): number {
    return this.#parts[this.#ring.slot(id)]!;
  }

  /** Delivers a staged message whose turn it is from where it stands; of all else, keeps a copy. */
  #keep(i: number): void {
    const id = this.#ids[i]!;
    const start = this.#starts[i]!;
    const end = this.#ends[i]!;
    if (this.#partOf(id) === WHOLE && (!this.#ordered || id === this.#due)) {
      this.#due = id + 1;
      this.#deliver(this.#packet, start, end);
      return;
    }
    this.#held[this.#ring.slot(id)] = this.#packet.slice(start, end);
    this.#statistics.heldBytes += end - start;
  }

  /** The message due is complete when the first missing record is beyond its last. */
  #deliverDue(): void {
    while (this.#ring.has(this.#first) && !this.#closed) {
      const last = this.#first++;
      if ((this.#partOf(last) & 1) === 0 || last < this.#due) continue;
      const begin = this.#due;
      this.#due = this.#first;
      this.#deliverHeld(begin, last);
    }
  }

  #deliverComplete(staged: number): void {
    for (let i = 0; i < staged && !this.#closed; i++) {
      const id = this.#ids[i]!;
      if (this.#held[this.#ring.slot(id)] === undefined) continue;
      const begin = id - (this.#partOf(id) >>> 1);
      const last = this.#lastOf(begin);
      if (last >= 0) this.#deliverHeld(begin, last);
    }
    while (this.#ring.has(this.#first)) this.#first++;
  }

  /** The last record of the message that begins at `begin`, -1 = one is missing. */
  #lastOf(begin: number): number {
    let id = Math.max(begin, this.#first);
    while (this.#ring.has(id)) if ((this.#partOf(id++) & 1) === 1) return id - 1;
    return -1;
  }

  /** Delivers records `begin` to `last`, one message, and lets go of them. */
  #deliverHeld(begin: number, last: number): void {
    let message = this.#release(begin);
    if (last > begin) {
      const whole = new Uint8Array((last - begin + 1) * FRAGMENT_BYTES);
      whole.set(message);
      let at = message.length;
      for (let id = begin + 1; id <= last; id++) {
        const fragment = this.#release(id);
        whole.set(fragment, at);
        at += fragment.length;
      }
      message = whole.subarray(0, at);
    }
    this.#deliver(message, 0, message.length);
  }

  #release(id: number): Uint8Array {
    const slot = this.#ring.slot(id);
    const bytes = this.#held[slot]!;
    this.#held[slot] = undefined;
    this.#statistics.heldBytes -= bytes.length;
    return bytes;
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    this.#statistics.delivered++;
    this.#statistics.deliveredBytes += end - start;
    try {
      this.#sink(bytes, start, end);
    } catch (error) {
      this.#errors.keep(error);
    }
  }
}
