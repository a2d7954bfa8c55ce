import { describe, expect, test } from 'vitest';
import { MESSAGE_CHANNELS_MAX } from '../src/messages/declared-channel.ts';
import { type ChannelDeclarations, defineMessages } from '../src/messages/message-set.ts';
import { CHANNELS_MAX } from '../src/transport/channel.ts';
import { bytes, flag, real, text, uint } from './game-face.ts';

const messages = {
  say: { line: text(200) },
  where: { x: real(), y: real() },
  score: { player: uint(8), points: uint(16) },
  piece: { index: uint(16), data: bytes(64 * 1024) },
};
type Messages = typeof messages;

const channels: ChannelDeclarations<Messages> = {
  fast: { kind: 'unreliable-sequenced', carries: ['where'], ttlMs: 100 },
  level: { kind: 'reliable-ordered', carries: ['piece'], priority: -1 },
  scores: { kind: 'reliable-latest', carries: ['score'], key: 'player' },
};

/** The declaration must throw 'channel-invalid', saying `why`. */
function refused(declared: unknown, why: string, of: object = messages): void {
  const act = () => defineMessages(of as Messages, declared as ChannelDeclarations<Messages>);
  expect(act).toThrow(expect.objectContaining({ code: 'channel-invalid' }));
  expect(act).toThrow(why);
}

describe('declared channels', () => {
  test('carry what they name; main is first and carries the rest', () => {
    const set = defineMessages(messages, channels);
    const carried = set.channels.map(({ name, carries, key }) => [name, carries, key]);
    expect(carried).toEqual([
      ['main', ['say'], undefined],
      ['fast', ['where'], undefined],
      ['level', ['piece'], undefined],
      ['scores', ['score'], 'player'],
    ]);
    const indexes = set.names.map((name) => set.channelOf(set.kindOf(name)));
    expect(indexes).toEqual([0, 1, 3, 2]);
  });

  test('without any, everything is in main, reliable and in order', () => {
    const [main, ...others] = defineMessages(messages).channels;
    expect(others).toEqual([]);
    expect(main!.carries).toEqual(Object.keys(messages));
    expect(main!.limits).toMatchObject({ kind: 'reliable-ordered', priority: 0, weight: 1 });
  });

  test('are bounded by the longest message that they carry, unless told otherwise', () => {
    const set = defineMessages(messages, channels);
    const [main, fast, level] = set.channels.map(({ limits }) => limits.messageBytes);
    expect([main, fast]).toEqual([210, 23]);
    const data = new Uint8Array(64 * 1024);
    const out = new Uint8Array(level!);
    const length = set.encode('piece', { index: 65535, data }, out, 0, out.length);
    expect(length).toBeGreaterThan(data.length);
    const shorter = defineMessages(messages, {
      ...channels,
      level: { kind: 'reliable-ordered', carries: ['piece'], messageBytes: 1000 },
    });
    expect(shorter.channels[2]!.limits.messageBytes).toBe(1000);
    expect(defineMessages({}).channels[0]!.limits.messageBytes).toBe(1);
  });

  test('main may be declared for its options', () => {
    const set = defineMessages(messages, { main: { kind: 'reliable-unordered', priority: 3 } });
    expect(set.channels).toHaveLength(1);
    expect(set.channels[0]!.limits).toMatchObject({ kind: 'reliable-unordered', priority: 3 });
  });

  test('are 62 at most, which with those of a game are all that a connection has', () => {
    const many = (count: number) => {
      const names = Array.from({ length: count }, (_, i) => `m${i}`);
      const kinds = Object.fromEntries(names.map((name) => [name, { on: flag() }]));
      const each = names.map((name) => [name, { kind: 'unreliable', carries: [name] }] as const);
      return [Object.fromEntries(each), kinds] as const;
    };
    const [most, kinds] = many(61);
    expect(defineMessages(kinds, most).channels).toHaveLength(MESSAGE_CHANNELS_MAX);
    expect(MESSAGE_CHANNELS_MAX + 2).toBe(CHANNELS_MAX);
    const [more, moreKinds] = many(62);
    refused(more, "62 channels beside 'main', at most 61", moreKinds);
  });

  test('are checked when they are declared', () => {
    const kind = 'unreliable';
    refused({ 'a b': { kind, carries: ['say'] } }, "channel 'a b'");
    refused({ a: { kind } }, "channel 'a' carries no message");
    refused({ a: { kind, carries: [] } }, "channel 'a' carries no message");
    refused({ a: { kind, carries: ['sing'] } }, "'sing', which is no message");
    refused({ a: { kind, carries: ['say'] }, b: { kind, carries: ['say'] } }, 'carried twice');
    refused({ a: { kind, carries: ['say', 'say'] } }, 'carried twice');
    refused({ main: { kind, carries: ['say'] } }, "channel 'main' carries what no other");
    refused({ main: { kind: 'reliable-latest', key: 'player' } }, 'any kind but reliable-latest');
    refused({ a: { kind: 'slow', carries: ['say'] } }, "channel 'a', message 'say': 'slow'");
    refused({ a: { kind, carries: ['say'], priority: 8 } }, 'priority is 8');
    refused({ a: { kind, carries: ['say'], key: 'line' } }, 'only reliable-latest');
    refused({ a: { kind, carries: ['say'], queueBytes: 100 } }, 'queueBytes is 100');
  });

  test('of latest values want one message and one of its uint fields', () => {
    const latest = { kind: 'reliable-latest', carries: ['score'] };
    refused({ a: latest }, "needs as its key a uint field of 'score'");
    refused({ a: { ...latest, key: 'toString' } }, 'needs as its key');
    refused({ a: { ...latest, carries: ['where'], key: 'x' } }, "a uint field of 'where'");
    refused({ a: { ...latest, carries: ['score', 'say'], key: 'player' } }, 'exactly one message');
  });

  test('refuse a message that its kind cannot carry, naming both', () => {
    refused({ a: { kind: 'unreliable', carries: ['piece'] } }, "channel 'a', message 'piece'");
    const wide = { level: { data: bytes(256 * 1024) }, name: { it: text(9) } };
    refused({}, "channel 'main', message 'level'", wide);
    const latest = { kind: 'reliable-latest', carries: ['piece'], key: 'index' };
    refused({ a: latest }, "channel 'a', message 'piece'");
    expect(defineMessages({ level: { data: bytes(256 * 1024 - 10) } }).maxBytes).toBe(256 * 1024);
  });
});

