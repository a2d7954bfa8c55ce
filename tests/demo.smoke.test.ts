// The demo as people run it: real processes over real sockets, judged by itself, on IPv4 and on IPv6.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ensureBuilt } from '../scripts/bootstrap.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const program = join(root, 'examples/arena/dist/demo.js');
/** The machine is also running other tests: a run that could not keep up proves nothing and is repeated. */
const RETRIES = 3;
const LINK = ['--latency', '25', '--jitter', '5', '--loss', '2', '--seed', '7'];
/** More is lost, so that acks of what was lost do show. */
const LOSSY_LINK = ['--latency', '25', '--jitter', '5', '--loss', '5', '--seed', '7'];

/** Every number that the demo promises. */
const NUMBERS = [
  'players',
  'joined',
  'seconds',
  'tickHz',
  'ticksRun',
  'ticksDropped',
  'tickMsP50',
  'tickMsP99',
  'tickLateMsP99',
  'packetsIn',
  'packetsOut',
  'bytesPerClientPerSecond',
  'rttMsMean',
  'lossUpPct',
  'lossDownPct',
  'inputsMissingPct',
  'rollbacksPerClientPerSecond',
  'mispredictedTicksPct',
  'correctionMeanUnits',
  'interpolationStarvedPct',
  'verifiedTicks',
];

interface Run {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
  readonly report: Record<string, unknown>;
}

function start(args: readonly string[]): { child: ChildProcess; ended: Promise<Run> } {
  const child = spawn(process.execPath, [program, ...args], { cwd: root });
  onTestFinished(() => {
    child.kill('SIGTERM');
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const ended = once(child, 'close').then(([code]) => {
    const last = output.trimEnd().split('\n').at(-1) ?? '';
    const report = last.startsWith('{') ? JSON.parse(last) : {};
    return { code: code as number | null, output, errors, report };
  });
  return { child, ended };
}

/** Whether the system has an IPv6 loopback at all. */
async function hasIpv6(): Promise<boolean> {
  const socket = createSocket('udp6');
  const bound = new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false));
    socket.bind(0, '::1', () => resolve(true));
  });
  const has = await bound;
  socket.close();
  return has;
}

describe('the demo', () => {
  beforeAll(() => ensureBuilt({ tests: false }), 300_000);

  it.for(['127.0.0.1', '::1'])(
    'plays on %s and finds nothing to fault',
    { retry: RETRIES },
    async (host, { skip }) => {
      skip(host === '::1' && !(await hasIpv6()), 'this machine has no IPv6 loopback');
      const args = ['--seconds', '6', '--players', '4', '--matches', '1', '--host', host, '--json'];
      const { code, report, errors } = await start([...args, ...LINK]).ended;
      expect(report.failures, errors).toEqual([]);
      expect(code).toBe(0);
      for (const name of NUMBERS) expect(report[name], name).toEqual(expect.any(Number));
      expect(report).toMatchObject({
        players: 4,
        joined: 4,
        tickHz: 60,
        seed: 7,
        synchronised: true,
      });
      expect(report.verifiedTicks).toBeGreaterThan(4 * 120);
      expect(report.packetsIn).toBeGreaterThan(1000);
      expect(report.rttMsMean).toBeGreaterThan(30);
    },
  );

  // Each bug needs its time to show: a wrong ack leads nowhere until the baselines that it claims are used.
  it.each(['prediction', 'quantise', 'ack'])(
    'fails by a planted bug in %s, and names it',
    { retry: RETRIES },
    async (bug) => {
      const args = ['--seconds', '5', '--players', '4', '--matches', '1', '--json', ...LOSSY_LINK];
      const { code, report, errors } = await start([...args, '--break', bug]).ended;
      expect(report.failures, errors).toContainEqual(
        expect.stringMatching(new RegExp(`^${bug}: ([2-4] bots|bot \\d)`)),
      );
      expect(code).toBe(1);
    },
  );

  it('prints lines without a terminal, and ends cleanly and at once when asked to, even twice', async () => {
    const { child, ended } = start(['--players', '4', ...LINK]);
    await once(child.stdout!, 'data');
    child.kill('SIGTERM');
    child.kill('SIGINT');
    const { code, output, errors } = await ended;
    expect(errors).toBe('');
    expect(output).toMatch(
      /^ +\d+ s {2}tick .* 4 players .*\n[\s\S]*has closed; 4 bots have played\.\n$/,
    );
    expect(code).toBe(0);
  });

  it.each([
    ['--help', 0, /^npm run demo/],
    ['--players=many', 2, /^$/],
  ])('%s ends with %i', (argument, status, output) => {
    const run = spawnSync(process.execPath, [program, argument], { encoding: 'utf8' });
    expect(run.stdout).toMatch(output);
    expect(run.status).toBe(status);
    expect(run.stderr).toMatch(status === 0 ? /^$/ : /^demo: --players is 'many'; give an integer/);
  });
});
