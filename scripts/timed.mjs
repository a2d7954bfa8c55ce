// Soak and fuzz: test files that run for as long as they are told to, from a seed.
import { binOf, root } from './bootstrap.mjs';
import { runChild } from './child.mjs';

/**
 * @param {string | Readonly<Record<string, string>>} files of the test, from the root; several go by their targets, and
 *   all of them run at once when none is named
 * @param {'SOAK' | 'FUZZ'} name goes into the environment variables that the test reads
 * @param {'minutes' | 'seconds'} unit of the time bound
 * @param {number} normally how long without being told
 * @returns {(args: readonly string[]) => Promise<import('./child.mjs').End>}
 */
export function timed(files, name, unit, normally) {
  const targets = new Map(typeof files === 'string' ? [] : Object.entries(files));
  return async (args) => {
    const options = new Map([
      ['--seed', '1'],
      [`--${unit}`, String(normally)],
    ]);
    let chosen = typeof files === 'string' ? [files] : [...targets.values()];
    for (let i = 0; i < args.length; i += 2) {
      const [option = '', value = ''] = [args[i], args[i + 1]];
      const target = option === '--target' ? targets.get(value) : undefined;
      if (target !== undefined) chosen = [target];
      else if (options.has(option) && Number(value) >= 0)
        options.set(option, String(Number(value)));
      else return usage(targets, unit);
    }
    return runChild(process.execPath, [binOf('vitest'), 'run', ...chosen], {
      cwd: root,
      env: {
        ...process.env,
        [`TICKWIRE_${name}_SEED`]: options.get('--seed'),
        [`TICKWIRE_${name}_${unit.toUpperCase()}`]: options.get(`--${unit}`),
      },
    });
  };
}

/**
 * @param {ReadonlyMap<string, string>} targets
 * @param {string} unit
 */
function usage(targets, unit) {
  const target = targets.size > 0 ? `--target ${[...targets.keys()].join('|')} ` : '';
  console.error(`usage: ${target}--seed N --${unit} N`);
  return { code: 2, signal: null };
}
