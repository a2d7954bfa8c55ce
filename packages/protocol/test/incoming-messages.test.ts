import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IncomingMessages } from '../src/transport/incoming-messages.ts';
import { emptyStatistics } from '../src/transport/message-channel.ts';
import { RELIABLE_WINDOW } from '../src/transport/reliable-record.ts';
import {
  type ChannelOptions,
  FRAGMENT_BYTES,
  resolveChannel,
} from '../src/wire/channel-options.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { keyOf, message } from './channel-pair.ts';
import { cut, sectionOf, type TestRecord } from './reliable-records.ts';

type Options = Omit<ChannelOptions, 'kind'>;

class Fixture {
  readonly statistics = emptyStatistics();
  readonly received: Uint8Array[] = [];
  readonly ranges: [Uint8Array, number, number][] = [];
  readonly half: IncomingMessages;

  constructor(ordered: boolean, options: Options = {}) {
    const limits = resolveChannel({ ...options, kind: 'reliable-ordered' });
    const sink = (bytes: Uint8Array, start: number, end: number) => {
      this.received.push(bytes.slice(start, end));
      this.ranges.push([bytes, start, end]);
    };
    this.half = new IncomingMessages(limits, this.statistics, sink, ordered);
  }

  read(...records: TestRecord[]): Verdict {
    return this.readBytes(sectionOf(records));
  }

  readBytes(bytes: Uint8Array): Verdict {
    const verdict = this.half.stage(bytes, 0, bytes.length);
    if (verdict === Verdict.accepted) this.half.commit();
    return verdict;
  }

  /** Receives so many empty messages. */
  skipIds(count: number): void {
    for (let id = 0; id < count; ) {
      const records: TestRecord[] = [];
      for (; id < count && records.length < RELIABLE_WINDOW; id++) records.push(whole(id, 0));
      expect(this.read(...records)).toBe(Verdict.accepted);
    }
    this.received.length = 0;
  }
}

function whole(id: number, length: number): TestRecord {
  return { id, part: 1, bytes: message(id, length) };
}

const KIB = 1024;
const orders = [
  ['ordered', true],
  ['unordered', false],
] as const;

