import { describe, expect, test } from 'vitest';
import { Connection } from '../src/transport/connection.ts';
import {
  type ConnectionTuning,
  checkTuning,
  resolveRotation,
  resolveTimes,
} from '../src/transport/connection-options.ts';
import { openChain } from './connection-pair.ts';

describe('the times of a connection', () => {
  test('have defaults', () => {
    expect(resolveTimes({})).toEqual({ timeoutMs: 10_000, keepAliveMs: 2000 });
    expect(resolveTimes({ timeoutMs: undefined, keepAliveMs: undefined })).toEqual(
      resolveTimes({}),
    );
  });

  test('are taken as given, up to an hour', () => {
    const times = { timeoutMs: 3_600_000, keepAliveMs: 0.5 };
    expect(resolveTimes(times)).toEqual(times);
  });

  test.each([0, -1, 3_600_001, Number.NaN, Number.POSITIVE_INFINITY])('may not be %d', (ms) => {
    for (const name of ['timeoutMs', 'keepAliveMs'] as const) {
      expect(() => resolveTimes({ [name]: ms })).toThrow(name);
      expect(() => resolveTimes({ [name]: ms })).toThrow(
        expect.objectContaining({ code: 'option-invalid' }),
      );
    }
  });
});

describe('the packets under one key', () => {
  test('are 2^24 unless told otherwise, from 1 to 2^32', () => {
    expect(resolveRotation({})).toBe(2 ** 24);
    expect(resolveRotation({ rotateAfterPackets: undefined })).toBe(2 ** 24);
    for (const rotateAfterPackets of [1, 64, 2 ** 32]) {
      expect(resolveRotation({ rotateAfterPackets })).toBe(rotateAfterPackets);
    }
  });

  test.each([0, -1, 1.5, 2 ** 32 + 1, Number.NaN, Number.POSITIVE_INFINITY])(
    'may not be %d',
    (rotateAfterPackets) => {
      const expected = expect.objectContaining({ code: 'option-invalid' });
      expect(() => resolveRotation({ rotateAfterPackets })).toThrow('rotateAfterPackets');
      expect(() => checkTuning({ rotateAfterPackets })).toThrow(expected);
    },
  );
});

test('a connection checks what it is told at once', () => {
  const make = (tuning: ConnectionTuning) => () =>
    new Connection({
      ...tuning,
      remoteId: 1,
      outgoing: openChain,
      incoming: openChain,
      channels: [],
      nowMs: 0,
      sink: { closed() {}, ended() {} },
    });
  expect(make({})).not.toThrow();
  expect(make({ timeoutMs: 0 })).toThrow('timeoutMs');
  expect(make({ rotateAfterPackets: 0 })).toThrow('rotateAfterPackets');
  expect(make({ rate: { maxBytesPerSecond: -1 } })).toThrow(
    expect.objectContaining({ code: 'option-invalid' }),
  );
});
