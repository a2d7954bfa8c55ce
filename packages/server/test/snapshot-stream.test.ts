// Snapshots against a twin that decodes them from the layout comment alone, over random worlds and random fates.

import { Prng } from '@tickwire/netsim';
import {
  angle,
  archetype,
  axis,
  component,
  defineGame,
  fixed,
  flag,
  type Layout,
  quantise,
  RecordCodec,
  uint,
  World,
} from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { InputBuffer } from '../src/input-buffer.ts';
import { SNAPSHOT_PACKETS_MAX, SnapshotStream } from '../src/snapshot-stream.ts';

const pose = component({ x: fixed(-128, 128, 1 / 256), y: fixed(-100, 100, 0.1), aim: angle(12) });
const motion = component({ vx: fixed(-16, 16, 1 / 4096), jump: flag() }, { to: 'owner' });
const hidden = component({ seed: uint(20) }, { to: 'server' });
const life = component({ hp: uint(7) });

const game = defineGame({
  id: 'snapshot-test',
  tickHz: 60,
  input: { dx: axis(4) },
  archetypes: {
    player: archetype({ pose, motion, hidden, life }, { max: 40, controlled: true }),
    item: archetype({ pose, life }, { max: 400 }),
  },
  effects: {},
  messages: {},
  simulate() {},
});

const OWNER = 3;
const EPOCH = 9;

/** Bits, one at a time: slow, and nobody else's code. */
class Bits {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.at++) {
      if (this.at >= this.#bytes.length * 8) throw new Error('read past the end');
      value = value * 2 + ((this.#bytes[this.at >> 3]! >> (7 - (this.at & 7))) & 1);
    }
    return value;
  }

  flag(): boolean {
    return this.read(1) === 1;
  }

  varying(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 16) {
      value += this.read(4) * shift;
      if (!this.flag()) return value;
    }
  }
}

interface Known {
  owned: boolean;
  /** Rows by tick. */
  readonly samples: Map<number, number[]>;
  newest: number[];
}

interface Record {
  readonly archetype: number;
  readonly id: number;
  readonly owned: boolean;
  readonly whole: boolean;
  readonly row: number[];
}

interface Packet {
  readonly tick: number;
  readonly whole: boolean;
  readonly predicted: boolean;
  readonly gone: number[];
  readonly records: Record[];
}

/** Decodes and keeps what a client would. Ticks stay below 2^16 here. */
class Twin {
  readonly entities = game.layouts.map(() => new Map<number, Known>());
  tick = -1;

  decode(bytes: Uint8Array): Packet {
    const bits = new Bits(bytes);
    expect(bits.read(8)).toBe(EPOCH);
    const tick = bits.read(16);
    const whole = bits.flag();
    const predicted = bits.flag();
    if (bits.flag()) bits.read(28);
    const gone = Array.from({ length: bits.varying() }, () => bits.varying());
    const records: Record[] = [];
    while (bits.flag()) {
      const archetype = bits.read(8);
      const count = bits.varying() + 1;
      let id = 0;
      for (let i = 0; i < count; i++) {
        id += bits.varying() + 1;
        records.push(this.#record(bits, archetype, id, tick));
      }
    }
    expect(bytes.length * 8 - bits.at).toBeLessThan(8);
    return { tick, whole, predicted, gone, records };
  }

  apply({ tick, gone, records }: Packet): void {
    this.tick = tick;
    for (const id of gone) for (const entities of this.entities) entities.delete(id);
    for (const { archetype, id, owned, row } of records) {
      const known = this.entities[archetype]!.get(id);
      const same = known?.owned === owned ? known : { owned, samples: new Map(), newest: row };
      same.samples.set(tick, row);
      same.newest = row;
      this.entities[archetype]!.set(id, same);
    }
  }

  #record(bits: Bits, archetype: number, id: number, tick: number): Record {
    const layout = game.layouts[archetype]!;
    if (!bits.flag()) {
      const owned = bits.flag();
      const row = layout.fields.map((field, f) =>
        layout.audiences[f]! <= (owned ? 1 : 0) ? bits.read(field.bits) : quantise(field, 0),
      );
      return { archetype, id, owned, whole: true, row };
    }
    const back = bits.read(6);
    expect(back).toBeGreaterThan(0);
    const known = this.entities[archetype]!.get(id);
    const base = known?.samples.get(tick - back);
    if (!known || !base) throw new Error(`no baseline ${tick - back} of ${id}`);
    return { archetype, id, owned: known.owned, whole: false, row: change(bits, layout, base, known.owned) };
  }
}

