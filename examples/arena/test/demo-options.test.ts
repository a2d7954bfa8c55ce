// The demo's arguments: defaults, bounds, and what is refused.
import { describe, expect, it } from 'vitest';
import { parseDemoOptions } from '../src/demo-options.ts';

describe('arguments of the demo', () => {
  it('have defaults', () => {
    expect(parseDemoOptions([])).toEqual({
      players: 24,
      matches: 2,
      seconds: undefined,
      latency: 50,
      jitter: 20,
      loss: 5,
      duplicate: 0,
      reorder: 0,
      rate: undefined,
      snapshots: 30,
      seed: 1,
      host: '127.0.0.1',
      json: false,
      bug: undefined,
    });
    expect(parseDemoOptions(['--help', '--players', 'x'])).toBe('help');
  });

  it('spread many players over more matches, and send them fewer snapshots', () => {
    expect(parseDemoOptions(['--players', '51'])).toMatchObject({ matches: 5, snapshots: 30 });
    expect(parseDemoOptions(['--players', '200'])).toMatchObject({ matches: 17, snapshots: 20 });
    expect(parseDemoOptions(['--players', '3'])).toMatchObject({ matches: 1 });
  });

  it('are taken at their bounds', () => {
    const given = '--players 2 --seconds 3 --loss 100 --rate 0.001 --break ack --host ::1 --json';
    expect(parseDemoOptions(given.split(' '))).toMatchObject({
      players: 2,
      matches: 1,
      seconds: 3,
      loss: 100,
      rate: 0.001,
      bug: 'ack',
      host: '::1',
      json: true,
    });
  });

  it.each([
    '--players 1',
    '--players 1001',
    '--players 2.5',
    '--players',
    '--matches 13',
    '--seconds 2.9',
    '--loss 100.1',
    '--latency -1',
    '--jitter=',
    '--seed 2147483648',
    '--host localhost',
    '--break everything',
    '--unknown',
    'word',
  ])('%s is refused', (given) => {
    expect(() => parseDemoOptions(given.split(' '))).toThrow(
      expect.objectContaining({ code: 'usage' }),
    );
  });
});
