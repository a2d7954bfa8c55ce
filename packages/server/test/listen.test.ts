// What listen refuses before it opens a socket. What it does with one is in tests/sockets.test.ts.

import {
  archetype,
  axis,
  component,
  defineGame,
  defineMessages,
  TickwireError,
  uint,
} from '@tickwire/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { listen, type MessageListenOptions } from '../src/listen.ts';

const messages = defineMessages({ n: { n: uint(8) } });
const game = defineGame({
  id: 'small',
  tickHz: 60,
  input: { dx: axis(4) },
  archetypes: { thing: archetype({ at: component({ x: uint(8) }) }, { max: 1 }) },
  simulate() {},
});

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

const sockets = () => process.getActiveResourcesInfo().filter((one) => /UDP/.test(one)).length;

/** What an attempt was refused with; no socket must have been opened meanwhile. */
async function refusal(attempt: Promise<unknown>): Promise<string> {
  expect(sockets()).toBe(0);
  const error = await attempt.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TickwireError);
  const { code, message } = error as TickwireError;
  return `${code}: ${message}`;
}

const wrong: [MessageListenOptions, string][] = [
  [{ port: Number.NaN }, 'port is NaN; give a whole number from 0 to 65535'],
  [{ port: -1 }, 'port is -1'],
  [{ port: 65_536 }, 'port is 65536'],
  [{ port: 0.5 }, 'port is 0.5'],
  [{ maxConnections: 0 }, 'maxConnections is 0; give a whole number from 1 to 65535'],
  [{ maxConnections: 65_536 }, 'maxConnections is 65536'],
  [{ timeoutMs: 0 }, 'timeoutMs is 0'],
  [{ resumeMs: -1 }, 'resumeMs is -1; give a whole number from 0 to 3600000'],
  [{ resumeMs: 3_600_001 }, 'resumeMs is 3600001'],
  [{ maxAway: -1 }, 'maxAway is -1; give a whole number from 0 to 65535'],
  [{ maxAway: 65_536 }, 'maxAway is 65536'],
  [{ tokens: { key: 'A'.repeat(43) } }, 'tokens.key is all zero'],
  [{ rate: { maxBytesPerSecond: 1 } }, 'maxBytesPerSecond is 1'],
  [{ prot: 7 } as MessageListenOptions, "listen has no option 'prot'; it has timeoutMs, "],
  [{ rate: { max: 1 } } as MessageListenOptions, "rate has no option 'max'; it has initialBytes"],
  [{ development: true } as MessageListenOptions, "listen has no option 'development'"],
];

describe('options of listen', () => {
  it.each(wrong)('%j are refused', async (options, message) => {
    expect(await refusal(listen(messages, options))).toContain(`option-invalid: `);
    expect(await refusal(listen(messages, options))).toContain(message);
  });

  it('are others with a game', async () => {
    const options = { flushMs: 10 } as object;
    expect(await refusal(listen(game, options))).toContain("has no option 'flushMs'; it has");
    open.push(await listen(game, { host: '127.0.0.1', development: true }));
  });

  it('may be at their bounds, or undefined', async () => {
    const host = '127.0.0.1';
    open.push(await listen(messages, { host, port: 0, maxConnections: 1 }));
    open.push(await listen(messages, { host, maxConnections: 65_535, maxAway: 65_535 }));
    open.push(await listen(messages, { host, maxAway: 0 }));
    const unset = { host, port: undefined, maxConnections: undefined } as object;
    open.push(await listen(messages, unset));
    expect(open).toHaveLength(4);
  });
});
