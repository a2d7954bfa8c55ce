// One client as the server sees it: its channels, its place in a match, and what user code may do with it.

import {
  type Channel,
  type EndReason,
  GameChannel,
  MESSAGE_BYTES_MAX,
  type MessageDeclarations,
  type MessageSet,
  type MessageValue,
  ReliableOrderedChannel,
  type RttEstimator,
  type SendResult,
  type SentStatistics,
  Verdict,
} from '@tickwire/protocol';
import type { InputStatistics } from './input-buffer.ts';
import type { Seat } from './seat.ts';

/** The match a session is in, as far as the session knows. {@link Match} has this form. */
export interface SessionMatch {
  readonly id: number;
  /** Last simulated tick. */
  readonly tick: number;
  remove(session: AnySession): void;
}

/** What a session needs of its server. */
export interface SessionPort {
  messageReceived(session: AnySession, bytes: Uint8Array, start: number, end: number): void;
  end(session: AnySession, reason: EndReason, text: string): void;
  /** Calls user code on behalf of the session: a throw ends it. */
  guard(session: AnySession, where: string, call: () => void): void;
  rtt(session: AnySession): RttEstimator | undefined;
  sent(session: AnySession): SentStatistics | undefined;
  /** When the next tick is due, and how long a tick is. */
  readonly nextTickMs: number;
  readonly tickMs: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a session of whatever messages
export type AnySession = Session<any>;

const scratch = new Uint8Array(MESSAGE_BYTES_MAX);

/** One connected client. */
export class Session<M extends MessageDeclarations = MessageDeclarations> {
  /** Counts up from 1 over the life of the server. */
  readonly id: number;
  /** Where it connected from. */
  readonly from: number;
  /** For user code: whatever belongs to this client. */
  data: unknown;
  /** The match it is in. */
  match: SessionMatch | undefined;
  /** For matches only. */
  seat: Seat | undefined;
  /** For matches only: how often it was given a place, one byte on the wire. */
  epoch = 0;
  /** For matches only. */
  readonly events = new ReliableOrderedChannel(() => {});
  readonly slot: number;
  readonly #messages: ReliableOrderedChannel;
  readonly #set: MessageSet<M>;
  readonly #port: SessionPort;
  #ended: EndReason | undefined;

  constructor(id: number, slot: number, from: number, set: MessageSet<M>, port: SessionPort) {
    this.id = id;
    this.slot = slot;
    this.from = from;
    this.#set = set;
    this.#port = port;
    this.#messages = new ReliableOrderedChannel((bytes, start, end) =>
      port.messageReceived(this, bytes, start, end),
    );
  }

  /** Why it ended, undefined while it is connected. */
  get ended(): EndReason | undefined {
    return this.#ended;
  }

  /** Round trip and its variation, milliseconds; before the first measurement a guess. */
  get rttMs(): number {
    return this.#port.rtt(this)?.smoothedMs ?? 0;
  }

  /** Packets to this client: acked, lost and so on. */
  get sent(): SentStatistics | undefined {
    return this.#port.sent(this);
  }

  /** How its inputs came in, in the match it is in. */
  get inputs(): InputStatistics | undefined {
    return this.seat?.inputs.statistics;
  }

  /** Reliable messages of either kind that the client has not acknowledged. */
  get unacked(): number {
    return this.events.unacked + this.#messages.unacked;
  }

  /**
   * Sends a message, reliably and in order. 'full': the client is behind, see {@link onWritable}.
   * Throws 'message-invalid' when the value does not fit the declaration.
   */
  send<K extends keyof M & string>(name: K, value: MessageValue<M[K]>): SendResult {
    if (this.#ended !== undefined) return 'closed';
    const length = this.#set.encode(name, value, scratch, 0, scratch.length);
    return length < 0 ? 'too-large' : this.#messages.send(scratch, 0, length);
  }

  /** Calls once, when after a 'full' there is room again. */
  onWritable(callback: () => void): void {
    this.#messages.onWritable(() => this.#port.guard(this, 'onWritable', callback));
  }

  /** Puts the client out; it is told 'kicked' and the text. */
  kick(text = ''): void {
    this.#port.end(this, 'kicked', text);
  }

  /** For the server only. */
  markEnded(reason: EndReason): void {
    this.#ended = reason;
  }

  /** For the server only: what travels in this session's connection, highest priority first. */
  channels(): readonly (readonly [id: number, channel: Channel])[] {
    return [
      [GameChannel.events, this.events],
      [GameChannel.state, new StateChannel(this, this.#port)],
      [GameChannel.messages, this.#messages],
    ];
  }
}

/** Snapshots out, inputs in, for whatever seat the session has at the moment. */
class StateChannel implements Channel {
  readonly elicitsAck = true;
  readonly #session: AnySession;
  readonly #port: SessionPort;
  /** Whose inputs `read` staged: between it and `commit` the session may get another seat. */
  #staged: Seat | undefined;

  constructor(session: AnySession, port: SessionPort) {
    this.#session = session;
    this.#port = port;
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
    seat.inputs.commit(nowMs, seat.epoch, match.tick, this.#port.nextTickMs, this.#port.tickMs);
  }

  acked(sequence: number): void {
    this.#session.seat?.acked(sequence);
  }

  lost(sequence: number): void {
    this.#session.seat?.lost(sequence);
  }
}
