// What connect refuses before it opens a socket. What it does with one is in tests/sockets.test.ts.

import {
  archetype,
  axis,
  component,
  defineGame,
  defineMessages,
  TickwireError,
  uint,
} from '@tickwire/protocol';
import { describe, expect, it } from 'vitest';
import { connect, type MessageConnectOptions } from '../src/connect.ts';

const messages = defineMessages({ n: { n: uint(8) } });
const game = defineGame({
  id: 'small',
  tickHz: 60,
  input: { dx: axis(4) },
  archetypes: { thing: archetype({ at: component({ x: uint(8) }) }, { max: 1 }) },
  simulate() {},
});
const URL = 'udp://127.0.0.1:9';

const sockets = () => process.getActiveResourcesInfo().filter((one) => /UDP/.test(one)).length;

/** What an attempt was refused with. */
async function refusal(attempt: Promise<unknown>): Promise<string> {
  expect(sockets()).toBe(0);
  const error = await attempt.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TickwireError);
  const { code, message } = error as TickwireError;
  return `${code}: ${message}`;
}

const wrong: [MessageConnectOptions, string][] = [
  [{ connectTimeoutMs: 0 }, 'connectTimeoutMs is 0; give a whole number from 1 to 3600000'],
  [{ connectTimeoutMs: Number.NaN }, 'connectTimeoutMs is NaN'],
  [{ connectTimeoutMs: 3_600_001 }, 'connectTimeoutMs is 3600001'],
  [{ keepAliveMs: -1 }, 'keepAliveMs is -1'],
  [{ timeout: 9 } as MessageConnectOptions, "connect has no option 'timeout'; it has timeoutMs, "],
  [{ rate: { max: 1 } } as MessageConnectOptions, "rate has no option 'max'; it has initialBytes"],
];

describe('options of connect', () => {
  it.each(wrong)('%j are refused', async (options, message) => {
    expect(await refusal(connect(messages, URL, options))).toContain('option-invalid: ');
    expect(await refusal(connect(messages, URL, options))).toContain(message);
  });

  it('are others with a game', async () => {
    const flushed = { flushMs: 10 } as object;
    expect(await refusal(connect(game, URL, flushed))).toContain("has no option 'flushMs'");
    const sampled = { sampleInput: () => {} } as object;
    expect(await refusal(connect(messages, URL, sampled))).toContain("no option 'sampleInput'");
  });

  it('may be at their bounds', async () => {
    const signal = AbortSignal.abort();
    const late = { connectTimeoutMs: 3_600_000, signal };
    expect(await refusal(connect(messages, URL, late))).toContain('connect-aborted');
    const early = { connectTimeoutMs: 1, signal: undefined } as object;
    expect(await refusal(connect(messages, URL, early))).toContain('connect-unreachable');
  });
});
