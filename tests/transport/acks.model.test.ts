// The model of acknowledgement over random lives of two connections; see acks-model.ts.

import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { reportWorlds } from '../worlds/report.ts';
import { AckModel, anySteps, longLife, runAckModel } from './acks-model.ts';

const full = process.env.TICKWIRE_WORLDS === 'full';
const longSeeds = full ? [1, 2, 3, 4, 5, 6] : [1];
let worlds = 0;

describe('what the sender is told was acked, the receiver got and kept', () => {
  test('in any life: random losses, reordering, duplicates, refusals and gaps, both ways', () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        worlds++;
        expect(runAckModel(steps)).toEqual([]);
      }),
      { numRuns: full ? 600 : 60 },
    );
  });

  test.each(longSeeds)('past three wraps of the sequence with gaps of silence, seed %i', (seed) => {
    const model = new AckModel();
    for (const step of longLife(seed, 3)) model.run(step);
    model.finish();
    worlds++;
    expect(model.complaints).toEqual([]);
    for (const { connection, sent } of [model.a, model.b]) {
      expect(connection.nextSequence).toBeGreaterThan(3 * 0x10000);
      expect(Math.min(...sent)).toBeGreaterThan(100);
    }
  });
});

afterAll(() => reportWorlds('acks', longSeeds, worlds));