describe.each(orders)('IncomingMessages, %s', (_, ordered) => {
  test('delivers a message whose turn it is from where it stands', () => {
    const f = new Fixture(ordered);
    const section = sectionOf([whole(0, 5), whole(1, 6)]);
    f.readBytes(section);
    expect(f.ranges.map(([bytes]) => bytes === section)).toEqual([true, true]);
    expect(f.received).toEqual([message(0, 5), message(1, 6)]);
    expect(f.statistics).toMatchObject({ delivered: 2, deliveredBytes: 11, heldBytes: 0 });
  });

  test('copies what it holds', () => {
    const f = new Fixture(ordered);
    const long = message(7, 2 * FRAGMENT_BYTES);
    for (const record of cut(0, long).reverse()) {
      const section = sectionOf([record]);
      expect(f.readBytes(section)).toBe(Verdict.accepted);
      section.fill(0);
    }
    expect(f.received).toEqual([long]);
    expect(f.statistics.heldBytes).toBe(0);
  });

  test('the window: at its end, and one past it', () => {
    const f = new Fixture(ordered);
    for (const from of [0, 1]) {
      expect(f.read(whole(from + RELIABLE_WINDOW, 1))).toBe(Verdict.malformed);
      expect(f.read(whole(from + RELIABLE_WINDOW - 1, 1))).toBe(Verdict.accepted);
      expect(f.read(whole(from, 1))).toBe(Verdict.accepted);
    }
    expect(f.read({ ...whole(0, 1), id: -1 })).toBe(Verdict.malformed);
  });

  test('the longest message arrives in any order, also when its first or last record is last', () => {
    const long = message(3, 256 * KIB);
    const records = cut(0, long);
    expect(records.length).toBe(239);
    const turned = [records.slice(1), records.slice(0, 1)].flat();
    for (const order of [records, records.toReversed(), turned]) {
      const f = new Fixture(ordered);
      for (const record of order) {
        expect(f.received.length).toBe(0);
        expect(f.read(record)).toBe(Verdict.accepted);
      }
      expect(f.received.map(keyOf)).toEqual([keyOf(long)]);
      expect(f.statistics.heldBytes).toBe(0);
    }
  });

  test('a full window beyond a message that lacks its last fragment', () => {
    const f = new Fixture(ordered);
    const long = message(3, 256 * KIB);
    const records = cut(0, long);
    for (const record of records.slice(0, -1)) f.read(record);
    for (let id = 239; id < 238 + RELIABLE_WINDOW; id++) {
      expect(f.read(whole(id, 1))).toBe(Verdict.accepted);
    }
    expect(f.read(whole(238 + RELIABLE_WINDOW, 1))).toBe(Verdict.malformed);
    expect(f.received.length).toBe(ordered ? 0 : RELIABLE_WINDOW - 1);
    expect(f.read(records[238]!)).toBe(Verdict.accepted);
    expect(f.received.length).toBe(RELIABLE_WINDOW);
    expect(keyOf(f.received[ordered ? 0 : RELIABLE_WINDOW - 1]!)).toBe(keyOf(long));
    expect(f.statistics.heldBytes).toBe(0);
  });

  test('what contradicts what is known is malformed and changes nothing', () => {
    const f = new Fixture(ordered, { messageBytes: 5 * FRAGMENT_BYTES + 10 });
    const full = message(1, FRAGMENT_BYTES);
    const piece = (id: number, index: number, last = false, bytes = full): TestRecord => ({
      id,
      part: index * 2 + (last ? 1 : 0),
      bytes,
    });
    // Record 0 is whole; 1 and 2 begin a message; 10 is its own; 20 is the third of a message, 30 the last.
    f.read(whole(0, 3), piece(1, 0));
    for (const record of [piece(2, 1), whole(10, 1), piece(20, 2), piece(30, 3, true)]) {
      expect(f.read(record)).toBe(Verdict.accepted);
    }
    const before = { ...f.statistics };
    const got = f.received.length;
    const bad: TestRecord[][] = [
      [piece(3, 1)], // again the second
      [piece(3, 0)], // a new message before the last was over
      [whole(3, 2)],
      [piece(4, 1)], // would begin at 3, in the middle of a message
      [piece(4, 4)], // would begin at 0, which is whole
      [piece(9, 0)], // not the last, and the next is whole
      [piece(9, 1)],
      [piece(11, 1)], // goes on with what was whole
      [piece(19, 0)],
      [piece(21, 4)],
      [whole(21, 1)],
      [piece(31, 4)], // goes on after the last
      [piece(20, 1)], // the same record says something else
      [piece(2, 1, true)],
      [piece(3, 2), piece(4, 2)], // contradicts what stands in the same section
      [whole(5, 1), piece(7, 6)], // a fragment too many
      [piece(8, 5, true, message(1, 11))], // a byte too many
      [piece(8, 5)], // goes on beyond the longest
      [piece(8, 1, true, new Uint8Array(0))], // a last one without bytes
      [piece(8, 1, false, message(1, 1099))], // one in the middle that is not full
      [whole(8, FRAGMENT_BYTES + 1)], // should have been cut
    ];
    for (const records of bad) {
      expect(f.read(...records), `${records[0]!.id}: ${records[0]!.part}`).toBe(Verdict.malformed);
      expect(f.statistics).toEqual(before);
    }
    // A fragment that is alone, which the shared encoder cannot say.
    const alone = Uint8Array.from([8, 0, 3, 1, 42]);
    expect(f.readBytes(alone)).toBe(Verdict.malformed);
    expect(f.received.length).toBe(got);
    expect(f.read(piece(3, 2), whole(0, 3))).toBe(Verdict.accepted);
    expect(f.read(piece(4, 3))).toBe(Verdict.accepted);
    expect(f.read(piece(5, 4))).toBe(Verdict.accepted);
    expect(f.read(piece(6, 5, true, message(1, 10)))).toBe(Verdict.accepted);
    expect(f.received.at(-1)!.length).toBe(5 * FRAGMENT_BYTES + 10);
  });

  test('before anything came, a message cannot begin before the first record', () => {
    const f = new Fixture(ordered);
    const record = { id: 2, part: 6, bytes: message(1, FRAGMENT_BYTES) };
    expect(f.read(record)).toBe(Verdict.malformed);
    expect(f.read({ ...record, part: 4 })).toBe(Verdict.accepted);
  });

  test('holds what a sender within its bound can have on the way, and refuses what is beyond', () => {
    const f = new Fixture(ordered, { messageBytes: 2 * FRAGMENT_BYTES, queueBytes: 11_000 });
    const full = message(1, FRAGMENT_BYTES);
    // First fragments only: 12 are queueBytes + messageBytes exactly.
    for (let i = 0; i < 12; i++) {
      expect(f.read({ id: 1 + 2 * i, part: 0, bytes: full })).toBe(Verdict.accepted);
    }
    expect(f.statistics.heldBytes).toBe(13_200);
    const before = { ...f.statistics };
    const beyond = { id: 26, part: 3, bytes: message(2, 1) };
    expect(f.read(beyond)).toBe(Verdict.refused);
    expect(f.read(whole(0, 0), beyond)).toBe(Verdict.refused);
    expect(f.statistics).toEqual(before);
    expect(f.received).toEqual([]);
    // What takes no room is still welcome, be it new or known.
    expect(f.read({ id: 1, part: 0, bytes: full }, whole(0, 0))).toBe(Verdict.accepted);
    expect(f.received).toEqual([message(0, 0)]);
  });

  test('a record that is long past is kept quietly, without a second delivery', () => {
    const f = new Fixture(ordered);
    f.skipIds(2000);
    const fragment = { id: 1003, part: 6, bytes: message(1, FRAGMENT_BYTES) };
    expect(f.read(whole(3, 5), fragment)).toBe(Verdict.accepted);
    expect(f.received).toEqual([]);
    expect(f.statistics.heldBytes).toBe(0);
  });

  test('a record that is known takes no room a second time', () => {
    const f = new Fixture(ordered, { messageBytes: 1100, queueBytes: 1100 });
    const early = [whole(1, 1100), whole(2, 1100)];
    for (let i = 0; i < 3; i++) {
      for (const record of early) expect(f.read(record)).toBe(Verdict.accepted);
    }
    expect(f.statistics.heldBytes).toBe(ordered ? 2200 : 0);
    expect(f.read(...early.slice(0, 1), whole(0, 0))).toBe(Verdict.accepted);
    expect(f.received.length).toBe(3);
    for (const record of [whole(0, 0), ...early]) f.read(record);
    expect(f.received.length).toBe(3);
  });
});

