// Loads modules of the repository with a bug planted: some lines of the sources replaced on their way in, none on disk.

import { fileURLToPath } from 'node:url';
import { createViteServer } from 'vitest/node';

/** One replacement: `find` stands exactly once in the file. */
export interface Edit {
  /** Below packages/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const conditions = ['@tickwire/source'];

/** A module loader of its own; what it loads never mixes with what the test imports. */
export async function openSource() {
  let edits: readonly Edit[] = [];
  let planted = 0;
  const server = await createViteServer({
    root,
    configFile: false,
    appType: 'custom',
    logLevel: 'silent',
    server: { middlewareMode: true, hmr: false, watch: null, ws: false },
    optimizeDeps: { noDiscovery: true, include: [] },
    ssr: { resolve: { conditions } },
    plugins: [
      {
        name: 'planted-bugs',
        enforce: 'pre',
        transform(code: string, id: string) {
          let text = code;
          for (const { file, find, replace } of edits) {
            if (!id.endsWith(`/packages/${file}`)) continue;
            const places = text.split(find).length - 1;
            if (places !== 1) throw new Error(`'${find}' stands ${places} times in ${file}`);
            text = text.replace(find, () => replace);
            planted++;
          }
          return text;
        },
      },
    ],
  });
  return {
    /** The module at `path` with everything that it imports, edited. Throws if an edit does not apply. */
    async load(path: string, plant: readonly Edit[]): Promise<Record<string, unknown>> {
      const stale = [...edits, ...plant];
      edits = plant;
      planted = 0;
      for (const { file } of stale) {
        const modules = server.moduleGraph.getModulesByFile(`${root}packages/${file}`);
        // Whoever imports it is loaded anew as well.
        for (const module of modules ?? []) server.moduleGraph.invalidateModule(module);
      }
      const module = await server.ssrLoadModule(`/${path}`);
      if (planted !== plant.length) throw new Error(`${planted} of ${plant.length} edits applied`);
      return module;
    },
    close: () => server.close(),
  };
}
