// Lint, format, dead code and package correctness: what CI asks beyond the tests.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binOf, pnpm, root } from './bootstrap.mjs';
import { runChild } from './child.mjs';

/** @typedef {import('./child.mjs').End} End */

const DONE = /** @type {End} */ ({ code: 0, signal: null });

/** Runs every check in turn and stops at the first that fails, naming it. */
export async function check() {
  const packed = mkdtempSync(join(tmpdir(), 'tickwire-pack-'));
  try {
    for (const [name, step] of steps(packed)) {
      console.log(`== ${name}`);
      const end = await step();
      if (end.code === 0 && end.signal === null) continue;
      console.error(`check failed at: ${name}`);
      return end;
    }
    console.log('all checks passed');
    return DONE;
  } finally {
    rmSync(packed, { recursive: true, force: true });
  }
}

/**
 * @param {string} packed folder for tarballs
 * @returns {[string, () => Promise<End>][]}
 */
function steps(packed) {
  return [
    [
      'lint and format (biome)',
      () => tool('@biomejs/biome', 'biome', ['check', '--error-on-warnings']),
    ],
    ['dead code (knip)', () => tool('knip', 'knip', ['--no-progress', '--no-config-hints'])],
    ...publishable().flatMap((one) => packageSteps(one, packed)),
  ];
}

/**
 * What users install is the tarball, so that is what is looked at.
 * @param {{ folder: string, name: string, typed: boolean }} one
 * @param {string} packed
 * @returns {[string, () => Promise<End>][]}
 */
function packageSteps({ folder, name, typed }, packed) {
  const tarball = join(packed, `${folder}.tgz`);
  const pack = ['--dir', join(root, 'packages', folder), 'pack', '--out', tarball];
  const publint = ['run', tarball, '--strict'];
  /** @type {[string, () => Promise<End>][]} */
  const found = [
    [`pack ${name}`, () => pnpm(pack, { quiet: true })],
    [`package (publint) ${name}`, () => tool('publint', 'publint', publint, true)],
  ];
  if (!typed) return found;
  const attw = [tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji'];
  found.push([`types (attw) ${name}`, () => tool('@arethetypeswrong/cli', 'attw', attw, true)]);
  return found;
}

/** The packages that are published; one without a "." export (the command) has no types to check. */
function publishable() {
  return readdirSync(join(root, 'packages')).flatMap((folder) => {
    const manifest = join(root, 'packages', folder, 'package.json');
    const { name, private: hidden, exports } = JSON.parse(readFileSync(manifest, 'utf8'));
    return hidden ? [] : [{ folder, name, typed: exports?.['.'] !== undefined }];
  });
}

/**
 * @param {string} packageName
 * @param {string} bin
 * @param {readonly string[]} args
 */
function tool(packageName, bin, args, quiet = false) {
  return runChild(process.execPath, [binOf(packageName, bin), ...args], { cwd: root, quiet });
}
