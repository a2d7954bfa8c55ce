import {
  BitWriter,
  RecordCodec,
  SnapshotHead,
  Verdict,
  World,
  writeChangeHead,
  writeGroupHead,
  writeGroupsEnd,
  writeWholeHead,
} from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfirmedWorld } from '../src/confirmed-world.ts';
import { SnapshotReader } from '../src/snapshot-reader.ts';
import { Column, playerRow, smallGame } from './small-game.ts';

const EPOCH = 3;
const codecs = smallGame.layouts.map((layout) => new RecordCodec(layout));

interface WrittenRecord {
  readonly id: number;
  readonly row: Int32Array;
  readonly owned?: boolean;
  /** The row that a change is against, and how many ticks ago. */
  readonly base?: Int32Array;
  readonly back?: number;
}

interface WrittenPacket {
  readonly tick: number;
  readonly epoch?: number;
  readonly whole?: boolean;
  readonly predicted?: boolean;
  readonly feedback?: readonly [inputTick: number, slackMs: number];
  readonly gone?: readonly number[];
  readonly groups?: readonly (readonly [archetype: number, records: readonly WrittenRecord[]])[];
}

function write(packet: WrittenPacket): Uint8Array {
  const bits = new BitWriter();
  const bytes = new Uint8Array(4000);
  bits.reset(bytes, 0, bytes.length);
  const head = new SnapshotHead();
  head.epoch = packet.epoch ?? EPOCH;
  head.wireTick = packet.tick & 0xffff;
  head.whole = packet.whole ?? false;
  head.predicted = packet.predicted ?? false;
  head.hasFeedback = packet.feedback !== undefined;
  head.wireInputTick = (packet.feedback?.[0] ?? 0) & 0xffff;
  head.slackMs = packet.feedback?.[1] ?? 0;
  head.write(bits);
  bits.writeVar(packet.gone?.length ?? 0);
  for (const id of packet.gone ?? []) bits.writeVar(id);
  for (const [archetype, records] of packet.groups ?? []) writeGroup(bits, archetype, records);
  writeGroupsEnd(bits);
  return bytes.slice(0, bits.finish());
}

function writeGroup(bits: BitWriter, archetype: number, records: readonly WrittenRecord[]): void {
  writeGroupHead(bits, archetype, records.length);
  const codec = codecs[archetype] ?? codecs[0]!;
  let previous = 0;
  for (const { id, row, owned = false, base, back } of records) {
    bits.writeVar(id - previous - 1);
    previous = id;
    if (base === undefined) {
      writeWholeHead(bits, owned);
      codec.writeWhole(bits, row, 0, owned);
    } else {
      writeChangeHead(bits, back!);
      codec.writeChange(bits, row, 0, base, 0, owned);
    }
  }
}

class Scene {
  readonly world = new World(smallGame, { seed: 1, authority: false });
  readonly confirmed = new ConfirmedWorld(this.world.tables);
  readonly told: (string | number | boolean)[][] = [];
  readonly reader = new SnapshotReader(this.confirmed, codecs, {
    feedback: (_nowMs, inputTick, slackMs) => this.told.push(['feedback', inputTick, slackMs]),
    snapshot: (_nowMs, tick, newTick) => this.told.push(['snapshot', tick, newTick]),
  });

  stage(bytes: Uint8Array, near = Math.max(0, this.confirmed.tick)): Verdict {
    return this.reader.stage(bytes, 0, bytes.length, EPOCH, near);
  }

  /** Stages, and commits as the transport does: only what was accepted. */
  take(packet: WrittenPacket, near?: number): Verdict {
    const verdict = this.stage(write(packet), near);
    if (verdict === Verdict.accepted) this.reader.commit(0);
    return verdict;
  }

  row(id: number, archetype = 0): number[] | undefined {
    const slot = this.world.tables[archetype]!.slotOf(id);
    if (slot < 0) return undefined;
    const { values, newestAt, stride } = this.confirmed.samples(archetype, slot);
    return [...values.subarray(newestAt, newestAt + stride)];
  }

