// Sessions that end as soon as all that was sent has arrived, or at a moment, whichever comes first.

import type { EndReason } from '@tickwire/protocol';
import type { AnySession } from './session.ts';

interface Departure {
  readonly reason: EndReason;
  readonly text: string;
  /** Counts from the next time that is known: who says that a session leaves need not know one. */
  readonly graceMs: number;
  /** NaN = not known yet. */
  untilMs: number;
}

/** See the head of the file. */
export class Departures<S extends AnySession> {
  readonly #leaving = new Map<S, Departure>();

  /** Who is leaving already keeps its reason, and goes at the earlier of both moments. */
  add(session: S, reason: EndReason, text: string, graceMs: number): void {
    const before = this.#leaving.get(session) ?? { reason, text, graceMs };
    const soonestMs = Math.min(before.graceMs, graceMs);
    this.#leaving.set(session, { ...before, graceMs: soonestMs, untilMs: Number.NaN });
  }

  delete(session: S): void {
    this.#leaving.delete(session);
  }

  /** Calls back with everybody who can go, or must. */
  settle(nowMs: number, end: (session: S, reason: EndReason, text: string) => void): void {
    for (const [session, leaving] of this.#leaving) {
      if (Number.isNaN(leaving.untilMs)) leaving.untilMs = nowMs + leaving.graceMs;
      if (!isSettled(session) && nowMs < leaving.untilMs) continue;
      end(session, leaving.reason, leaving.text);
    }
  }

  /** When {@link settle} has work, as far as is known now: each ack and each flush may bring more. */
  settlesAt(nowMs: number): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const [session, { untilMs }] of this.#leaving) {
      if (isSettled(session)) return nowMs;
      if (untilMs < atMs) atMs = untilMs;
    }
    return atMs;
  }
}

/** Nothing waits to be sent, and nothing reliable to be acknowledged. */
function isSettled(session: AnySession): boolean {
  return session.queued === 0 && session.unsettled === 0;
}
