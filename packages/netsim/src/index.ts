// Named exports: a seeded link, a virtual-time world, and what its nodes are injected with.
export { SimulatedAddressBook } from './addresses.ts';
export { simulatedCrypto } from './checksum-sealer.ts';
export { type Carrier, InFlight, type InFlightOptions } from './in-flight.ts';
export { type Delivery, Fate, HEADER_BYTES, Link, type LinkCounters } from './link.ts';
export {
  type BurstLoss,
  type LinkOptions,
  type ResolvedLink,
  resolveLink,
} from './link-options.ts';
export type { NodeClock, NodeCounters } from './node.ts';
export { Prng } from './prng.ts';
export type { Datagram, DropReason, Tap } from './tap.ts';
export { Trace, TraceKind } from './trace.ts';
export { World } from './world.ts';
export type { NodeOptions, WorldOptions } from './world-options.ts';
