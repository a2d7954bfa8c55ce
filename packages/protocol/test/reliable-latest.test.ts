import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Prng } from '../../netsim/src/prng.ts';
import { REPLAY_WINDOW } from '../src/transport/received-window.ts';
import { ReliableLatestChannel } from '../src/transport/reliable-latest.ts';
import {
  type ChannelOptions,
  FRAGMENT_BYTES,
  resolveChannel,
} from '../src/wire/channel-options.ts';
import { Verdict } from '../src/wire/verdict.ts';

const ROOM = 1160;

interface Section {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** One direction: a sending channel, a receiving one, and what the latter said. */
class Pair {
  readonly sender: ReliableLatestChannel;
  readonly receiver: ReliableLatestChannel;
  readonly said: [key: number, ...value: number[]][] = [];
  readonly values = new Map<number, Uint8Array>();
  onSaid: () => void = () => {};
  sequence = 0;

  constructor(options: Omit<ChannelOptions, 'kind'> = {}) {
    const limits = resolveChannel({ ...options, kind: 'reliable-latest' });
    this.sender = new ReliableLatestChannel(limits, { set: () => {}, deleted: () => {} });
    this.receiver = new ReliableLatestChannel(limits, {
      set: (key, bytes, start, end) => {
        this.values.set(key, bytes.slice(start, end));
        this.said.push([key, ...bytes.subarray(start, end)]);
        this.onSaid();
      },
      deleted: (key) => {
        if (!this.values.delete(key)) throw new Error(`key ${key} had no value`);
        this.said.push([key]);
        this.onSaid();
      },
    });
  }

  set(key: number, ...bytes: number[]): string {
    return this.sender.set(key, Uint8Array.of(0xee, ...bytes, 0xee), 1, 1 + bytes.length);
  }

  write(room = ROOM): Section | undefined {
    if (!this.sender.pending()) return undefined;
    const bytes = new Uint8Array(room);
    const length = this.sender.write(0, bytes, 0, room, this.sequence);
    if (length === 0) return undefined;
    return { sequence: this.sequence++, bytes: bytes.slice(0, length) };
  }

  read({ bytes, sequence }: { sequence: number; bytes: Uint8Array | readonly number[] }): Verdict {
    const range = Uint8Array.of(0xdd, ...bytes, 0xdd);
    const verdict = this.receiver.read(0, range, 1, 1 + bytes.length, sequence);
    if (verdict === Verdict.accepted) this.receiver.commit();
    return verdict;
  }

