// What a throw in simulate becomes: it says where the game was.

import { TickwireError } from '../wire/errors.ts';

/** Code 'simulate-threw'. The world it came from cannot be stepped on. */
export class SimulationError extends TickwireError {
  readonly tick: number;
  /** Id of the row being simulated, 0 = none. */
  readonly entity: number;

  constructor(tick: number, entity: number, cause: unknown) {
    const what = cause instanceof Error ? cause.message : String(cause);
    const where = entity === 0 ? '' : `, entity ${entity}`;
    super('simulate-threw', `simulate threw at tick ${tick}${where}: ${what}`, { cause });
    this.name = 'SimulationError';
    this.tick = tick;
    this.entity = entity;
  }
}
