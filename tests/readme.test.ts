// The README's game runs as pasted: its blocks marked ```ts file=NAME are extracted, type-checked strictly
// against the built packages, counted, and its server and client play with each other as two processes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { binOf, cacheFolder, ensureBuilt } from '../scripts/bootstrap.mjs';
import { blocksOf, formatted, root, typeCheck } from './page-blocks.ts';

const LINES_MAX = 79; // the whole game is under 80 lines, imports included
const PATIENCE_MS = 20_000;

const folder = join(cacheFolder, 'readme');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = blocksOf(readme);

/** The program that the type check has compiled from the block whose name says `role`. */
function program(role: 'server' | 'client'): string {
  const name = [...blocks.keys()].find((file) => file.includes(role));
  expect(name, `a README block \`\`\`ts file=${role}.ts`).toBeDefined();
  return join(folder, 'dist', name!.replace(/\.ts$/, '.js'));
}

describe('extracting blocks', () => {
  it('takes the named ones as they stand', () => {
    const page =
      '```ts file=a.ts\nlet a;\n\nlet b;\n```\n\n```ts\nno;\n```\n```ts file=b.ts\n```\n';
    expect([...blocksOf(page)]).toEqual([
      ['a.ts', 'let a;\n\nlet b;\n'],
      ['b.ts', ''],
    ]);
  });
});

describe('the game in the README', () => {
  beforeAll(() => ensureBuilt({ tests: false }), 300_000);

  it('has a shared part, a server and a client', () => {
    expect(blocks.size).toBeGreaterThanOrEqual(3);
    program('server');
    program('client');
  });

  it(`is at most ${LINES_MAX} lines, formatted`, () => {
    let lines = 0;
    for (const [name, text] of blocks) {
      expect(formatted(name, text), `${name} as biome formats it`).toBe(text);
      lines += text.split('\n').length - 1;
    }
    expect(lines).toBeGreaterThan(0);
    expect(lines).toBeLessThanOrEqual(LINES_MAX);
  });

  it('type-checks strictly against the built packages', () => {
    expect(typeCheck(folder, blocks)).toBe('');
  });

  it('type-checks with the tsconfig that the README gives', () => {
    const config = /^```json file=tsconfig\.json\n([\s\S]*?)^```$/m.exec(readme)?.[1];
    expect(config).toBeDefined();
    const own = join(cacheFolder, 'readme-own');
    rmSync(own, { recursive: true, force: true });
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'tsconfig.json'), config!);
    for (const [name, text] of blocks) writeFileSync(join(own, name), text);
    const tsc = [binOf('typescript', 'tsc'), '-p', own];
    expect(spawnSync(process.execPath, tsc, { encoding: 'utf8' }).stdout).toBe('');
    writeFileSync(join(own, 'wrong.ts'), "import './server.ts';\nconst n: number = 'text';\n");
    expect(spawnSync(process.execPath, tsc, { encoding: 'utf8' }).stdout).toContain('wrong.ts');
  });

  it('packs with the package manager that the repository pins', () => {
    const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(readme).toContain(`npx ${packageManager.split('+')[0]} -r `);
  });

  it('plays: the server prints its port, the client prints a position that changes', async () => {
    const server = start(program('server'), '0');
    const listening = await nextLine(server, /listening on (?:\S*:)?(\d+)\b/);
    const client = start(program('client'), listening[1]!);
    const first = numbersIn(await nextLine(client, /\d/));
    await nextLine(client, /\d/, (line) => numbersIn(line).join() !== first.join());
    for (const process of [client, server]) await stop(process);
  });
});

type Run = { child: ChildProcess; lines: AsyncIterator<string>; heard: string[] };

/** Starts one program of the README; it ends with the test, however the test ends. */
function start(path: string, port: string): Run {
  const env = { ...process.env, PORT: port };
  const child = spawn(process.execPath, [path], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const heard: string[] = [];
  child.stderr!.on('data', (chunk) => heard.push(`stderr: ${chunk}`));
  return { child, lines: createInterface({ input: child.stdout! })[Symbol.asyncIterator](), heard };
}

/** The first line to come that matches, and is wanted; fails with all that was heard. */
async function nextLine(
  run: Run,
  pattern: RegExp,
  wanted: (line: string) => boolean = () => true,
): Promise<RegExpExecArray> {
  const late = setTimeout(() => run.child.kill('SIGKILL'), PATIENCE_MS);
  try {
    for (;;) {
      const { value, done } = await run.lines.next();
      if (done) throw new Error(`no line like ${pattern}; heard:\n${run.heard.join('\n')}`);
      run.heard.push(value);
      const match = pattern.exec(value);
      if (match && wanted(value)) return match;
    }
  } finally {
    clearTimeout(late);
  }
}

function numbersIn(line: RegExpExecArray | string): number[] {
  const text = typeof line === 'string' ? line : line.input;
  return (text.match(/-?\d+(?:\.\d+)?/g) ?? []).map(Number);
}

async function stop({ child }: Run): Promise<void> {
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const ended =
    child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  child.kill('SIGTERM');
  await ended;
  clearTimeout(late);
  expect(child.signalCode, 'ends at SIGTERM').not.toBe('SIGKILL');
}
