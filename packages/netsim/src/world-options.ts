// What a world can be told, its defaults, and the one place that checks it.

import { TickwireError } from '@tickwire/protocol';
import type { LinkOptions } from './link-options.ts';
import type { NodeClock } from './node.ts';
import { type TimelineFilter, withoutWakes } from './trace.ts';

/** Options of a {@link World}. */
export interface WorldOptions {
  /** Decides every chance in the world. */
  seed: number;
  /** The link of every client, each direction, unless something below says otherwise. Default: delivers at once. */
  link?: LinkOptions | undefined;
  /** The link from every client, unless its node says otherwise. Default: `link`. */
  linkUp?: LinkOptions | undefined;
  /** The link to every client, unless its node says otherwise. Default: `link`. */
  linkDown?: LinkOptions | undefined;
  /** Datagrams a node takes in a turn, as a socket hands over a batch. Default 32. */
  receiveTurnDatagrams?: number | undefined;
  /** Time from one turn of a node to its next, in ms. Default 1. */
  receiveTurnMs?: number | undefined;
  /** Datagrams that wait at a node, as in a socket's buffer; the next is dropped. Default 256. */
  receiveQueueDatagrams?: number | undefined;
  /** Datagrams under way in the whole world at most; the next is dropped. Default 8192. */
  inFlightDatagrams?: number | undefined;
  /** Largest datagram in bytes; a larger one is dropped. Default 1500. */
  datagramBytes?: number | undefined;
  /** World time at the start, in ms. Default 0. */
  startMs?: number | undefined;
  /** Last events kept as readable text in the trace. Default 0. */
  timelineLines?: number | undefined;
  /** Which events those are; the digest is of all. Default: all but wakes. */
  timelineFilter?: TimelineFilter | undefined;
}

/** Options of one node of a {@link World}. */
export interface NodeOptions extends NodeClock {
  /** The link from this node, with nothing taken from the world's. Default: the world's `linkUp`. */
  linkUp?: LinkOptions | undefined;
  /** The link to this node, with nothing taken from the world's. Default: the world's `linkDown`. */
  linkDown?: LinkOptions | undefined;
  /** Servers have no link of their own: what passes between them and a client passes the client's. Default: only the first node is one. */
  server?: boolean | undefined;
}

/** {@link WorldOptions} after checking, with every default filled in. */
export interface ResolvedWorld {
  readonly seed: number;
  readonly linkUp: LinkOptions;
  readonly linkDown: LinkOptions;
  readonly receiveTurnDatagrams: number;
  readonly receiveTurnMs: number;
  readonly receiveQueueDatagrams: number;
  readonly inFlightDatagrams: number;
  readonly datagramBytes: number;
  readonly startMs: number;
  readonly timelineLines: number;
  readonly timelineFilter: TimelineFilter;
}

/** Checks and completes world options. @throws TickwireError `option-invalid`, naming the option. */
export function resolveWorld(options: WorldOptions): ResolvedWorld {
  return {
    seed: check('seed', options.seed, Number.isFinite(options.seed)),
    linkUp: options.linkUp ?? options.link ?? {},
    linkDown: options.linkDown ?? options.link ?? {},
    receiveTurnDatagrams: count('receiveTurnDatagrams', options.receiveTurnDatagrams ?? 32, 1),
    receiveTurnMs: positive('receiveTurnMs', options.receiveTurnMs ?? 1),
    receiveQueueDatagrams: count('receiveQueueDatagrams', options.receiveQueueDatagrams ?? 256, 1),
    inFlightDatagrams: count('inFlightDatagrams', options.inFlightDatagrams ?? 8192, 1),
    datagramBytes: count('datagramBytes', options.datagramBytes ?? 1500, 1),
    startMs: check('startMs', options.startMs ?? 0, Number.isFinite(options.startMs ?? 0)),
    timelineLines: count('timelineLines', options.timelineLines ?? 0, 0),
    timelineFilter: options.timelineFilter ?? withoutWakes,
  };
}

function count(name: string, value: number, low: number): number {
  return check(name, value, Number.isInteger(value) && value >= low && value <= 1 << 20);
}

function positive(name: string, value: number): number {
  return check(name, value, Number.isFinite(value) && value > 0);
}

function check(name: string, value: number, good: boolean): number {
  if (good) return value;
  throw new TickwireError(
    'option-invalid',
    `world option ${name} is ${value}, which is out of range`,
  );
}
