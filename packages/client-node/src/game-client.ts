// The whole client as one machine: the connection, the match it is in, messages. A bot is this machine.
// Composition: what a place in a match is made of stands in client-match.ts.

import {
  type Channel,
  type Connection,
  type Crypto,
  createView,
  type Destination,
  type EndReason,
  type FieldValues,
  type Game,
  GameChannel,
  type GameShape,
  type Machine,
  MatchEventReader,
  MESSAGE_BYTES_MAX,
  type MessageDeclarations,
  type MessageValue,
  ReliableOrderedChannel,
  type SendResult,
  Table,
  TickwireError,
  type Verdict,
  type ViewFace,
} from '@tickwire/protocol';
import { ClientMatch } from './client-match.ts';
import { type ClientStatistics, collectStatistics } from './client-statistics.ts';
import { Dialer } from './dialer.ts';
import type { EffectPhase } from './effect-ledger.ts';
import type { Rollback } from './prediction.ts';
import { StateChannel } from './state-channel.ts';

/** Options of {@link GameClient}. */
export interface GameClientOptions<I> {
  readonly crypto: Crypto;
  /** Opaque address of the server. */
  readonly server: number;
  readonly nowMs: number;
  /**
   * Fills in the input of a tick, in place. `out` keeps its values from tick to tick, except that edges go back
   * to false once they were sampled; it is the same object as `client.input`.
   */
  readonly sampleInput?: (tick: number, out: I) => void;
  /** Checks on the use of cursors that cost a little. Default false. */
  readonly development?: boolean;
  /** What user code throws; `where`: 'simulate', 'sampleInput', 'handler'. The connection then ends with 'error'. */
  readonly onError?: (error: Error, where: string) => void;
  /** No accept for so long: unreachable. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** No packet for so long ends the connection. Default 10 s. */
  readonly timeoutMs?: number;
}

/** Messages that wait for a handler to be set, all names together. */
const EARLY_MESSAGES_MAX = 64;

type EffectCallback = (entity: number, payload: never, phase: EffectPhase, tick: number) => void;

/** Settable callbacks; each has one handler. */
interface Handlers {
  connected: () => void;
  enter: () => void;
  leave: () => void;
  end: (reason: EndReason, text: string, remote: boolean) => void;
  tick: (tick: number) => void;
  confirmed: (tick: number, whole: boolean) => void;
  rollback: (rollback: Rollback) => void;
  resync: (tick: number) => void;
}