describe.each(orders)('IncomingMessages and liars, %s', (_, ordered) => {
  const full = message(1, FRAGMENT_BYTES);
  const piece = (id: number, index: number, last = false): TestRecord => ({
    id,
    part: index * 2 + (last ? 1 : 0),
    bytes: full,
  });

  test('a fragment of a message that was complete without it is malformed, also across a gap', () => {
    const f = new Fixture(ordered);
    f.read(whole(0, 1));
    // Record 1 is missing; 2 and 3 are a message.
    expect(f.read(piece(2, 0), piece(3, 1, true))).toBe(Verdict.accepted);
    expect(f.read(piece(5, 3))).toBe(Verdict.malformed);
    expect(f.read(piece(5, 3, true))).toBe(Verdict.malformed);
    expect(f.read(whole(1, 1), whole(4, 1))).toBe(Verdict.accepted);
    expect(f.received.length).toBe(4);
    expect(f.statistics.heldBytes).toBe(0);
  });

  test('what would stand within a message that reaches back beyond it is malformed', () => {
    const f = new Fixture(ordered);
    expect(f.read(piece(12, 6))).toBe(Verdict.accepted);
    for (const record of [whole(8, 1), piece(8, 2, true), piece(8, 1), whole(6, 1), piece(5, 0)]) {
      expect(f.read(record)).toBe(Verdict.malformed);
    }
    for (const record of [piece(6, 0), piece(8, 2), whole(3, 1), piece(5, 1, true)]) {
      expect(f.read(record)).toBe(Verdict.accepted);
    }
  });

  /** Whether there are messages of which all these records are part: by message, rather than by neighbour. */
  function possible(known: ReadonlyMap<number, number>): boolean {
    const spans = new Map<number, { end: number; over: boolean }>();
    for (const [id, part] of [...known].sort(([a], [b]) => a - b)) {
      const begin = id - (part >>> 1);
      const last = (part & 1) === 1;
      if (begin < 0 || spans.get(begin)?.over) return false;
      spans.set(begin, { end: last ? id : id + 1, over: last });
    }
    let free = 0;
    for (const [begin, { end }] of [...spans].sort(([a], [b]) => a - b)) {
      if (begin < free) return false;
      free = end + 1;
    }
    return true;
  }

  test('whatever is claimed, it is kept if it can be true together with all before it, and only then', () => {
    const claims = fc.array(
      fc.tuple(fc.nat(30), fc.oneof(fc.constant(0), fc.nat(6)), fc.boolean()),
      { minLength: 5, maxLength: 120, size: 'max' },
    );
    const check = (list: [number, number, boolean][]) => {
      const f = new Fixture(ordered, { messageBytes: 7 * FRAGMENT_BYTES });
      const known = new Map<number, number>();
      for (const [id, index, last] of list) {
        const record = index === 0 && last ? whole(id, 9) : piece(id, index, last);
        // Fragment 6 of 7 can only be the last.
        const fits = index < 6 || last;
        const together = new Map([...known, [id, record.part]]);
        const same = !known.has(id) || known.get(id) === record.part;
        const kept = fits && same && possible(together);
        expect(f.read(record), `${id}: ${record.part}`).toBe(
          kept ? Verdict.accepted : Verdict.malformed,
        );
        if (kept) known.set(id, record.part);
      }
      expect(f.statistics.heldBytes).toBeGreaterThanOrEqual(0);
    };
    fc.assert(fc.property(claims, check), { numRuns: 150 });
  });
});

