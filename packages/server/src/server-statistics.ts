// How the server's loop does, in numbers: a histogram of tick times and of lateness, beside the counters.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { GameShape, MessageDeclarations } from '@tickwire/protocol';
import type { SocketStatistics } from '@tickwire/protocol/udp';
import type { GameServer } from './game-server.ts';
import type { HostStatistics } from './host-statistics.ts';

/** Statistics of a server since its start. */
export interface ServerStatistics extends SocketStatistics, HostStatistics {
  /** Connected now. */
  readonly sessions: number;
  /** Sessions that have lost their connection and wait for their clients. */
  readonly away: number;
  /** Messages that did not fit their declaration; they were ignored. */
  readonly messagesMalformed: number;
  /** Messages, and values taken back, for which no handler was set; they are gone. */
  readonly messagesUnheard: number;
  readonly receiveBufferBytes: number;
  /** Datagrams by what became of them. */
  readonly verdicts: Readonly<Record<string, number>>;
}

/** Of a game server, in addition. */
export interface TickStatistics {
  readonly tickHz: number;
  readonly ticksRun: number;
  /** Ticks that were due and never run. */
  readonly ticksDropped: number;
  /** From a tick's start to its last datagram handed to the system, plus the receive work since the tick before. */
  readonly tickMsP50: number;
  readonly tickMsP99: number;
  /** How long after its due time a tick began. */
  readonly tickLateMsP50: number;
  readonly tickLateMsP99: number;
}

const MICROSECONDS = 1000;

/** Gathers tick times. */
export class TickMeter {
  #tickUs: RecordableHistogram = createHistogram();
  #lateUs: RecordableHistogram = createHistogram();
  #busyMs = 0;
  #ticks = 0;

  /** A tick began so late. */
  ticked(lateMs: number): void {
    this.#ticks++;
    this.#lateUs.record(Math.max(1, Math.round(lateMs * MICROSECONDS)));
  }

  /** The machine was advanced and drained, which took so long, receiving included. */
  pumped(busyMs: number): void {
    this.#busyMs += busyMs;
    if (this.#ticks === 0) return;
    const each = Math.max(1, Math.round((this.#busyMs / this.#ticks) * MICROSECONDS));
    for (let i = 0; i < this.#ticks; i++) this.#tickUs.record(each);
    this.#ticks = 0;
    this.#busyMs = 0;
  }

  read<S extends GameShape, M extends MessageDeclarations>(core: GameServer<S, M>): TickStatistics {
    return {
      tickHz: core.game.tickHz,
      ticksRun: core.ticksRun,
      ticksDropped: core.ticksDropped,
      tickMsP50: percentileMs(this.#tickUs, 50),
      tickMsP99: percentileMs(this.#tickUs, 99),
      tickLateMsP50: percentileMs(this.#lateUs, 50),
      tickLateMsP99: percentileMs(this.#lateUs, 99),
    };
  }
}

function percentileMs(histogram: RecordableHistogram, percent: number): number {
  return histogram.count === 0 ? 0 : histogram.percentile(percent) / MICROSECONDS;
}
