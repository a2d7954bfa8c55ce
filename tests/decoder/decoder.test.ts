// An independent decoder, written in Python from PROTOCOL.md alone, opens every packet of sealed sessions on bad networks,
// reads it to its last byte and finds every ack to mean what was truly received. Skipped where there is no python3.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { HandshakeReader } from '../conformance/handshake-reader.ts';
import { ByteSource } from '../conformance/sources.ts';
import { type Capture, capture } from './capture.ts';

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

/** Decodes a capture with what the header says of keys. */
function read({ header, lines }: Capture, keys: object) {
  const { stdout, stderr } = decode(
    [],
    [JSON.stringify({ ...header, ...keys }), ...lines].join('\n'),
  );
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

const fromHex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** What the handshake of a capture leads to. */
function sessionOf({ lines, opening }: Capture) {
  const reader = new HandshakeReader({
    identity: fromHex(opening.identity),
    fresh: fromHex(opening.fresh),
    presharedKey: fromHex(opening.presharedKey),
  });
  for (const line of lines) {
    const { event, bytes } = JSON.parse(line);
    const datagram = fromHex(bytes);
    const kind = datagram[0]!;
    if (event !== 'sent' || kind > 4) continue;
    reader.read(kind, datagram, new ByteSource(datagram.subarray(1)));
    if (kind === 4) break;
  }
  return {
    root: toHex(reader.root),
    keys: {
      clientToServer: toHex(reader.clientToServer),
      serverToClient: toHex(reader.serverToClient),
    },
  };
}

const LINKS = {
  clean: { latencyMs: 20 },
  rough: { latencyMs: 40, jitterMs: 30, loss: 0.1, duplicate: 0.1, reorder: 0.1 },
  hard: { latencyMs: 60, jitterMs: 10, loss: 0.25, duplicate: 0.25 },
  corrupting: { latencyMs: 10, loss: 0.05, corrupt: 0.1 },
};
const ROUNDS = 120;

test.runIf(python)('the decoder passes its own tests', { timeout: 300_000 }, () => {
  const { status, stdout, stderr } = decode(['--self-test']);
  expect(status, stdout + stderr).toBe(0);
});

test.runIf(python).each(Object.entries(LINKS))(
  'every packet of a %s session is as PROTOCOL.md says',
  { timeout: 120_000 },
  (_name, link) => {
    const session = capture(7, link, ROUNDS);
    const summary = read(session, { server: session.opening });
    expect(summary.complaints).toEqual([]);
    expect(summary.opened).toBe(summary.packets);
    expect(summary.rotations).toBeGreaterThanOrEqual(4);
    expect(summary.challenges).toBeGreaterThan(0);
    expect(summary.moves).toBe(1);
    expect(summary.acksChecked).toBeGreaterThan(200);
    expect(summary.bitsChecked).toBeGreaterThan(10_000);
    expect(summary.messages.server['1'], 'all lines arrived').toHaveLength(ROUNDS);
    if ('corrupt' in link) expect(summary.verdicts.server.forged).toBeGreaterThan(10);
  },
);

describe.runIf(python)('a session is opened', { timeout: 120_000 }, () => {
  const session = python ? capture(11, LINKS.rough, 40) : undefined;
  const { root, keys } = session === undefined ? { root: '', keys: {} } : sessionOf(session);
  const other = '11'.repeat(32);

  test.each([
    ['the keys of generation 0', { keys }],
    ['the root', { root }],
    ["the server's secrets", { server: session?.opening }],
  ])('by %s', (_name, given) => {
    const summary = read(session!, given);
    expect(summary.complaints).toEqual([]);
    expect(summary.opened).toBe(summary.packets);
    expect(summary.messages.server['1']).toHaveLength(40);
  });

  test.each([
    ['other keys', { keys: { clientToServer: other, serverToClient: other } }],
    ['another root', { root: other }],
    ['the keys the wrong way round', { keys: swapped(keys) }],
    ['another identity', { server: { ...session?.opening, identity: other } }],
    ['another fresh key', { server: { ...session?.opening, fresh: other } }],
    ['another pre-shared key', { server: { ...session?.opening, presharedKey: other } }],
  ])('not by %s', (_name, given) => {
    const summary = read(session!, given);
    expect(summary.opened).toBe(0);
    expect(summary.complaintsFound).toBeGreaterThanOrEqual(summary.packets);
  });
});

test.runIf(python)('a packet with one bit turned opens nothing', { timeout: 120_000 }, () => {
  const session = capture(13, LINKS.clean, 20);
  const own = { server: session.opening };
  const data = [...session.lines.keys()].filter((n) =>
    /"sent".*"bytes":"[01]6/.test(session.lines[n]!),
  );
  const lines = [...session.lines];
  const turned = data.filter((_, n) => n % 4 === 3);
  for (const [n, at] of turned.entries()) {
    const event = JSON.parse(lines[at]!);
    const bytes = fromHex(event.bytes);
    // Connection id and sequence are complained of by themselves.
    bytes[7 + ((n * 31) % (bytes.length - 7))]! ^= 1 << (n % 8);
    lines[at] = JSON.stringify({ ...event, bytes: toHex(bytes) });
  }
  const summary = read({ ...session, lines }, own);
  expect(turned.length).toBeGreaterThan(20);
  expect(summary.opened).toBe(read(session, own).opened - turned.length);
  expect(summary.complaints[0]).toMatchObject({ rule: 'the packet opens', line: turned[0]! + 2 });
});

function swapped(keys: { clientToServer?: string; serverToClient?: string }) {
  return { clientToServer: keys.serverToClient, serverToClient: keys.clientToServer };
}