  /** Carries across what waits. */
  carry(): Section[] {
    const sections: Section[] = [];
    for (let s = this.write(); s !== undefined; s = this.write()) {
      expect(this.read(s)).toBe(Verdict.accepted);
      this.sender.acked(s.sequence);
      sections.push(s);
    }
    return sections;
  }
}

describe('reliable-latest', () => {
  test('carries values and deletions', () => {
    const pair = new Pair();
    expect(pair.sender.pending()).toBe(false);
    pair.set(3, 7, 8);
    pair.set(300);
    const section = pair.write()!;
    expect([...section.bytes]).toEqual([3, 1, 0, 3, 7, 8, 0xac, 2, 1, 0, 1]);
    expect(pair.read(section)).toBe(Verdict.accepted);
    expect(pair.sender.statistics).toMatchObject({ sent: 2, sentBytes: 2, queued: 2 });
    pair.sender.acked(section.sequence);
    expect(pair.sender.statistics).toMatchObject({ queued: 0, queuedBytes: 0 });
    expect(pair.sender.delete(3)).toBe('queued');
    expect([...pair.carry()[0]!.bytes]).toEqual([3, 2, 0, 0]);
    expect(pair.said).toEqual([[3, 7, 8], [300], [3]]);
    expect(pair.receiver.statistics).toMatchObject({ delivered: 3, deliveredBytes: 2 });
  });

  test('only the newest value of a key is ever sent', () => {
    const pair = new Pair();
    for (let i = 0; i < 5; i++) pair.set(1, i);
    const first = pair.write()!;
    expect(pair.sender.pending()).toBe(false);
    pair.set(1, 9);
    const second = pair.write()!;
    // The first value was replaced: that its packet was lost is nobody's loss.
    pair.sender.lost(first.sequence);
    expect(pair.sender.pending()).toBe(false);
    pair.sender.lost(second.sequence);
    expect(pair.sender.statistics.resent).toBe(0);
    const third = pair.write()!;
    expect(third.bytes).toEqual(second.bytes);
    expect(pair.sender.statistics).toMatchObject({ sent: 6, resent: 1, queued: 1 });
    pair.read(third);
    expect(pair.said).toEqual([[1, 9]]);
    // An ack of what was replaced says nothing of the newest.
    pair.sender.acked(first.sequence);
    expect(pair.sender.statistics.queued).toBe(1);
    pair.sender.acked(third.sequence);
    expect(pair.sender.statistics.queued).toBe(0);
  });

  test('a value that is said again is known; the same bytes set again are not', () => {
    const pair = new Pair();
    pair.set(1, 5);
    const first = pair.write()!;
    pair.read(first);
    pair.sender.lost(first.sequence);
    pair.read(pair.write()!);
    expect(pair.said).toEqual([[1, 5]]);
    pair.set(1, 5);
    pair.carry();
    expect(pair.said).toEqual([
      [1, 5],
      [1, 5],
    ]);
  });

  test('the same revision a whole lap later is another value', () => {
    const pair = new Pair();
    pair.read({ sequence: 10, bytes: [1, 5, 0, 2, 1] });
    pair.read({ sequence: 10 + 0xffff, bytes: [1, 5, 0, 2, 1] });
    expect(pair.said.length).toBe(1);
    pair.read({ sequence: 10 + 0xffff + 0x10000, bytes: [1, 5, 0, 2, 2] });
    expect(pair.said).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });

  test('what an older packet says of a key is overtaken, by a value and by a deletion', () => {
    const pair = new Pair();
    pair.set(1, 1);
    pair.set(2, 1);
    const old = pair.write()!;
    pair.set(1, 2);
    pair.sender.delete(2);
    pair.read(pair.write()!);
    expect(pair.read(old)).toBe(Verdict.accepted);
    expect(pair.said).toEqual([[1, 2]]);
    expect(pair.receiver.statistics).toMatchObject({ delivered: 1, overtaken: 2 });
  });

  test('a key that comes back is a new one, with or without its deletion', () => {
    const pair = new Pair();
    pair.set(1, 1);
    pair.carry();
    pair.sender.delete(1);
    pair.set(1, 2);
    pair.carry();
    pair.sender.delete(1);
    pair.carry();
    pair.set(1, 2);
    pair.carry();
    expect(pair.said).toEqual([[1, 1], [1, 2], [1], [1, 2]]);
  });

  test('what was never on the wire is deleted without a word', () => {
    const pair = new Pair();
    pair.set(1, 1);
    pair.sender.delete(1);
    pair.sender.delete(2);
    expect(pair.sender.pending()).toBe(false);
    expect(pair.sender.statistics).toMatchObject({ queued: 0, queuedBytes: 0 });
  });

  test('who waits longest goes first, however often others are set', () => {
    const pair = new Pair();
    const seen: number[] = [];
    for (let key = 0; key < 10; key++) pair.set(key, key);
    for (let round = 0; round < 20; round++) {
      for (let key = 0; key < 10; key++) pair.set(key, key, round);
      const section = pair.write(13)!;
      seen.push(section.bytes[0]!, section.bytes[6]!);
      pair.sender.acked(section.sequence);
    }
    expect(seen.slice(0, 20)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('closed: says, takes and delivers nothing, not even the rest of a section', () => {
    const pair = new Pair({ keys: 2 });
    let calls = 0;
    pair.set(1, 1);
    pair.set(2, 2);
    pair.sender.onWritable(() => calls++);
    const section = pair.write()!;
    pair.onSaid = () => pair.receiver.close();
    pair.read(section);
    expect(pair.said).toEqual([[1, 1]]);
    expect(pair.read({ sequence: 9, bytes: [5, 1, 0, 1] })).not.toBe(Verdict.accepted);
    pair.sender.close();
    pair.sender.acked(section.sequence);
    pair.sender.lost(section.sequence);
    expect([pair.set(1, 1), pair.sender.delete(1)]).toEqual(['closed', 'closed']);
    expect(pair.sender.pending()).toBe(false);
    expect(pair.sender.write(0, new Uint8Array(9), 0, 9, 9)).toBe(0);
    expect(pair.sender.statistics.queued).toBe(2);
    expect(calls).toBe(0);
  });
});

test('reliable-latest: a sink that throws loses nothing of the channel', () => {
  const pair = new Pair();
  for (const key of [1, 2, 3]) pair.set(key, key);
  const section = pair.write()!;
  pair.onSaid = () => {
    throw new Error('planted');
  };
  expect(() => pair.read(section)).toThrow('planted');
  expect(pair.said).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  pair.onSaid = () => {};
  expect(() => pair.receiver.commit()).not.toThrow();
});

describe('reliable-latest: bounds', () => {
  test('the longest value, one byte more, and keys that are none', () => {
    const pair = new Pair();
    const longest = new Uint8Array(FRAGMENT_BYTES + 1).fill(7);
    expect(pair.sender.set(0xffffffff, longest, 0, FRAGMENT_BYTES)).toBe('queued');
    expect(pair.sender.set(1, longest, 0, FRAGMENT_BYTES + 1)).toBe('too-large');
    expect(pair.carry()[0]!.bytes.length).toBe(5 + 2 + 2 + FRAGMENT_BYTES);
    expect(pair.values.get(0xffffffff)?.length).toBe(FRAGMENT_BYTES);
    for (const key of [-1, 1.5, 2 ** 32, Number.NaN]) {
      expect(() => pair.set(key, 1)).toThrow('no whole number');
      expect(() => pair.sender.delete(key)).toThrow('no whole number');
    }
  });

  test('values of every length keep their bytes, in cells that were used before', () => {
    const pair = new Pair();
    for (let round = 0; round < 2; round++) {
      for (let length = 0; length <= FRAGMENT_BYTES; length += length < 130 ? 1 : 97) {
        const bytes = Array.from({ length }, (_, i) => (i * 7 + length + round) & 255);
        expect(pair.set(length % 5, ...bytes)).toBe('queued');
        if (length % 3 === 0) continue;
        pair.carry();
        expect([...pair.values.get(length % 5)!]).toEqual(bytes);
      }
    }
  });

  test('full by bytes that are not acknowledged, at the bound; a value may replace its like', () => {
    const pair = new Pair({ messageBytes: 100, queueBytes: 1000 });
    const bytes = new Uint8Array(100);
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 10; key++) expect(pair.sender.set(key, bytes, 0, 100)).toBe('queued');
      expect(pair.set(10, 1)).toBe('full');
      expect(pair.sender.set(3, bytes, 0, 100)).toBe('queued');
      expect(pair.sender.statistics).toMatchObject({ queuedBytes: 1000, full: round + 1 });
      pair.carry();
    }
    expect(pair.values.size).toBe(10);
  });

  test('full by keys, at the bound, until a deletion is acknowledged', () => {
    const pair = new Pair({ keys: 40 });
    for (let key = 0; key < 40; key++) expect(pair.set(key, key)).toBe('queued');
    expect(pair.set(40, 1)).toBe('full');
    let calls = 0;
    pair.sender.onWritable(() => calls++);
    pair.carry();
    expect(pair.set(40, 1)).toBe('full');
    expect(pair.sender.delete(7)).toBe('queued');
    expect(pair.set(40, 1)).toBe('full');
    expect(calls).toBe(0);
    const deletion = pair.write()!;
    expect(pair.set(40, 1)).toBe('full');
    pair.read(deletion);
    pair.sender.acked(deletion.sequence);
    expect(calls).toBe(1);
    expect(pair.set(40, 1)).toBe('queued');
    expect(pair.set(41, 1)).toBe('full');
    pair.carry();
    expect([...pair.values.keys()].includes(40)).toBe(true);
    expect(pair.values.size).toBe(40);
  });

  test('says that it is writable once half of the bytes are free', () => {
    const pair = new Pair({ messageBytes: 100, queueBytes: 400 });
    const bytes = new Uint8Array(100);
    for (let key = 0; key < 4; key++) pair.sender.set(key, bytes, 0, 100);
    const states: number[] = [];
    pair.sender.onWritable(() => states.push(pair.sender.statistics.queued));
    for (let s = pair.write(110); s !== undefined; s = pair.write(110))
      pair.sender.acked(s.sequence);
    expect(states).toEqual([2]);
  });

  test('one key more than agreed is refused, and nothing of its packet is kept', () => {
    const pair = new Pair({ keys: 2 });
    pair.read({ sequence: 0, bytes: [1, 1, 0, 2, 9] });
    expect(pair.read({ sequence: 1, bytes: [2, 1, 0, 1, 3, 1, 0, 1] })).toBe(Verdict.refused);
    expect(pair.said).toEqual([[1, 9]]);
    expect(pair.read({ sequence: 2, bytes: [2, 1, 0, 1] })).toBe(Verdict.accepted);
    expect(pair.read({ sequence: 3, bytes: [3, 1, 0, 1] })).toBe(Verdict.refused);
    expect(pair.read({ sequence: 4, bytes: [3, 1, 0, 0] })).toBe(Verdict.refused);
    expect(pair.values.size).toBe(2);
  });

  test('a key that gets a value again counts as one, even if its tombstone had to go for another', () => {
    const pair = new Pair({ keys: 3 });
    pair.read({ sequence: 0, bytes: [9, 1, 0, 1] });
    pair.read({ sequence: 1, bytes: [5, 1, 0, 0] });
    const both = [1, 1, 0, 1, 5, 2, 0, 1];
    expect(pair.read({ sequence: 2, bytes: [2, 1, 0, 1, ...both] })).toBe(Verdict.refused);
    expect(pair.read({ sequence: 3, bytes: both })).toBe(Verdict.accepted);
    expect([...pair.values.keys()]).toEqual([9, 1, 5]);
  });

  test('a tombstone that had to go leaves no way back for what was deleted', () => {
    const pair = new Pair({ keys: 1 });
    pair.read({ sequence: 10, bytes: [1, 1, 0, 2, 9] });
    pair.read({ sequence: 12, bytes: [1, 2, 0, 0] });
    expect(pair.read({ sequence: 11, bytes: [2, 1, 0, 1] })).toBe(Verdict.refused);
    expect(pair.read({ sequence: 13, bytes: [2, 1, 0, 1] })).toBe(Verdict.accepted);
    expect(pair.read({ sequence: 14, bytes: [2, 2, 0, 0] })).toBe(Verdict.accepted);
    // Key 1 is not known any more. Its value was set before it was deleted: nobody can tell, so it is refused.
    expect(pair.read({ sequence: 9, bytes: [1, 1, 0, 2, 9] })).toBe(Verdict.refused);
    expect(pair.read({ sequence: 15, bytes: [1, 1, 0, 2, 7] })).toBe(Verdict.accepted);
    expect(pair.said).toEqual([[1, 9], [1], [2], [2], [1, 7]]);
  });

  test('a tombstone stays as long as an older packet can come', () => {
    for (const [later, verdict] of [
      [REPLAY_WINDOW - 1, Verdict.accepted],
      [REPLAY_WINDOW, Verdict.refused],
    ] as const) {
      const pair = new Pair();
      pair.read({ sequence: 300, bytes: [1, 1, 0, 0] });
      pair.read({ sequence: 300 + later, bytes: [2, 1, 0, 1] });
      // Known to be overtaken, or not known at all.
      expect(pair.read({ sequence: 299, bytes: [1, 1, 0, 1] })).toBe(verdict);
      expect(pair.said).toEqual([[2]]);
    }
  });

  test('many keys, and memory for their values that is given back', () => {
    const pair = new Pair({ keys: 5000, queueBytes: 5000 * 20 });
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 5000; key++)
        expect(pair.set(key * 7, key & 255, round)).toBe('queued');
      expect(pair.set(1, 1)).toBe('full');
      pair.carry();
      expect(pair.values.size).toBe(5000);
      for (let key = 0; key < 5000; key++) pair.sender.delete(key * 7);
      pair.carry();
      expect(pair.values.size).toBe(0);
    }
    expect(pair.sender.statistics).toMatchObject({ queued: 0, queuedBytes: 0 });
  });
});