function change(bits: Bits, layout: Layout, base: number[], owned: boolean): number[] {
  const row = base.slice();
  for (const { first, count, audience } of layout.components) {
    if (audience > (owned ? 1 : 0) || !bits.flag()) continue;
    for (let f = first; f < first + count; f++) {
      if (!bits.flag()) continue;
      const { bits: size, max, wraps } = layout.fields[f]!;
      if (size < 12 || !bits.flag()) {
        row[f] = bits.read(size);
        continue;
      }
      const near = Math.ceil(size / 2);
      const raw = bits.read(near);
      const value = row[f]! + (raw >= 2 ** (near - 1) ? raw - 2 ** near : raw);
      row[f] = wraps ? (value + max + 1) % (max + 1) : value;
    }
  }
  return row;
}

/** A world, a stream out of it, a twin at the far end, and fates in between. */
class Scene {
  readonly world = new World(game, { seed: 1, authority: true });
  readonly twin = new Twin();
  readonly random: Prng;
  readonly inputs = new InputBuffer(game.inputFields);
  readonly stream = new SnapshotStream(
    this.world,
    game.layouts.map((layout) => new RecordCodec(layout)),
    OWNER,
  );
  readonly packets: { sequence: number; bytes: Uint8Array; arrives: number }[] = [];
  readonly verdicts: { sequence: number; acked: boolean; due: number }[] = [];
  readonly log: Packet[] = [];
  /** Chance that a packet, or its ack, is lost. */
  loss = 0;
  delayTicks = 3;
  budget = 1150;
  wholePackets = 0;
  changeRecords = 0;
  #sequence = 0;

  constructor(seed: number) {
    this.random = new Prng(seed);
  }

  below(count: number): number {
    return Math.floor(this.random.next() * count);
  }

  chance(fraction: number): boolean {
    return this.random.next() < fraction;
  }

  spawn(archetype: number, owned = false): number {
    const table = this.world.tables[archetype]!;
    if (table.count === table.layout.capacity) return 0;
    const id = archetype === 0 ? this.world.facade.player.spawn().id : this.world.facade.item.spawn().id;
    const slot = table.slotOf(id);
    table.owners[slot] = owned ? OWNER : 0;
    this.shake(archetype, slot, 1);
    return id;
  }

  despawn(archetype: number, id: number): void {
    if (archetype === 0) this.world.facade.player.despawn(id);
    else this.world.facade.item.despawn(id);
  }

  /** Moves some fields of a row: far, or a little. */
  shake(archetype: number, slot: number, fraction = 0.4): void {
    const { live, layout } = this.world.tables[archetype]!;
    layout.fields.forEach(({ min, step, max }, f) => {
      if (!this.chance(fraction)) return;
      const far = this.chance(0.3);
      const now = live[f]![slot]!;
      live[f]![slot] = far
        ? min + step * Math.floor(this.random.next() * (max + 1))
        : now + step * Math.floor(this.random.next() * 40 - 20);
    });
  }

  slots(archetype: number): number[] {
    const { order, count } = this.world.tables[archetype]!;
    return [...order.subarray(0, count)];
  }

  /** One tick of the world without a snapshot. */
  step(): void {
    this.world.step(this.world.tick + 1);
  }

  /** Steps, sends a snapshot, and lets what is due arrive. */
  tick(): void {
    this.step();
    this.stream.prepare();
    let packets = 0;
    while (this.stream.pending()) {
      if (!this.#write()) break;
      packets++;
    }
    expect(packets).toBeLessThanOrEqual(SNAPSHOT_PACKETS_MAX);
    this.deliver();
  }

  deliver(): void {
    const now = this.world.tick;
    for (const packet of this.packets.splice(0)) {
      if (packet.arrives > now) this.packets.push(packet);
      else this.#arrive(packet.sequence, packet.bytes);
    }
    for (const verdict of this.verdicts.splice(0)) {
      if (verdict.due > now) this.verdicts.push(verdict);
      else if (verdict.acked) this.stream.acked(verdict.sequence);
      else this.stream.lost(verdict.sequence);
    }
  }

  #write(): boolean {
    const start = this.below(5);
    const out = new Uint8Array(start + this.budget + 8).fill(0xa5);
    const sequence = this.#sequence++;
    const length = this.stream.write(EPOCH, this.inputs, out, start, start + this.budget, sequence);
    expect(length).toBeLessThanOrEqual(this.budget);
    const outside = [...out.subarray(0, start), ...out.subarray(start + this.budget)];
    expect(outside.every((byte) => byte === 0xa5)).toBe(true);
    if (length === 0) return false;
    const bytes = out.slice(start, start + length);
    const arrives = this.world.tick + this.below(this.delayTicks + 1);
    if (this.chance(this.loss)) this.verdicts.push({ sequence, acked: false, due: arrives + 8 });
    else this.packets.push({ sequence, bytes, arrives });
    return true;
  }