  /** Everything that a packet could change. */
  state(): unknown {
    const { tick, wholeTick, predictedTick, tables } = this.confirmed;
    const rows = tables.map((table, a) =>
      [...table.order.subarray(0, table.count)].map((slot) => {
        const samples = this.confirmed.samples(a, slot);
        return [
          table.ids[slot],
          samples.owned,
          samples.newestTick,
          samples.untilTick,
          ...samples.values,
        ];
      }),
    );
    return { tick, wholeTick, predictedTick, rows, told: [...this.told] };
  }
}

const whole = (id: number, x = 1, owned = false): WrittenRecord => ({
  id,
  row: playerRow(x),
  owned,
});
const item = (id: number): WrittenRecord => ({ id, row: Int32Array.of(50) });

describe('snapshot reader', () => {
  test('whole records, then changes against them', () => {
    const scene = new Scene();
    const own = playerRow(2, 3, 40, 50);
    const groups = [[0, [whole(7), { id: 9, row: own, owned: true }]]] as const;
    expect(scene.take({ tick: 10, whole: true, predicted: true, groups })).toBe(Verdict.accepted);
    expect(scene.row(9)).toEqual([...own]);
    const { tick, wholeTick, predictedTick } = scene.confirmed;
    expect([tick, wholeTick, predictedTick]).toEqual([10, 10, 10]);
    const next = playerRow(2.5, 3, 41, 50);
    const change = { id: 9, row: next, base: own, back: 4, owned: true };
    expect(scene.take({ tick: 14, feedback: [16, -2.25], groups: [[0, [change]]] })).toBe(0);
    expect(scene.row(9)).toEqual([...next]);
    expect(scene.confirmed.wholeTick).toBe(10);
    expect(scene.told).toEqual([
      ['snapshot', 10, true],
      ['feedback', 16, -2.25],
      ['snapshot', 14, true],
    ]);
  });

  test('fields that are not for the receiver read as zero', () => {
    const scene = new Scene();
    scene.take({ tick: 1, groups: [[0, [{ id: 7, row: playerRow(1, 1, 40, 50) }]]] });
    expect(scene.row(7)![Column.shots]).toBe(0);
    expect(scene.row(7)![Column.gold]).toBe(50);
  });

  test('a second packet of a tick is taken, and is not its first', () => {
    const scene = new Scene();
    scene.take({ tick: 1, groups: [[0, [whole(7)]]] });
    expect(scene.take({ tick: 1, groups: [[0, [whole(8)]]] })).toBe(Verdict.accepted);
    expect(scene.told.at(-1)).toEqual(['snapshot', 1, false]);
  });

  test('baseline missing: unknown entity, tick never seen, forgotten tick', () => {
    const scene = new Scene();
    scene.take({ tick: 10, groups: [[0, [whole(7)]]] });
    const before = scene.state();
    const change = (id: number, back: number) => ({
      id,
      row: playerRow(2),
      base: playerRow(1),
      back,
    });
    expect(scene.take({ tick: 11, groups: [[0, [change(8, 1)]]] })).toBe(Verdict.refused);
    expect(scene.take({ tick: 12, groups: [[0, [change(7, 1)]]] })).toBe(Verdict.refused);
    expect(scene.take({ tick: 74, groups: [[0, [change(7, 63)]]] })).toBe(Verdict.refused);
    expect(scene.reader.baselineMissing).toBe(3);
    expect(scene.state()).toEqual(before);
    expect(scene.take({ tick: 73, groups: [[0, [change(7, 63)]]] })).toBe(Verdict.accepted);
  });

  test('a baseline of another hand is none', () => {
    const scene = new Scene();
    scene.take({ tick: 10, groups: [[0, [whole(7)]]] });
    scene.take({ tick: 11, groups: [[0, [whole(7, 1, true)]]] });
    const change = { id: 7, row: playerRow(2), base: playerRow(1), back: 2 };
    expect(scene.take({ tick: 12, groups: [[0, [change]]] })).toBe(Verdict.refused);
  });

  test('overtaken packets are refused, also across the wrap of the tick', () => {
    const scene = new Scene();
    scene.take({ tick: 65535, groups: [[0, [whole(7)]]] }, 65530);
    expect(scene.take({ tick: 65534 })).toBe(Verdict.refused);
    expect(scene.reader.outdated).toBe(1);
    expect(scene.take({ tick: 65536 + 2, feedback: [65536 + 5, 1] })).toBe(Verdict.accepted);
    expect(scene.confirmed.tick).toBe(65538);
    expect(scene.told.at(-2)).toEqual(['feedback', 65541, 1]);
    expect(scene.take({ tick: 65535 })).toBe(Verdict.refused);
  });

  test('packets of an old epoch are accepted and ignored', () => {
    const scene = new Scene();
    const before = scene.state();
    expect(scene.take({ tick: 5, epoch: 2, groups: [[0, [whole(7)]]] })).toBe(Verdict.accepted);
    expect(scene.reader.oldEpoch).toBe(1);
    expect(scene.state()).toEqual(before);
  });

  test('commit without anything staged, and after a refusal, does nothing', () => {
    const scene = new Scene();
    scene.reader.commit(0);
    scene.take({ tick: 5 });
    const before = scene.state();
    scene.stage(write({ tick: 4, gone: [1] }));
    scene.reader.commit(0);
    expect(scene.state()).toEqual(before);
  });

  test('gone entities leave, unknown ones among them are passed over', () => {
    const scene = new Scene();
    scene.take({ tick: 1, groups: [[0, [whole(7), whole(8)]]] });
    expect(scene.take({ tick: 2, gone: [99, 7, 7] })).toBe(Verdict.accepted);
    expect(scene.row(7)).toBeUndefined();
    expect(scene.row(8)).toBeDefined();
    const ids = (count: number) => Array.from({ length: count }, (_, i) => i + 100);
    expect(scene.take({ tick: 3, gone: ids(64) })).toBe(Verdict.accepted);
    expect(scene.take({ tick: 3, gone: ids(65) })).toBe(Verdict.malformed);
  });

  test('a table takes what it has room for; one more and the packet is refused whole', () => {
    const scene = new Scene();
    expect(scene.take({ tick: 1, groups: [[1, [item(1), item(2), item(3)]]] })).toBe(0);
    const before = scene.state();
    const two = [[1, [item(4), item(5)]]] as const;
    expect(scene.take({ tick: 2, groups: two })).toBe(Verdict.refused);
    expect(scene.reader.tableFull).toBe(1);
    expect(scene.state()).toEqual(before);
    expect(scene.take({ tick: 2, groups: [[1, [item(3), item(4)]]] })).toBe(Verdict.accepted);
    expect(scene.take({ tick: 2, groups: [[0, [whole(9)]]] })).toBe(Verdict.accepted);
  });

  test('what is gone in the same packet makes room, once, and not in other tables', () => {
    const scene = new Scene();
    const all = [item(1), item(2), item(3), item(4)];
    scene.take({
      tick: 1,
      groups: [
        [0, [whole(20)]],
        [1, all],
      ],
    });
    const two = [[1, [item(5), item(6)]]] as const;
    expect(scene.take({ tick: 2, gone: [1], groups: two })).toBe(Verdict.refused);
    expect(scene.take({ tick: 2, gone: [1, 1], groups: two })).toBe(Verdict.refused);
    expect(scene.take({ tick: 2, gone: [1, 20], groups: two })).toBe(Verdict.refused);
    expect(scene.take({ tick: 2, gone: [1, 99], groups: two })).toBe(Verdict.refused);
    // Gone and back again takes the room that it made.
    const back = [[1, [item(1), item(5)]]] as const;
    expect(scene.take({ tick: 2, gone: [1], groups: back })).toBe(Verdict.refused);
    expect(scene.take({ tick: 2, gone: [1, 4], groups: two })).toBe(Verdict.accepted);
    expect(scene.row(6, 1)).toEqual([50]);
  });

  test('any packets into a small table: taken exactly if all fits, else nothing changes', () => {
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 5 });
    fc.assert(
      fc.property(fc.array(fc.tuple(ids, ids), { maxLength: 12 }), (packets) => {
        const scene = new Scene();
        let model = new Set<number>();
        packets.forEach(([gone, entering], tick) => {
          const sorted = entering.toSorted((a, b) => a - b);
          const groups = sorted.length === 0 ? [] : ([[1, sorted.map(item)]] as const);
          const next = new Set([...model].filter((id) => !gone.includes(id)).concat(sorted));
          const verdict = scene.take({ tick, gone, groups });
          expect(verdict).toBe(next.size <= 4 ? Verdict.accepted : Verdict.refused);
          if (verdict === Verdict.accepted) model = next;
          const table = scene.world.tables[1]!;
          const held = [...table.order.subarray(0, table.count)].map((slot) => table.ids[slot]);
          expect(held).toEqual([...model].sort((a, b) => a - b));
        });
      }),
      { numRuns: 150 },
    );
  });

  test('malformed: unknown archetype, id beyond 32 bits, baseline 0 ticks back, longer, a tick before the first', () => {
    const scene = new Scene();
    scene.take({ tick: 1, groups: [[0, [whole(7)]]] });
    const before = scene.state();
    expect(scene.take({ tick: 2, groups: [[9, [whole(8)]]] })).toBe(Verdict.malformed);
    const far = [whole(0xffff_ffff), whole(0x1_0000_0000)];
    expect(scene.take({ tick: 2, groups: [[0, far]] })).toBe(Verdict.malformed);
    const zero = { id: 7, row: playerRow(2), base: playerRow(1), back: 0 };
    expect(scene.take({ tick: 2, groups: [[0, [zero]]] })).toBe(Verdict.malformed);
    expect(scene.stage(Uint8Array.of(...write({ tick: 2 }), 0))).toBe(Verdict.malformed);
    expect(new Scene().take({ tick: -5 }, 0)).toBe(Verdict.malformed);
    expect(scene.state()).toEqual(before);
  });

  test('cut anywhere, a packet changes nothing; whole, it is taken', () => {
    const scene = new Scene();
    scene.take({ tick: 1, groups: [[0, [whole(7)]]] });
    const before = scene.state();
    const change = { id: 7, row: playerRow(30), base: playerRow(1), back: 1 };
    const bytes = write({
      tick: 2,
      gone: [3],
      groups: [
        [0, [change, whole(8)]],
        [1, [item(9)]],
      ],
    });
    for (let length = 0; length < bytes.length; length++) {
      expect(scene.stage(bytes.subarray(0, length))).not.toBe(Verdict.accepted);
    }
    expect(scene.state()).toEqual(before);
    expect(scene.stage(bytes)).toBe(Verdict.accepted);
  });

  test('flipped bits and random bytes never throw, and change nothing unless accepted', () => {
    const change = { id: 7, row: playerRow(30), base: playerRow(1), back: 1 };
    const good = write({
      tick: 2,
      gone: [3],
      groups: [
        [0, [change, whole(8, 5, true)]],
        [1, [item(9)]],
      ],
    });
    const flips = fc.array(fc.nat(good.length * 8 - 1), { minLength: 1, maxLength: 6 });
    const flipped = flips.map((bits) => {
      const bytes = good.slice();
      for (const bit of bits) bytes[bit >> 3]! ^= 1 << (bit & 7);
      return bytes;
    });
    const noise = fc
      .uint8Array({ maxLength: 60 })
      .map((rest) => Uint8Array.of(EPOCH, 0, 2, ...rest));
    const scene = new Scene();
    scene.take({ tick: 1, groups: [[0, [whole(7)]]] });
    fc.assert(
      fc.property(fc.oneof(flipped, noise), (bytes) => {
        const before = JSON.stringify(scene.state());
        const verdict = scene.stage(bytes, 1);
        expect(JSON.stringify(scene.state())).toBe(before);
        if (verdict !== Verdict.accepted) scene.reader.commit(0);
        expect(verdict === Verdict.accepted || JSON.stringify(scene.state()) === before).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test('what flipped bits left acceptable can be committed', () => {
    const good = write({
      tick: 2,
      gone: [3],
      groups: [
        [0, [whole(7), whole(8, 5, true)]],
        [1, [item(9)]],
      ],
    });
    fc.assert(
      fc.property(fc.array(fc.nat(good.length * 8 - 1), { maxLength: 3 }), (bits) => {
        const scene = new Scene();
        const bytes = good.slice();
        for (const bit of bits) bytes[bit >> 3]! ^= 1 << (bit & 7);
        if (scene.stage(bytes) !== Verdict.accepted) return;
        scene.reader.commit(0);
        const { capacity, fields } = scene.world.tables[0]!.layout;
        expect(scene.world.tables[0]!.count).toBeLessThanOrEqual(capacity);
        fields.forEach(({ max }, f) => {
          const q = scene.row(7)?.[f] ?? 0;
          expect(q >= 0 && q <= max).toBe(true);
        });
      }),
      { numRuns: 100 },
    );
  });
});
