// A client of typed messages without a game, as one machine. There are no ticks: what is queued leaves within
// flushMs, together with whatever else came up in that time, and while nothing is queued nothing runs.

import {
  type Destination,
  type Machine,
  type MessageDeclarations,
  type MessageSet,
  resolveFlushMs,
  Verdict,
} from '@tickwire/protocol';
import {
  SessionClient,
  type SessionClientOptions,
  type SessionHandlers,
} from './session-client.ts';

/** Options of {@link MessageClient}. */
export interface MessageClientOptions extends SessionClientOptions {
  /** Least time between two flushes: what is queued meanwhile shares datagrams. Default 10, from 1 to 1000. */
  readonly flushMs?: number;
  /** Called when something was queued and so `wakeAt` is earlier: for shells, which then `advance` soon. */
  readonly onQueued?: () => void;
}

/** See the head of the file. */
export class MessageClient<M extends MessageDeclarations>
  extends SessionClient<M, SessionHandlers>
  implements Machine
{
  readonly #flushMs: number;
  readonly #onQueued: (() => void) | undefined;
  #flushedMs: number;
  /** Something may have to leave at the next flush. */
  #stirred = true;
  /** A flush is on its way out; when all of it has left, what it left behind is to be asked. */
  #flushing = false;

  constructor(messages: MessageSet<M>, options: MessageClientOptions) {
    super(messages, messages, options, { connected: () => {}, end: () => {} });
    this.#flushMs = resolveFlushMs(options.flushMs);
    this.#onQueued = options.onQueued;
    this.#flushedMs = options.nowMs - this.#flushMs;
  }

  override receive(
    nowMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
  ): Verdict {
    const before = this.#stirred;
    // Handlers that send need not tell the shell: it comes by after each batch.
    this.#stirred = true;
    const verdict = super.receive(nowMs, bytes, start, end, from);
    if (verdict !== Verdict.accepted && verdict !== Verdict.refused) this.#stirred = before;
    return verdict;
  }

  advance(nowMs: number): void {
    this.settle(nowMs);
    if (this.#stirred) this.#ask();
    if (nowMs < this.#flushAt()) return;
    this.#flushedMs = nowMs;
    this.#stirred = false;
    this.#flushing = true;
    this.dialer.flush(nowMs);
  }

  override poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    const length = super.poll(nowMs, out, start, to);
    if (length === 0 && this.#flushing) this.#ask();
    return length;
  }

  wakeAt(): number {
    const { connection } = this;
    if (!connection?.open) return this.settlesAt();
    if (connection.urgent) return this.#flushedMs;
    // The connection's own moments need a flush, so they come no sooner than one.
    return Math.min(Math.max(this.settlesAt(), this.#flushedMs + this.#flushMs), this.#flushAt());
  }

  protected override stirred(): void {
    if (this.#stirred) return;
    this.#stirred = true;
    this.#onQueued?.();
  }

  /** Is there anything that may leave. Asking may run user code, which may stir. */
  #ask(): void {
    this.#flushing = false;
    this.#stirred = false;
    if (this.connection?.wantsFlush(this.nowMs)) this.#stirred = true;
  }

  #flushAt(): number {
    const { connection } = this;
    if (!connection?.open) return Number.POSITIVE_INFINITY;
    // What was lost has waited long enough.
    if (connection.urgent) return this.#flushedMs;
    const soonestMs = this.#flushedMs + this.#flushMs;
    return this.#stirred ? soonestMs : Math.max(soonestMs, connection.wakeAt());
  }
}