  #arrive(sequence: number, bytes: Uint8Array): void {
    const now = this.world.tick;
    // Overtaken or its ack lost: the sender sees it lost.
    const kept = ((bytes[1]! << 8) | bytes[2]!) >= this.twin.tick;
    const acked = kept && !this.chance(this.loss);
    this.verdicts.push({ sequence, acked, due: now + this.below(this.delayTicks + 1) });
    if (!kept) return;
    const packet = this.twin.decode(bytes);
    this.twin.apply(packet);
    this.log.push(packet);
    this.#checkRecords(packet);
    if (packet.whole) this.#checkWhole(packet.tick);
    if (packet.predicted) this.#checkOwn(packet.tick);
  }

  #checkRecords({ tick, records }: Packet): void {
    for (const record of records) {
      if (!record.whole) this.changeRecords++;
      expect(record.row).toEqual(this.#truth(record.archetype, record.id, tick, record.owned));
    }
  }

  #checkWhole(tick: number): void {
    this.wholePackets++;
    this.twin.entities.forEach((entities, archetype) => {
      const frame = this.world.history(archetype, tick)!;
      const ids = [...frame.order.subarray(0, frame.count)].map((slot) => frame.ids[slot]!);
      expect([...entities.keys()].sort((a, b) => a - b)).toEqual(ids);
      for (const [id, { newest, owned }] of entities) {
        expect(newest).toEqual(this.#truth(archetype, id, tick, owned));
      }
    });
  }

  #checkOwn(tick: number): void {
    for (const [id, { newest, owned }] of this.twin.entities[0]!) {
      if (owned && this.world.history(0, tick)!.slotOf(id) >= 0) {
        expect(newest).toEqual(this.#truth(0, id, tick, true));
      }
    }
  }

  /** The row as somebody of that audience sees it. */
  #truth(archetype: number, id: number, tick: number, owned: boolean): number[] {
    const frame = this.world.history(archetype, tick)!;
    const { fields, audiences, stride } = frame.layout;
    const at = frame.slotOf(id) * stride;
    return fields.map((field, f) =>
      audiences[f]! <= (owned ? 1 : 0) ? frame.values[at + f]! : quantise(field, 0),
    );
  }
}

/** Ticks with everything moving, coming, going and changing hands now and then. */
function live(scene: Scene, ticks: number, churn: number): void {
  for (let n = 0; n < ticks; n++) {
    for (const archetype of [0, 1]) {
      const table = scene.world.tables[archetype]!;
      for (const slot of scene.slots(archetype)) {
        if (scene.chance(0.3)) scene.shake(archetype, slot);
        if (scene.chance(churn)) scene.despawn(archetype, table.ids[slot]!);
        else if (archetype === 0 && scene.chance(churn)) {
          table.owners[slot] = table.owners[slot] === OWNER ? 0 : OWNER;
        }
      }
      if (scene.chance(0.5)) scene.spawn(archetype, archetype === 0 && scene.chance(0.3));
    }
    scene.tick();
  }
}

