import { Prng } from '@tickwire/netsim';
import {
  angle,
  archetype,
  axis,
  BASELINE_TICKS_MAX,
  BitWriter,
  component,
  defineGame,
  Frame,
  fixed,
  flag,
  RECORD_HEAD_BITS_MAX,
  RecordCodec,
  uint,
  writeChangeHead,
  writeWholeHead,
} from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { RecordCache } from '../src/record-cache.ts';

const pose = component({ x: fixed(-128, 128, 1 / 256), y: fixed(-100, 100, 0.1), aim: angle(12) });
const motion = component({ vx: fixed(-16, 16, 1 / 4096), jump: flag() }, { to: 'owner' });
const life = component({ hp: uint(7) });
/** Records so long that a few thousand of them fill the cache. */
const wide = component(
  Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, uint(24)])),
);

const game = defineGame({
  id: 'record-cache-test',
  tickHz: 60,
  input: { dx: axis(4) },
  archetypes: {
    player: archetype({ pose, motion, life }, { max: 6, controlled: true }),
    item: archetype({ pose }, { max: 3 }),
    crowd: archetype({ wide }, { max: 2000 }),
  },
  effects: {},
  messages: {},
  simulate() {},
});
const codecs = game.layouts.map((layout) => new RecordCodec(layout));
const CROWD = 2;

function randomFrame(archetypeIndex: number, tick: number, random: Prng, near?: Frame): Frame {
  const layout = game.layouts[archetypeIndex]!;
  const frame = new Frame(layout);
  frame.tick = tick;
  frame.count = layout.capacity;
  for (let slot = 0; slot < layout.capacity; slot++) {
    frame.order[slot] = slot;
    frame.ids[slot] = slot + 1;
    for (let f = 0; f < layout.stride; f++) {
      const at = slot * layout.stride + f;
      const far = near === undefined || random.next() < 0.3;
      frame.values[at] = far
        ? Math.floor(random.next() * (layout.fields[f]!.max + 1))
        : near.values[at]!;
    }
  }
  return frame;
}

interface Written {
  readonly bits: number;
  readonly bytes: number[];
}

/** What `write` puts behind three bits that are there already. */
function written(write: (writer: BitWriter) => void): Written {
  const bytes = new Uint8Array(400);
  const writer = new BitWriter();
  writer.reset(bytes, 0, bytes.length);
  writer.write(0b101, 3);
  write(writer);
  expect(writer.overflowed).toBe(false);
  return { bits: writer.bitPosition - 3, bytes: [...bytes.subarray(0, writer.finish())] };
}

function direct(a: number, slot: number, now: Frame, base: Frame | undefined): Written {
  const codec = codecs[a]!;
  const at = slot * codec.layout.stride;
  return written((writer) => {
    if (base === undefined) {
      writeWholeHead(writer, false);
      codec.writeWhole(writer, now.values, at, false);
    } else {
      writeChangeHead(writer, now.tick - base.tick);
      codec.writeChange(writer, now.values, at, base.values, at, false);
    }
  });
}

function cached(cache: RecordCache, a: number, slot: number, now: Frame, base?: Frame): Written {
  return written((writer) => cache.write(writer, a, slot, now, base));
}

describe('RecordCache', () => {
  test('gives the bits of encoding directly, for all baselines, asked in any order and again', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Prng(seed);
      const cache = new RecordCache(codecs);
      const bases = [0, 1].map((a) =>
        [1, 2, 17, BASELINE_TICKS_MAX].map((back) => randomFrame(a, 100 - back, random)),
      );
      const now = [0, 1].map((a) => randomFrame(a, 100, random, bases[a]![0]));
      for (let ask = 0; ask < 200; ask++) {
        const a = Math.floor(random.next() * 2);
        const slot = Math.floor(random.next() * game.layouts[a]!.capacity);
        const base = bases[a]![Math.floor(random.next() * 5)];
        const expected = direct(a, slot, now[a]!, base);
        const what = `seed ${seed}, ask ${ask}`;
        if (random.next() < 0.5) {
          expect(cache.measure(a, slot, now[a]!, base), what).toBe(expected.bits);
        }
        expect(cached(cache, a, slot, now[a]!, base), what).toEqual(expected);
      }
    }
  });

  test('what was encoded is not encoded again in its tick', () => {
    const random = new Prng(3);
    const cache = new RecordCache(codecs);
    const [base, now] = [randomFrame(0, 99, random), randomFrame(0, 100, random)];
    const before = [cached(cache, 0, 2, now), cached(cache, 0, 2, now, base)];
    now.values.fill(0);
    expect([cached(cache, 0, 2, now), cached(cache, 0, 2, now, base)]).toEqual(before);
    expect(cached(cache, 0, 3, now)).toEqual(direct(0, 3, now, undefined));
  });

  test('the next tick starts over, with the same slots and distances', () => {
    const random = new Prng(4);
    const cache = new RecordCache(codecs);
    let base = randomFrame(0, 99, random);
    for (let tick = 100; tick < 130; tick++) {
      const now = randomFrame(0, tick, random, base);
      for (let slot = 0; slot < game.layouts[0]!.capacity; slot++) {
        expect(cached(cache, 0, slot, now)).toEqual(direct(0, slot, now, undefined));
        expect(cached(cache, 0, slot, now, base)).toEqual(direct(0, slot, now, base));
      }
      base = now;
    }
  });

  test('a full cache encodes for each who asks, to the same bits, and measures no less than it writes', () => {
    const random = new Prng(5);
    const cache = new RecordCache(codecs);
    const { capacity } = game.layouts[CROWD]!;
    const bound = codecs[CROWD]!.changeBitsMax(false) + RECORD_HEAD_BITS_MAX;
    const base = randomFrame(CROWD, 99, random);
    for (const tick of [100, 101]) {
      const now = randomFrame(CROWD, tick, random, base);
      let beyond = 0;
      for (let slot = 0; slot < capacity; slot++) {
        const from = slot % 2 === 0 ? base : undefined;
        const expected = direct(CROWD, slot, now, from);
        const measured = cache.measure(CROWD, slot, now, from);
        if (measured !== expected.bits) {
          expect(measured).toBe(bound);
          expect(measured).toBeGreaterThan(expected.bits);
          beyond++;
        }
        expect(cached(cache, CROWD, slot, now, from)).toEqual(expected);
      }
      // The second tick has the whole cache for itself again.
      expect(beyond).toBeGreaterThan(capacity / 10);
      expect(beyond).toBeLessThan(capacity / 2);
      // What was taken in before it was full is still right.
      expect(cached(cache, CROWD, 0, now, base)).toEqual(direct(CROWD, 0, now, base));
    }
  });
});
