// What travels in a soak: every delivery kind, each message with its number and bytes that follow from it.

import { bytes, defineMessages, type MessagesOf, real, uint } from '@tickwire/protocol';

export const LARGEST = 6000;

export const soakMessages = defineMessages(
  {
    line: { n: uint(31), data: bytes(LARGEST) },
    note: { n: uint(31), data: bytes(200) },
    pose: { n: uint(31), x: real() },
    hint: { n: uint(31), data: bytes(3000) },
    score: { key: uint(4), n: uint(31) },
  },
  {
    main: { kind: 'reliable-ordered', queueBytes: 32_768, queueEntries: 256 },
    notes: { kind: 'reliable-unordered', carries: ['note'], queueBytes: 32_768, weight: 2 },
    poses: { kind: 'unreliable-sequenced', carries: ['pose'], priority: 2, ttlMs: 100 },
    hints: { kind: 'unreliable', carries: ['hint'], ttlMs: 200 },
    scores: { kind: 'reliable-latest', carries: ['score'], key: 'key', priority: 1 },
  },
);

export type SoakMessages = MessagesOf<typeof soakMessages>;

/** Bytes of message `n`. */
export function pattern(n: number, size: number): Uint8Array {
  const data = new Uint8Array(size);
  for (let i = 0; i < size; i++) data[i] = (n * 131 + i * 17) >> (i & 3);
  return data;
}

/** Whether `data` is what message `n` holds. */
function intact(n: number, data: Uint8Array): boolean {
  const right = pattern(n, data.length);
  return data.every((byte, i) => byte === right[i]);
}

/** What one side has heard of the other in one connection, and what was wrong with it. */
export class Ledger {
  readonly wrong: string[] = [];
  lines = 0;
  readonly #notes = new Set<number>();
  /** All notes below this number have come. */
  #notesBefore = 0;
  #pose = -1;

  line(n: number, data: Uint8Array): void {
    if (n !== this.lines) this.wrong.push(`line ${n} instead of ${this.lines}`);
    this.lines = n + 1;
    this.#check('line', n, data);
  }

  note(n: number, data: Uint8Array): void {
    if (n < this.#notesBefore || this.#notes.has(n)) this.wrong.push(`note ${n} twice`);
    this.#notes.add(n);
    while (this.#notes.delete(this.#notesBefore)) this.#notesBefore++;
    this.#check('note', n, data);
  }

  pose(n: number): void {
    if (n <= this.#pose) this.wrong.push(`pose ${n} after ${this.#pose}`);
    this.#pose = n;
  }

  hint(n: number, data: Uint8Array): void {
    this.#check('hint', n, data);
  }

  /** Notes that came, if there is no gap. */
  get notes(): number {
    return this.#notes.size === 0 ? this.#notesBefore : -1;
  }

  #check(name: string, n: number, data: Uint8Array): void {
    if (!intact(n, data)) this.wrong.push(`${name} ${n} is damaged`);
  }
}
