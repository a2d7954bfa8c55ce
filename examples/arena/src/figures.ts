// Numbers of a run: sums from the processes turned into rates, shares and means over a stretch of time. Pure.

import type { BotFigures, ServerFigures } from './demo-messages.ts';

/** IPv4 or IPv6 and UDP headers, counted for each datagram. */
const HEADER_BYTES = 28;

/** What all processes said last. */
export interface Figures {
  readonly atMs: number;
  readonly server: ServerFigures;
  readonly bots: BotFigures;
}

/** What happened from one moment to another, and how things stand at the later one. */
export interface Rates {
  readonly seconds: number;
  readonly ticksRun: number;
  /** Since the start. */
  readonly ticksDropped: number;
  readonly tickMsP50: number;
  readonly tickMsP99: number;
  readonly tickLateMsP99: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Both directions, headers included. */
  readonly bytesPerClientPerSecond: number;
  readonly rttMsMean: number;
  readonly slackMsMean: number;
  readonly lossUpPct: number;
  readonly lossDownPct: number;
  readonly inputsMissingPct: number;
  readonly rollbacksPerClientPerSecond: number;
  readonly correctionMeanUnits: number;
  readonly interpolationStarvedPct: number;
}

/** Figures of several processes of bots as if they were one. */
export function addBotFigures(parts: readonly BotFigures[]): BotFigures {
  const sum = (of: (part: BotFigures) => number) => parts.reduce((all, part) => all + of(part), 0);
  return {
    bots: sum((part) => part.bots),
    rttMs: sum((part) => part.rttMs),
    slackMs: sum((part) => part.slackMs),
    packetsAcked: sum((part) => part.packetsAcked),
    packetsLost: sum((part) => part.packetsLost),
    rollbacks: sum((part) => part.rollbacks),
    movedUnits: sum((part) => part.movedUnits),
    moves: sum((part) => part.moves),
    starvedTicks: sum((part) => part.starvedTicks),
    viewedTicks: sum((part) => part.viewedTicks),
    baselineMissing: sum((part) => part.baselineMissing),
  };
}

/** See {@link Rates}. */
export function ratesBetween(before: Figures, after: Figures): Rates {
  const seconds = (after.atMs - before.atMs) / 1000;
  const server = (of: (figures: ServerFigures) => number) => of(after.server) - of(before.server);
  const bots = (of: (figures: BotFigures) => number) => of(after.bots) - of(before.bots);
  const { ticksDropped, tickMsP50, tickMsP99, tickLateMsP99 } = after.server;
  const packetsIn = server((s) => s.datagramsIn);
  const packetsOut = server((s) => s.datagramsOut);
  const bytesIn = server((s) => s.bytesIn);
  const bytesOut = server((s) => s.bytesOut);
  const headers = (packetsIn + packetsOut) * HEADER_BYTES;
  const clientSeconds = after.bots.bots * seconds;
  return {
    seconds,
    ticksRun: server((s) => s.ticksRun),
    ticksDropped,
    tickMsP50,
    tickMsP99,
    tickLateMsP99,
    packetsIn,
    packetsOut,
    bytesIn,
    bytesOut,
    bytesPerClientPerSecond: ratio(bytesIn + bytesOut + headers, clientSeconds),
    rttMsMean: ratio(after.bots.rttMs, after.bots.bots),
    slackMsMean: ratio(after.bots.slackMs, after.bots.bots),
    lossUpPct: sharePct(
      bots((b) => b.packetsLost),
      bots((b) => b.packetsAcked),
    ),
    lossDownPct: sharePct(
      server((s) => s.packetsLost),
      server((s) => s.packetsAcked),
    ),
    inputsMissingPct: sharePct(
      server((s) => s.inputsMissing),
      server((s) => s.inputsReal),
    ),
    rollbacksPerClientPerSecond: ratio(
      bots((b) => b.rollbacks),
      clientSeconds,
    ),
    correctionMeanUnits: ratio(
      bots((b) => b.movedUnits),
      bots((b) => b.moves),
    ),
    interpolationStarvedPct:
      100 *
      ratio(
        bots((b) => b.starvedTicks),
        bots((b) => b.viewedTicks),
      ),
  };
}

/** One line for people. */
export function describeRates(rates: Rates, players: number): string {
  const perSecond = (count: number) => Math.round(ratio(count, rates.seconds));
  const { tickMsP50, tickMsP99, tickLateMsP99, lossUpPct, lossDownPct } = rates;
  return [
    `tick ${tickMsP50.toFixed(1)}/${tickMsP99.toFixed(1)} ms, late ${tickLateMsP99.toFixed(1)} ms`,
    `${players} players`,
    `${perSecond(rates.packetsIn)} in ${perSecond(rates.packetsOut)} out packets/s`,
    `${(rates.bytesPerClientPerSecond / 1000).toFixed(1)} kB/s a client`,
    `rtt ${rates.rttMsMean.toFixed(0)} ms`,
    `loss ${lossUpPct.toFixed(1)}/${lossDownPct.toFixed(1)} %`,
    `slack ${rates.slackMsMean.toFixed(0)} ms`,
    `rollbacks ${rates.rollbacksPerClientPerSecond.toFixed(2)}/s`,
    `correction ${rates.correctionMeanUnits.toFixed(3)}`,
  ].join(' | ');
}

function ratio(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

function sharePct(part: number, rest: number): number {
  return 100 * ratio(part, part + rest);
}
