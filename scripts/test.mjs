// Runs vitest and closes with the seeds, the number of worlds and the line `N passed, N failed`.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { binOf, cacheFolder, root } from './bootstrap.mjs';
import { runChild } from './child.mjs';

/** @typedef {{ suite: string, seeds: number[], worlds: number }} WorldsLine as tests/worlds/report.ts writes it */

/**
 * @param {'quick' | 'full'} worlds which set of seeded worlds the tests run
 * @returns {(args: readonly string[]) => Promise<import('./child.mjs').End>}
 */
export function test(worlds) {
  return async (args) => {
    const worldLog = join(cacheFolder, 'worlds.jsonl');
    const results = join(cacheFolder, 'test-results.json');
    mkdirSync(cacheFolder, { recursive: true });
    rmSync(worldLog, { force: true });
    rmSync(results, { force: true });
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
    const end = await runChild(process.execPath, [binOf('vitest'), 'run', ...reporters, ...args], {
      cwd: root,
      env: { ...process.env, TICKWIRE_WORLDS: worlds, TICKWIRE_WORLD_LOG: worldLog },
    });
    console.log(worldsSummary(worlds, readLines(worldLog)));
    console.log(closingLine(results, end.code));
    return end;
  };
}

/**
 * @param {string} set
 * @param {readonly WorldsLine[]} lines
 */
function worldsSummary(set, lines) {
  /** @type {Map<string, { seeds: Set<number>, worlds: number }>} */
  const suites = new Map();
  for (const line of lines) {
    const total = suites.get(line.suite) ?? { seeds: new Set(), worlds: 0 };
    for (const seed of line.seeds) total.seeds.add(seed);
    total.worlds += line.worlds;
    suites.set(line.suite, total);
  }
  const rows = [...suites].sort(([a], [b]) => (a < b ? -1 : 1));
  const worlds = rows.reduce((sum, [, total]) => sum + total.worlds, 0);
  return [
    `Worlds run (${set} set): ${worlds}`,
    ...rows.map(([suite, t]) => `  ${suite}: ${t.worlds} (seeds ${seedRanges(t.seeds)})`),
  ].join('\n');
}

/** @param {ReadonlySet<number>} seeds */
function seedRanges(seeds) {
  /** @type {[number, number][]} */
  const ranges = [];
  for (const seed of [...seeds].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.[1] === seed - 1) last[1] = seed;
    else ranges.push([seed, seed]);
  }
  return ranges.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(', ');
}

/**
 * A file that could not be loaded has no tests of its own and counts as one failure; so does
 * an error outside of any test.
 * @param {string} path of vitest's JSON report
 * @param {number} code vitest's exit code
 */
function closingLine(path, code) {
  const report = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
  const broken = (report?.testResults ?? []).filter(
    (/** @type {{ status: string, assertionResults: { status: string }[] }} */ file) =>
      file.status === 'failed' && !file.assertionResults.some((one) => one.status === 'failed'),
  ).length;
  const failed = (report?.numFailedTests ?? 0) + broken;
  const passed = report?.numPassedTests ?? 0;
  return `${passed} passed, ${failed === 0 && code !== 0 ? 1 : failed} failed`;
}

/**
 * @param {string} path
 * @returns {WorldsLine[]}
 */
function readLines(path) {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}
