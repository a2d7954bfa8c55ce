// User code runs inside of receive and poll: it may close, and make this or other connections send and receive.

import { expect, test } from 'vitest';
import type { ChannelPlan } from '../src/transport/channel.ts';
import { Connection } from '../src/transport/connection.ts';
import { createMessageChannel } from '../src/transport/delivery.ts';
import type { MessageChannel } from '../src/transport/message-channel.ts';
import { type DeliveryKind, resolveChannel } from '../src/wire/channel-options.ts';
import { type SealerChain, TAG_BYTES } from '../src/wire/crypto.ts';
import { DATAGRAM_BYTES_MAX } from '../src/wire/packet.ts';
import { Verdict } from '../src/wire/verdict.ts';

type Kind = Exclude<DeliveryKind, 'reliable-latest'>;
type Handler = (text: string) => void;

const KINDS: readonly Kind[] = [
  'unreliable',
  'unreliable-sequenced',
  'reliable-unordered',
  'reliable-ordered',
];

/** Notes under which sequences it sealed. */
class NotedChain implements SealerChain {
  readonly sequences: number[] = [];

  next() {
    return {
      seal: (bytes: Uint8Array, _start: number, _body: number, end: number, sequence: number) => {
        this.sequences.push(sequence);
        bytes.fill(0, end, end + TAG_BYTES);
      },
      open: () => true,
    };
  }
}

/** One end: channels 0 and 1, each of which hands its messages to a handler. */
class End {
  readonly chain = new NotedChain();
  readonly channels: readonly MessageChannel[];
  readonly connection: Connection;
  readonly got: string[] = [];
  handler: Handler = () => {};
  readonly #out = new Uint8Array(DATAGRAM_BYTES_MAX);

  /** @param from the id of its first channel. */
  constructor(kind: Kind, queueEntries = 64, from = 0) {
    const limits = resolveChannel({ kind, queueEntries });
    const take = (bytes: Uint8Array, start: number, end: number) => {
      const text = new TextDecoder().decode(bytes.subarray(start, end));
      this.handler(text);
      this.got.push(text);
    };
    this.channels = [createMessageChannel(limits, take), createMessageChannel(limits, take)];
    this.connection = new Connection({
      remoteId: 1,
      outgoing: this.chain,
      incoming: new NotedChain(),
      channels: this.channels.map((channel, i): ChannelPlan => ({ id: from + i, channel })),
      nowMs: 0,
      sink: { closed() {}, ended() {} },
    });
  }

  say(text: string, channel = 0): void {
    const bytes = new TextEncoder().encode(text);
    expect(this.channels[channel]!.send(bytes, 0, bytes.length)).toBe('queued');
  }

  /** Flushes, and hands everything to the peer; returns how many packets there were. */
  flushTo(peer: End, nowMs: number): number {
    this.connection.flush(nowMs);
    for (let count = 0; ; count++) {
      const length = this.connection.poll(nowMs, this.#out, 0);
      if (length === 0) return count;
      const verdict = peer.connection.receive(nowMs, this.#out, 0, length);
      expect(verdict).toBe(Verdict.accepted);
    }
  }
}

/** Both ends, greeted. */
function pairOf(kind: Kind, queueEntries?: number, from?: number): [End, End] {
  const make = () => new End(kind, queueEntries, from);
  const pair: [End, End] = [make(), make()];
  pair[0].flushTo(pair[1], 1);
  pair[1].flushTo(pair[0], 1);
  return pair;
}

test.each(KINDS)('a handler makes other connections exchange packets (%s)', (kind) => {
  const [a, b] = pairOf(kind);
  // Others ids, and more that is behind the first section: what is left over of them would show.
  const [c, d] = pairOf(kind, 64, 7);
  let depth = 0;
  b.handler = (text) => {
    c.say(`${text} on`, 1);
    c.say(`${text} too`);
    c.flushTo(d, 2);
    d.flushTo(c, 2);
  };
  d.handler = () => {
    depth++;
    d.say('heard');
  };
  for (const text of ['one', 'two', 'three']) a.say(text);
  for (const text of ['four', 'five']) a.say(text, 1);
  expect(a.flushTo(b, 2)).toBe(1);
  expect(b.got).toEqual(['one', 'two', 'three', 'four', 'five']);
  const passedOn = b.got.flatMap((text) => [`${text} on`, `${text} too`]);
  expect(new Set(d.got)).toEqual(new Set(passedOn));
  expect([d.got.length, c.got.length, depth]).toEqual([10, 10, 10]);
});

test.each(KINDS)('a handler answers at once, inside of the receive (%s)', (kind) => {
  const [a, b] = pairOf(kind);
  b.handler = (text) => {
    b.say(`${text}!`);
    expect(b.flushTo(a, 2)).toBe(1);
  };
  for (const text of ['one', 'two', 'three']) a.say(text);
  a.flushTo(b, 2);
  expect(b.got).toEqual(['one', 'two', 'three']);
  expect(a.got).toEqual(['one!', 'two!', 'three!']);
  expect(new Set(b.chain.sequences).size).toBe(b.chain.sequences.length);
});

test.each(KINDS)('a handler closes, and the close leaves inside of the receive (%s)', (kind) => {
  const [a, b] = pairOf(kind);
  b.handler = () => {
    b.connection.close(2, 'closed', 'enough');
    expect(b.flushTo(a, 2)).toBe(1);
  };
  for (const text of ['one', 'two', 'three']) a.say(text);
  a.connection.flush(2);
  const out = new Uint8Array(DATAGRAM_BYTES_MAX);
  b.connection.receive(2, out, 0, a.connection.poll(2, out, 0));
  expect(b.got).toEqual(['one']);
  expect([a.connection.open, b.connection.open]).toEqual([false, false]);
});

test.each(KINDS)('who is told of room closes: no sequence is sealed twice (%s)', (kind) => {
  const [a, b] = pairOf(kind, 2);
  const [c, d] = pairOf(kind);
  const inner = new Uint8Array(DATAGRAM_BYTES_MAX);
  let told = 0;
  a.say('one');
  a.say('two');
  a.channels[0]!.onWritable(() => {
    told++;
    a.connection.close(2, 'closed', 'enough');
    const length = a.connection.poll(2, inner, 0);
    // Not while a packet is being written; reliable kinds have room, and tell of it, when an ack comes.
    expect(length > 0).toBe(kind.startsWith('reliable'));
    if (length > 0) b.connection.receive(2, inner, 0, length);
    // Others may meanwhile.
    c.say('elsewhere');
    expect(c.flushTo(d, 2)).toBe(1);
  });
  for (let nowMs = 2; nowMs < 300 && told === 0; nowMs += 30) {
    a.flushTo(b, nowMs);
    b.flushTo(a, nowMs);
  }
  a.flushTo(b, 300);
  expect(told).toBe(1);
  expect(d.got).toEqual(['elsewhere']);
  expect([a.connection.open, b.connection.open]).toEqual([false, false]);
  expect(new Set(a.chain.sequences).size).toBe(a.chain.sequences.length);
});
