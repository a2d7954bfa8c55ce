// What happened in a simulation, as a running digest (two runs were the same if their digests are) and,
// when asked for, as the last lines of a readable timeline.

/** What a {@link Trace} records. */
export const TraceKind = {
  /** A machine wrote a datagram. */
  send: 0,
  /** A datagram was given to a machine. */
  deliver: 1,
  /** A datagram ended before that. */
  drop: 2,
  /** A machine was advanced without a datagram: a timer of its own. */
  wake: 3,
  /** A direction of a node's path began to stall. */
  stall: 4,
  /** A node's host fell asleep. */
  sleep: 5,
  /** A node had its first turn since. */
  awake: 6,
  /** A node is seen under another number from now on. */
  rebind: 7,
} as const;

/** One of the numbers in {@link TraceKind}. */
export type TraceKind = (typeof TraceKind)[keyof typeof TraceKind];

/** Name of a {@link TraceKind}, as the timeline has it. */
type TraceKindName = keyof typeof TraceKind;

const kindNames = Object.keys(TraceKind) as TraceKindName[];

/** One event, for a filter to look at. */
export interface TimelineEvent {
  /** World time in ms. */
  readonly timeMs: number;
  readonly kind: TraceKindName;
  /** Number of the sender or, where no datagram is meant, of the node. */
  readonly from: number;
  /** Number of the receiver or, where no datagram is meant, of the node again; of a rebind, its new number. */
  readonly to: number;
  /** Of the datagram; 0 = none is meant. */
  readonly sizeBytes: number;
  /** What stands at the end of the line, '' = nothing. */
  readonly note: string;
}

/** Says whether an event is kept as a line. */
export type TimelineFilter = (event: TimelineEvent) => boolean;

/** The filter of whoever names none: timers of machines are most of all events, and tell least. */
export const withoutWakes: TimelineFilter = ({ kind }) => kind !== 'wake';

/** FNV-1a over a range: enough to notice any difference between two runs. */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash | 0;
}

/** Running digest of the events of a simulation. */
export class Trace {
  // Two lanes of 32 bits with different multipliers.
  readonly #lanes = new Int32Array([0x2c1b3c6d, 0x297a2d39]);
  readonly #timeMs = new Float64Array(1);
  readonly #timeWords = new Int32Array(this.#timeMs.buffer);
  readonly #lines: string[];
  readonly #lineCount: number;
  readonly #filter: TimelineFilter;
  #events = 0;
  #written = 0;

  /**
   * @param timelineLines how many of the last events to keep as text. Default 0, which builds no text.
   * @param filter which of them. Default all but wakes.
   */
  constructor(timelineLines = 0, filter: TimelineFilter = withoutWakes) {
    this.#lineCount = timelineLines;
    this.#filter = filter;
    this.#lines = [];
  }

  /** Events recorded so far. */
  get events(): number {
    return this.#events;
  }

  /** 16 hexadecimal digits that depend on every event so far and on their order. */
  get digest(): string {
    const hex = (lane: number) => (lane >>> 0).toString(16).padStart(8, '0');
    return hex(this.#lanes[0]!) + hex(this.#lanes[1]!);
  }

  /** Whether events are kept as text, so that a note for one is worth its making. */
  get keepsText(): boolean {
    return this.#lineCount > 0;
  }

  /** The last events that the filter passed as text, oldest first. */
  timeline(): string[] {
    if (this.#lines.length < this.#lineCount) return [...this.#lines];
    const oldest = this.#written % this.#lineCount;
    return [...this.#lines.slice(oldest), ...this.#lines.slice(0, oldest)];
  }

  /** The timeline, a line each, and below it how many events there were and their digest. */
  toString(): string {
    const lines = this.timeline();
    const missing = this.#written - lines.length;
    if (missing > 0) lines.unshift(`... ${missing} lines before`);
    return [...lines, `${this.#events} events, digest ${this.digest}`].join('\n');
  }

  /** Records an event with the datagram bytes[start, end) that it is about. `note` is for the timeline only. */
  record(
    nowMs: number,
    kind: TraceKind,
    from: number,
    to: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    note = '',
  ): void {
    const hash = hashBytes(bytes, start, end);
    this.#timeMs[0] = nowMs;
    this.#mix(this.#timeWords[0]!);
    this.#mix(this.#timeWords[1]!);
    this.#mix(kind);
    this.#mix(from);
    this.#mix(to);
    this.#mix(end - start);
    this.#mix(hash);
    if (this.#lineCount > 0 && this.#passes(nowMs, kind, from, to, end - start, note)) {
      this.#write(nowMs, kind, from, to, end - start, hash, note);
    }
    this.#events++;
  }

  #mix(word: number): void {
    const lanes = this.#lanes;
    const a = Math.imul(lanes[0]! ^ word, 0x85ebca6b);
    const b = Math.imul(lanes[1]! ^ word, 0xc2b2ae35);
    lanes[0] = a ^ (a >>> 13);
    lanes[1] = b ^ (b >>> 16) ^ (a >>> 7);
  }

  #passes(
    timeMs: number,
    kind: TraceKind,
    from: number,
    to: number,
    sizeBytes: number,
    note: string,
  ): boolean {
    const twoEnds = kind <= TraceKind.drop || kind === TraceKind.rebind;
    const other = twoEnds ? to : from;
    return this.#filter({ timeMs, kind: kindNames[kind]!, from, to: other, sizeBytes, note });
  }

  #write(
    nowMs: number,
    kind: TraceKind,
    from: number,
    to: number,
    sizeBytes: number,
    hash: number,
    note: string,
  ): void {
    const ends = `${from} -> ${to}`;
    const sum = (hash >>> 0).toString(16).padStart(8, '0');
    let what = `node ${from}`;
    if (kind === TraceKind.rebind) what = ends;
    if (kind <= TraceKind.drop) what = `${ends.padEnd(8)} ${`${sizeBytes} B`.padStart(6)}  ${sum}`;
    const name = kindNames[kind]!.padEnd(7);
    const line = `${nowMs.toFixed(3).padStart(11)}  ${name}  ${what}  ${note}`.trimEnd();
    this.#lines[this.#written++ % this.#lineCount] = line;
  }
}
