// Bugs of the kinds that transports really had, planted one at a time: each must be caught, or the checks are blind.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Check, checks as Checks } from './checks.ts';
import type { runPlace as RunPlace } from './matrix-world.ts';
import { type Edit, openSource } from './planted-source.ts';

type CheckName = keyof typeof Checks;

interface Plant extends Edit {
  readonly bug: string;
  readonly caughtBy: CheckName;
}

const transport = (file: string) => `protocol/src/transport/${file}`;

const plants: readonly Plant[] = [
  {
    bug: 'acks off by one, when they are read',
    file: transport('sent-window.ts'),
    find: 'this.#ack(nowMs, ack - 1 - n);',
    replace: 'this.#ack(nowMs, ack - n);',
    caughtBy: 'acks',
  },
  {
    bug: 'acks off by one, when the history moves',
    file: transport('received-window.ts'),
    find: 'this.#mark(distance - 1);',
    replace: 'this.#mark(distance);',
    caughtBy: 'acks',
  },
  {
    bug: 'acks off by one, when they are written',
    file: transport('ack-block.ts'),
    find: 'writer.u16(window.newestKept % 0x10000);',
    replace: 'writer.u16((window.newestKept + 1) % 0x10000);',
    caughtBy: 'acks',
  },
  {
    bug: 'acks of what was refused',
    file: transport('received-window.ts'),
    find: 'if (!kept) return outOfOrder;',
    replace: '',
    caughtBy: 'acks',
  },
  {
    bug: 'a history one longer than it is',
    file: transport('sent-window.ts'),
    find: 'Math.min(block.reach, ack - this.#firstUnnamed())',
    replace: 'Math.min(block.reach + 1, ack - this.#firstUnnamed())',
    caughtBy: 'reach',
  },
  {
    bug: 'two verdicts',
    file: transport('sent-window.ts'),
    find: 'if (this.#records[record + Sent.state] !== State.inFlight) continue;',
    replace: 'if (this.#records[record + Sent.state] === State.none) continue;',
    caughtBy: 'acks',
  },
  {
    bug: 'resend after ack, of messages',
    file: transport('outgoing-messages.ts'),
    find: 'if (this.#states[slot] !== State.lost) continue;',
    replace: 'if (this.#states[slot] === State.inFlight) continue;',
    caughtBy: 'acks',
  },
  {
    bug: 'resend after ack, of values',
    file: transport('latest-outgoing.ts'),
    find: 'if (acked) this.#settle(slot);',
    replace: 'if (acked && this.#sequences[slot]! % 7 > 0) this.#settle(slot);',
    caughtBy: 'acks',
  },
  {
    bug: 'sequence compare without wrap',
    file: 'protocol/src/wire/sequence.ts',
    find: 'return delta < 0x8000 ? nearest + delta : nearest + delta - WIRE_SEQUENCES;',
    replace: 'return nearest + wire - (nearest & 0xffff) + 0 * delta * WIRE_SEQUENCES;',
    caughtBy: 'wrap',
  },
  {
    bug: 'replay window one too small',
    file: transport('received-window.ts'),
    find: 'sequence <= this.#newest - REPLAY_WINDOW) return Verdict.stale',
    replace: 'sequence <= this.#newest - REPLAY_WINDOW + 1) return Verdict.stale',
    caughtBy: 'replays',
  },
  {
    bug: 'what was skipped counts as received',
    file: transport('received-window.ts'),
    find: 'words[receivedWord(s)]! &= ~(1 << (s & 31));',
    replace: '',
    caughtBy: 'replays',
  },
  {
    bug: "receiver's window one too large",
    file: transport('incoming-messages.ts'),
    find: 'id >= this.#first + RELIABLE_WINDOW',
    replace: 'id > this.#first + RELIABLE_WINDOW',
    caughtBy: 'reliableWindows',
  },
  {
    bug: "sender's window one too large",
    file: transport('outgoing-messages.ts'),
    find: 'return this.#next - this.#oldest < RELIABLE_WINDOW;',
    replace: 'return this.#next - this.#oldest <= RELIABLE_WINDOW;',
    caughtBy: 'reliableWindows',
  },
  {
    bug: 'a fragment index unchecked, in the head',
    file: transport('fragment.ts'),
    find: 'if (this.index >= fragments) return false;',
    replace: '',
    caughtBy: 'heads',
  },
  {
    bug: 'a fragment index unchecked, against the start of a reliable channel',
    file: transport('incoming-messages.ts'),
    find: 'if (begin < 0) return false;',
    replace: '',
    caughtBy: 'fragments',
  },
  {
    bug: 'a fragment that ends beyond its message, reliable',
    file: transport('incoming-messages.ts'),
    find: 'if (head.index * FRAGMENT_BYTES + head.length > this.#messageBytes) return false;',
    replace: '',
    caughtBy: 'fragments',
  },
  {
    bug: 'a fragment that ends beyond its message, unreliable',
    file: transport('unreliable.ts'),
    find: 'if (head.index * FRAGMENT_BYTES + head.length > this.#limits.messageBytes) return false;',
    replace: '',
    caughtBy: 'fragments',
  },
];

