// Typed messages of every delivery kind in one connection, over a link that loses, in virtual time.

import { describe, expect, test } from 'vitest';
import { EncodedMessage } from '../src/session/encoded-message.ts';
import { GameChannel } from '../src/session/game-channels.ts';
import { MessageChannels } from '../src/session/message-channels.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { ConnectionPair } from './connection-pair.ts';
import { bytes, defineMessages, text, uint } from './game-face.ts';

const set = defineMessages(
  {
    say: { line: text(100) },
    where: { at: uint(16) },
    shout: { at: uint(16) },
    job: { at: uint(16) },
    piece: { index: uint(8), data: bytes(10_000) },
    score: { player: uint(8), points: uint(16) },
  },
  {
    fast: { kind: 'unreliable-sequenced', carries: ['where'] },
    loud: { kind: 'unreliable', carries: ['shout'] },
    jobs: { kind: 'reliable-unordered', carries: ['job'] },
    level: { kind: 'reliable-ordered', carries: ['piece'], priority: -1, queueBytes: 20_100 },
    scores: { kind: 'reliable-latest', carries: ['score'], key: 'player', keys: 4 },
  },
);

/** Both sides of a connection, and what each has heard as [name, value] or [name, forgotten key]. */
class Pair {
  readonly heard: [string, unknown][] = [];
  readonly answers: [string, unknown][] = [];
  readonly a = new MessageChannels(set, this.#receiver(this.answers));
  readonly b = new MessageChannels(set, this.#receiver(this.heard));
  readonly link: ConnectionPair;

  constructor(loss = 0, seed = 1) {
    const link = { latencyMs: 40, loss };
    this.link = new ConnectionPair(
      { channels: this.a.plans(), link },
      { channels: this.b.plans(), link },
      seed,
    );
  }

  run(ticks: number): void {
    this.link.run(ticks);
  }

  values(name: string): unknown[] {
    return this.heard.filter(([heard]) => heard === name).map(([, value]) => value);
  }

  #receiver(into: [string, unknown][]) {
    return {
      message: (name: string, value: unknown) => void into.push([name, value]),
      forgotten: (name: string, key: number) => void into.push([name, key]),
    };
  }
}

function count(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

describe('messages of all kinds', () => {
  test('have the ids of their channels', () => {
    const plans = new Pair().a.plans();
    expect(plans.map(({ id, priority }) => [id, priority])).toEqual([
      [GameChannel.messages, 0],
      [GameChannel.declared, 0],
      [GameChannel.declared + 1, 0],
      [GameChannel.declared + 2, 0],
      [GameChannel.declared + 3, -1],
      [GameChannel.declared + 4, 0],
    ]);
  });

  test.each([0, 0.2])('arrive as their channel promises, with a loss of %f', (loss) => {
    const pair = new Pair(loss);
    const data = Uint8Array.from({ length: 9000 }, (_, i) => i % 251);
    pair.a.send('piece', { index: 7, data });
    for (const at of count(0, 200)) {
      expect(pair.a.send('say', { line: `${at}` })).toBe('queued');
      expect(pair.a.send('where', { at })).toBe('queued');
      expect(pair.a.send('shout', { at })).toBe('queued');
      expect(pair.a.send('job', { at })).toBe('queued');
      expect(pair.a.send('score', { player: at % 3, points: at })).toBe('queued');
      pair.run(1);
    }
    expect(pair.a.unsettled).toBeGreaterThan(0);
    pair.run(400);
    expect(pair.a.unsettled).toBe(0);
    expect(pair.values('say')).toEqual(count(0, 200).map((at) => ({ line: `${at}` })));
    expect(pair.values('piece')).toEqual([{ index: 7, data }]);
    const jobs = (pair.values('job') as { at: number }[]).map(({ at }) => at);
    expect([...jobs].sort((x, y) => x - y)).toEqual(count(0, 200));
    const where = (pair.values('where') as { at: number }[]).map(({ at }) => at);
    expect(where).toEqual([...new Set(where)].sort((x, y) => x - y));
    expect(where.length).toBeGreaterThan(loss === 0 ? 199 : 120);
    expect(pair.values('shout').length).toBeGreaterThan(loss === 0 ? 199 : 120);
    const scores = new Map(
      pair.values('score').map((value) => {
        const { player, points } = value as { player: number; points: number };
        return [player, points];
      }),
    );
    expect([...scores]).toEqual(
      expect.arrayContaining([
        [0, 198],
        [1, 199],
        [2, 197],
      ]),
    );
    expect([pair.a.malformed, pair.b.malformed]).toEqual([0, 0]);
  });

  test('go both ways', () => {
    const pair = new Pair();
    pair.b.send('say', { line: 'hello' });
    pair.run(10);
    expect(pair.answers).toEqual([['say', { line: 'hello' }]]);
  });

  test('are counted together, and on the wire', () => {
    const pair = new Pair();
    pair.a.send('say', { line: 'hello' });
    pair.a.send('where', { at: 1 });
    const { main, fast } = pair.a.statistics;
    expect(pair.a.queued).toBe(2);
    expect(pair.a.queuedBytes).toBe(main!.queuedBytes + fast!.queuedBytes);
    pair.run(30);
    expect([pair.a.queued, pair.a.queuedBytes]).toEqual([0, 0]);
    const { out, in: back } = pair.a.wireBytes(pair.link.a.connection, 'main');
    expect(out).toBeGreaterThan(main!.sentBytes);
    expect(back).toBe(0);
    expect(pair.b.wireBytes(pair.link.b.connection, 'main')).toEqual({ out: 0, in: out });
    expect(pair.a.wireBytes(undefined, 'fast')).toEqual({ out: 0, in: 0 });
    const act = () => pair.a.wireBytes(undefined, 'slow');
    expect(act).toThrow(expect.objectContaining({ code: 'channel-invalid' }));
  });
});

describe('latest values', () => {
  test('can be taken back, even before they were sent', () => {
    const pair = new Pair();
    pair.a.send('score', { player: 1, points: 5 });
    pair.run(10);
    expect(pair.a.forget('score', 1)).toBe('queued');
    pair.a.send('score', { player: 2, points: 6 });
    expect(pair.a.forget('score', 2)).toBe('queued');
    expect(pair.a.forget('score', 3)).toBe('queued');
    pair.run(20);
    expect(pair.heard).toEqual([
      ['score', { player: 1, points: 5 }],
      ['score', 1],
    ]);
    expect(pair.a.unsettled).toBe(0);
  });

  test('nothing else can', () => {
    const { a } = new Pair();
    for (const name of ['say', 'job', 'toString']) {
      const act = () => a.forget(name as 'say', 1);
      expect(act).toThrow(expect.objectContaining({ code: 'channel-invalid' }));
    }
    const act = () => a.forget('score', 1.5);
    expect(act).toThrow(expect.objectContaining({ code: 'key-invalid' }));
  });

  test('have as many keys as were declared', () => {
    const pair = new Pair();
    const send = (player: number) => pair.a.send('score', { player, points: 0 });
    expect(count(0, 5).map(send)).toEqual(['queued', 'queued', 'queued', 'queued', 'full']);
    expect(send(3)).toBe('queued');
  });
});

describe('back-pressure', () => {
  test('full is of one channel, and is over at half of its queue', () => {
    const pair = new Pair();
    const data = new Uint8Array(9990);
    const send = (index: number) => pair.a.send('piece', { index, data });
    expect([send(0), send(1), send(2)]).toEqual(['queued', 'queued', 'full']);
    expect(pair.a.send('say', { line: 'still' })).toBe('queued');
    const calls: number[] = [];
    pair.a.onWritable(() => calls.push(pair.a.statistics.level!.queuedBytes), 'level');
    pair.run(60);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toBeLessThanOrEqual(20_100 / 2);
    expect(pair.a.statistics.level).toMatchObject({ full: 1, sent: 2, queued: 0 });
    expect(pair.b.statistics.level).toMatchObject({ delivered: 2 });
  });

  test('too large is what the declaration leaves possible and the channel does not', () => {
    const declared = { main: { kind: 'reliable-ordered', messageBytes: 50 } } as const;
    const small = defineMessages({ say: { line: text(100) } }, declared);
    const channels = new MessageChannels(small, { message() {}, forgotten() {} });
    expect(channels.send('say', { line: 'x'.repeat(46) })).toBe('queued');
    expect(channels.send('say', { line: 'x'.repeat(47) })).toBe('too-large');
  });

  test('there is no other channel to wait for', () => {
    const { a } = new Pair();
    const act = () => a.onWritable(() => {}, 'toString');
    expect(act).toThrow(expect.objectContaining({ code: 'channel-invalid' }));
  });

  test('once finished everything is closed, and what was queued still arrives', () => {
    const pair = new Pair();
    pair.a.send('say', { line: 'last' });
    pair.a.finish();
    expect(pair.a.send('say', { line: 'later' })).toBe('closed');
    expect(pair.a.send('where', { at: 1 })).toBe('closed');
    expect(pair.a.forget('score', 1)).toBe('closed');
    pair.run(20);
    expect(pair.heard).toEqual([['say', { line: 'last' }]]);
    expect(pair.a.unsettled).toBe(0);
  });
});

describe('what is said wrongly', () => {
  test('throws on this side, naming the message', () => {
    const { a } = new Pair();
    const wrong = [
      () => a.send('sing' as never, {} as never),
      () => a.send('say', { line: 'x'.repeat(101) }),
      () => a.send('score', { player: 256, points: 0 }),
    ];
    for (const act of wrong)
      expect(act).toThrow(expect.objectContaining({ code: 'message-invalid' }));
    expect(a.statistics.main).toMatchObject({ sent: 0 });
  });

  /** What the receiver makes of a section with one record. */
  function take(channel: number, ...record: number[]) {
    const pair = new Pair();
    const plan = pair.b.plans()[channel]!;
    const data = new Uint8Array(record);
    const verdict = plan.channel.read(0, data, 0, data.length, 0);
    if (verdict === Verdict.accepted) plan.channel.commit(0);
    return { verdict, malformed: pair.b.malformed, heard: pair.heard };
  }

  test('is ignored and counted on the other, the packet stays kept', () => {
    // unreliable: length * 2, then kind and array
    expect(take(2, 6, 2, 0x91, 5)).toEqual({
      verdict: Verdict.accepted,
      malformed: 0,
      heard: [['shout', { at: 5 }]],
    });
    expect(take(2, 6, 9, 0x91, 5)).toMatchObject({ verdict: Verdict.accepted, malformed: 1 });
    expect(take(2, 4, 2, 0x90)).toMatchObject({ verdict: Verdict.accepted, malformed: 1 });
  });

  test('a message in a channel that does not carry it', () => {
    expect(take(2, 6, 1, 0x91, 5)).toMatchObject({ malformed: 1, heard: [] });
    expect(take(1, 6, 1, 0x91, 5)).toMatchObject({ malformed: 0 });
  });

  test('a latest value under a key that is not its own', () => {
    // key, revision, length + 1, then kind and array
    expect(take(5, 3, 0, 0, 5, 5, 0x92, 3, 9)).toMatchObject({
      malformed: 0,
      heard: [['score', { player: 3, points: 9 }]],
    });
    expect(take(5, 4, 0, 0, 5, 5, 0x92, 3, 9)).toMatchObject({ malformed: 1, heard: [] });
  });
});

test('a message encoded once goes to many', () => {
  const [one, other] = [new Pair(), new Pair()];
  const message = new EncodedMessage();
  message.encode(set, 'score', { player: 2, points: 3 });
  for (const pair of [one, other]) {
    expect(pair.a.sendEncoded(message)).toBe('queued');
    pair.run(10);
    expect(pair.heard).toEqual([['score', { player: 2, points: 3 }]]);
  }
});
