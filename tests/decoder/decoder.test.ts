// An independent decoder, written in Python from PROTOCOL.md alone, reads every packet of conversations on bad networks
// to its last byte and finds every ack to mean what was truly received. Skipped where there is no python3.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { capture } from './capture.ts';

const decoder = fileURLToPath(new URL('decoder.py', import.meta.url));
const python = spawnSync('python3', ['--version']).status === 0;
if (!python) console.log('no python3: the independent decoder is skipped');

function decode(args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync('python3', ['-B', decoder, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return { status, stdout, stderr };
}

const LINKS = {
  clean: { latencyMs: 20 },
  rough: { latencyMs: 40, jitterMs: 30, loss: 0.1, duplicate: 0.1, reorder: 0.1 },
  hard: { latencyMs: 60, jitterMs: 10, loss: 0.25, duplicate: 0.25 },
  corrupting: { latencyMs: 10, loss: 0.05, corrupt: 0.1 },
};

test.runIf(python)('the decoder passes its own tests', { timeout: 120_000 }, () => {
  const { status, stdout, stderr } = decode(['--self-test']);
  expect(status, stdout + stderr).toBe(0);
});

test.runIf(python).each(Object.entries(LINKS))(
  'every packet of a %s conversation is as PROTOCOL.md says',
  { timeout: 120_000 },
  (_name, link) => {
    const { stdout, stderr } = decode([], capture(7, link, 120).join('\n'));
    const summary = JSON.parse(stdout || '{}');
    expect(summary.complaints, stderr).toEqual([]);
    expect(summary.acksChecked).toBeGreaterThan(200);
    expect(summary.bitsChecked).toBeGreaterThan(10_000);
    const heard = summary.messages.server['1'];
    expect(heard, 'all lines arrived').toHaveLength(120);
  },
);