describe('reliable-latest: whoever lies', () => {
  test.each<[what: string, bytes: number[]]>([
    ['no record', []],
    ['half a record', [1, 1]],
    ['no length', [1, 1, 0]],
    ['bytes cut off', [1, 1, 0, 4, 1, 2]],
    ['a padded key', [0x81, 0, 1, 0, 1]],
    ['a padded length', [1, 1, 0, 0x80, 0]],
    ['a key of 33 bits', [0xff, 0xff, 0xff, 0xff, 0x1f, 1, 0, 1]],
    ['a value too long', [1, 1, 0, 0xce, 8, ...new Array(FRAGMENT_BYTES + 1).fill(0)]],
    ['an endless value', [1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['a good record, then a bad one', [1, 1, 0, 2, 5, 9]],
  ])('%s is malformed and changes nothing', (_what, bytes) => {
    const pair = new Pair();
    expect(pair.read({ sequence: 5, bytes })).toBe(Verdict.malformed);
    pair.receiver.commit();
    expect(pair.said).toEqual([]);
    expect(pair.read({ sequence: 4, bytes: [1, 1, 0, 2, 5] })).toBe(Verdict.accepted);
    expect(pair.said).toEqual([[1, 5]]);
  });

  test('a key twice in one packet: the first record stands', () => {
    const pair = new Pair();
    expect(pair.read({ sequence: 1, bytes: [1, 1, 0, 2, 5, 1, 2, 0, 2, 6, 1, 3, 0, 0] })).toBe(0);
    expect(pair.said).toEqual([[1, 5]]);
  });

  test('random records never throw and never hold more keys than agreed', () => {
    const record = fc.tuple(fc.nat(6), fc.nat(3), fc.nat(2)).map(([key, revision, length]) => {
      return [key, revision, 0, length, ...new Array(Math.max(0, length - 1)).fill(key)];
    });
    const sections = fc.array(
      fc.tuple(
        fc.nat(600),
        fc.oneof(
          fc.array(record, { maxLength: 5 }).map((all) => all.flat()),
          fc.array(fc.nat(255), { maxLength: 12 }),
        ),
      ),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(sections, (all) => {
        const pair = new Pair({ keys: 3 });
        for (const [sequence, bytes] of all) {
          pair.read({ sequence, bytes });
          expect(pair.values.size).toBeLessThanOrEqual(3);
        }
      }),
      { numRuns: 300 },
    );
  });
});

interface Weather {
  readonly seed: number;
  readonly lossPct: number;
  readonly spuriousPct: number;
  readonly latePct: number;
  readonly keys: number;
}

/**
 * Sets and deletes at random over a network that loses and delays packets and misleads the sender about some. A packet
 * is read once at most, and never when REPLAY_WINDOW newer ones may have come: that is the connection's part.
 */
class RandomRun {
  readonly pair: Pair;
  /** What the sender's user believes in. */
  readonly truth = new Map<number, number>();
  readonly #random: Prng;
  readonly #weather: Weather;
  #events: { at: number; run: () => void }[] = [];
  #step = 0;
  #newest = 0;
  #values = 0;
  full = 0;

  constructor(weather: Weather) {
    this.#weather = weather;
    this.#random = new Prng(weather.seed);
    this.pair = new Pair({ keys: weather.keys, messageBytes: 4, queueBytes: weather.keys * 4 });
  }

  run(): void {
    for (let step = 0; step < 200; step++) {
      for (let n = this.#below(8); n > 0; n--) this.#change();
      if (this.#chance(3)) this.pair.sequence += this.#below(600);
      this.#carry();
    }
    for (let rounds = 0; rounds < 400 && this.pair.sender.statistics.queued > 0; rounds++)
      this.#carry();
    while (this.#events.length > 0) this.#carry();
  }

  #change(): void {
    const key = this.#below(2 * this.#weather.keys);
    if (this.#chance(35)) {
      this.pair.sender.delete(key);
      this.truth.delete(key);
      return;
    }
    const value = this.#values++;
    const result = this.pair.set(key, value & 255, value >> 8);
    if (result === 'queued') this.truth.set(key, value);
    else this.full++;
    // Only a new key can find it full.
    if (result === 'full') expect(this.truth.has(key)).toBe(false);
  }

  #carry(): void {
    for (let packets = this.#below(3); packets >= 0; packets--) {
      const section = this.pair.write(20 + this.#below(60));
      if (section !== undefined) this.#send(section);
    }
    this.#step++;
    const due = this.#events.filter(({ at }) => at <= this.#step);
    this.#events = this.#events.filter(({ at }) => at > this.#step);
    for (const { run } of due) run();
  }

  #send(section: Section): void {
    let kept = false;
    const arrive = () => {
      if (section.sequence <= this.#newest - REPLAY_WINDOW) return;
      this.#newest = Math.max(this.#newest, section.sequence);
      const verdict = this.pair.read(section);
      kept = verdict === Verdict.accepted;
      if (!kept) expect(verdict).toBe(Verdict.refused);
    };
    if (!this.#chance(this.#weather.lossPct)) this.#later(1 + this.#delay(), arrive);
    this.#later(4 + this.#delay(), () => {
      if (kept && !this.#chance(this.#weather.spuriousPct))
        this.pair.sender.acked(section.sequence);
      else this.pair.sender.lost(section.sequence);
    });
  }

  #delay(): number {
    return this.#chance(this.#weather.latePct) ? this.#below(30) : 0;
  }

  #later(steps: number, run: () => void): void {
    this.#events.push({ at: this.#step + steps, run });
  }

  #chance(percent: number): boolean {
    return this.#random.next() * 100 < percent;
  }

  #below(count: number): number {
    return this.#random.u32() % count;
  }
}

