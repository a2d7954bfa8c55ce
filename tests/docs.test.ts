// The guides' code is true: blocks marked ```ts file=NAME are extracted, type-checked strictly against the built
// packages, and each that no other one imports is run as a program that has to end by itself.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { resolveRate } from '../packages/protocol/src/transport/rate-options.ts';
import { binOf, cacheFolder, ensureBuilt } from '../scripts/bootstrap.mjs';

const PATIENCE_MS = 50_000;
const WIDTH = 100;

const root = fileURLToPath(new URL('..', import.meta.url));

/** The files that a page's blocks make, by name. */
function blocksOf(page: string): Map<string, string> {
  const found = page.matchAll(/^```ts file=(\S+)\n([\s\S]*?)^```$/gm);
  return new Map([...found].map(([, name, text]) => [name!, text!]));
}

/** Those that are there to be run. */
function programsOf(blocks: ReadonlyMap<string, string>): string[] {
  const imported = [...blocks.values()].flatMap((text) =>
    [...text.matchAll(/from '\.\/([^']+)'/g)].map(([, name]) => name),
  );
  return [...blocks.keys()].filter((name) => !imported.includes(name));
}

function tool(packageName: string, bin: string, args: string[], input = '') {
  const options = { cwd: root, encoding: 'utf8', input } as const;
  return spawnSync(process.execPath, [binOf(packageName, bin), ...args], options);
}

/** Writes the blocks as a program of their own. */
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

/** Runs a program to its end; gives what it printed. */
async function run(path: string): Promise<string> {
  const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  await once(child, 'close');
  clearTimeout(late);
  expect([child.exitCode, output]).toEqual([0, output]);
  return output;
}

describe('extracting blocks', () => {
  it('takes the named ones, and runs what no other imports', () => {
    const page =
      "```ts file=a.ts\nlet a;\n```\n\n```ts\nno;\n```\n```ts file=b.ts\nimport './c';\nimport { a } from './a.ts';\n```\n";
    const blocks = blocksOf(page);
    expect([...blocks.keys()]).toEqual(['a.ts', 'b.ts']);
    expect(programsOf(blocks)).toEqual(['b.ts']);
  });
});

beforeAll(() => ensureBuilt({ tests: false }), 300_000);

const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));

describe.each(pages)('docs/%s', (page) => {
  const blocks = blocksOf(readFileSync(join(root, 'docs', page), 'utf8'));
  const folder = join(cacheFolder, 'docs', page.replace('.md', ''));

  it('has code, formatted like the rest', () => {
    expect(blocks.size).toBeGreaterThan(0);
    for (const [name, text] of blocks) {
      const args = ['format', `--line-width=${WIDTH}`, `--stdin-file-path=docs/${name}`];
      expect(tool('@biomejs/biome', 'biome', args, text).stdout, name).toBe(text);
    }
  });

  it('type-checks strictly against the built packages', () => {
    write(folder, blocks);
    const { stdout, status } = tool('typescript', 'tsc', ['-p', folder]);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it.each(programsOf(blocks))('%s runs, and ends', async (name) => {
    const output = await run(join(folder, 'dist', name.replace(/\.ts$/, '.js')));
    if (name === 'play.ts') expect(output).toContain('level complete in 64 pieces');
    if (name === 'talk-on-lte.ts') expect(output).toMatch(/^seed 5 \d+ lines said again$/m);
    if (name === 'hello.ts') expect(output).toBe('Hello, Ann. You are number 1.\n');
  });
});

it('connections.md has the defaults of the rate', () => {
  const page = readFileSync(join(root, 'docs', 'connections.md'), 'utf8');
  for (const [name, value] of Object.entries(resolveRate({}))) {
    expect(page).toMatch(new RegExp(`^\\| \`${name}\` +\\| ${value} +\\|`, 'm'));
  }
});

const scripts: Record<string, string> = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
).scripts;

/** What stands behind `npm run NAME -- ` in a page, words apart. */
function commandsOf(page: string, name: string): string[][] {
  const found = page.matchAll(new RegExp(`^npm run ${name} -- (.+)$`, 'gm'));
  return [...found].map(([, words]) => words!.split(' '));
}

describe('the proxy as netsim.md starts it', () => {
  const commands = commandsOf(readFileSync(join(root, 'docs', 'netsim.md'), 'utf8'), 'proxy');

  it('is one of the scripts', () => {
    expect(commands.length).toBeGreaterThanOrEqual(2);
    expect(scripts.proxy).toBe('node scripts/run.mjs proxy');
  });

  it.each(commands)('%s %s ... listens, and ends at a signal', async (...words) => {
    // Any free port: others may run the same test.
    const args = words.map((word, i) => (words[i - 1] === '--listen' ? '0' : word));
    const child = spawn(process.execPath, ['scripts/run.mjs', 'proxy', ...args], { cwd: root });
    onTestFinished(() => void child.kill('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += text;
        if (/^listening udp:/m.test(output)) child.kill('SIGTERM');
      });
    }
    await once(child, 'close');
    expect([child.exitCode, output]).toEqual([0, expect.stringMatching(/^listening udp:/m)]);
  });
});