describe('the identity of messages', () => {
  const digestOf = (declared: ChannelDeclarations<Messages>, id?: string) =>
    defineMessages(messages, declared, id).digest;

  test('covers channels, priorities and bounds', () => {
    const { fast } = channels;
    const base = digestOf({ fast: fast! });
    const others = [
      {},
      { faster: fast! },
      { fast: { ...fast!, kind: 'unreliable' as const } },
      { fast: { ...fast!, priority: 1 } },
      { fast: { ...fast!, weight: 2 } },
      { fast: { ...fast!, ttlMs: 101 } },
      { fast: { ...fast!, queueBytes: 70_000 } },
      { fast: { ...fast!, queueEntries: 9 } },
      { fast: { ...fast!, messageBytes: 24 } },
      { fast: fast!, main: { kind: 'reliable-ordered' as const, priority: 1 } },
    ].map((declared) => digestOf(declared));
    expect(new Set([base, ...others]).size).toBe(others.length + 1);
    // What is said of main without changing it changes nothing.
    expect(digestOf({ fast: fast!, main: { kind: 'reliable-ordered' } })).toBe(base);
  });

  test('without channels the canonical text is the messages alone', () => {
    const set = defineMessages({ say: { line: text(40) } });
    expect(set.canonical).toBe('[["say",[["line","text",0,1,40]]]]');
  });

  test('with channels it says all that both sides rely on', () => {
    const set = defineMessages(
      { say: { line: text(40) }, hp: { of: uint(4) } },
      { hp: { kind: 'reliable-latest', carries: ['hp'], key: 'of' } },
    );
    expect(JSON.parse(set.canonical)).toEqual({
      messages: [
        ['say', [['line', 'text', 0, 1, 40]]],
        ['hp', [['of', 'uint', 0, 1, 15]]],
      ],
      channels: [
        ['main', 'reliable-ordered', [0, 1, 50, 65536, 1024, null, 1024], ['say'], ''],
        ['hp', 'reliable-latest', [0, 1, 14, 65536, 1024, null, 1024], ['hp'], 'of'],
      ],
    });
  });

  test('has an id, which is part of it', () => {
    expect(defineMessages(messages).id).toBe('messages');
    const [one, other] = [defineMessages(messages), defineMessages(messages, {}, 'chat')];
    expect(other.idHash).not.toBe(one.idHash);
    expect(other.digest).not.toBe(one.digest);
    expect(other.canonical).toBe(one.canonical);
    for (const id of ['', 'a b', 'x'.repeat(65)]) {
      const act = () => defineMessages(messages, {}, id);
      expect(act).toThrow(expect.objectContaining({ code: 'message-invalid' }));
    }
  });
});

test('what a channel carries and its key are typed', () => {
  const declared = () => {
    // @ts-expect-error no such message
    defineMessages(messages, { a: { kind: 'unreliable', carries: ['sing'] } });
    // @ts-expect-error no such field
    defineMessages(messages, { a: { kind: 'reliable-latest', carries: ['score'], key: 'who' } });
  };
  expect(declared).toThrow();
});
