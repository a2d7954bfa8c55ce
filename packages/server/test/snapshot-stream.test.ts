// Snapshots over random worlds and random fates, against an independent decoder.

import { describe, expect, test } from 'vitest';
import { EPOCH, live, OWNER, Scene } from './snapshot-scene.ts';

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
    expect(scene.stream.write(EPOCH, scene.inputs, out, 0, 100, 999)).toBe(
      Math.ceil((27 + 5 + 1) / 8),
    );
  });

  test('random worlds, losses, delays and ownership: every record and every whole snapshot is true', () => {
    for (let seed = 1; seed <= 9; seed++) {
      const scene = new Scene(seed);
      scene.loss = [0, 0.05, 0.3][seed % 3]!;
      scene.delayTicks = [0, 2, 12][seed % 3 === 0 ? 1 : seed % 2 === 0 ? 2 : 0]!;
      scene.budget = [1150, 300, 120][seed % 3]!;
      for (let i = 0; i < 20; i++) scene.spawn(i & 1, i === 0);
      live(scene, 120, 0.02);
      scene.loss = 0;
      const before = scene.wholePackets;
      for (let n = 0; n < 120; n++) scene.tick();
      expect(scene.wholePackets, `seed ${seed}`).toBeGreaterThan(before);
      expect(scene.log.at(-1), `seed ${seed}`).toMatchObject({
        whole: true,
        gone: [],
        records: [],
      });
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
