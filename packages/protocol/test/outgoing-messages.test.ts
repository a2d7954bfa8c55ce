import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ECHO_BYTES_MAX } from '../src/transport/echo-queue.ts';
import { emptyStatistics } from '../src/transport/message-channel.ts';
import { OutgoingMessages } from '../src/transport/outgoing-messages.ts';
import { RELIABLE_WINDOW } from '../src/transport/reliable-record.ts';
import {
  type ChannelOptions,
  FRAGMENT_BYTES,
  resolveChannel,
} from '../src/wire/channel-options.ts';
import { message, ROOM } from './channel-pair.ts';
import { cut, recordsOf, sectionOf, type TestRecord } from './reliable-records.ts';

type Options = Omit<ChannelOptions, 'kind'>;

class Fixture {
  readonly statistics = emptyStatistics();
  readonly half: OutgoingMessages;
  nowMs = 0;
  sequence = 0;

  constructor(options: Options = {}) {
    const limits = resolveChannel({ ...options, kind: 'reliable-ordered' });
    this.half = new OutgoingMessages(limits, this.statistics);
  }

  send(bytes: Uint8Array): string {
    return this.half.send(bytes, 0, bytes.length);
  }

  /** Records of the next packet; its sequence is the one before `sequence`. */
  write(room = ROOM): TestRecord[] {
    const out = new Uint8Array(room);
    return recordsOf(out.slice(0, this.half.write(this.nowMs, out, 0, room, this.sequence++)));
  }

  /** Says and settles everything until so many ids have been given. */
  skipIds(count: number): void {
    for (let id = 0; id < count; ) {
      for (; id < count && this.send(new Uint8Array(0)) === 'queued'; id++);
      while (this.half.pending(this.nowMs)) {
        this.write();
        this.half.acked(this.sequence - 1);
      }
    }
  }
}

describe('OutgoingMessages', () => {
  test('gives an id with the first writing, so what was never sent leaves no gap', () => {
    const f = new Fixture({ ttlMs: 50 });
    f.half.pending(0);
    f.send(message(1, 600));
    f.send(message(2, 600));
    expect(f.write().map(({ id }) => id)).toEqual([0]);
    f.nowMs = 51;
    expect(f.half.pending(51)).toBe(false);
    expect(f.statistics).toMatchObject({ expired: 1, queued: 1, queuedBytes: 600 });
    f.send(message(3, 600));
    expect(f.write()).toEqual(cut(1, message(3, 600)));
  });

  test('drops what is overdue before it writes, asked or not', () => {
    const f = new Fixture({ ttlMs: 50 });
    f.send(message(1, 10));
    f.half.pending(0);
    f.nowMs = 51;
    expect(f.write()).toEqual([]);
    expect(f.statistics).toMatchObject({ expired: 1, queued: 0 });
  });

  test('a message has no time to live once a record of it was written, what waits behind it has', () => {
    const f = new Fixture({ ttlMs: 50 });
    f.half.pending(0);
    const long = message(1, 3 * FRAGMENT_BYTES);
    f.send(long);
    f.send(message(2, 10));
    const first = f.write();
    f.nowMs = 1000;
    expect(f.half.pending(1000)).toBe(true);
    expect(f.statistics).toMatchObject({ expired: 1, queued: 1, queuedBytes: long.length });
    f.half.lost(0);
    expect([...f.write(), ...f.write(), ...f.write()]).toEqual(cut(0, long));
    expect(first).toEqual(cut(0, long).slice(0, 1));
    expect(f.half.pending(1000)).toBe(false);
  });

  test('never cuts what fits a fragment, and cuts one byte more', () => {
    const f = new Fixture();
    f.send(message(1, FRAGMENT_BYTES));
    expect(f.write(1000)).toEqual([]);
    expect(f.write(FRAGMENT_BYTES + 4)).toEqual(cut(0, message(1, FRAGMENT_BYTES)));
    f.send(message(2, FRAGMENT_BYTES + 1));
    expect(f.write(FRAGMENT_BYTES + 4)).toEqual([]);
    const cuts = cut(1, message(2, FRAGMENT_BYTES + 1));
    expect(f.write(FRAGMENT_BYTES + 5)).toEqual(cuts.slice(0, 1));
    expect(f.write(6)).toEqual(cuts.slice(1));
  });

  test('says lost records again first, oldest first, as they were cut, and what fits beside them', () => {
    const f = new Fixture();
    const lengths = [500, 30, 500, 20, 10];
    lengths.forEach((length, i) => void f.send(message(i, length)));
    const before = [f.write(510), f.write(40), f.write(510)];
    f.half.lost(2);
    f.half.lost(0);
    f.half.lost(1);
    expect(f.half.pending(0)).toBe(true);
    // The first does not fit; the second and what is new do.
    expect(f.write(100).map(({ id }) => id)).toEqual([1, 3, 4]);
    const again = f.write();
    expect(again).toEqual([...before[0]!, ...before[2]!]);
    expect(f.statistics.resent).toBe(3);
    expect(f.half.pending(0)).toBe(false);
  });

  test('a window of records is on the way at most, from the oldest without an ack on', () => {
    const f = new Fixture();
    for (let i = 0; i < RELIABLE_WINDOW + 2; i++) f.send(message(i, 1));
    const way: number[] = [];
    while (f.half.pending(0)) way.push(...f.write(200).map(({ id }) => id));
    expect(way.length).toBe(RELIABLE_WINDOW);
    expect(f.write()).toEqual([]);
    f.half.acked(1);
    expect(f.half.pending(0)).toBe(false);
    f.half.acked(0);
    expect(f.write().map(({ id }) => id)).toEqual([RELIABLE_WINDOW, RELIABLE_WINDOW + 1]);
  });

  test('what is acked behind a gap counts until the gap is closed', () => {
    const f = new Fixture({ queueEntries: 4 });
    for (let i = 0; i < 4; i++) {
      f.send(message(i, 100));
      f.write();
    }
    for (const sequence of [3, 1, 2]) f.half.acked(sequence);
    expect(f.statistics).toMatchObject({ queued: 4, queuedBytes: 400 });
    expect(f.send(message(9, 1))).toBe('full');
    f.half.acked(0);
    expect(f.statistics).toMatchObject({ queued: 0, queuedBytes: 0 });
  });

  test('verdicts on packets without its records, and second ones, change nothing', () => {
    const f = new Fixture();
    f.send(message(1, 5));
    f.write();
    f.half.acked(77);
    f.half.lost(512);
    expect(f.half.pending(0)).toBe(false);
    f.half.lost(0);
    f.half.acked(0);
    f.half.lost(0);
    expect(f.write().length).toBe(1);
    expect(f.statistics.resent).toBe(1);
    expect(f.half.pending(0)).toBe(false);
  });

  test('may be closed by the one that it tells it is writable', () => {
    const f = new Fixture({ queueEntries: 2, ttlMs: 10 });
    f.send(message(1, 1));
    f.send(message(2, 1));
    f.half.pending(0);
    f.half.onWritable(() => f.half.close());
    expect(f.half.pending(20)).toBe(false);
    expect(f.send(message(3, 1))).toBe('closed');
  });
});

