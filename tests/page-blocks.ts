// The code in a page: blocks marked ```ts file=NAME, taken out, formatted, and written as a program of their own.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binOf } from '../scripts/bootstrap.mjs';

const WIDTH = 100;
export const root = fileURLToPath(new URL('..', import.meta.url));

/** The files that a page's blocks make, by name. */
export function blocksOf(page: string): Map<string, string> {
  const found = page.matchAll(/^```ts file=(\S+)\n([\s\S]*?)^```$/gm);
  return new Map([...found].map(([, name, text]) => [name!, text!]));
}

/** The block as biome formats it. */
export function formatted(name: string, text: string): string {
  const args = ['format', `--line-width=${WIDTH}`, `--stdin-file-path=page/${name}`];
  const { stdout, stderr } = tool('@biomejs/biome', 'biome', args, text);
  return stderr === '' ? stdout : stderr;
}

/** What the type check, strict and against the built packages, complains of; compiles into folder/dist. */
export function typeCheck(folder: string, blocks: ReadonlyMap<string, string>): string {
  write(folder, blocks);
  const { stdout, status } = tool('typescript', 'tsc', ['-p', folder]);
  return status === 0 ? stdout : `${stdout}\nexit code ${status}`;
}

function tool(packageName: string, bin: string, args: string[], input = '') {
  const options = { cwd: root, encoding: 'utf8', input } as const;
  return spawnSync(process.execPath, [binOf(packageName, bin), ...args], options);
}

function write(folder: string, blocks: ReadonlyMap<string, string>): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  for (const [name, text] of blocks) writeFileSync(join(folder, name), text);
  const options = {
    extends: join(root, 'tsconfig.base.json'),
    compilerOptions: {
      composite: false,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
      skipLibCheck: false,
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
      rootDir: '.',
      outDir: 'dist',
    },
    files: [...blocks.keys()],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
}
