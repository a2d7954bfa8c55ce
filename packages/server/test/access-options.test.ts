// A user's store of used tokens: whatever it does, it is answered for once, and nothing is thrown into the air.

import { TickwireError } from '@tickwire/protocol';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { resolveAccess, type TokenOptions } from '../src/access-options.ts';

const key = new Uint8Array(32).fill(7);
const id = Uint8Array.of(0, 1, 0xab);

afterEach(() => void vi.useRealTimers());

/** What is told about a store, in order. */
async function asked(consume: NonNullable<TokenOptions['consume']>) {
  const told: string[] = [];
  const listener = {
    failed: (error: Error) => void told.push(`failed: ${error.message}`),
    answered: () => void told.push('answered'),
  };
  const access = await resolveAccess({ tokens: { key, consume } }, 1, listener);
  if (access.way !== 'token') throw new Error('tokens are wanted');
  access.consume!(id, (fresh) => void told.push(`done: ${fresh}`));
  await vi.waitFor(() => expect(told).toContain('answered'));
  return told;
}

describe('a store', () => {
  test('gets the id as text, and is woken for when it has answered', async () => {
    const consume = vi.fn(async () => true);
    expect(await asked(consume)).toEqual(['done: true', 'answered']);
    expect(consume.mock.calls).toEqual([['0001ab']]);
    expect(await asked(async () => false)).toEqual(['done: false', 'answered']);
  });

  test('that says anything but true says no', async () => {
    expect(await asked(async () => 1 as never)).toEqual(['done: false', 'answered']);
    expect(await asked(() => true as never)).toEqual(['done: true', 'answered']);
  });

  test('that fails, now or later, frees the token first and is reported then', async () => {
    const failing = [
      async () => Promise.reject(new Error('planted')),
      () => {
        throw new Error('planted');
      },
    ];
    for (const consume of failing) {
      expect(await asked(consume)).toEqual(['done: undefined', 'failed: planted', 'answered']);
    }
  });

  test('that is silent has failed after 5 s, and is not heard any more', async () => {
    vi.useFakeTimers();
    for (const late of [true, false, new Error('late')]) {
      const told: string[] = [];
      const listener = {
        failed: (error: Error) => void told.push(`failed: ${error.message}`),
        answered: () => void told.push('answered'),
      };
      let answer: () => void = () => {};
      const consume = () =>
        new Promise<boolean>((resolve, reject) => {
          answer = () => (late instanceof Error ? reject(late) : resolve(late));
        });
      const access = await resolveAccess({ tokens: { key, consume } }, 1, listener);
      if (access.way !== 'token') throw new Error('tokens are wanted');
      access.consume!(id, (fresh) => void told.push(`done: ${fresh}`));
      await vi.advanceTimersByTimeAsync(4999);
      expect(told).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      const expected = ['done: undefined', 'failed: no answer within 5000 ms', 'answered'];
      expect(told).toEqual(expected);
      answer();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(told).toEqual(expected);
    }
  });

  test('whose answer leads to a throw is reported, not unhandled', async () => {
    const failed = vi.fn();
    const consume = async () => true;
    const access = await resolveAccess({ tokens: { key, consume } }, 1, { failed, answered() {} });
    if (access.way !== 'token') throw new Error('tokens are wanted');
    const planted = new Error('planted');
    access.consume!(id, () => {
      throw planted;
    });
    await vi.waitFor(() => expect(failed.mock.calls).toEqual([[planted]]));
  });
});

describe('options of tokens', () => {
  const quiet = { failed() {}, answered() {} };
  test.each([
    ["tokens.address is '127.0.0.1'", { key, address: '127.0.0.1' }],
    ["tokens.address is ''", { key, address: '' }],
    ["tokens.address is '::1:7777'", { key, address: '::1:7777' }],
    ['tokens.key is all zero', { key: new Uint8Array(32) }],
    ['tokens.key has 31 bytes', { key: new Uint8Array(31) }],
    ["tokens has no option 'adress'", { key, adress: 'a:1' }],
    ['tokens.maxLifetimeMs is 0', { key, maxLifetimeMs: 0 }],
    ['tokens.maxLifetimeMs is 86400001', { key, maxLifetimeMs: 86_400_001 }],
  ])('%s: refused', async (text, tokens) => {
    const attempt = resolveAccess({ tokens }, 1, quiet);
    await expect(attempt).rejects.toThrow(TickwireError);
    await expect(attempt).rejects.toThrow(
      expect.objectContaining({ code: 'option-invalid', message: expect.stringContaining(text) }),
    );
  });

  test('an address goes through as it is', async () => {
    const access = await resolveAccess({ tokens: { key, address: '[::1]:7777' } }, 1, quiet);
    expect(access).toMatchObject({ way: 'token', address: '[::1]:7777' });
  });
});
