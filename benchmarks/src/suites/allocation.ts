// Asks processes of their own how much a connection allocates for a packet, whether the answers can be trusted, and
// whether the goal holds.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AllocationLoad, AllocationResult } from '../allocation.ts';

const PROGRAM = new URL('../allocation.js', import.meta.url);
/** Megabytes of young generation: more than 10^6 packets at 400 bytes each. */
const SEMI_SPACE_MB = 512;
const PLANTED_BYTES = 16;
const PLANTED_TOLERANCE_BYTES = 1;
/** The goal: less than so much for a packet. */
const GOAL_BYTES = 1;

/** State as games send it, and messages. */
const loads: readonly AllocationLoad[] = [
  { kind: 'unreliable-sequenced', upBytes: 32, downBytes: 200 },
  { kind: 'reliable-ordered', upBytes: 100, downBytes: 100 },
];

/** What was counted with one load; `reason` says why it does not hold. */
export interface AllocationCount extends AllocationLoad, AllocationResult {
  readonly valid: boolean;
  readonly reason?: string;
}

/** What was counted. */
export interface AllocationReport {
  /** Of the load with the most. */
  readonly bytesPerPacket: number;
  readonly goalBytes: number;
  /** Every count is valid and below the goal. */
  readonly holds: boolean;
  readonly valid: boolean;
  readonly counts: readonly AllocationCount[];
}

/** Counts and prints. Rejects when a process fails. */
export async function runAllocation(): Promise<AllocationReport> {
  console.log('Running "allocation" ...\n');
  const counts: AllocationCount[] = [];
  for (const load of loads) {
    const counted = judge(load, await count(load));
    counts.push(counted);
    show(counted);
  }
  const bytesPerPacket = Math.max(...counts.map((one) => one.bytesPerPacket));
  const valid = counts.every((one) => one.valid);
  const holds = valid && bytesPerPacket < GOAL_BYTES;
  const said = `${bytesPerPacket.toFixed(2)} B per packet, below ${GOAL_BYTES}`;
  console.log(`  ${holds ? 'goal holds' : 'GOAL FAILS'}: ${said}`);
  return { bytesPerPacket, goalBytes: GOAL_BYTES, holds, valid, counts };
}

function show(counted: AllocationCount): void {
  const line = (what: string, bytes: number) => console.log(`    ${what}: ${bytes.toFixed(2)} B`);
  const { kind, upBytes, downBytes, packets } = counted;
  console.log(`  ${packets} packets, ${kind}, ${upBytes} B up and ${downBytes} B down:`);
  line('allocated per packet', counted.bytesPerPacket);
  line('noise floor', counted.noiseFloorBytes);
  line(`planted ${PLANTED_BYTES} B, seen`, counted.plantedBytes);
  if (!counted.valid) console.log(`    INVALID: ${counted.reason}`);
}

function count(load: AllocationLoad): Promise<AllocationResult> {
  const execArgv = [
    `--min-semi-space-size=${SEMI_SPACE_MB}`,
    `--max-semi-space-size=${SEMI_SPACE_MB}`,
  ];
  const child = fork(fileURLToPath(PROGRAM), [JSON.stringify(load)], { execArgv });
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as AllocationResult));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the allocation process ended with ${code}`)));
  });
}

function judge(load: AllocationLoad, result: AllocationResult): AllocationCount {
  const counted = { ...load, ...result };
  if (result.collections > 0) {
    const reason = `${result.collections} collections while counting`;
    return { ...counted, valid: false, reason };
  }
  if (Math.abs(result.plantedBytes - PLANTED_BYTES) > PLANTED_TOLERANCE_BYTES) {
    const seen = result.plantedBytes.toFixed(2);
    return { ...counted, valid: false, reason: `planted ${PLANTED_BYTES} B shows as ${seen} B` };
  }
  return { ...counted, valid: true };
}
