// The guides' code is true: blocks marked ```ts file=NAME are extracted, type-checked strictly against the built
// packages, and each that no other one imports is run as a program that has to end by itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { resolveRate } from '../packages/protocol/src/transport/rate-options.ts';
import { cacheFolder, ensureBuilt } from '../scripts/bootstrap.mjs';
import { blocksOf, formatted, root, typeCheck } from './page-blocks.ts';

const PATIENCE_MS = 50_000;
/** Those that are there to be run. */
function programsOf(blocks: ReadonlyMap<string, string>): string[] {
  const imported = [...blocks.values()].flatMap((text) =>
    [...text.matchAll(/from '\.\/([^']+)'/g)].map(([, name]) => name),
  );
  return [...blocks.keys()].filter((name) => !imported.includes(name));
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
      expect(formatted(name, text), name).toBe(text);
    }
  });

  it('type-checks strictly against the built packages', () => {
    expect(typeCheck(folder, blocks)).toBe('');
  });

  it.each(programsOf(blocks))('%s runs, and ends', async (name) => {
    const output = await run(join(folder, 'dist', name.replace(/\.ts$/, '.js')));
    if (name === 'play.ts') expect(output).toContain('level complete in 64 pieces');
    if (name === 'talk-on-lte.ts') expect(output).toMatch(/^seed 5 \d+ lines said again$/m);
    if (name === 'hello.ts') expect(output).toBe('Hello, Ann. You are number 1.\n');
    if (name === 'password.ts') expect(output).toBe('connect-credentials\n');
    if (name === 'tokens.ts') expect(output).toBe('ann is here\nconnect-token-used\n');
    if (name === 'resume.ts') expect(output).toMatch(/^1 is back\nstill 7 points$/m);
    if (name === 'load.ts') expect(output).toBe('50 clients, 0 put off\n');
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
