// Asks a process of its own how much a connection allocates for a packet, and whether the answer can be trusted.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AllocationResult } from '../allocation.ts';

const PROGRAM = new URL('../allocation.js', import.meta.url);
/** Megabytes of young generation: more than 10^6 packets at 400 bytes each. */
const SEMI_SPACE_MB = 512;
const PLANTED_BYTES = 16;
const PLANTED_TOLERANCE_BYTES = 1;

/** What was counted; `reason` says why it does not hold. */
export interface AllocationReport extends AllocationResult {
  readonly valid: boolean;
  readonly reason?: string;
}

/** Counts and prints. Rejects when the process fails. */
export async function runAllocation(): Promise<AllocationReport> {
  console.log('Running "allocation" ...');
  const report = judge(await count());
  const line = (what: string, bytes: number) => console.log(`  ${what}: ${bytes.toFixed(2)} B`);
  console.log(`\n  ${report.packets} packets, poll and receive:`);
  line('allocated per packet', report.bytesPerPacket);
  line('noise floor', report.noiseFloorBytes);
  line(`planted ${PLANTED_BYTES} B, seen`, report.plantedBytes);
  if (!report.valid) console.log(`  INVALID: ${report.reason}`);
  return report;
}

function count(): Promise<AllocationResult> {
  const execArgv = [
    `--min-semi-space-size=${SEMI_SPACE_MB}`,
    `--max-semi-space-size=${SEMI_SPACE_MB}`,
  ];
  const child = fork(fileURLToPath(PROGRAM), [], { execArgv });
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as AllocationResult));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the allocation process ended with ${code}`)));
  });
}

function judge(result: AllocationResult): AllocationReport {
  if (result.collections > 0) {
    return { ...result, valid: false, reason: `${result.collections} collections while counting` };
  }
  if (Math.abs(result.plantedBytes - PLANTED_BYTES) > PLANTED_TOLERANCE_BYTES) {
    const seen = result.plantedBytes.toFixed(2);
    return { ...result, valid: false, reason: `planted ${PLANTED_BYTES} B shows as ${seen} B` };
  }
  return { ...result, valid: true };
}