interface ModelRecord extends TestRecord {
  readonly message: number;
  readonly slot: number;
  state: 'unsent' | 'flying' | 'lost' | 'acked';
  /** Packets with a copy of it that have no verdict. */
  packets: number[];
}

/** The sending half in plain lists, every rule by the letter. */
class Model {
  readonly #queueBytes: number;
  readonly #queueEntries: number;
  readonly #ttlMs: number;
  waiting: { bytes: Uint8Array; atMs: number }[] = [];
  /** Records of messages whose first was written. */
  begun: ModelRecord[] = [];
  /** Records that were said again and get an echo, first in first out. */
  echoes: { record: ModelRecord; atMs: number }[] = [];
  /** Messages that count, begun ones: [number, bytes]. */
  counting: [message: number, bytes: number][] = [];
  nowMs = 0;
  nextId: number;
  expired = 0;
  resent = 0;
  #messages = 0;

  constructor(
    options: { queueBytes: number; queueEntries: number; ttlMs: number },
    nextId: number,
  ) {
    this.#queueBytes = options.queueBytes;
    this.#queueEntries = options.queueEntries;
    this.#ttlMs = options.ttlMs;
    this.nextId = nextId;
  }

  get queued(): number {
    return this.waiting.length + this.counting.length;
  }

  get queuedBytes(): number {
    const waiting = this.waiting.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return this.counting.reduce((sum, [, bytes]) => sum + bytes, waiting);
  }

