// The packages that benchmarks compare with. They stand in a package of their own that a default install leaves
// out, so they are found at run time. All of them are CommonJS.

import { createRequire } from 'node:module';

const load = createRequire(new URL('../peers/package.json', import.meta.url));

/** Loads what users of the package require. Throws what its loading throws. */
export function requirePeer<T>(file: string): T {
  return load(file);
}

/** Why a package cannot be used here; undefined = it can. An addon may stand there without having been built. */
export function whyMissing(file: string): string | undefined {
  try {
    load(file);
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const [line] = message.split('\n');
    if (code !== 'MODULE_NOT_FOUND') return `cannot be loaded: ${line}`;
    return 'not installed, or not built, under benchmarks/peers';
  }
}
