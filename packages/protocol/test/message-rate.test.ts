// How many messages a channel takes: over a connection in virtual time, and section by section.

import { describe, expect, test } from 'vitest';
import { MessageChannels } from '../src/session/message-channels.ts';
import type { RateLimit } from '../src/session/rate-bucket.ts';
import { ReliableLatestChannel } from '../src/transport/reliable-latest.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { ConnectionPair } from './connection-pair.ts';
import { defineMessages, uint } from './game-face.ts';

const set = defineMessages(
  {
    say: { at: uint(16) },
    shout: { at: uint(16) },
    where: { at: uint(16) },
    job: { at: uint(16) },
    score: { player: uint(8), at: uint(16) },
  },
  {
    loud: { kind: 'unreliable', carries: ['shout'] },
    fast: { kind: 'unreliable-sequenced', carries: ['where'] },
    jobs: { kind: 'reliable-unordered', carries: ['job'] },
    scores: { kind: 'reliable-latest', carries: ['score'], key: 'player', keys: 32 },
  },
);
const ids = { main: 0, loud: 1, fast: 2, jobs: 3, scores: 4 };
const rate: RateLimit = { perSecond: 10, burst: 5 };

/** The side that is limited, and what it has heard: the message's `at`, or `gone` and the key. */
function listen(limit?: RateLimit) {
  const heard: (number | string)[] = [];
  const scores = new Map<number, number>();
  const channels = new MessageChannels(
    set,
    {
      message: (_name, value) => {
        const { player, at } = value as { player?: number; at: number };
        heard.push(at);
        if (player !== undefined) scores.set(player, at);
      },
      forgotten: (_name, key) => void heard.push(`gone ${key}`),
    },
    limit,
  );
  const plans = channels.plans();
  /** Gives it a section, and commits it if it is accepted. */
  const take = (nowMs: number, name: keyof typeof ids, section: number[], sequence = 0) => {
    const { channel } = plans[ids[name]]!;
    const verdict = channel.read(nowMs, new Uint8Array(section), 0, section.length, sequence);
    if (verdict === Verdict.accepted) channel.commit(nowMs);
    return verdict;
  };
  return { channels, plans, heard, scores, take };
}

/** A section of unreliable messages: length * 2, kind, and the field in an array. */
function shouts(count: number): number[] {
  return Array.from({ length: count }, (_, at) => [6, 1, 0x91, at]).flat();
}

function count(to: number): number[] {
  return Array.from({ length: to }, (_, i) => i);
}

describe('without a limit', () => {
  test('nothing stands before the channels, and nothing is refused', () => {
    const { channels, plans, heard, take } = listen();
    expect(plans[ids.scores]!.channel).toBeInstanceOf(ReliableLatestChannel);
    for (let i = 0; i < 20; i++) expect(take(0, 'loud', shouts(10))).toBe(Verdict.accepted);
    expect(heard).toHaveLength(200);
    expect(channels.statistics.loud).toMatchObject({ delivered: 200, limited: 0 });
  });
});

