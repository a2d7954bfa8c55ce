// The client's state channel: inputs out, snapshots in, for whatever match the client is in at the moment.

import { type Channel, type GameShape, Verdict } from '@tickwire/protocol';
import type { ClientMatch } from './client-match.ts';

/** See the head of the file. */
export class StateChannel<S extends GameShape> implements Channel {
  readonly elicitsAck = true;
  readonly #match: () => ClientMatch<S> | undefined;
  readonly #guard: (call: () => void) => void;
  #commitMs = 0;

  constructor(match: () => ClientMatch<S> | undefined, guard: (call: () => void) => void) {
    this.#match = match;
    this.#guard = guard;
  }

  pending(): boolean {
    return this.#match()?.inputs.pending() ?? false;
  }

  write(_nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    const match = this.#match();
    return match?.inputs.write(match.epoch, out, start, end, sequence) ?? 0;
  }

  read(_nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    return this.#match()?.stage(bytes, start, end) ?? Verdict.accepted;
  }

  commit(nowMs: number): void {
    this.#commitMs = nowMs;
    this.#guard(this.#commitMatch);
  }

  readonly #commitMatch = (): void => {
    this.#match()?.reader.commit(this.#commitMs);
  };

  acked(sequence: number): void {
    this.#match()?.inputs.acked(sequence);
  }

  lost(): void {}

  close(): void {}
}
