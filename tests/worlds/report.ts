// Tells the test command which seeded worlds a test ran; `npm test` prints the totals at its end.
import { appendFileSync } from 'node:fs';

/**
 * Reports that `suite` ran `worlds` virtual-time worlds from these seeds. Call it once per test, at its
 * end; several reports of one suite add up. Outside of `npm test` it does nothing.
 */
export function reportWorlds(suite: string, seeds: readonly number[], worlds: number): void {
  const path = process.env.TICKWIRE_WORLD_LOG;
  // One short append is atomic, so the workers need no lock.
  if (path) appendFileSync(path, `${JSON.stringify({ suite, seeds, worlds })}\n`);
}
