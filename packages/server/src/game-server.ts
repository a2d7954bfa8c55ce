// The whole server of a game as one machine: sessions, matches and the tick that drives them.
// Composition: what each part does stands in its own file.

import type { Game, GameShape, Machine, MessageDeclarations } from '@tickwire/protocol';
import { FixedStep } from './fixed-step.ts';
import { GameSession } from './game-session.ts';
import { Match, type MatchOptions } from './match.ts';
import type { SessionPlace, SessionPort } from './session.ts';
import { SessionServer, type SessionServerOptions } from './session-server.ts';

/** Options of {@link GameServer}. */
export interface GameServerOptions extends SessionServerOptions {
  /** Checks on the use of cursors that cost a little. Default false. */
  readonly development?: boolean;
  /** Told of every tick: how late it began. For measurement. */
  readonly onTick?: (lateMs: number) => void;
}

/** See the head of the file. */
export class GameServer<S extends GameShape, M extends MessageDeclarations>
  extends SessionServer<M, GameSession<M>>
  implements Machine
{
  readonly game: Game<S, M>;
  readonly #options: GameServerOptions;
  readonly #step: FixedStep;
  readonly #matches = new Set<Match<S, M>>();
  #nextMatchId = 1;
  #ticksRun = 0;

  constructor(game: Game<S, M>, options: GameServerOptions) {
    super(game, game.messages, options);
    this.game = game;
    this.#options = options;
    this.#step = new FixedStep(game.tickHz, options.nowMs);
  }

  get matches(): ReadonlySet<Match<S, M>> {
    return this.#matches;
  }

  get ticksRun(): number {
    return this.#ticksRun;
  }

  /** Ticks that were due and never run, because the process was too far behind. */
  get ticksDropped(): number {
    return this.#step.dropped;
  }

  createMatch(options: MatchOptions = {}): Match<S, M> {
    const seed = new Uint8Array(4);
    this.#options.crypto.randomBytes(seed);
    const match = new Match<S, M>(this.#nextMatchId++, this.game, options, {
      secretSeed: (seed[0]! | (seed[1]! << 8) | (seed[2]! << 16) | (seed[3]! << 24)) >>> 0,
      development: this.#options.development ?? false,
      guard: (session, where, call) => this.guard(session as never, where, call),
      tooSlow: (session) => this.endSession(session as never, 'overflow', ''),
      observe: (where, call) => this.#observe(where, call),
      stopped: (stopped, error) => {
        this.log('error', 'match-stopped', { match: stopped.id, error: error.message });
        this.report(error, 'simulate');
      },
    });
    this.#matches.add(match);
    return match;
  }

  /** Ends a match; its sessions stay connected. */
  removeMatch(match: Match<S, M>): void {
    for (const session of [...match.sessions]) match.remove(session);
    this.#matches.delete(match);
  }

  advance(nowMs: number): void {
    const due = this.#step.due(nowMs);
    if (due === 0) return;
    this.note(nowMs);
    this.host.advance(nowMs);
    for (let i = 0; i < due; i++) this.#tick(nowMs);
    this.settle(nowMs);
    for (const match of this.#matches) match.prepare();
    this.host.flush(nowMs);
  }

  wakeAt(): number {
    if (this.over) return Number.POSITIVE_INFINITY;
    return Math.min(this.#step.nextMs, this.host.wakeAt());
  }

  protected override createSession(place: SessionPlace, port: SessionPort): GameSession<M> {
    return new GameSession(place, this.messages, port, this.#step);
  }

  protected override waits(session: GameSession<M> | undefined): boolean {
    return session?.seat?.waits ?? false;
  }

  protected override resumed(session: GameSession<M>): void {
    session.match?.resume(session);
  }

  protected override ended(session: GameSession<M>): void {
    session.match?.remove(session);
  }

  #tick(nowMs: number): void {
    const lateMs = this.#step.take(nowMs);
    this.#ticksRun++;
    for (const match of this.#matches) match.step();
    this.#options.onTick?.(lateMs);
  }

  #observe(where: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.report(error as Error, where);
    }
  }
}
