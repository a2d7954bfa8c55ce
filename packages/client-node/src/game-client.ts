// The whole client of a game as one machine: the connection, the match it is in, messages. A bot is this machine.
// Composition: what a place in a match is made of stands in client-match.ts.

import {
  type ChannelPlan,
  createView,
  eventLimits,
  type FieldValues,
  type Game,
  GameChannel,
  GamePriority,
  type GameShape,
  type Machine,
  MatchEventReader,
  type MessageDeclarations,
  ReliableOrderedChannel,
  Table,
  TickwireError,
  type ViewFace,
} from '@tickwire/protocol';
import { ClientMatch } from './client-match.ts';
import { type ClientStatistics, collectStatistics } from './client-statistics.ts';
import type { EffectPhase } from './effect-ledger.ts';
import type { Rollback } from './prediction.ts';
import {
  SessionClient,
  type SessionClientOptions,
  type SessionHandlers,
} from './session-client.ts';
import { StateChannel } from './state-channel.ts';

/** Options of {@link GameClient}. */
export interface GameClientOptions<I> extends SessionClientOptions {
  /**
   * Fills in the input of a tick, in place. `out` keeps its values from tick to tick, except that edges go back
   * to false once they were sampled; it is the same object as `client.input`.
   */
  readonly sampleInput?: (tick: number, out: I) => void;
  /** Checks on the use of cursors that cost a little. Default false. */
  readonly development?: boolean;
}

type EffectCallback = (entity: number, payload: never, phase: EffectPhase, tick: number) => void;

/** Settable callbacks; each has one handler. */
interface GameHandlers extends SessionHandlers {
  enter: () => void;
  leave: () => void;
  tick: (tick: number) => void;
  confirmed: (tick: number, whole: boolean) => void;
  rollback: (rollback: Rollback) => void;
  resync: (tick: number) => void;
}

/** Nobody listens yet. */
function silence(): GameHandlers {
  return {
    connected: () => {},
    end: () => {},
    enter: () => {},
    leave: () => {},
    tick: () => {},
    confirmed: () => {},
    rollback: () => {},
    resync: () => {},
  };
}

/** See the head of the file. */
export class GameClient<S extends GameShape, M extends MessageDeclarations>
  extends SessionClient<M, GameHandlers>
  implements Machine
{
  readonly game: Game<S, M>;
  /** The input that the next tick will sample; set edges here when keys are pressed. */
  readonly input: FieldValues<S['input']>;
  readonly #options: GameClientOptions<FieldValues<S['input']>>;
  readonly #events: ReliableOrderedChannel;
  #eventsMalformed = 0;
  readonly #effectHandlers: (EffectCallback | undefined)[];
  /** What is shown outside of a match. */
  readonly #nothing: ViewFace<S['archetypes']>;
  #match: ClientMatch<S> | undefined;
  #nextFlushMs: number;

  constructor(game: Game<S, M>, options: GameClientOptions<FieldValues<S['input']>>) {
    super(game, game.messages, options, silence());
    this.game = game;
    this.#options = options;
    this.#nextFlushMs = options.nowMs;
    this.input = game.createInput();
    this.#nothing = createView(
      game,
      game.layouts.map((layout) => new Table(layout)),
    );
    this.#effectHandlers = game.effectKinds.map(() => undefined);
    const reader = this.#createEventReader();
    this.#events = new ReliableOrderedChannel(eventLimits, (bytes, start, end) => {
      if (!reader.read(bytes, start, end)) this.#eventsMalformed++;
    });
  }

  /** The place in a match, undefined outside of one. */
  get match(): ClientMatch<S> | undefined {
    return this.#match;
  }

  /** Messages and match events from the server that did not fit their declaration. */
  override get messagesMalformed(): number {
    return super.messagesMalformed + this.#eventsMalformed;
  }

  /** Ids of the rows it owns, as last confirmed. */
  get owned(): number[] {
    const ids: number[] = [];
    for (const table of this.#match?.world.tables ?? []) {
      for (let i = 0; i < table.activeCount; i++) ids.push(table.ids[table.active[i]!]!);
    }
    return ids;
  }

  override get statistics(): ClientStatistics {
    return { ...super.statistics, ...collectStatistics(this.connection, this.#match) };
  }

  /** Everything as it should be shown now; without rows outside of a match. Good until the next call. */
  view(nowMs: number): ViewFace<S['archetypes']> {
    return this.#match?.view(nowMs) ?? this.#nothing;
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

  advance(nowMs: number): void {
    this.settle(nowMs);
    if (this.ended !== undefined) return;
    const ticks = this.#advanceMatch(nowMs);
    const idle = this.#match === undefined && nowMs >= this.#nextFlushMs;
    if (ticks > 0 || idle || this.dialer.wakeAt() <= nowMs) this.#flush(nowMs);
  }

  wakeAt(): number {
    const settlesAt = this.settlesAt();
    if (this.ended !== undefined || this.connection === undefined) return settlesAt;
    return Math.min(settlesAt, this.#match?.wakeAt() ?? this.#nextFlushMs);
  }

  protected override left(): void {
    this.#match = undefined;
  }

  protected override plans(): readonly ChannelPlan[] {
    const state = new StateChannel(() => this.#match, this.#guardReceive);
    return [
      { id: GameChannel.events, channel: this.#events, priority: GamePriority.events },
      { id: GameChannel.state, channel: state, priority: GamePriority.state },
      ...super.plans(),
    ];
  }

  #advanceMatch(nowMs: number): number {
    try {
      return this.#match?.advance(nowMs) ?? 0;
    } catch (error) {
      this.fail(error as Error, 'simulate');
      return 0;
    }
  }

  #flush(nowMs: number): void {
    this.#nextFlushMs = nowMs + 1000 / this.game.tickHz;
    this.dialer.flush(nowMs);
  }

  readonly #guardReceive = (call: () => void): void => this.guard('simulate', call);

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
          this.guard('handler', () =>
            this.#effectHandlers[kind]?.(entity, payload as never, phase, t),
          ),
        roundTripMs: () => this.connection?.rtt.smoothedMs ?? 0,
        lossShare: () => this.connection?.lossShare ?? 0,
        ticked: (t) => this.handlers.tick(t),
        confirmed: (t, whole) => this.handlers.confirmed(t, whole),
        rolledBack: (rollback) => this.handlers.rollback(rollback),
        resynchronised: (t) => this.handlers.resync(t),
      },
    );
    this.#match = match;
    match.start(this.nowMs, tick, this.connection?.rtt.smoothedMs ?? 0);
    this.guard('handler', this.handlers.enter);
  }

  /** A throw is told apart from one in simulate; it ends the connection all the same. */
  #sampleInput(tick: number): void {
    try {
      this.#options.sampleInput?.(tick, this.input);
    } catch (error) {
      this.fail(error as Error, 'sampleInput');
    }
  }

  #leave(): void {
    this.#match = undefined;
    this.guard('handler', this.handlers.leave);
  }
}
