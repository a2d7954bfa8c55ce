// The parts of the package that game tests use, under the names users import.

export { archetype, component } from '../src/game/component.ts';
export { defineGame, Game } from '../src/game/define-game.ts';
export { math } from '../src/game/math.ts';
export { SimulationError } from '../src/game/simulation-error.ts';
export { createView } from '../src/game/view.ts';
export { World } from '../src/game/world.ts';
export { bytes, real, text } from '../src/messages/message-field.ts';
export { defineMessages } from '../src/messages/message-set.ts';
export { angle, axis, edge, fixed, flag, int, uint } from '../src/replication/field.ts';