describe('IncomingMessages', () => {
  test('in order: what came early waits for its turn', () => {
    const f = new Fixture(true);
    f.read(whole(1, 10));
    f.read(whole(3, 30));
    expect(f.received).toEqual([]);
    expect(f.statistics.heldBytes).toBe(40);
    f.read(whole(2, 20), whole(0, 5));
    expect(f.received).toEqual([message(0, 5), message(1, 10), message(2, 20), message(3, 30)]);
  });

  test('without order: nothing waits for another message', () => {
    const f = new Fixture(false);
    const long = message(2, 3000);
    const [a, b, c] = cut(2, long);
    f.read(whole(9, 10), b!);
    f.read(c!);
    f.read(whole(1, 20));
    expect(f.received).toEqual([message(9, 10), message(1, 20)]);
    f.read(a!);
    expect(f.received.at(-1)).toEqual(long);
    expect(f.statistics).toMatchObject({ delivered: 3, heldBytes: 0 });
  });

  test('without order: a message whose last two fragments come in one section is delivered once', () => {
    const f = new Fixture(false, { messageBytes: 2000 });
    const [a, b] = cut(0, message(2, 1101));
    const small = cut(2, message(3, 1101));
    f.read(small[0]!);
    expect(f.read(b!, small[1]!, a!)).toBe(Verdict.accepted);
    expect(f.received).toEqual([message(2, 1101), message(3, 1101)]);
  });

  test('a sink may close it between two messages that were held', () => {
    for (const ordered of [true, false]) {
      const statistics = emptyStatistics();
      const limits = resolveChannel({ kind: 'reliable-ordered' });
      const half: IncomingMessages = new IncomingMessages(
        limits,
        statistics,
        () => half.close(),
        ordered,
      );
      const all = [...cut(0, message(1, 1101)), ...cut(2, message(2, 1101))];
      const late = [all[1]!, all[3]!];
      for (const records of [[all[0]!], [all[2]!], late]) {
        const section = sectionOf(records);
        expect(half.stage(section, 0, section.length)).toBe(Verdict.accepted);
        half.commit();
      }
      expect(statistics.delivered).toBe(1);
      const section = sectionOf([whole(4, 1)]);
      expect(half.stage(section, 0, section.length)).toBe(Verdict.refused);
      half.commit();
      expect(statistics.delivered).toBe(1);
    }
  });
});

