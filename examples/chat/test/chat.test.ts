// The chat as people run it: a server and two clients as processes, over real UDP, until all have gone by themselves.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { ensureBuilt } from '../../../scripts/bootstrap.mjs';

const LINES_MAX = 59;
const PATIENCE_MS = 20_000;
const FILES = ['chat.ts', 'server.ts', 'client.ts'];

const folder = new URL('..', import.meta.url);

/** One process: what it has printed, and somebody who waits for more. */
class Run {
  readonly child: ChildProcess;
  #output = '';
  #seen = 0;
  #told = () => {};

  constructor(program: string, ...args: string[]) {
    const path = fileURLToPath(new URL(`dist/${program}.js`, folder));
    this.child = spawn(process.execPath, [path, ...args], { stdio: 'pipe' });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', (text) => {
        this.#output += text;
        this.#told();
      });
    }
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  /** Waits for a text behind the last one that was waited for; gives the line it is in. */
  async hears(text: string): Promise<string> {
    const late = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
    this.child.once('exit', () => this.#told());
    while (!this.#output.includes(text, this.#seen)) {
      if (this.child.exitCode !== null || this.child.killed) {
        throw new Error(`did not hear '${text}' but:\n${this.#output}`);
      }
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
    clearTimeout(late);
    const at = this.#output.indexOf(text, this.#seen);
    this.#seen = at + text.length;
    return this.#output.slice(at).split('\n')[0]!;
  }

  types(keys: string): void {
    this.child.stdin!.write(keys);
  }

  /** Resolves to its exit code. */
  async ends(): Promise<number | null> {
    const late = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
    if (this.child.exitCode === null) await once(this.child, 'exit');
    clearTimeout(late);
    return this.child.exitCode;
  }
}

beforeAll(() => ensureBuilt({ tests: false }), 300_000);

it(`is at most ${LINES_MAX} lines`, () => {
  const text = FILES.map((file) => readFileSync(new URL(`src/${file}`, folder), 'utf8')).join('');
  expect(text.split('\n').length - 1).toBeLessThanOrEqual(LINES_MAX);
});

it.each(['rubbish', '70000'])('says how it is used when the port is %s', async (port) => {
  const server = new Run('server', port);
  await server.hears('give a whole number from 0 to 65535');
  await server.hears('usage: npm run chat:server -- [PORT]');
  expect(await server.ends()).toBe(2);
});

it('carries names, lines and who is typing, and ends by itself', async () => {
  const server = new Run('server', '0');
  const port = (await server.hears('listening on port ')).split(' ').pop()!;
  const url = `udp://127.0.0.1:${port}`;
  const ann = new Run('client', 'ann', url);
  await ann.hears('* ann is here');
  const bob = new Run('client', 'bob', url);
  await bob.hears('* ann is here');
  await ann.hears('* bob is here');
  ann.types('hel');
  await bob.hears('(ann is typing)');
  ann.types('lo\r');
  await bob.hears('ann: hello');
  await ann.hears('ann: hello');
  bob.types('bye\r');
  bob.child.stdin!.end();
  await ann.hears('bob: bye');
  await ann.hears('* bob has left');
  await bob.hears('\r\x1b[Kclosed\n');
  expect(await bob.ends()).toBe(0);
  server.child.kill('SIGINT');
  await ann.hears('\r\x1b[Kshutdown the chat is over\n');
  expect(await ann.ends()).toBe(0);
  expect(await server.ends()).toBe(0);
});