const weathers = fc.record({
  seed: fc.nat(),
  lossPct: fc.constantFrom(0, 5, 25, 50),
  spuriousPct: fc.constantFrom(0, 10),
  latePct: fc.constantFrom(0, 20, 60),
  keys: fc.constantFrom(1, 2, 3, 8, 64),
});

describe('reliable-latest: over a network', () => {
  test('both sides end up with the same, and nothing is said twice or backwards', () => {
    let full = 0;
    const property = fc.property(weathers, (weather) => {
      const run = new RandomRun(weather);
      run.run();
      full += run.full;
      const { pair, truth } = run;
      const read = (bytes: readonly number[] | Uint8Array) => bytes[0]! + bytes[1]! * 256;
      const got = [...pair.values].map(([key, bytes]) => [key, read(bytes)] as const);
      expect(new Map(got)).toEqual(truth);
      // Values count up, so those of a key come in order, each once.
      const newest = new Map<number, number>();
      for (const [key, ...bytes] of pair.said) {
        if (bytes.length === 0) continue;
        expect(read(bytes)).toBeGreaterThan(newest.get(key) ?? -1);
        newest.set(key, read(bytes));
      }
      expect(pair.sender.statistics).toMatchObject({ queued: 0, queuedBytes: 0 });
      expect(pair.receiver.statistics.delivered).toBe(pair.said.length);
    });
    fc.assert(property, { numRuns: 50 });
    expect(full).toBeGreaterThan(0);
  });

  test('a sender within its bound is never refused while packets come in order', () => {
    const property = fc.property(fc.nat(), fc.constantFrom(1, 2, 5), (seed, keys) => {
      const random = new Prng(seed);
      const pair = new Pair({ keys });
      const flying: Section[] = [];
      for (let step = 0; step < 200; step++) {
        const key = random.u32() % (3 * keys);
        if (random.next() < 0.5) pair.set(key, step);
        else pair.sender.delete(key);
        const section = pair.write();
        if (section !== undefined) flying.push(section);
        if (flying.length < 4) continue;
        const oldest = flying.shift()!;
        if (random.next() < 0.3) {
          pair.sender.lost(oldest.sequence);
          continue;
        }
        expect(pair.read(oldest)).toBe(Verdict.accepted);
        if (random.next() < 0.9) pair.sender.acked(oldest.sequence);
        else pair.sender.lost(oldest.sequence);
      }
    });
    fc.assert(property, { numRuns: 100 });
  });
});
