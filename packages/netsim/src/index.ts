// Named exports: a seeded link, named conditions for it, a virtual-time world, and what its nodes are injected with.
export { SimulatedAddressBook, type SimulatedAddressOptions } from './addresses.ts';
export { simulatedCrypto } from './checksum-sealer.ts';
export { type Carrier, InFlight, type InFlightOptions, type Stall } from './in-flight.ts';
export { type Delivery, Fate, Link } from './link.ts';
export { type LinkCounters, zeroCounters } from './link-counters.ts';
export {
  type BurstLoss,
  HEADER_BYTES,
  type LinkOptions,
  type QueuePolicy,
  type ResolvedLink,
  resolveLink,
} from './link-options.ts';
export type { NodeClock, NodeCounters } from './node.ts';
export { type Condition, type ConditionName, preset, presets } from './presets.ts';
export { Prng } from './prng.ts';
export type { Datagram, DropReason, Tap } from './tap.ts';
export { type TimelineEvent, type TimelineFilter, Trace, TraceKind } from './trace.ts';
export { type Direction, World } from './world.ts';
export type { NodeOptions, WorldOptions } from './world-options.ts';
