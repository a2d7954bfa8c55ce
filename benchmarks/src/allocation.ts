// A process of its own, started by suites/allocation.ts with a young generation so large that nothing is ever
// collected: then the heap's growth is what was allocated. Counts what a connection allocates for a packet,
// from `send` to the other side's sink, over 10^6 packets of optimised code.

import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { DATAGRAM_BYTES_MAX } from '@tickwire/protocol';
import { ConnectionPair, type MessageKind, PlainSealer } from './connection-pair.ts';

/** What the packets carry. Travels as JSON in the process's first argument. */
export interface AllocationLoad {
  readonly kind: MessageKind;
  readonly upBytes: number;
  readonly downBytes: number;
}

/** Bytes per packet. */
export interface AllocationResult {
  readonly bytesPerPacket: number;
  /** The same with 16 bytes planted in every packet, above `bytesPerPacket`. */
  readonly plantedBytes: number;
  /** What the bench's own loop shows without packets. */
  readonly noiseFloorBytes: number;
  readonly packets: number;
  /** Collections while counting; any makes the count worthless. */
  readonly collections: number;
}

const PACKETS = 1_000_000;
const WARM_UP_PACKETS = 300_000;
/** A batch is one packet of each, all in one direction, under one reading of the clock. */
const PAIRS = 50;
const BATCH_MS = 1000 / 120;

const load: AllocationLoad = JSON.parse(process.argv[2] ?? '');
const pairs = Array.from({ length: PAIRS }, () => new ConnectionPair(new PlainSealer(), load.kind));
const upPayload = new Uint8Array(load.upBytes);
const downPayload = new Uint8Array(load.downBytes);
const datagram = new Uint8Array(DATAGRAM_BYTES_MAX * 2);
/** Connections must not see the time pass in which they do nothing. */
const busyClock = new Float64Array(1);
const idleClock = new Float64Array(1);
/** An array of anything: a fraction put into it becomes a number on the heap, 16 bytes. */
const box: unknown[] = [{}];

let upward = false;

function carryAll(nowMs: number): void {
  upward = !upward;
  for (let i = 0; i < PAIRS; i++) {
    const { client, server } = pairs[i]!;
    if (upward) client.carry(nowMs, upPayload, datagram, server);
    else server.carry(nowMs, downPayload, datagram, client);
  }
}

function plantAll(nowMs: number): void {
  carryAll(nowMs);
  for (let i = 0; i < PAIRS; i++) box[0] = nowMs + i + 0.5;
}

function idle(): void {}

/** Heap growth while `packets` packets' batches ran, bytes. */
function grow(packets: number, batch: (nowMs: number) => void): number {
  const clock = batch === idle ? idleClock : busyClock;
  const before = getHeapStatistics().used_heap_size;
  for (let packet = 0; packet < packets; packet += PAIRS) {
    clock[0]! += BATCH_MS;
    batch(clock[0]!);
  }
  return getHeapStatistics().used_heap_size - before;
}

const batches = [idle, carryAll, plantAll];
for (const batch of batches) grow(WARM_UP_PACKETS, batch);

let collections = 0;
const observer = new PerformanceObserver((list) => {
  collections += list.getEntries().length;
});
observer.observe({ entryTypes: ['gc'] });
const [floor, carried, planted] = batches.map((batch) => grow(PACKETS, batch) / PACKETS) as [
  number,
  number,
  number,
];
// Entries reach the observer in a later turn of the event loop.
setTimeout(() => {
  const result: AllocationResult = {
    bytesPerPacket: carried - floor,
    plantedBytes: planted - carried,
    noiseFloorBytes: floor,
    packets: PACKETS,
    collections,
  };
  process.send!(result);
  observer.disconnect();
}, 50);
