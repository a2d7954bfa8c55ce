// `npm run bench:alloc`: what a connection allocates for a packet, beside its noise floor and 16 planted bytes.
// Exit code: 0 = the count is valid, and the goal holds; 1 = not; 2 = bad arguments.

import { parseArgs } from 'node:util';
import { runAllocation } from './suites/allocation.ts';

const USAGE = `usage: npm run bench:alloc -- [--json]
  --json          one JSON object as the last line`;

function readJson(): boolean | undefined {
  try {
    const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
    return values.json;
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

const json = readJson();
if (json !== undefined) {
  const result = await runAllocation();
  if (json) console.log(JSON.stringify({ node: process.version, ...result }));
  if (!result.holds) process.exitCode = 1;
}