describe('SnapshotStream', () => {
  test('the first snapshot is whole, the next only says what changed', () => {
    const scene = new Scene(1);
    scene.delayTicks = 0;
    const own = scene.spawn(0, true);
    for (let i = 0; i < 5; i++) scene.spawn(1);
    scene.tick();
    expect(scene.log[0]).toMatchObject({ tick: 0, whole: true, predicted: true, gone: [] });
    expect(scene.log[0]!.records.map(({ id, owned, whole }) => [id, owned, whole])).toEqual([
      [own, true, true],
      ...[2, 3, 4, 5, 6].map((id) => [id, false, true]),
    ]);
    scene.tick();
    expect(scene.log[1]).toMatchObject({ tick: 1, whole: true, records: [] });
    scene.shake(1, scene.world.tables[1]!.slotOf(4), 1);
    scene.tick();
    expect(scene.log[2]!.records.map(({ id, whole }) => [id, whole])).toEqual([[4, false]]);
  });

  test('what only the owner may see is not sent for others, and changes in it are none', () => {
    const scene = new Scene(2);
    scene.delayTicks = 0;
    const slot = scene.world.tables[0]!.slotOf(scene.spawn(0));
    scene.tick();
    scene.world.tables[0]!.live[3]![slot] = 5;
    scene.world.tables[0]!.live[5]![slot] = 77;
    scene.tick();
    expect(scene.log[1]!.records).toEqual([]);
  });

  test('a quiet snapshot is a few bytes', () => {
    const scene = new Scene(3);
    scene.delayTicks = 0;
    for (let i = 0; i < 30; i++) scene.spawn(1);
    scene.tick();
    scene.step();
    scene.stream.prepare();
    const out = new Uint8Array(100);
    expect(scene.stream.write(EPOCH, scene.inputs, out, 0, 100, 999)).toBe(Math.ceil((27 + 5 + 1) / 8));
  });

  test('random worlds, losses, delays and ownership: every record and every whole snapshot is true', () => {
    for (let seed = 1; seed <= 14; seed++) {
      const scene = new Scene(seed);
      scene.loss = [0, 0.05, 0.3][seed % 3]!;
      scene.delayTicks = [0, 2, 12][seed % 3 === 0 ? 1 : seed % 2 === 0 ? 2 : 0]!;
      scene.budget = [1150, 300, 120][seed % 3]!;
      for (let i = 0; i < 20; i++) scene.spawn(i & 1, i === 0);
      live(scene, 150, 0.02);
      scene.loss = 0;
      const before = scene.wholePackets;
      for (let n = 0; n < 120; n++) scene.tick();
      expect(scene.wholePackets, `seed ${seed}`).toBeGreaterThan(before);
      expect(scene.log.at(-1), `seed ${seed}`).toMatchObject({ whole: true, gone: [], records: [] });
      expect(scene.changeRecords, `seed ${seed}`).toBeGreaterThan(20);
    }
  });

  test('more entities than fit: nobody starves, and the own one is always there first', () => {
    const scene = new Scene(5);
    scene.delayTicks = 2;
    const own = scene.spawn(0, true);
    for (let i = 0; i < 400; i++) scene.spawn(1);
    const seen = new Map<number, number>();
    let longest = 0;
    for (let n = 0; n < 150; n++) {
      for (const archetype of [0, 1]) {
        for (const slot of scene.slots(archetype)) scene.shake(archetype, slot, 1);
      }
      scene.tick();
      for (const { tick, predicted, records } of scene.log.splice(0)) {
        const ids = records.map(({ id }) => id);
        if (predicted) expect(ids).toContain(own);
        for (const id of ids) {
          longest = Math.max(longest, tick - (seen.get(id) ?? 0));
          seen.set(id, tick);
        }
      }
      expect(scene.stream.deferred).toBeGreaterThan(0);
    }
    expect(seen.size).toBe(401);
    expect([...seen.values()].every((tick) => 149 - tick < 20)).toBe(true);
    expect(longest).toBeLessThan(20);
  });

  test('an end is repeated until a packet that held it is acked', () => {
    const scene = new Scene(6);
    scene.delayTicks = 0;
    const ids = [scene.spawn(1), scene.spawn(1)];
    scene.tick();
    scene.despawn(1, ids[0]!);
    scene.loss = 1;
    for (let n = 0; n < 5; n++) scene.tick();
    expect(scene.twin.entities[1]!.has(ids[0]!)).toBe(true);
    scene.loss = 0;
    scene.tick();
    expect(scene.log.at(-1)!.gone).toEqual([ids[0]]);
    expect([...scene.twin.entities[1]!.keys()]).toEqual([ids[1]]);
    scene.tick();
    expect(scene.log.at(-1)!.gone).toEqual([]);
  });

  test('more ends than a packet holds are told in turn, and whole waits for them', () => {
    const scene = new Scene(7);
    scene.delayTicks = 0;
    const ids = Array.from({ length: 150 }, () => scene.spawn(1));
    for (let n = 0; n < 10; n++) scene.tick();
    expect(scene.twin.entities[1]!.size).toBe(150);
    for (const id of ids) scene.despawn(1, id);
    scene.log.length = 0;
    for (let n = 0; n < 4; n++) scene.tick();
    expect(scene.log.map(({ gone, whole }) => [gone.length, whole])).toEqual([
      [64, false],
      [64, false],
      [22, true],
      [0, true],
    ]);
    expect(scene.twin.entities[1]!.size).toBe(0);
  });

  test('what was never sent is not told of', () => {
    const scene = new Scene(8);
    scene.delayTicks = 0;
    scene.budget = 20;
    for (let i = 0; i < 50; i++) scene.spawn(1);
    scene.tick();
    const sent = scene.twin.entities[1]!.size;
    expect(sent).toBeLessThan(10);
    for (const slot of scene.slots(1)) scene.despawn(1, scene.world.tables[1]!.ids[slot]!);
    scene.budget = 1150;
    scene.tick();
    expect(scene.log.at(-1)!.gone.length).toBe(sent);
  });

  test('no end is forgotten however many there are while nothing arrives', () => {
    const scene = new Scene(9);
    scene.delayTicks = 0;
    for (let i = 0; i < 100; i++) scene.spawn(1);
    for (let n = 0; n < 6; n++) scene.tick();
    const remembered = [...scene.twin.entities[1]!.keys()];
    expect(remembered.length).toBe(100);
    scene.loss = 1;
    for (let n = 0; n < 60; n++) {
      for (const slot of scene.slots(1)) scene.despawn(1, scene.world.tables[1]!.ids[slot]!);
      for (let i = 0; i < 30; i++) scene.spawn(1);
      scene.tick();
    }
    scene.loss = 0;
    for (let n = 0; n < 60; n++) scene.tick();
    expect(scene.log.at(-1)!.whole).toBe(true);
    expect(remembered.some((id) => scene.twin.entities[1]!.has(id))).toBe(false);
  });

  test('a baseline of 63 ticks ago can be named, one of 64 cannot', () => {
    for (const [ticks, whole] of [
      [63, false],
      [64, true],
    ] as const) {
      const scene = new Scene(10);
      scene.delayTicks = 0;
      const id = scene.spawn(1);
      scene.tick();
      for (let n = 1; n < ticks; n++) scene.step();
      scene.shake(1, scene.world.tables[1]!.slotOf(id), 1);
      scene.tick();
      expect(scene.world.tick).toBe(ticks);
      expect(scene.log.at(-1)!.records.map((record) => record.whole)).toEqual([whole]);
    }
  });

  test('an ack from before an entity changed hands names no baseline', () => {
    const scene = new Scene(11);
    scene.delayTicks = 0;
    const id = scene.spawn(0);
    const table = scene.world.tables[0]!;
    scene.step();
    scene.stream.prepare();
    const out = new Uint8Array(1150);
    const first = out.slice(0, scene.stream.write(EPOCH, scene.inputs, out, 0, 1150, 500));
    scene.twin.apply(scene.twin.decode(first));
    table.owners[table.slotOf(id)] = OWNER;
    scene.loss = 1;
    scene.tick();
    scene.stream.acked(500);
    scene.loss = 0;
    scene.tick();
    expect(scene.log.at(-1)!.records).toMatchObject([{ id, owned: true, whole: true }]);
  });

  test('no room for a head: nothing is written, and nothing is lost by it', () => {
    const scene = new Scene(12);
    scene.spawn(1);
    scene.step();
    scene.stream.prepare();
    const out = new Uint8Array(64).fill(7);
    expect(scene.stream.write(EPOCH, scene.inputs, out, 0, 7, 1)).toBe(0);
    expect(out.every((byte) => byte === 7)).toBe(true);
    expect(scene.stream.pending()).toBe(true);
    expect(scene.stream.write(EPOCH, scene.inputs, out, 0, 64, 1)).toBeGreaterThan(8);
    // Left over from a tick that is no longer the newest: not written.
    scene.stream.prepare();
    scene.step();
    expect(scene.stream.pending()).toBe(false);
    expect(scene.stream.write(EPOCH, scene.inputs, out, 0, 64, 2)).toBe(0);
  });
});