describe('section by section', () => {
  test('a burst passes, one more does not, and after a while it does', () => {
    const { channels, take } = listen(rate);
    for (let i = 0; i < 5; i++) expect(take(0, 'loud', shouts(1))).toBe(Verdict.accepted);
    expect(take(0, 'loud', shouts(1))).toBe(Verdict.refused);
    expect(take(99, 'loud', shouts(1))).toBe(Verdict.refused);
    expect(take(100, 'loud', shouts(1))).toBe(Verdict.accepted);
    expect(channels.statistics.loud).toMatchObject({ delivered: 6, limited: 2 });
  });

  test('a section with more than there is leaves a debt', () => {
    const { heard, take } = listen(rate);
    expect(take(0, 'loud', shouts(25))).toBe(Verdict.accepted);
    expect(heard).toHaveLength(25);
    expect(take(2099, 'loud', shouts(1))).toBe(Verdict.refused);
    expect(take(2100, 'loud', shouts(1))).toBe(Verdict.accepted);
  });

  test('each channel has its own', () => {
    const { channels, take } = listen(rate);
    take(0, 'loud', shouts(9));
    expect(take(0, 'loud', shouts(1))).toBe(Verdict.refused);
    expect(take(0, 'fast', [6, 2, 0x91, 5])).toBe(Verdict.accepted);
    expect(channels.statistics.loud).toMatchObject({ limited: 1 });
    expect(channels.statistics.fast).toMatchObject({ delivered: 1, limited: 0 });
  });

  test('what is no message counts as well', () => {
    const { channels, take } = listen(rate);
    expect(take(0, 'loud', new Array(5).fill(0))).toBe(Verdict.accepted);
    expect(channels.malformed).toBe(5);
    expect(take(0, 'loud', shouts(1))).toBe(Verdict.refused);
  });

  test('a section that is refused for other reasons takes nothing', () => {
    const { channels, take } = listen(rate);
    for (let i = 0; i < 20; i++) expect(take(0, 'loud', [9])).toBe(Verdict.malformed);
    expect(take(0, 'loud', shouts(5))).toBe(Verdict.accepted);
    expect(channels.statistics.loud).toMatchObject({ limited: 0 });
  });

  test('of latest values, new ones and deletions count, and what is said again does not', () => {
    const { heard, take } = listen(rate);
    // key, revision, length + 1, then kind and array; length 0 = deleted
    const value = (key: number, at: number) => [key, at, 0, 5, 4, 0x92, key, at];
    expect(take(0, 'scores', [...value(1, 1), ...value(2, 2)], 0)).toBe(Verdict.accepted);
    expect(take(0, 'scores', value(1, 1), 1)).toBe(Verdict.accepted);
    expect(take(0, 'scores', [1, 2, 0, 0], 2)).toBe(Verdict.accepted);
    expect(take(0, 'scores', [1, 2, 0, 0], 3)).toBe(Verdict.accepted);
    expect(heard).toEqual([1, 2, 'gone 1']);
    expect(take(0, 'scores', [2, 3, 0, 0], 4)).toBe(Verdict.accepted);
    expect(take(0, 'scores', value(3, 3), 5)).toBe(Verdict.accepted);
    expect(take(0, 'scores', value(4, 4), 6)).toBe(Verdict.refused);
    expect(heard).toEqual([1, 2, 'gone 1', 'gone 2', 3]);
  });

  test('the debt is bounded by what a packet holds, whatever it says', () => {
    const { heard, take } = listen({ perSecond: 1000, burst: 1 });
    // The shortest record is a message of no bytes.
    const section = new Array(1400).fill(0);
    expect(take(0, 'loud', section)).toBe(Verdict.accepted);
    for (let ms = 1; ms < 1400; ms += 7) expect(take(ms, 'loud', section)).toBe(Verdict.refused);
    expect(take(1400, 'loud', shouts(1))).toBe(Verdict.accepted);
    expect(heard).toEqual([0]);
  });

  test.each([
    { perSecond: 0, burst: 1 },
    { perSecond: 1, burst: 0 },
  ])('%j is no limit', (wrong) => {
    expect(() => listen(wrong)).toThrow(expect.objectContaining({ code: 'option-invalid' }));
  });
});

describe('over a connection', () => {
  /** `a` speaks as fast as it likes, `b` is limited. */
  function pair(limit: RateLimit | undefined, loss = 0, seed = 1) {
    const a = new MessageChannels(set, { message() {}, forgotten() {} });
    const b = listen(limit);
    const link = { latencyMs: 20, loss };
    const both = new ConnectionPair(
      { channels: a.plans(), link },
      { channels: b.plans, link },
      seed,
    );
    return { a, b, both };
  }

  test.each([0, 0.1])('nothing reliable is lost, whatever the limit; loss %f', (loss) => {
    for (let seed = 1; seed <= 3; seed++) {
      const { a, b, both } = pair({ perSecond: 20, burst: 10 }, loss, seed);
      for (const at of count(60)) {
        a.send('say', { at });
        a.send('job', { at });
        a.send('score', { player: at % 30, at });
        both.run(1);
      }
      both.run(1500);
      const what = `seed ${seed}`;
      expect([a.unsettled, b.channels.malformed], what).toEqual([0, 0]);
      expect(b.channels.statistics.main, what).toMatchObject({ delivered: 60 });
      expect(b.channels.statistics.jobs, what).toMatchObject({ delivered: 60 });
      expect(b.channels.statistics.main!.limited, what).toBeGreaterThan(0);
      expect(both.b.closed, what).toEqual([]);
      expect(b.scores, what).toEqual(new Map(count(60).map((at) => [at % 30, at])));
    }
  });

  test('a flood brings no more in a span than the limit allows', () => {
    const { a, b, both } = pair({ perSecond: 100, burst: 50 });
    let worst = 0;
    for (let tick = 0; tick < 600; tick++) {
      for (let i = 0; i < 10; i++) a.send('shout', { at: tick });
      const before = b.heard.length;
      both.run(1);
      worst = Math.max(worst, b.heard.length - before);
    }
    const seconds = (600 * both.tickMs) / 1000;
    expect(b.heard.length).toBeLessThanOrEqual(50 + 100 * seconds + worst);
    expect(b.heard.length).toBeGreaterThan(50 * seconds);
    expect(b.channels.statistics.loud!.limited).toBeGreaterThan(100);
  });

  test('below the limit nothing is refused', () => {
    const { a, b, both } = pair({ perSecond: 100, burst: 50 });
    for (const at of count(300)) {
      a.send('say', { at });
      both.run(1);
    }
    both.run(20);
    expect(b.heard).toEqual(count(300));
    expect(b.channels.statistics.main).toMatchObject({ limited: 0 });
  });
});
