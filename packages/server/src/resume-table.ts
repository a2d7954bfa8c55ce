// Which sessions can be resumed, with what, and until when. A secret belongs to one connection of a session, and the next
// connection brings the next one. A client that has heard nothing on its new connection does not have that yet, so what
// it came back with stays good until the client was heard to have heard. All is void as soon as the session has ended.
//
// A session is connected, or away: without a connection, with all it had, for `resumeMs`. Nobody is evicted: when as
// many are away as may be, who loses the connection next has no such time. A session is in here once, so that there are
// never more of them than slots and maxAway together.

import { type EndReason, type ResumeKeys, TickwireError } from '@tickwire/protocol';
import type { Resumable } from './access.ts';
import { keyOf } from './id-key.ts';

/** Bounds of a {@link ResumeTable}. */
interface ResumeOptions {
  /** A session that has lost its connection waits so long for its client, ms. Default 30000, 0 = not at all, at most 3600000. */
  readonly resumeMs?: number | undefined;
  /** Sessions that may be away at the same time, at most 65535. */
  readonly maxAway: number;
}

/** What else belongs to the keys of a connection. */
interface IssueOptions {
  /** The number of the secret that the connection was made with; 0 = it resumes nothing. */
  readonly resumes?: number;
  /** Of the token that the session began with. */
  readonly timeoutMs?: number | undefined;
}

/** Long enough to start a game again, and for most gaps of a mobile network. */
const RESUME_MS = 30_000;
export const RESUME_MS_MAX = 3_600_000;
/** As for connections. */
export const AWAY_MAX = 65_535;

/** What a secret resumes. Its `session` names the secret, not the session: with the secret the number is void. */
interface Entry<S> extends Resumable {
  readonly id: string;
  readonly holder: S;
}

/** What resumes one session. */
interface Secrets<S> {
  readonly current: Entry<S>;
  /** What its connection was made with, as long as the client may know nothing newer. Never more than one. */
  former: Entry<S> | undefined;
}

/** See the head of the file. */
export class ResumeTable<S> {
  readonly #resumeMs: number;
  readonly #maxAway: number;
  readonly #confirmed: (holder: S) => boolean;
  readonly #byId = new Map<string, Entry<S>>();
  readonly #byTicket = new Map<number, Entry<S>>();
  readonly #byHolder = new Map<S, Secrets<S>>();
  /** Until when each waits; who left first stands first. */
  readonly #away = new Map<S, number>();
  #nextTicket = 1;

  /**
   * @param confirmed whether a client has acked anything on the connection that its session has. Asked when it matters.
   * Throws 'option-invalid'.
   */
  constructor({ resumeMs = RESUME_MS, maxAway }: ResumeOptions, confirmed: (holder: S) => boolean) {
    this.#resumeMs = checkResumeMs(resumeMs);
    this.#maxAway = checkMaxAway(maxAway);
    this.#confirmed = confirmed;
  }

  /** Sessions that can be resumed, connected ones included. */
  get size(): number {
    return this.#byHolder.size;
  }

  /** Sessions that are away, those first that left first. */
  get away(): { readonly size: number } & Iterable<S> {
    return { size: this.#away.size, [Symbol.iterator]: () => this.#away.keys() };
  }

  isAway(holder: S): boolean {
    return this.#away.has(holder);
  }

  /** When the first of those that are away has waited long enough. */
  get nextEndMs(): number {
    for (const untilMs of this.#away.values()) return untilMs;
    return Number.POSITIVE_INFINITY;
  }

  /**
   * From now on the session is resumed with these keys; until its client is confirmed also with those that it has come
   * with, and with no others. Does nothing where resuming is off.
   */
  issue(
    holder: S,
    { id, secret }: ResumeKeys,
    { resumes = 0, timeoutMs }: IssueOptions = {},
  ): void {
    const former = this.#byTicket.get(resumes);
    this.#forget(holder);
    if (this.#resumeMs === 0) return;
    const session = this.#nextTicket++;
    const current = { id: keyOf(id), session, secret: secret.slice(), timeoutMs, holder };
    this.#byHolder.set(holder, { current, former });
    this.#add(current);
    if (former !== undefined) this.#add(former);
  }

  /** What can be resumed by this id, if its secret is known as well. */
  find(id: Uint8Array): Resumable | undefined {
    return this.#valid(this.#byId.get(keyOf(id)));
  }

  /** Whose number it is; undefined = the secret it stood for is void. */
  holder(ticket: number): S | undefined {
    return this.#valid(this.#byTicket.get(ticket))?.holder;
  }

  /**
   * Whether a session goes on when this side has ended its connection for `reason`: nobody may have ended the session
   * itself, and it must be one that can be resumed. If it was resumed already, it is away for no time, so need no room.
   */
  outlives(holder: S, reason: EndReason): boolean {
    if (!this.#byHolder.has(holder)) return false;
    return reason === 'replaced' || (reason === 'timeout' && this.#away.size < this.#maxAway);
  }

  /** The session is losing its connection, of which it may be asked for the last time. Its keys stay good. */
  leave(holder: S, nowMs: number): void {
    this.#valid(this.#byHolder.get(holder)?.former);
    this.#away.set(holder, nowMs + this.#resumeMs);
  }

  /** The session has a connection again. */
  return(holder: S): void {
    this.#away.delete(holder);
  }

  /** Nobody resumes the session any more, and nobody waits for it. */
  revoke(holder: S): void {
    this.#away.delete(holder);
    this.#forget(holder);
  }

  /** Revokes, and calls back with, everybody who has waited long enough. */
  expire(nowMs: number, ended: (holder: S) => void): void {
    for (const [holder, untilMs] of this.#away) {
      if (nowMs < untilMs) return;
      this.revoke(holder);
      ended(holder);
    }
  }

  /** The same; undefined = there is none, or it is a former one and void by now. */
  #valid(entry: Entry<S> | undefined): Entry<S> | undefined {
    if (entry === undefined) return undefined;
    const secrets = this.#byHolder.get(entry.holder)!;
    if (entry !== secrets.former || !this.#confirmed(entry.holder)) return entry;
    this.#drop(entry);
    secrets.former = undefined;
    return undefined;
  }

  #add(entry: Entry<S>): void {
    this.#byId.set(entry.id, entry);
    this.#byTicket.set(entry.session, entry);
  }

  #drop(entry: Entry<S>): void {
    this.#byId.delete(entry.id);
    this.#byTicket.delete(entry.session);
  }

  #forget(holder: S): void {
    const secrets = this.#byHolder.get(holder);
    if (secrets === undefined) return;
    this.#drop(secrets.current);
    if (secrets.former !== undefined) this.#drop(secrets.former);
    this.#byHolder.delete(holder);
  }
}

function checkResumeMs(resumeMs: number): number {
  if (resumeMs >= 0 && resumeMs <= RESUME_MS_MAX) return resumeMs;
  const range = `give ms from 0 to ${RESUME_MS_MAX}`;
  throw new TickwireError('option-invalid', `resumeMs is ${resumeMs}; ${range}`);
}

function checkMaxAway(maxAway: number): number {
  if (Number.isInteger(maxAway) && maxAway >= 0 && maxAway <= AWAY_MAX) return maxAway;
  const range = `give a whole number from 0 to ${AWAY_MAX}`;
  throw new TickwireError('option-invalid', `maxAway is ${maxAway}; ${range}`);
}