  send(bytes: Uint8Array): string {
    if (this.queued >= this.#queueEntries) return 'full';
    if (this.queuedBytes + bytes.length > this.#queueBytes) return 'full';
    this.waiting.push({ bytes, atMs: this.nowMs });
    return 'queued';
  }

  see(nowMs: number): void {
    this.nowMs = nowMs;
    const live = this.waiting.filter(({ atMs }) => nowMs - atMs <= this.#ttlMs);
    this.expired += this.waiting.length - live.length;
    this.waiting = live;
  }

  get pending(): boolean {
    if (this.begun.some(({ state }) => state === 'lost') || this.#echoDue()) return true;
    const more = this.waiting.length > 0 || this.begun.some(({ state }) => state === 'unsent');
    return more && this.#sent().length < RELIABLE_WINDOW;
  }

  write(room: number, sequence: number): TestRecord[] {
    const written: TestRecord[] = [];
    let left = room;
    const say = (record: ModelRecord): boolean => {
      const size = sectionOf([record]).length;
      if (size > left) return false;
      left -= size;
      const { id, part, bytes } = record;
      written.push({ id: id & 0xffff, part, bytes });
      record.state = 'flying';
      record.packets.push(sequence);
      return true;
    };
    while (this.#echoDue() && say(this.echoes[0]!.record)) {
      this.echoes.shift();
      this.resent++;
    }
    for (const one of this.begun) {
      if (one.state !== 'lost' || !say(one)) continue;
      this.resent++;
      const owed = this.echoes.some(({ record }) => record.slot === one.slot);
      if (one.bytes.length <= ECHO_BYTES_MAX && !owed) {
        this.echoes.push({ record: one, atMs: this.nowMs });
      }
    }
    while (this.#sent().length < RELIABLE_WINDOW) {
      const next = this.begun.find(({ state }) => state === 'unsent');
      if (next !== undefined) {
        if (say(next)) continue;
        break;
      }
      const first = this.waiting[0];
      if (first === undefined) break;
      const message = this.#messages;
      const records = cut(this.nextId, first.bytes).map((record) => ({
        ...record,
        slot: record.id % RELIABLE_WINDOW,
        message,
        state: 'unsent' as const,
        packets: [],
      }));
      if (!say(records[0]!)) break;
      this.#messages++;
      this.nextId += records.length;
      this.waiting.shift();
      this.counting.push([message, first.bytes.length]);
      this.begun.push(...records);
    }
    return written;
  }

  settle(sequence: number, acked: boolean): void {
    for (const one of this.begun) {
      if (!one.packets.includes(sequence)) continue;
      one.packets = acked ? [] : one.packets.filter((packet) => packet !== sequence);
      if (acked) one.state = 'acked';
      else if (one.packets.length === 0) one.state = 'lost';
    }
    while (this.begun[0]?.state === 'acked') {
      const { message } = this.begun.shift()!;
      if (!this.begun.some((one) => one.message === message)) this.counting.shift();
    }
  }

  /** Whether an echo of an earlier moment waits; those that nobody needs any more are dropped. */
  #echoDue(): boolean {
    while (this.echoes.length > 0 && this.echoes[0]!.atMs < this.nowMs) {
      if (this.echoes[0]!.record.state === 'flying') return true;
      this.echoes.shift();
    }
    return false;
  }

  /** From the oldest without an ack to the newest that was written. */
  #sent(): unknown[] {
    return this.begun.filter(({ state }) => state !== 'unsent');
  }
}

const operations = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), n: fc.nat(60) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('long' as const), n: fc.nat(9000) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('write' as const), n: fc.nat(2000) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('ack' as const), n: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose' as const), n: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), n: fc.nat(60) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('idle' as const), n: fc.nat(200_000) }) },
  ),
  { maxLength: 250, size: 'max' },
);

describe('OutgoingMessages and its model', () => {
  const options = { messageBytes: 9000, queueBytes: 20_000, queueEntries: 300, ttlMs: 40 };

  function run(list: { kind: string; n: number }[], idsBefore: number): void {
    const f = new Fixture(options);
    const model = new Model(options, idsBefore);
    f.skipIds(idsBefore);
    const before = { ...f.statistics };
    let open: number[] = [];
    let sent = 0;
    for (const { kind, n } of list) {
      if (kind === 'send' || kind === 'long') {
        const bytes = message(sent, n);
        const result = f.send(bytes);
        expect(result).toBe(model.send(bytes));
        if (result === 'queued') sent++;
      } else if (kind === 'write') {
        model.see(f.nowMs);
        const room = Math.min(n, ROOM);
        const records = f.write(room);
        expect(records).toEqual(model.write(room, f.sequence - 1));
        if (records.length > 0) open.push(f.sequence - 1);
      } else if (kind === 'wait') f.nowMs += n / 3;
      else if (kind === 'idle') f.sequence += n;
      else {
        const sequence = open[open.length - 1 - n];
        if (sequence === undefined) continue;
        open = open.filter((one) => one !== sequence);
        if (kind === 'ack') f.half.acked(sequence);
        else f.half.lost(sequence);
        model.settle(sequence, kind === 'ack');
      }
      model.see(f.nowMs);
      expect(f.half.pending(f.nowMs)).toBe(model.pending);
      const { queued, queuedBytes, expired, resent } = f.statistics;
      expect({ queued, queuedBytes, expired, resent }).toEqual({
        queued: model.queued,
        queuedBytes: model.queuedBytes,
        expired: model.expired,
        resent: model.resent,
      });
    }
    expect(f.statistics.sent).toBe(before.sent + sent);
  }

  test('agree, whatever is sent, written, acked, lost and late', () => {
    fc.assert(
      fc.property(operations, (list) => run(list, 0)),
      { numRuns: 25 },
    );
  });

  test('agree across the wrap of ids', () => {
    fc.assert(
      fc.property(operations, (list) => run(list, 0x10000 - 40)),
      { numRuns: 8, endOnFailure: true },
    );
  });
});
