// Scenes for the picture: from the server's truth, and from what a bot sees.

import type { Layout } from '@tickwire/protocol';
import { arena, COOLDOWN_TICKS } from './arena.ts';
import type { BotView } from './demo-messages.ts';
import type { Scene, ScenePlayer } from './picture.ts';
import { ROW_HEAD, StateReader } from './state-batch.ts';

/** A shot stays visible for so many ticks. */
const SHOT_TICKS = 6;

const reader = new StateReader(arena.layouts);
const [player, item] = ['player', 'item'].map((name) => arena.layouts[arena.archetypeIndex(name)]!);

/** The server's state of a tick; layout in state-batch.ts. `own`: the player to highlight. */
export function sceneOfState(state: Int32Array, own: number): Scene {
  const players: ScenePlayer[] = [];
  for (const row of rowsOf(state, player!)) {
    const cooldown = row.read('motion.cooldown');
    players.push({
      id: row.id,
      x: row.read('pose.x'),
      y: row.read('pose.y'),
      aim: row.read('pose.aim'),
      own: row.id === own,
      down: row.read('life.down') === 1,
      firing: cooldown > COOLDOWN_TICKS - SHOT_TICKS,
    });
  }
  const items: { x: number; y: number }[] = [];
  for (const row of rowsOf(state, item!)) {
    if (row.read('stock.taken') === 0)
      items.push({ x: row.read('place.x'), y: row.read('place.y') });
  }
  return { players, items };
}

/** What a bot sees. */
export function sceneOfView({ self, players }: BotView): Scene {
  const shown: ScenePlayer[] = [];
  for (let at = 0; at < players.length; at += 4) {
    const [id, x, y, aim] = players.subarray(at, at + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    shown.push({ id, x, y, aim, own: id === self, down: false, firing: false });
  }
  return { players: shown, items: [] };
}

interface StateRow {
  readonly id: number;
  /** The value of a field, 'component.field'. */
  read(name: string): number;
}

function rowsOf(state: Int32Array, layout: Layout): StateRow[] {
  const { at, count, size } = reader.rows(state, layout.index);
  return Array.from({ length: count }, (_, i) => {
    const start = at + i * size;
    const read = (name: string) => {
      const f = layout.fieldNames.indexOf(name);
      return layout.mins[f]! + state[start + ROW_HEAD + f]! * layout.steps[f]!;
    };
    return { id: state[start]!, read };
  });
}
