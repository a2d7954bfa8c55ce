import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EffectKeys } from '../src/effect-keys.ts';
import { EffectLedger } from '../src/effect-ledger.ts';
import { smallGame } from './small-game.ts';

function create() {
  const told: string[] = [];
  const payloads: unknown[] = [];
  const ledger = new EffectLedger(smallGame.effectKinds, (_kind, entity, payload, phase, tick) => {
    told.push(`${phase} ${tick}/${entity}`);
    payloads.push(payload);
  });
  const values = Int32Array.of(5, 1);
  return {
    told,
    payloads,
    ledger,
    predict: (tick: number, entity = 1, n = 0) => ledger.predicted(0, tick, entity, n, values),
    confirm: (tick: number, entity = 1, n = 0) => ledger.confirmed(0, tick, entity, n, values),
  };
}

describe('effect ledger', () => {
  test('own effects: predicted, then confirmed, with fresh payloads', () => {
    const { told, payloads, predict, confirm } = create();
    predict(3);
    predict(3);
    confirm(3);
    expect(told).toEqual(['predicted 3/1', 'confirmed 3/1']);
    expect(payloads).toEqual([
      { count: 5, far: true },
      { count: 5, far: true },
    ]);
    expect(payloads[0]).not.toBe(payloads[1]);
  });

  test("others' effects come confirmed only, and each once", () => {
    const { told, confirm } = create();
    confirm(3, 2);
    confirm(3, 2);
    confirm(3, 2, 1);
    expect(told).toEqual(['confirmed 3/2', 'confirmed 3/2']);
  });

  test('what a replay says again stays, what it does not is cancelled, what lies before is left alone', () => {
    const { told, ledger, predict } = create();
    for (const tick of [3, 4, 5]) predict(tick);
    ledger.replaying(3);
    predict(5);
    ledger.replayed();
    expect(told.slice(3)).toEqual(['cancelled 4/1']);
  });

  test('a key is never both cancelled and confirmed: by a replay, by expiry', () => {
    const { told, ledger, predict, confirm } = create();
    predict(3);
    ledger.replaying(2);
    ledger.replayed();
    confirm(3);
    predict(9);
    ledger.expire(8);
    ledger.expire(9);
    confirm(9);
    predict(9);
    expect(told).toEqual(['predicted 3/1', 'cancelled 3/1', 'predicted 9/1', 'cancelled 9/1']);
  });

  test('a replay that says again what is confirmed predicts nothing', () => {
    const { told, ledger, predict, confirm } = create();
    predict(3);
    confirm(3);
    confirm(4);
    ledger.replaying(1);
    predict(3);
    predict(4);
    ledger.replayed();
    ledger.expire(100);
    expect(told).toEqual(['predicted 3/1', 'confirmed 3/1', 'confirmed 4/1']);
  });

  test('256 wait; one more is only confirmed', () => {
    const { told, predict, confirm } = create();
    for (let entity = 1; entity <= 257; entity++) predict(3, entity);
    expect(told.at(-1)).toBe('predicted 3/256');
    confirm(3, 257);
    confirm(3, 1);
    expect(told.slice(-2)).toEqual(['confirmed 3/257', 'confirmed 3/1']);
  });

  test('remembers the cancelled ones through a flood of others', () => {
    const { told, ledger, predict, confirm } = create();
    predict(3);
    ledger.expire(3);
    for (let entity = 2; entity < 5000; entity++) confirm(4, entity);
    told.length = 0;
    confirm(3);
    expect(told).toEqual([]);
  });

  test('any order of events: at most one prediction and one end per key', () => {
    const event = fc.record({
      what: fc.nat(3),
      tick: fc.nat(20),
      entity: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80 }), (events) => {
        const { told, ledger, predict, confirm } = create();
        for (const { what, tick, entity } of events) {
          if (what === 0) predict(tick, entity);
          else if (what === 1) confirm(tick, entity);
          else if (what === 2) ledger.expire(tick);
          else {
            ledger.replaying(tick);
            predict(tick + 1, entity);
            ledger.replayed();
          }
        }
        expect(new Set(told).size).toBe(told.length);
        for (const line of told) {
          expect(
            line.startsWith('cancelled') && told.includes(line.replace('cancelled', 'confirmed')),
          ).toBe(false);
          if (line.startsWith('cancelled'))
            expect(told).toContain(line.replace('cancelled', 'predicted'));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('effect keys', () => {
  test('holds as many as it has room for; one more pushes out the oldest', () => {
    const keys = new EffectKeys(4);
    expect(keys.has(0, 0, 0, 0)).toBe(false);
    for (let tick = 0; tick < 4; tick++) keys.add(1, tick, 2, 3);
    for (let tick = 0; tick < 4; tick++) expect(keys.has(1, tick, 2, 3)).toBe(true);
    keys.add(1, 4, 2, 3);
    expect(keys.has(1, 0, 2, 3)).toBe(false);
    expect(keys.has(1, 4, 2, 3)).toBe(true);
  });

  test('every part of the key counts', () => {
    const keys = new EffectKeys(4);
    keys.add(1, 2, 0xffff_ffff, 0xffff_fffe);
    expect(keys.has(1, 2, 0xffff_ffff, 0xffff_fffe)).toBe(true);
    expect(keys.has(0, 2, 0xffff_ffff, 0xffff_fffe)).toBe(false);
    expect(keys.has(1, 3, 0xffff_ffff, 0xffff_fffe)).toBe(false);
    expect(keys.has(1, 2, 0xffff_fffe, 0xffff_fffe)).toBe(false);
    expect(keys.has(1, 2, 0xffff_ffff, 0xffff_ffff)).toBe(false);
  });
});
