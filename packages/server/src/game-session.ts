// A session in a game: besides messages it has a place in a match, whose events, snapshots and inputs travel in the
// same connection.

import {
  type Channel,
  eventLimits,
  GameChannel,
  GamePriority,
  type MessageDeclarations,
  type MessageSet,
  ReliableOrderedChannel,
  Verdict,
} from '@tickwire/protocol';
import type { InputStatistics } from './input-buffer.ts';
import type { Seat } from './seat.ts';
import {
  type LinkPlace,
  Session,
  type SessionLink,
  type SessionPlace,
  type SessionPort,
} from './session.ts';

/** The match a session is in, as far as the session knows. {@link Match} has this form. */
export interface SessionMatch {
  readonly id: number;
  /** Last simulated tick. */
  readonly tick: number;
  remove(session: AnyGameSession): void;
  resume(session: AnyGameSession): void;
}

/** When the next tick is due, and how long a tick is. */
export interface TickTimes {
  readonly nextMs: number;
  readonly tickMs: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a session of whatever messages
type AnyGameSession = GameSession<any>;

/** In the connection of a game's session there are its match's events as well. */
interface GameLink<M extends MessageDeclarations> extends SessionLink<M> {
  readonly events: ReliableOrderedChannel;
}

/** One client of a game. While it is away it keeps its place in its match, and its rows. */
export class GameSession<M extends MessageDeclarations = MessageDeclarations> extends Session<M> {
  /** The match it is in. */
  match: SessionMatch | undefined;
  /** For matches only. */
  seat: Seat | undefined;
  /** For matches only: how often it was given a place, one byte on the wire. */
  epoch = 0;
  readonly #times: TickTimes;
  #events: ReliableOrderedChannel | undefined;

  constructor(place: SessionPlace, set: MessageSet<M>, port: SessionPort, times: TickTimes) {
    super(place, set, port);
    this.#times = times;
  }

  /** For matches only, once it is connected. */
  get events(): ReliableOrderedChannel {
    return this.#events!;
  }

  /** How its inputs came in, since it entered the match that it is in or was resumed there. */
  get inputs(): InputStatistics | undefined {
    return this.seat?.inputs.statistics;
  }

  override get unsettled(): number {
    return super.unsettled + this.events.statistics.queued;
  }

  override createLink(place: LinkPlace): GameLink<M> {
    const link = super.createLink(place);
    const events = new ReliableOrderedChannel(eventLimits, () => {});
    const state = new StateChannel(this, events, this.#times);
    return {
      ...link,
      events,
      plans: [
        { id: GameChannel.events, channel: events, priority: GamePriority.events },
        { id: GameChannel.state, channel: state, priority: GamePriority.state },
        ...link.plans,
      ],
    };
  }

  override attach(link: GameLink<M>): void {
    super.attach(link);
    this.#events = link.events;
  }

  /** For its connections: the seat, if it is the connection with these events that the session has. */
  seatBehind(events: ReliableOrderedChannel): Seat | undefined {
    return this.#events === events ? this.seat : undefined;
  }
}

/**
 * Snapshots out, inputs in, for whatever seat the session has at the moment. While the session has another connection,
 * a newer one or the one that this is going to follow, there is none for this.
 */
class StateChannel implements Channel {
  readonly elicitsAck = true;
  readonly #session: AnyGameSession;
  readonly #events: ReliableOrderedChannel;
  readonly #times: TickTimes;
  /** Whose inputs `read` staged: between it and `commit` the session may get another seat. */
  #staged: Seat | undefined;

  /** `events`: of the same connection. */
  constructor(session: AnyGameSession, events: ReliableOrderedChannel, times: TickTimes) {
    this.#session = session;
    this.#events = events;
    this.#times = times;
  }

  pending(): boolean {
    return this.#seat?.pending() ?? false;
  }

  write(_nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    return this.#seat?.write(out, start, end, sequence) ?? 0;
  }

  /** Without a seat, inputs are of an old place: kept from nobody, used by nobody. */
  read(_nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    this.#staged = this.#seat;
    return this.#staged?.stage(bytes, start, end, sequence) ?? Verdict.accepted;
  }

  commit(nowMs: number): void {
    const seat = this.#seat;
    const { match } = this.#session;
    if (seat === undefined || match === undefined || seat !== this.#staged) return;
    const { nextMs, tickMs } = this.#times;
    seat.inputs.commit(nowMs, seat.epoch, match.tick, nextMs, tickMs);
  }

  acked(sequence: number): void {
    this.#seat?.acked(sequence);
  }

  lost(sequence: number): void {
    this.#seat?.lost(sequence);
  }

  /** The session's match takes its seat away, which ends everything that travels here. */
  close(): void {}

  get #seat(): Seat | undefined {
    return this.#session.seatBehind(this.#events);
  }
}
