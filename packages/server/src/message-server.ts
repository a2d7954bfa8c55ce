// A server of typed messages without a game, as one machine. There are no ticks: what is queued leaves within
// flushMs, together with whatever else came up in that time, and while nothing is queued nothing runs.

import {
  type Machine,
  type MessageDeclarations,
  type MessageSet,
  TickwireError,
  type Verdict,
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

const FLUSH_MS = 10;
const FLUSH_MS_MAX = 1000;
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
  /** While nothing has: when a connection wants to run. NaN = to be asked. */
  #quietUntilMs = Number.NaN;

  constructor(messages: MessageSet<M>, options: MessageServerOptions) {
    super(messages, messages, options);
    const { flushMs = FLUSH_MS } = options;
    if (!(flushMs >= 1 && flushMs <= FLUSH_MS_MAX)) {
      throw new TickwireError('option-invalid', `flushMs is ${flushMs}; give 1 to ${FLUSH_MS_MAX}`);
    }
    this.#flushMs = flushMs;
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
    this.#stirred = true;
    return super.receive(nowMs, bytes, start, end, from);
  }

  advance(nowMs: number): void {
    this.settle(nowMs);
    if (nowMs < this.#flushAt()) return;
    this.#flushedMs = nowMs;
    this.#stirred = false;
    this.#quietUntilMs = Number.NaN;
    this.host.advance(nowMs);
    this.host.flush(nowMs);
  }

  wakeAt(): number {
    if (this.over) return Number.POSITIVE_INFINITY;
    return Math.min(this.host.wakeAt(), this.settlesAt(), this.#flushAt());
  }

  protected override createSession(place: SessionPlace, port: SessionPort): Session<M> {
    return new Session(place, this.messages, port);
  }

  protected override queued(): void {
    if (this.#stirred) return;
    this.#stirred = true;
    this.#onQueued?.();
  }

  #flushAt(): number {
    // What was lost has waited long enough.
    if (this.host.urgent) return this.#flushedMs;
    if (!this.#stirred && Number.isNaN(this.#quietUntilMs)) this.#ask();
    return this.#stirred ? this.#flushedMs + this.#flushMs : this.#quietUntilMs;
  }

  /** After a flush: is there more, which only the rate held back, and if not, when will there be. */
  #ask(): void {
    const { host, places, sessions } = this;
    const sweep = host.used > sessions.size;
    let atMs = sweep ? this.#flushedMs + SWEEP_MS : Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < places; slot++) {
      const connection = host.connection(slot);
      // Half-open ones say nothing yet.
      if (connection === undefined || (connection.open && !sessions.has(slot))) continue;
      if (connection.wantsFlush(this.#flushedMs)) {
        this.#stirred = true;
        return;
      }
      atMs = Math.min(atMs, connection.wakeAt());
    }
    this.#quietUntilMs = Math.max(atMs, this.#flushedMs + this.#flushMs);
  }
}
