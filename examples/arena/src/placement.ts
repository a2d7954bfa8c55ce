// Where players start.

import { blocked, SIZE } from './arena.ts';

/** Players start on two rings around the middle. */
const RINGS = [14, 22] as const;

/** The place of the `number`th of `around` players: those who enter after one another stand near each other. */
export function startPlace(number: number, around: number): [x: number, y: number] {
  const angle = (number / around) * 2 * Math.PI;
  const ax = Math.cos(angle);
  const ay = Math.sin(angle);
  let radius: number = RINGS[number % RINGS.length]!;
  while (radius < SIZE && blocked(ax * radius, ay * radius)) radius++;
  return [ax * radius, ay * radius];
}