/** Promises broken, which the delivery matrix must see. */
const brokenPromises: readonly [bug: string, edit: Edit][] = [
  [
    'delivered as it comes where order is promised',
    {
      file: transport('incoming-messages.ts'),
      find: 'if (this.#partOf(id) === WHOLE && (!this.#ordered || id === this.#due)) {',
      replace: 'if (this.#partOf(id) === WHOLE) {',
    },
  ],
  [
    'delivered twice',
    {
      file: transport('received-window.ts'),
      find: 'return this.#came(sequence) ? Verdict.duplicate : Verdict.accepted;',
      replace: 'return Verdict.accepted;',
    },
  ],
  [
    'damaged when it is said again',
    {
      file: transport('outgoing-messages.ts'),
      find: 'this.#positions[slot] = this.#position;',
      replace: 'this.#positions[slot] = this.#position ^ 1;',
    },
  ],
  [
    'delivered after what overtook it',
    {
      file: transport('unreliable-sequenced.ts'),
      find: 'if (order < this.#newest) return false;',
      replace: '',
    },
  ],
  [
    'never said again',
    {
      file: transport('outgoing-messages.ts'),
      find: 'this.#states[slot] = State.lost;',
      replace: 'this.#states[slot] = State.inFlight;',
    },
  ],
  [
    'an older value over a newer one',
    {
      file: transport('latest-incoming.ts'),
      find: 'else if (this.#sequence <= this.#sequences[slot]!) {',
      replace: 'else if (this.#sequence === this.#sequences[slot]!) {',
    },
  ],
];

let source: Awaited<ReturnType<typeof openSource>>;

async function loadChecks(plant: readonly Edit[]): Promise<Record<CheckName, Check>> {
  const module = await source.load('tests/transport/checks.ts', plant);
  return module.checks as Record<CheckName, Check>;
}

/** A hard place of the delivery matrix. */
async function loadPlace(plant: readonly Edit[]): Promise<Check> {
  const module = await source.load('tests/transport/matrix-world.ts', plant);
  const runPlace = module.runPlace as typeof RunPlace;
  const place = { loss: 0.05, delayMs: 50, reorder: 0.2, burst: true };
  return () => [...runPlace(place, 1).complaints];
}

/** An error is a complaint as well. */
function run(check: Check): string[] {
  try {
    return check();
  } catch (error) {
    return [String(error)];
  }
}

beforeAll(async () => {
  source = await openSource();
});

afterAll(() => source.close());

describe('planted bugs', () => {
  test('without one, all checks pass', async () => {
    const checks = await loadChecks([]);
    for (const [name, check] of Object.entries(checks)) expect(run(check), name).toEqual([]);
  });

  test.each(plants.map((plant) => [plant.bug, plant] as const))(
    'caught: %s',
    async (_bug, plant) => {
      const checks = await loadChecks([plant]);
      expect(run(checks[plant.caughtBy]).length, `seen by ${plant.caughtBy}`).toBeGreaterThan(0);
    },
  );

  test('without one, the delivery matrix passes', async () => {
    expect(run(await loadPlace([]))).toEqual([]);
  });

  test.each(brokenPromises)('seen by the delivery matrix: %s', async (_bug, edit) => {
    expect(run(await loadPlace([edit])).length).toBeGreaterThan(0);
  });

  test('a plant that no longer fits its source is told', async () => {
    const [plant] = plants;
    await expect(loadChecks([{ ...plant!, find: 'no such line' }])).rejects.toThrow('0 times');
    await expect(loadChecks([{ ...plant!, find: 'this' }])).rejects.toThrow('times');
    await expect(loadChecks([{ ...plant!, file: 'protocol/src/gone.ts' }])).rejects.toThrow(
      '0 of 1',
    );
  });
});
