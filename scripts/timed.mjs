// Soak and fuzz: one test file that runs for as long as it is told to, from a seed.
import { binOf, root } from './bootstrap.mjs';
import { runChild } from './child.mjs';

/**
 * @param {string} file of the test, from the root
 * @param {'SOAK' | 'FUZZ'} name goes into the environment variables that the test reads
 * @param {'minutes' | 'seconds'} unit of the time bound
 * @param {number} normally how long without being told
 * @returns {(args: readonly string[]) => Promise<import('./child.mjs').End>}
 */
export function timed(file, name, unit, normally) {
  return async (args) => {
    const options = new Map([
      ['--seed', '1'],
      [`--${unit}`, String(normally)],
    ]);
    for (let i = 0; i < args.length; i += 2) {
      const value = Number(args[i + 1]);
      if (!options.has(args[i] ?? '') || !(value >= 0)) {
        console.error(`usage: --seed N --${unit} N`);
        return { code: 2, signal: null };
      }
      options.set(args[i] ?? '', String(value));
    }
    return runChild(process.execPath, [binOf('vitest'), 'run', file], {
      cwd: root,
      env: {
        ...process.env,
        [`TICKWIRE_${name}_SEED`]: options.get('--seed'),
        [`TICKWIRE_${name}_${unit.toUpperCase()}`]: options.get(`--${unit}`),
      },
    });
  };
}
