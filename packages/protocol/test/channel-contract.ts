// What every delivery kind of messages promises, as one suite: `describeChannel` runs it over a channel that it is
// given the factory of. A kind's own tests hold only what is special about it.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WRITABLE_CALLBACKS_MAX } from '../src/transport/writable-callbacks.ts';
import {
  type ChannelOptions,
  type DeliveryKind,
  FRAGMENT_BYTES,
  resolveChannel,
} from '../src/wire/channel-options.ts';
import { Verdict } from '../src/wire/verdict.ts';
import { RandomNetwork, type Weather, weathers } from './channel-network.ts';
import { type ChannelKind, keyOf, message, Pair, ROOM } from './channel-pair.ts';
/** Runs the suite over one kind. */
export function describeChannel(name: DeliveryKind, kind: ChannelKind): void {
  const pairOf = (
    options: Omit<ChannelOptions, 'kind'> = {},
    receiving?: Omit<ChannelOptions, 'kind'>,
  ) => new Pair(name, kind, options, receiving);
  const longest = resolveChannel({ kind: name }).messageBytes;
  const cuts = longest > FRAGMENT_BYTES;

  describe(`${name}: sending`, () => {
    test('carries several messages in one section', () => {
      const pair = pairOf();
      expect(pair.sender.pending(0)).toBe(false);
      const messages = [message(1, 10), message(2, 1), message(3, 300)];
      for (const one of messages) expect(pair.send(one)).toBe('queued');
      expect(pair.sender.pending(0)).toBe(true);
      const section = pair.write()!;
      expect(pair.sender.pending(0)).toBe(false);
      expect(pair.sender.write(0, new Uint8Array(ROOM), 0, ROOM, 1)).toBe(0);
      expect(pair.received).toEqual([]);
      expect(pair.read(section)).toBe(Verdict.accepted);
      expect(pair.received).toEqual(messages);
    });

    test('coalesces what is small', () => {
      const pair = pairOf();
      for (let i = 0; i < 20; i++) pair.send(message(i, 40));
      expect(pair.writeAll().length).toBe(1);
    });

    test('never writes beyond its budget, whatever that is', () => {
      for (let room = 0; room < 64; room++) {
        const pair = pairOf();
        for (let i = 0; i < 12; i++) pair.send(message(i, 1 + ((i * 5) % 23)));
        for (const section of pair.writeAll(room))
          expect(pair.read(section)).toBe(Verdict.accepted);
        for (const section of pair.writeAll()) expect(pair.read(section)).toBe(Verdict.accepted);
        expect(pair.received.length).toBe(12);
        expect(pair.sender.pending(0)).toBe(false);
      }
    });

    test('refuses what is too large for ever, and takes the largest', () => {
      const pair = pairOf({ messageBytes: 300 });
      expect(pair.send(message(1, 301))).toBe('too-large');
      expect(pair.send(message(1, 300))).toBe('queued');
      pair.carryAll();
      expect(pair.received).toEqual([message(1, 300)]);
      expect(pair.sender.statistics).toMatchObject({ sent: 1, sentBytes: 300, full: 0 });
    });

    test('is full by entries, at the bound and not before', () => {
      const pair = pairOf({ queueEntries: 8 });
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 8; i++) expect(pair.send(message(i, i + 1))).toBe('queued');
        expect(pair.send(message(9, 1))).toBe('full');
        expect(pair.sender.statistics).toMatchObject({ queued: 8, full: round + 1 });
        pair.carryAll();
      }
      expect(pair.received.length).toBe(24);
    });

    test('is full by bytes, at the bound and not before', () => {
      const pair = pairOf({ messageBytes: 100, queueBytes: 1000 });
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 10; i++) expect(pair.send(message(i, 100))).toBe('queued');
        expect(pair.send(message(10, 1))).toBe('full');
        expect(pair.sender.statistics).toMatchObject({ queuedBytes: 1000, full: round + 1 });
        pair.carryAll();
      }
      expect(pair.received.length).toBe(30);
    });

    test('says once that it is writable, when half of it is free', () => {
      for (const options of [{ queueEntries: 8 }, { messageBytes: 100, queueBytes: 800 }]) {
        const pair = pairOf(options);
        for (let i = 0; i < 8; i++) pair.send(message(i, 100));
        let calls = 0;
        pair.sender.onWritable(() => {
          calls++;
          expect(pair.sender.statistics.queued).toBe(4);
        });
        for (let s = pair.write(110); s !== undefined; s = pair.write(110)) {
          pair.sender.acked(s.sequence);
          pair.sender.pending(0);
          expect(calls).toBe(pair.sender.statistics.queued <= 4 ? 1 : 0);
        }
        expect(pair.sender.statistics).toMatchObject({ queued: 0, queuedBytes: 0 });
        expect(calls).toBe(1);
      }
    });

    test('lets what it tells it is writable send at once, and ask again', () => {
      const pair = pairOf({ queueEntries: 8 });
      let next = 0;
      const fill = () => {
        while (next < 100 && pair.send(message(next, 4)) === 'queued') next++;
        if (next < 100) pair.sender.onWritable(fill);
      };
      fill();
      pair.carryAll();
      expect(pair.received).toEqual(Array.from({ length: 100 }, (_, i) => message(i, 4)));
    });

    test('tells all who wait that it is writable, in the order in which they asked', () => {
      const pair = pairOf({ queueEntries: 8 });
      for (let i = 0; i < 8; i++) pair.send(message(i, 10));
      const calls: string[] = [];
      for (const name of ['a', 'b', 'c']) pair.sender.onWritable(() => calls.push(name));
      pair.carryAll();
      pair.sender.pending(0);
      expect(calls).toEqual(['a', 'b', 'c']);
    });

    test('those who find it full again take turns', () => {
      const pair = pairOf({ queueEntries: 8 });
      const calls: string[] = [];
      const fill = (name: string) => {
        if (calls.push(name) > 6) return;
        while (pair.send(message(1, 10)) === 'queued');
        pair.sender.onWritable(() => fill(name));
      };
      fill('a');
      fill('b');
      pair.carryAll();
      expect(calls.join('')).toBe('abababab');
    });

    test('so many may wait, and one more is a mistake', () => {
      const pair = pairOf();
      let calls = 0;
      const wait = () => pair.sender.onWritable(() => calls++);
      for (let i = 0; i < WRITABLE_CALLBACKS_MAX; i++) wait();
      expect(wait).toThrow(expect.objectContaining({ code: 'handlers-full' }));
      pair.sender.pending(0);
      expect(calls).toBe(WRITABLE_CALLBACKS_MAX);
      expect(wait).not.toThrow();
    });

    test('drops and counts what could not be sent in its time', () => {
      const pair = pairOf({ ttlMs: 100 });
      pair.send(message(1, 10));
      expect(pair.sender.pending(1000)).toBe(true);
      expect(pair.sender.pending(1100)).toBe(true);
      pair.send(message(2, 20));
      expect(pair.sender.pending(1100.5)).toBe(true);
      expect(pair.sender.statistics).toMatchObject({ expired: 1, queued: 1, queuedBytes: 20 });
      expect(pair.sender.pending(1200.5)).toBe(true);
      expect(pair.sender.pending(1200.75)).toBe(false);
      expect(pair.sender.statistics).toMatchObject({ expired: 2, queued: 0, queuedBytes: 0 });
      pair.nowMs = 1300;
      pair.send(message(3, 30));
      pair.carryAll();
      expect(pair.received).toEqual([message(3, 30)]);
    });

    test('counts the life of a message from the first time told after it was sent', () => {
      const pair = pairOf({ ttlMs: 100 });
      for (const start of [5000, 8000]) {
        // What was told before is of no interest, however long ago.
        pair.send(message(1, 10));
        expect(pair.sender.pending(start)).toBe(true);
        expect(pair.sender.pending(start + 100)).toBe(true);
        expect(pair.sender.pending(start + 101)).toBe(false);
      }
      pair.nowMs = 12_000;
      pair.send(message(2, 20));
      pair.carryAll();
      expect(pair.received).toEqual([message(2, 20)]);
    });
  });

  describe(`${name}: receiving`, () => {
    test('malformed sections change nothing', () => {
      const pair = pairOf();
      pair.send(message(1, 200));
      const good = pair.write()!;
      const before = { ...pair.receiver.statistics };
      const bad = (bytes: Uint8Array) => {
        expect(pair.read({ bytes, sequence: 0 })).toBe(Verdict.malformed);
      };
      for (let cut = 0; cut < good.bytes.length; cut++) bad(good.bytes.subarray(0, cut));
      bad(Uint8Array.from([...good.bytes, 0x80]));
      expect(pair.receiver.statistics).toEqual(before);
      expect(pair.received).toEqual([]);
      expect(pair.read(good)).toBe(Verdict.accepted);
      expect(pair.received).toEqual([message(1, 200)]);
    });

    test('what is longer than agreed is malformed', () => {
      const lengths: [agreed: number, sent: number][] = [[100, 101]];
      if (cuts) lengths.push([FRAGMENT_BYTES, FRAGMENT_BYTES + 1], [2 * FRAGMENT_BYTES, 2201]);
      for (const [agreed, sent] of lengths) {
        const pair = pairOf({ messageBytes: sent }, { messageBytes: agreed, queueBytes: 10_000 });
        pair.send(message(1, sent));
        // A fragment that says there is more is found out at once, the last one by what it adds.
        const verdicts = pair.writeAll().map((section) => pair.read(section));
        expect(verdicts).toContain(Verdict.malformed);
        expect(pair.received).toEqual([]);
      }
    });

    test.runIf(cuts)('malformed fragments change nothing', () => {
      const pair = pairOf();
      pair.send(message(1, 2 * FRAGMENT_BYTES));
      for (const good of pair.writeAll()) {
        const before = { ...pair.receiver.statistics };
        for (let cut = 0; cut < good.bytes.length; cut++) {
          const bytes = good.bytes.subarray(0, cut);
          expect(pair.read({ bytes, sequence: good.sequence })).toBe(Verdict.malformed);
        }
        expect(pair.receiver.statistics).toEqual(before);
        expect(pair.received).toEqual([]);
        expect(pair.read(good)).toBe(Verdict.accepted);
      }
      expect(pair.received).toEqual([message(1, 2 * FRAGMENT_BYTES)]);
    });

    test('keeps nothing without a commit', () => {
      const pair = pairOf();
      const sections = [1, 2, 3].map((n) => {
        pair.send(message(n, 10 * n));
        return pair.write()!;
      });
      for (const section of sections) expect(pair.stage(section)).toBe(Verdict.accepted);
      expect(pair.received).toEqual([]);
      for (const section of sections) {
        expect(pair.stage(section)).toBe(Verdict.accepted);
        expect(pair.read(section)).toBe(Verdict.accepted);
      }
      expect(pair.received).toEqual([message(1, 10), message(2, 20), message(3, 30)]);
      expect(pair.receiver.statistics.delivered).toBe(3);
    });

    test('keeps nothing of an accepted section when a malformed one follows', () => {
      const pair = pairOf();
      pair.send(message(1, 10));
      const good = pair.write()!;
      expect(pair.stage(good)).toBe(Verdict.accepted);
      for (const bytes of [new Uint8Array(0), Uint8Array.from([...good.bytes, 0x80])]) {
        expect(pair.stage({ bytes, sequence: 1 })).toBe(Verdict.malformed);
        pair.receiver.commit(0);
        expect(pair.received).toEqual([]);
      }
      expect(pair.read(good)).toBe(Verdict.accepted);
      expect(pair.received).toEqual([message(1, 10)]);
    });

    test('lets its sink send', () => {
      const pair = pairOf();
      pair.onMessage = () => {
        expect(pair.receiver.send(message(9, 5), 0, 5)).toBe('queued');
      };
      for (let i = 0; i < 3; i++) pair.send(message(i, 20));
      pair.carryAll();
      expect(pair.received.length).toBe(3);
      expect(pair.receiver.statistics).toMatchObject({ sent: 3, queued: 3, delivered: 3 });
      expect(pair.receiver.pending(0)).toBe(true);
    });

    test('lets its sink close it: not even the rest of the section is delivered', () => {
      const pair = pairOf();
      pair.onMessage = () => pair.receiver.close();
      for (let i = 0; i < 3; i++) pair.send(message(i, 20));
      pair.read(pair.write()!);
      expect(pair.received).toEqual([message(0, 20)]);
      expect(pair.receiver.statistics.delivered).toBe(1);
    });

    test('a sink that throws loses nothing of the channel', () => {
      const pair = pairOf();
      pair.onMessage = () => {
        throw new Error(`planted ${pair.received.length}`);
      };
      for (let i = 0; i < 3; i++) pair.send(message(i, 20));
      const section = pair.write()!;
      expect(pair.stage(section)).toBe(Verdict.accepted);
      expect(() => pair.receiver.commit(0)).toThrow('planted 1');
      expect(pair.received).toEqual([message(0, 20), message(1, 20), message(2, 20)]);
      pair.sender.acked(section.sequence);
      pair.onMessage = () => {};
      expect(() => pair.receiver.commit(0)).not.toThrow();
      pair.send(message(3, 2500));
      pair.carryAll();
      expect(pair.received.at(-1)).toEqual(message(3, 2500));
      expect(pair.receiver.statistics).toMatchObject({ delivered: 4, heldBytes: 0 });
    });

    test('random bytes never throw, and hold no more than agreed', () => {
      const pair = pairOf({ messageBytes: 2000, queueBytes: 4000 }, undefined);
      const bodies = fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }).map((head) => {
          // Something like a full first fragment, at a random place.
          const bytes = new Uint8Array(4 + FRAGMENT_BYTES + 1);
          bytes.set(head);
          bytes.set([0x99, 0x11, head[3]! & 3], 2);
          return bytes;
        }),
      );
      let sequence = 0;
      fc.assert(
        fc.property(bodies, (bytes) => {
          pair.read({ bytes, sequence: sequence++ });
          expect(pair.receiver.statistics.heldBytes).toBeLessThanOrEqual(6000);
        }),
        { numRuns: 500 },
      );
    });
  });

  describe(`${name}: the end`, () => {
    test('closed: sends, says and delivers nothing, and its counts stay', () => {
      const pair = pairOf({ queueEntries: 8, ttlMs: 100 });
      let calls = 0;
      for (const channel of [pair.sender, pair.receiver]) channel.onWritable(() => calls++);
      for (let i = 0; i < 8; i++) pair.send(message(i, 300));
      const sections = [pair.write(310)!, pair.write(310)!];
      const before = { ...pair.sender.statistics };
      pair.sender.close();
      pair.receiver.close();
      expect(pair.send(message(5, 5))).toBe('closed');
      for (const section of sections) {
        pair.sender.lost(section.sequence);
        pair.read(section);
      }
      for (const section of sections) pair.sender.acked(section.sequence);
      expect(pair.sender.pending(10_000)).toBe(false);
      expect(pair.sender.write(0, new Uint8Array(ROOM), 0, ROOM, 7)).toBe(0);
      expect(pair.sender.statistics).toEqual(before);
      expect(pair.receiver.statistics.delivered).toBe(0);
      expect(pair.received).toEqual([]);
      expect(calls).toBe(0);
    });
  });

  describe(`${name}: over a network`, () => {
    const near = [FRAGMENT_BYTES - 1, FRAGMENT_BYTES, FRAGMENT_BYTES + 1];
    const limit = Math.min(longest, 9 * FRAGMENT_BYTES + 77);
    const sizes = [1, 2, 3, 40, 40, 40, 250, 700, ...near, 2 * FRAGMENT_BYTES, limit - 1, limit];
    const fitting = sizes.filter((size) => size <= limit);

    test('a message of every interesting size arrives, and the longest of all', () => {
      const pair = pairOf({ ttlMs: Number.POSITIVE_INFINITY });
      const all = [...fitting, longest - 1, longest].map((size, i) => message(i, size));
      for (const one of all) {
        expect(pair.send(one)).toBe('queued');
        pair.carryAll();
      }
      expect(pair.received.map(keyOf)).toEqual(all.map(keyOf));
      expect(pair.receiver.statistics.heldBytes).toBe(0);
      expect(pair.sender.statistics).toMatchObject({ queued: 0, queuedBytes: 0 });
    });

    const run = (weather: Weather) => {
      const pair = pairOf({
        messageBytes: limit,
        queueBytes: 3 * limit,
        ttlMs: Number.POSITIVE_INFINITY,
      });
      pair.sequence = weather.seed % 0x20000;
      const network = new RandomNetwork(pair, weather, !kind.reliable);
      const sent: string[] = [];
      for (let step = 0; step < 120; step++) {
        for (let n = network.below(6); n > 0; n--) {
          const one = message(sent.length, fitting[network.below(fitting.length)]!);
          if (pair.send(one) === 'queued') sent.push(keyOf(one));
        }
        // The channel idles while the connection's packets go on.
        if (network.chance(3)) pair.sequence += 70_000;
        for (let packets = network.below(12); packets > 0; packets--) {
          const section = pair.write(network.chance(30) ? network.below(ROOM) : ROOM);
          if (section !== undefined) network.carry(section);
        }
        network.step();
      }
      finish(pair, network);
      check(pair, sent);
    };

    /** Carries on without new messages until everything has been said and settled. */
    const finish = (pair: Pair, network: RandomNetwork) => {
      for (let rounds = 0; rounds < 500 && pair.sender.statistics.queued > 0; rounds++) {
        for (const section of pair.writeAll()) network.carry(section);
        network.step();
        if (rounds % 10 === 0) network.settle();
      }
      network.settle();
      // What was received in part is given up some time later, when the kind gives up anything.
      pair.nowMs += 60_000;
      pair.receiver.pending(pair.nowMs);
    };

    const check = (pair: Pair, sent: readonly string[]) => {
      const got = pair.received.map(keyOf);
      const out = pair.sender.statistics;
      const into = pair.receiver.statistics;
      expect(out).toMatchObject({ sent: sent.length, expired: 0, queued: 0, queuedBytes: 0 });
      expect(into).toMatchObject({ delivered: got.length, heldBytes: 0 });
      const bytes = (keys: readonly string[]) =>
        keys.reduce((sum, key) => sum + Number.parseInt(key, 10), 0);
      expect(out.sentBytes).toBe(bytes(sent));
      expect(into.deliveredBytes).toBe(bytes(got));
      if (kind.ordered) {
        if (kind.reliable) expect(got).toEqual(sent);
        else expectWithin(got, sent);
      } else if (kind.reliable) expect([...got].sort()).toEqual([...sent].sort());
      else expectWithin([...got].sort(), [...sent].sort());
      if (!kind.reliable) expect(out.resent).toBe(0);
    };

    test('keeps its promise, whatever is lost, late or double', () => {
      fc.assert(fc.property(weathers, run), { numRuns: 15 });
    });

    test('misses nothing over a network that loses nothing', () => {
      const pair = pairOf({ ttlMs: Number.POSITIVE_INFINITY });
      const all = Array.from({ length: 300 }, (_, i) => message(i, (i * 37) % 900));
      for (const one of all) {
        if (pair.send(one) === 'full') pair.carryAll();
        else continue;
        expect(pair.send(one)).toBe('queued');
      }
      pair.carryAll();
      expect(pair.received).toEqual(all);
    });
  });
}

/** That `part` is `whole` with some left out. */
function expectWithin(part: readonly string[], whole: readonly string[]): void {
  let at = 0;
  for (const one of part) {
    while (at < whole.length && whole[at] !== one) at++;
    expect(at, `${one} was not sent, or came again or too late`).toBeLessThan(whole.length);
    at++;
  }
}
