// A server of typed messages without a game, as one machine. There are no ticks: what is queued leaves within
// flushMs, together with whatever else came up in that time, and while nothing is queued nothing runs.

import {
  type Destination,
  type Machine,
  type MessageDeclarations,
  type MessageSet,
  PacketKind,
  readKind,
  resolveFlushMs,
  Verdict,
} from '@tickwire/protocol';
import { Session, type SessionPlace, type SessionPort } from './session.ts';
import { SessionServer, type SessionServerOptions } from './session-server.ts';

/** Options of {@link MessageServer}. */
export interface MessageServerOptions extends SessionServerOptions {
  /** Least time between two flushes: what is queued meanwhile shares datagrams. Default 10, from 1 to 1000. */
  readonly flushMs?: number;
  /** Called when something was queued and so `wakeAt` is earlier: for shells, which then `advance` soon. */
  readonly onQueued?: () => void;
}

/** Places without a live connection are looked after this often. */
const SWEEP_MS = 1000;

/** See the head of the file. */
export class MessageServer<M extends MessageDeclarations>
  extends SessionServer<M, Session<M>>
  implements Machine
{
  readonly #flushMs: number;
  readonly #onQueued: (() => void) | undefined;
  #flushedMs: number;
  /** Something may have to leave at the next flush. */
  #stirred = true;
  /** While nothing has: when a connection wants to run. */
  #quietUntilMs = Number.POSITIVE_INFINITY;
  /** A flush is on its way out; when all of it has left, what it left behind is to be asked. */
  #flushing = false;

  constructor(messages: MessageSet<M>, options: MessageServerOptions) {
    super(messages, messages, options);
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
    // What changed nothing, and what strangers say, must not keep the server awake. Answers to them need no flush.
    const stirs = verdict === Verdict.accepted || verdict === Verdict.refused;
    if (!stirs || readKind(bytes, start, end) === PacketKind.request) this.#stirred = before;
    return verdict;
  }

  advance(nowMs: number): void {
    this.settle(nowMs);
    if (nowMs < this.#flushAt()) return;
    this.#flushedMs = nowMs;
    this.#stirred = false;
    this.#quietUntilMs = nowMs + this.#flushMs;
    this.#flushing = true;
    this.host.advance(nowMs);
    this.host.flush(nowMs);
  }

  override poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    const length = super.poll(nowMs, out, start, to);
    if (length === 0 && this.#flushing) this.#ask();
    return length;
  }

  wakeAt(): number {
    if (this.over) return Number.POSITIVE_INFINITY;
    return Math.min(this.host.wakeAt(), this.settlesAt(), this.#flushAt());
  }

  protected override createSession(place: SessionPlace, port: SessionPort): Session<M> {
    return new Session(place, this.messages, port);
  }

  protected override stirred(): void {
    if (this.#stirred) return;
    this.#stirred = true;
    this.#onQueued?.();
  }

  #flushAt(): number {
    // What was lost has waited long enough.
    if (this.host.urgent) return this.#flushedMs;
    return this.#stirred ? this.#flushedMs + this.#flushMs : this.#quietUntilMs;
  }

  /** After a flush: is there more that may leave, and if not, when will there be. Asking may run user code. */
  #ask(): void {
    this.#flushing = false;
    const { host, places, sessions } = this;
    const sweep = host.used > sessions.size;
    let atMs = sweep ? this.#flushedMs + SWEEP_MS : Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < places && !this.#stirred; slot++) {
      const connection = host.connection(slot);
      // Half-open ones say nothing yet.
      if (connection === undefined || (connection.open && !sessions.has(slot))) continue;
      if (connection.wantsFlush(this.#flushedMs)) this.#stirred = true;
      atMs = Math.min(atMs, connection.wakeAt());
    }
    this.#quietUntilMs = Math.max(atMs, this.#flushedMs + this.#flushMs);
  }
}
