import { describe, expect, it } from 'vitest';
import { resolveLink } from '../src/link-options.ts';
import { type ConditionName, preset, presets } from '../src/presets.ts';

const names = Object.keys(presets) as ConditionName[];

describe('presets', () => {
  it('has those that the documents name', () => {
    expect(names).toEqual(['lan', 'cable', 'wifi', 'lte', 'bad-wifi', 'satellite']);
  });

  it.each(names)('%s is valid, frozen and found by its name', (name) => {
    const condition = preset(name);
    expect(condition).toBe(presets[name]);
    for (const link of [condition, condition.up, condition.down]) {
      expect(Object.isFrozen(link)).toBe(true);
    }
    for (const link of [condition.up, condition.down]) {
      const { rateKbps, queueBytes, latencyMs, jitterMs } = resolveLink(link);
      // A queue of less than two datagrams or of more than half a second is not what anybody means.
      expect(queueBytes).toBeGreaterThan(2 * 1500);
      expect((queueBytes * 8) / rateKbps).toBeLessThan(500);
      expect(jitterMs).toBeLessThan(latencyMs);
    }
  });

  it('has 10 Mbit/s either way for cable, and paths that differ by direction', () => {
    expect(presets.cable.up.rateKbps).toBe(10_000);
    expect(presets.cable.down.rateKbps).toBe(10_000);
    const asymmetric = names.filter(
      (name) => presets[name].up.rateKbps !== presets[name].down.rateKbps,
    );
    expect(asymmetric).toEqual(['wifi', 'lte', 'bad-wifi', 'satellite']);
  });

  it.each(['dsl', '', 'LAN', 'toString', '__proto__'])(
    'does not know %j, and says what it knows',
    (name) => {
      expect(() => preset(name)).toThrow(
        expect.objectContaining({
          code: 'option-invalid',
          message: `no preset is called '${name}'; give one of: ${names.join(', ')}`,
        }),
      );
    },
  );
});