/** See the head of the file. */
export class GameClient<S extends GameShape, M extends MessageDeclarations> implements Machine {
  readonly game: Game<S, M>;
  /** The input that the next tick will sample; set edges here when keys are pressed. */
  readonly input: FieldValues<S['input']>;
  readonly #options: GameClientOptions<FieldValues<S['input']>>;
  readonly #dialer: Dialer;
  readonly #events: ReliableOrderedChannel;
  readonly #messages: ReliableOrderedChannel;
  readonly #scratch = new Uint8Array(MESSAGE_BYTES_MAX);
  readonly #effectHandlers: (EffectCallback | undefined)[];
  /** Messages that came before their handler. */
  #early: { readonly name: string; readonly value: unknown }[] = [];
  #messagesUnheard = 0;
  #messagesMalformed = 0;
  readonly #messageHandlers = new Map<string, (message: never) => void>();
  readonly #handlers: Handlers = {
    connected: () => {},
    enter: () => {},
    leave: () => {},
    end: () => {},
    tick: () => {},
    confirmed: () => {},
    rollback: () => {},
    resync: () => {},
  };
  /** What is shown outside of a match. */
  readonly #nothing: ViewFace<S['archetypes']>;
  #match: ClientMatch<S> | undefined;
  #ended: EndReason | undefined;
  #nextFlushMs: number;
  #nowMs: number;

  constructor(game: Game<S, M>, options: GameClientOptions<FieldValues<S['input']>>) {
    this.game = game;
    this.#options = options;
    this.#nowMs = options.nowMs;
    this.#nextFlushMs = options.nowMs;
    this.input = game.createInput();
    this.#nothing = createView(
      game,
      game.layouts.map((layout) => new Table(layout)),
    );
    this.#effectHandlers = game.effectKinds.map(() => undefined);
    const reader = this.#createEventReader();
    this.#events = new ReliableOrderedChannel((bytes, start, end) => {
      if (!reader.read(bytes, start, end)) this.#messagesMalformed++;
    });
    this.#messages = new ReliableOrderedChannel((bytes, start, end) =>
      this.#message(bytes, start, end),
    );
    const { crypto, server, nowMs, connectTimeoutMs, timeoutMs } = options;
    this.#dialer = new Dialer({
      game,
      crypto,
      server,
      nowMs,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      sink: {
        channels: () => this.#channels(),
        opened: () => this.#guard('handler', this.#handlers.connected),
        closed: (reason, text, remote) => this.#closed(reason, text, remote),
      },
    });
  }

  /** The place in a match, undefined outside of one. */
  get match(): ClientMatch<S> | undefined {
    return this.#match;
  }

  get connection(): Connection | undefined {
    return this.#dialer.connection;
  }

  /** Why it ended, undefined while connecting or connected. */
  get ended(): EndReason | undefined {
    return this.#ended;
  }

  /** Ended, and the peer has been told or given up: nothing more will be sent. */
  get over(): boolean {
    return this.#dialer.over;
  }

  /** Ids of the rows it owns, as last confirmed. */
  get owned(): number[] {
    const ids: number[] = [];
    for (const table of this.#match?.world.tables ?? []) {
      for (let i = 0; i < table.activeCount; i++) ids.push(table.ids[table.active[i]!]!);
    }
    return ids;
  }

  get statistics(): ClientStatistics {
    return collectStatistics(this.#dialer.connection, this.#match);
  }

  /** Everything as it should be shown now; without rows outside of a match. Good until the next call. */
  view(nowMs: number): ViewFace<S['archetypes']> {
    return this.#match?.view(nowMs) ?? this.#nothing;
  }

  /**
   * Sends a message, reliably and in order. 'full': the server is behind, see {@link onWritable}.
   * Throws 'message-invalid' when the value does not fit the declaration.
   */
  send<K extends keyof M & string>(name: K, value: MessageValue<M[K]>): SendResult {
    if (this.#ended !== undefined) return 'closed';
    const { messages } = this.game;
    const length = messages.encode(name, value, this.#scratch, 0, this.#scratch.length);
    return length < 0 ? 'too-large' : this.#messages.send(this.#scratch, 0, length);
  }

  /** Calls once, when after a 'full' there is room again. */
  onWritable(callback: () => void): void {
    this.#messages.onWritable(() => this.#guard('handler', callback));
  }

  /** One handler for each name. What came before there was one is handed over at once, up to 64 messages. */
  onMessage<K extends keyof M & string>(name: K, handler: (m: MessageValue<M[K]>) => void): void {
    this.#messageHandlers.set(name, handler as (message: never) => void);
    const early = this.#early.filter((message) => message.name === name);
    this.#early = this.#early.filter((message) => message.name !== name);
    for (const { value } of early) this.#guard('handler', () => handler(value as never));
  }

  /** Messages and match events from the server that did not fit their declaration. */
  get messagesMalformed(): number {
    return this.#messagesMalformed;
  }

  /** Messages without a handler that were too many to be kept. */
  get messagesUnheard(): number {
    return this.#messagesUnheard;
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
    const kind = this.game.effectKinds.find((effect) => effect.name === name);
    if (kind === undefined) {
      throw new TickwireError('effect-unknown', `the game has no effect '${name}'`);
    }
    this.#effectHandlers[kind.index] = handler as unknown as EffectCallback;
  }

  /** Sets what is called; one handler each. */
  on<K extends keyof Handlers>(event: K, handler: Handlers[K]): void {
    this.#handlers[event] = handler;
  }

  /** Ends the connection. */
  close(nowMs: number, text = ''): void {
    this.#dialer.close(nowMs, 'closed', text);
  }

  /** Gives up, with a reason of the shell's. */
  abort(nowMs: number, reason: EndReason): void {
    this.#dialer.close(nowMs, reason, '');
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    this.#nowMs = nowMs;
    return this.#dialer.receive(nowMs, bytes, start, end, from);
  }

  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#dialer.advance(nowMs);
    if (this.#ended !== undefined) return;
    const ticks = this.#advanceMatch(nowMs);
    const idle = this.#match === undefined && nowMs >= this.#nextFlushMs;
    if (ticks > 0 || idle || this.#dialer.wakeAt() <= nowMs) this.#flush(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    return this.#dialer.poll(nowMs, out, start, to);
  }

  wakeAt(): number {
    const dialer = this.#dialer.wakeAt();
    if (this.#ended !== undefined || this.#dialer.connection === undefined) return dialer;
    return Math.min(dialer, this.#match?.wakeAt() ?? this.#nextFlushMs);
  }

  #advanceMatch(nowMs: number): number {
    try {
      return this.#match?.advance(nowMs) ?? 0;
    } catch (error) {
      this.#fail(error as Error, 'simulate');
      return 0;
    }
  }

  #flush(nowMs: number): void {
    this.#nextFlushMs = nowMs + 1000 / this.game.tickHz;
    this.#dialer.flush(nowMs);
  }

  #channels(): readonly (readonly [id: number, channel: Channel])[] {
    return [
      [GameChannel.events, this.#events],
      [GameChannel.state, new StateChannel(() => this.#match, this.#guardReceive)],
      [GameChannel.messages, this.#messages],
    ];
  }

  readonly #guardReceive = (call: () => void): void => this.#guard('simulate', call);

  #createEventReader(): MatchEventReader {
    const kinds = this.game.effectKinds.map((kind) => kind.fields);
    return new MatchEventReader(kinds, {
      enter: (epoch, tick, seed) => this.#enter(epoch, tick, seed),
      leave: (epoch) => {
        if (this.#match?.epoch === epoch) this.#leave();
      },
      effect: (epoch, tick, kind, entity, n, values) => {
        if (this.#match?.epoch === epoch) {
          this.#match.effects.confirmed(kind, tick, entity, n, values);
        }
      },
    });
  }

  #enter(epoch: number, tick: number, seed: number): void {
    if (this.#match !== undefined) this.#leave();
    const development = this.#options.development ?? false;
    const match = new ClientMatch<S>(
      this.game as Game<S>,
      epoch,
      seed,
      development,
      this.input as Record<string, number | boolean>,
      {
        sampleInput: (t) => this.#sampleInput(t),
        effect: (kind, entity, payload, phase, t) =>
          this.#guard('handler', () =>
            this.#effectHandlers[kind]?.(entity, payload as never, phase, t),
          ),
        roundTripMs: () => this.#dialer.connection?.rtt.smoothedMs ?? 0,
        lossShare: () => this.#dialer.connection?.lossShare ?? 0,
        ticked: (t) => this.#handlers.tick(t),
        confirmed: (t, whole) => this.#handlers.confirmed(t, whole),
        rolledBack: (rollback) => this.#handlers.rollback(rollback),
        resynchronised: (t) => this.#handlers.resync(t),
      },
    );
    this.#match = match;
    match.start(this.#nowMs, tick, this.#dialer.connection?.rtt.smoothedMs ?? 0);
    this.#guard('handler', this.#handlers.enter);
  }

  /** A throw is told apart from one in simulate; it ends the connection all the same. */
  #sampleInput(tick: number): void {
    try {
      this.#options.sampleInput?.(tick, this.input);
    } catch (error) {
      this.#fail(error as Error, 'sampleInput');
    }
  }

  #leave(): void {
    this.#match = undefined;
    this.#guard('handler', this.#handlers.leave);
  }

  #message(bytes: Uint8Array, start: number, end: number): void {
    const message = this.game.messages.decode(bytes, start, end);
    if (message === undefined) {
      this.#messagesMalformed++;
      return;
    }
    const handler = this.#messageHandlers.get(message.name);
    if (handler !== undefined) this.#guard('handler', () => handler(message.value as never));
    else if (this.#early.length < EARLY_MESSAGES_MAX) this.#early.push(message);
    else this.#messagesUnheard++;
  }

  #closed(reason: EndReason, text: string, remote: boolean): void {
    this.#ended = reason;
    this.#match = undefined;
    this.#guard('handler', () => this.#handlers.end(reason, text, remote));
  }

  /** User code: a throw ends the connection and is reported, never thrown into the shell. */
  #guard(where: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#fail(error as Error, where);
    }
  }

  #fail(error: Error, where: string): void {
    this.#options.onError?.(error, where);
    this.#dialer.close(this.#nowMs, 'error', '');
  }
}
