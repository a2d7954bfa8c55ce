// Errors that are told to user code, which may throw in turn.

import { describe, expect, test, vi } from 'vitest';
import { reportTo } from '../src/error-report.ts';

const planted = new Error('planted');
const thrower = () => {
  throw new Error('thrown by the listener');
};

describe('an error is told', () => {
  test('to onError alone, where there is one', () => {
    const [onError, log] = [vi.fn(), vi.fn()];
    reportTo({ onError, log }, planted, 'onMessage');
    expect(onError.mock.calls).toEqual([[planted, 'onMessage']]);
    expect(log).not.toHaveBeenCalled();
  });

  test('else to log', () => {
    const log = vi.fn();
    reportTo({ log }, planted, 'onMessage');
    const data = { where: 'onMessage', error: 'Error: planted' };
    expect(log.mock.calls).toEqual([['error', 'user-error', data]]);
    expect(() => reportTo({}, planted, 'onMessage')).not.toThrow();
  });

  test('to log when onError throws, both errors', () => {
    const log = vi.fn();
    reportTo({ onError: thrower, log }, planted, 'onMessage');
    expect(log.mock.calls.map(([, , data]) => data)).toEqual([
      { where: 'onMessage', error: 'Error: planted' },
      { where: 'onError', error: 'Error: thrown by the listener' },
    ]);
  });

  test('to nobody when log throws as well, or it has no text', () => {
    expect(() => reportTo({ onError: thrower, log: thrower }, planted, 'x')).not.toThrow();
    expect(() => reportTo({ log: thrower }, planted, 'x')).not.toThrow();
    expect(() => reportTo({ log: vi.fn() }, Object.create(null), 'x')).not.toThrow();
  });
});
