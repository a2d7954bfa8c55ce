// What `connect` gives: a client that runs on its socket, with all that may be done to it from outside.

import type {
  EndReason,
  FieldValues,
  GameShape,
  Machine,
  MessageDeclarations,
  MessageValue,
  SendResult,
  ViewFace,
} from '@tickwire/protocol';
import type { MachineDriver } from '@tickwire/protocol/udp';
import { writeResumeState } from './credential-options.ts';
import type { EffectPhase } from './effect-ledger.ts';
import type { GameClient } from './game-client.ts';
import type { MessageClient } from './message-client.ts';
import type { Rollback } from './prediction.ts';
import type { CloseOptions, SessionClient } from './session-client.ts';

/** A machine on its socket. `closed` resolves when the connection is over and the socket closed. */
export interface Running<C> {
  readonly core: C;
  readonly driver: MachineDriver;
  readonly closed: Promise<void>;
}

/** A connected client, as far as it is the same with a game and without. */
export class ConnectedClient<
  M extends MessageDeclarations,
  // biome-ignore lint/suspicious/noExplicitAny: whatever else can be listened to
  C extends SessionClient<M, any> & Machine,
> {
  /** The machine inside, for what this class does not offer. */
  readonly core: C;
  readonly #driver: MachineDriver;
  readonly #closed: Promise<void>;

  constructor({ core, driver, closed }: Running<C>) {
    this.core = core;
    this.#driver = driver;
    this.#closed = closed;
  }

  /** What it measures. */
  get statistics(): C['statistics'] {
    return this.core.statistics;
  }

  /**
   * Sends a message through the channel that carries it. 'full': the server is behind, see {@link onWritable};
   * 'too-large': it will never fit; 'closed': the connection has ended or is about to.
   */
  send<K extends keyof M & string>(name: K, value: MessageValue<M[K]>): SendResult {
    return this.core.send(name, value);
  }

  /** Takes back a value of a reliable-latest channel; the server's `onForget` hears of it. */
  forget(name: keyof M & string, key: number): SendResult {
    return this.core.forget(name, key);
  }

  /** Calls once, when after a 'full' at most half of the channel's queue is in use again. */
  onWritable(callback: () => void, channel = 'main'): void {
    this.core.onWritable(callback, channel);
  }

  /** One handler for each name. What came before there was one is handed over at once, up to 64 messages. */
  onMessage<K extends keyof M & string>(name: K, handler: (m: MessageValue<M[K]>) => void): void {
    this.core.onMessage(name, handler);
  }

  /** Called when the server has taken back a value of a reliable-latest channel. */
  onForget(name: keyof M & string, handler: (key: number) => void): void {
    this.core.onForget(name, handler);
  }

  /**
   * What `connect` takes as `resume` to have this session's seat again, in this process or in another, as long as the
   * server keeps it. It changes with every resume, so ask anew after each; whoever has it can take the seat. Undefined
   * once there is nothing to resume.
   */
  resumeState(): string | undefined {
    const keys = this.core.resumeState();
    return keys && writeResumeState(keys);
  }

  /** Called once when the connection is over; at once, if it is. */
  onEnd(handler: (reason: EndReason, text: string) => void): void {
    this.core.on('end', handler);
    if (this.core.ended !== undefined) handler(this.core.ended, this.core.endText);
  }

  /**
   * Ends the connection once what is queued on reliable channels has arrived, or the grace is over; the server is told
   * 'closed' and the text. Resolves when it knows, or has been given up.
   */
  close(text = '', options: CloseOptions = {}): Promise<void> {
    this.core.close(this.#driver.nowMs(), text, options);
    this.#driver.pump();
    return this.#closed;
  }
}

/** A client of messages alone. */
export type MessagingClient<M extends MessageDeclarations> = ConnectedClient<M, MessageClient<M>>;

/** A client of a game. */
export class Client<S extends GameShape, M extends MessageDeclarations> extends ConnectedClient<
  M,
  GameClient<S, M>
> {
  /** The input that the next tick will sample; set edges here when keys are pressed. */
  get input(): FieldValues<S['input']> {
    return this.core.input;
  }

  /** Ids of its own rows. */
  get owned(): readonly number[] {
    return this.core.owned;
  }

  /**
   * Everything as it should be shown at `nowMs` (performance.now()): others interpolated, own rows predicted and
   * smoothed. Rows are good until the next call. Empty outside of a match.
   */
  view(nowMs: number): ViewFace<S['archetypes']> {
    return this.core.view(nowMs);
  }

  /** Own effects come as 'predicted', then 'confirmed' or 'cancelled'; those of others as 'confirmed'. */
  onEffect<K extends keyof S['effects'] & string>(
    name: K,
    handler: (
      entity: number,
      payload: FieldValues<S['effects'][K]>,
      phase: EffectPhase,
      tick: number,
    ) => void,
  ): void {
    this.core.onEffect(name, handler);
  }

  /** Called with every rollback: where prediction and server differed. */
  onRollback(handler: (rollback: Rollback) => void): void {
    this.core.on('rollback', handler);
  }

  /** Called after a tick was predicted for the first time. */
  onTick(handler: (tick: number) => void): void {
    this.core.on('tick', handler);
  }

  /** Called when it has a place in a match; at once, if it has one already. */
  onEnter(handler: () => void): void {
    this.core.on('enter', handler);
    if (this.core.match !== undefined) handler();
  }

  onLeave(handler: () => void): void {
    this.core.on('leave', handler);
  }
}
