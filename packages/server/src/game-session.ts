// A session in a game: besides messages it has a place in a match, whose events, snapshots and inputs travel in the
// same connection.

import {
  type Channel,
  type ChannelPlan,
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
import { Session, type SessionPlace, type SessionPort } from './session.ts';

/** The match a session is in, as far as the session knows. {@link Match} has this form. */
export interface SessionMatch {
  readonly id: number;
  /** Last simulated tick. */
  readonly tick: number;
  remove(session: AnyGameSession): void;
}

/** When the next tick is due, and how long a tick is. */
export interface TickTimes {
  readonly nextMs: number;
  readonly tickMs: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a session of whatever messages
type AnyGameSession = GameSession<any>;

/** One connected client of a game. */
export class GameSession<M extends MessageDeclarations = MessageDeclarations> extends Session<M> {
  /** The match it is in. */
  match: SessionMatch | undefined;
  /** For matches only. */
  seat: Seat | undefined;
  /** For matches only: how often it was given a place, one byte on the wire. */
  epoch = 0;
  /** For matches only. */
  readonly events = new ReliableOrderedChannel(eventLimits, () => {});
  readonly #times: TickTimes;

  constructor(place: SessionPlace, set: MessageSet<M>, port: SessionPort, times: TickTimes) {
    super(place, set, port);
    this.#times = times;
  }

  /** How its inputs came in, in the match it is in. */
  get inputs(): InputStatistics | undefined {
    return this.seat?.inputs.statistics;
  }

  override get unsettled(): number {
    return super.unsettled + this.events.statistics.queued;
  }

  override plans(): readonly ChannelPlan[] {
    const state = new StateChannel(this, this.#times);
    return [
      { id: GameChannel.events, channel: this.events, priority: GamePriority.events },
      { id: GameChannel.state, channel: state, priority: GamePriority.state },
      ...super.plans(),
    ];
  }
}

/** Snapshots out, inputs in, for whatever seat the session has at the moment. */
class StateChannel implements Channel {
  readonly elicitsAck = true;
  readonly #session: AnyGameSession;
  readonly #times: TickTimes;
  /** Whose inputs `read` staged: between it and `commit` the session may get another seat. */
  #staged: Seat | undefined;

  constructor(session: AnyGameSession, times: TickTimes) {
    this.#session = session;
    this.#times = times;
  }

  pending(): boolean {
    return this.#session.seat?.pending() ?? false;
  }

  write(_nowMs: number, out: Uint8Array, start: number, end: number, sequence: number): number {
    return this.#session.seat?.write(out, start, end, sequence) ?? 0;
  }

  /** Without a seat, inputs are of an old place: kept from nobody, used by nobody. */
  read(_nowMs: number, bytes: Uint8Array, start: number, end: number, sequence: number): Verdict {
    this.#staged = this.#session.seat;
    return this.#staged?.stage(bytes, start, end, sequence) ?? Verdict.accepted;
  }

  commit(nowMs: number): void {
    const { seat, match } = this.#session;
    if (seat === undefined || match === undefined || seat !== this.#staged) return;
    const { nextMs, tickMs } = this.#times;
    seat.inputs.commit(nowMs, seat.epoch, match.tick, nextMs, tickMs);
  }

  acked(sequence: number): void {
    this.#session.seat?.acked(sequence);
  }

  lost(sequence: number): void {
    this.#session.seat?.lost(sequence);
  }

  /** The session's match takes its seat away, which ends everything that travels here. */
  close(): void {}
}
