// A world, a snapshot stream out of it, and at the far end a twin that decodes from the layout comment alone.

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
import { expect } from 'vitest';
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

export const OWNER = 3;
export const EPOCH = 9;

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
    return {
      archetype,
      id,
      owned: known.owned,
      whole: false,
      row: change(bits, layout, base, known.owned),
    };
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
export class Scene {
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
    const id =
      archetype === 0 ? this.world.facade.player.spawn().id : this.world.facade.item.spawn().id;
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
export function live(scene: Scene, ticks: number, churn: number): void {
  for (let n = 0; n < ticks; n++) {
    for (const archetype of [0, 1]) {
      const table = scene.world.tables[archetype]!;
      for (const slot of scene.slots(archetype)) {
        if (scene.chance(0.3)) scene.shake(archetype, slot);
        if (scene.chance(churn)) scene.despawn(archetype, table.ids[slot]!);
        const changesHands = archetype === 0 && scene.chance(churn);
        if (changesHands) {
          table.owners[slot] = table.owners[slot] === OWNER ? 0 : OWNER;
        }
      }
      if (scene.chance(0.5)) scene.spawn(archetype, archetype === 0 && scene.chance(0.3));
    }
    scene.tick();
  }
}