/** What a receiver should have delivered and should hold, by sets. */
class Model {
  readonly #messages: readonly TestRecord[][];
  readonly #ordered: boolean;
  readonly #known = new Set<number>();
  readonly #delivered = new Set<number>();
  readonly keys: string[] = [];
  first: number;

  constructor(messages: readonly TestRecord[][], ordered: boolean) {
    this.#messages = messages;
    this.#ordered = ordered;
    this.first = messages[0]![0]!.id;
  }

  keep(records: readonly TestRecord[]): void {
    for (const { id } of records) this.#known.add(id);
    while (this.#known.has(this.first)) this.first++;
    this.#messages.forEach((message, i) => {
      if (this.#delivered.has(i) || !this.#complete(message)) return;
      if (this.#ordered && i > this.#delivered.size) return;
      this.#delivered.add(i);
      this.keys.push(keyOf(Uint8Array.from(message.flatMap(({ bytes }) => [...bytes]))));
    });
  }

  get heldBytes(): number {
    const waiting = this.#messages.filter((_, i) => !this.#delivered.has(i)).flat();
    return waiting.reduce((n, { id, bytes }) => n + (this.#known.has(id) ? bytes.length : 0), 0);
  }

  #complete(message: readonly TestRecord[]): boolean {
    return message.every(({ id }) => this.#known.has(id));
  }
}

describe.each(orders)('IncomingMessages and its model, %s', (_, ordered) => {
  const lengths = fc.array(fc.oneof(fc.nat(50), fc.nat(50), fc.nat(6000)), {
    minLength: 1,
    maxLength: 80,
    size: 'max',
  });
  const operations = fc.array(
    fc.record({
      offsets: fc.array(fc.oneof(fc.nat(3), fc.integer({ min: -20, max: 255 })), {
        minLength: 1,
        maxLength: 8,
      }),
      fate: fc.constantFrom('keep', 'keep', 'keep', 'stage', 'spoil'),
    }),
    { maxLength: 200, size: 'max' },
  );

  function run(sizes: number[], list: { offsets: number[]; fate: string }[], firstId: number) {
    const f = new Fixture(ordered, { messageBytes: 6000 });
    f.skipIds(firstId);
    let id = firstId;
    const messages = sizes.map((length, i) => {
      const records = cut(id, message(i, length));
      id += records.length;
      return records;
    });
    const all = messages.flat();
    const model = new Model(messages, ordered);
    const visit = (offsets: readonly number[], fate: string) => {
      const picked = offsets.map((offset) => all[model.first - firstId + offset]);
      const records = picked.filter((record) => record !== undefined);
      if (records.length === 0) return;
      const section = sectionOf(records);
      const bytes = fate === 'spoil' ? section.subarray(0, section.length - 1) : section;
      const before = { ...f.statistics };
      const verdict = f.half.stage(bytes, 0, bytes.length);
      expect(verdict).toBe(fate === 'spoil' ? Verdict.malformed : Verdict.accepted);
      expect(f.statistics).toEqual(before);
      if (fate === 'keep') {
        f.half.commit();
        model.keep(records);
      }
      expect([...f.received.map(keyOf)].sort()).toEqual([...model.keys].sort());
      if (ordered) expect(f.received.map(keyOf)).toEqual(model.keys);
      expect(f.statistics.heldBytes).toBe(model.heldBytes);
    };
    for (const { offsets, fate } of list) visit(offsets, fate);
    while (model.first < id) visit([0, 1, 2], 'keep');
    expect(f.received.length).toBe(messages.length);
    expect(f.statistics.heldBytes).toBe(0);
  }

  test('agree, whatever comes early, twice, spoilt or is not kept', () => {
    fc.assert(
      fc.property(lengths, operations, (sizes, list) => run(sizes, list, 0)),
      {
        numRuns: 25,
      },
    );
  });

  test('agree across the wrap of ids', () => {
    fc.assert(
      fc.property(lengths, operations, (sizes, list) => run(sizes, list, 0x10000 - 20)),
      { numRuns: 5, endOnFailure: true },
    );
  });
});
