import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EffectsWriter,
  MatchEventReader,
  writeEnter,
  writeLeave,
} from '../src/game/match-event.ts';
import { angle, fixed, uint } from '../src/replication/field.ts';

const kinds = [[angle(12), uint(7)], [], [fixed(0, 5, 1)]];
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

type Event = [what: string, ...numbers: number[]];

function collector() {
  const events: Event[] = [];
  const reader = new MatchEventReader(kinds, {
    enter: (epoch, tick, seed) => events.push(['enter', epoch, tick, seed]),
    leave: (epoch) => events.push(['leave', epoch]),
    effect: (epoch, tick, kind, entity, n, values) => {
      const payload = values.subarray(0, kinds[kind]!.length);
      events.push(['effect', epoch, tick, kind, entity, n, ...payload]);
    },
  });
  return { events, reader };
}

const effect = fc.nat(2).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    entity: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    n: fc.nat(300),
    values: fc.tuple(...kinds[kind]!.map(({ max }) => fc.nat(max))),
  }),
);

describe('match events', () => {
  test('enter and leave have the documented bytes', () => {
    const out = new Uint8Array(16);
    expect(writeEnter(out, 3, 0x01020304, 0xfffefdfc)).toBe(10);
    expect([...out.subarray(0, 10)]).toEqual([1, 3, 4, 3, 2, 1, 0xfc, 0xfd, 0xfe, 0xff]);
    const { events, reader } = collector();
    expect(reader.read(out, 0, 10)).toBe(true);
    expect(writeLeave(out, 9)).toBe(2);
    expect(reader.read(out, 0, 2)).toBe(true);
    expect(events).toEqual([
      ['enter', 3, 0x01020304, 0xfffefdfc],
      ['leave', 9],
    ]);
  });

  test('enter survives with any numbers', () => {
    fc.assert(
      fc.property(fc.nat(255), uint32, uint32, (epoch, tick, seed) => {
        const out = new Uint8Array(10);
        const { events, reader } = collector();
        expect(reader.read(out, 0, writeEnter(out, epoch, tick, seed))).toBe(true);
        expect(events).toEqual([['enter', epoch, tick, seed]]);
      }),
    );
  });

  test('effects survive, split over as many messages as they need', () => {
    const all = fc.array(effect, { maxLength: 60 });
    fc.assert(
      fc.property(all, uint32, fc.integer({ min: 24, max: 200 }), (wanted, tick, bytesMax) => {
        const { events, reader } = collector();
        const writer = new EffectsWriter(kinds, bytesMax);
        const send = () => {
          writer.bytes[1] = 7;
          const end = writer.finish();
          expect(end).toBeLessThanOrEqual(bytesMax);
          expect(reader.read(writer.bytes, 0, end)).toBe(true);
        };
        writer.begin(tick);
        for (const { kind, entity, n, values } of wanted) {
          const row = Int32Array.from(values);
          if (writer.add(kind, entity, n, row)) continue;
          expect(writer.count).toBeGreaterThan(0);
          send();
          writer.begin(tick);
          expect(writer.add(kind, entity, n, row)).toBe(true);
        }
        send();
        expect(events).toEqual(
          wanted.map(({ kind, entity, n, values }) => [
            'effect',
            7,
            tick,
            kind,
            entity,
            n,
            ...values,
          ]),
        );
      }),
    );
  });

  test('an effect that fits no message leaves the message as it was', () => {
    const writer = new EffectsWriter(kinds, 8);
    writer.begin(5);
    expect(writer.add(0, 0xffff_ffff, 3, Int32Array.of(1, 1))).toBe(false);
    expect(writer.count).toBe(0);
    expect(writer.finish()).toBe(7);
    expect(collector().reader.read(writer.bytes, 0, 7)).toBe(true);
  });

  test('malformed: nothing, unknown types, cut off, longer than they are, out of range', () => {
    const { events, reader } = collector();
    const out = new Uint8Array(20);
    const length = writeEnter(out, 3, 4, 5);
    for (let size = 0; size < length; size++) expect(reader.read(out, 0, size)).toBe(false);
    expect(reader.read(out, 0, length + 1)).toBe(false);
    out[0] = 4;
    expect(reader.read(out, 0, length)).toBe(false);
    out[0] = 0;
    expect(reader.read(out, 0, length)).toBe(false);
    writeLeave(out, 1);
    expect(reader.read(out, 0, 1)).toBe(false);
    expect(reader.read(out, 0, 3)).toBe(false);
    const writer = new EffectsWriter([[uint(3)], [], [uint(3)]], 40);
    writer.begin(1);
    writer.add(2, 1, 0, Int32Array.of(5));
    expect(reader.read(writer.bytes, 0, writer.finish())).toBe(false);
    const unknown = new EffectsWriter([[], [], [], []], 40);
    unknown.begin(1);
    unknown.add(3, 1, 0, Int32Array.of());
    expect(reader.read(unknown.bytes, 0, unknown.finish())).toBe(false);
    expect(events).toEqual([]);
  });

  test('of a message whose end is malformed no effect is told', () => {
    const { events, reader } = collector();
    const writer = new EffectsWriter([[angle(12), uint(7)], [], [uint(3)]], 60);
    writer.begin(1);
    writer.add(0, 9, 0, Int32Array.of(5, 6));
    writer.add(1, 9, 0, Int32Array.of());
    const good = writer.finish();
    expect(reader.read(writer.bytes, 0, good + 1)).toBe(false);
    expect(reader.read(writer.bytes, 0, good - 1)).toBe(false);
    expect(events).toEqual([]);
    expect(reader.read(writer.bytes, 0, good)).toBe(true);
    expect(events).toHaveLength(2);
    writer.begin(1);
    writer.add(0, 9, 0, Int32Array.of(5, 6));
    writer.add(2, 9, 0, Int32Array.of(5));
    expect(reader.read(writer.bytes, 0, writer.finish())).toBe(false);
    expect(events).toHaveLength(2);
  });

  test('random and mutated bytes never throw, and only values in range are told', () => {
    const { reader } = collector();
    const sink = new MatchEventReader(kinds, {
      enter() {},
      leave() {},
      effect: (_epoch, _tick, kind, _entity, _n, values) => {
        kinds[kind]!.forEach(({ max }, f) => {
          expect(values[f]).toBeLessThanOrEqual(max);
        });
      },
    });
    const first = fc.constantFrom(1, 2, 3, 3, 3, 3);
    fc.assert(
      fc.property(first, fc.uint8Array({ maxLength: 40 }), (type, rest) => {
        const bytes = Uint8Array.of(type, ...rest);
        sink.read(bytes, 0, bytes.length);
        reader.read(rest, 0, rest.length);
      }),
      { numRuns: 500 },
    );
  });
});
