// What shells ask of their users' options before they open anything: that there are such options, and whole numbers
// where only those have a meaning.

import { type ConnectionTuning, checkTuning } from '../transport/connection-options.ts';
import type { RateOptions } from '../transport/rate-controller.ts';
import { TickwireError } from '../wire/errors.ts';

/** Every option that there is, by name: `satisfies OptionNames<Options>` keeps it so. */
export type OptionNames<T> = Readonly<Record<keyof T & string, true>>;

/** Names of what users may set for their connections. */
export const tuningNames = {
  timeoutMs: true,
  keepAliveMs: true,
  rate: true,
  probePathMtu: true,
  rotateAfterPackets: true,
} satisfies OptionNames<ConnectionTuning>;

const rateNames = {
  initialBytesPerSecond: true,
  minBytesPerSecond: true,
  maxBytesPerSecond: true,
} satisfies OptionNames<RateOptions>;

/**
 * Checks the tuning, and that all of `options` are among `known`: one that is misspelt would have no effect, silently.
 * `call` is whose options they are. Throws 'option-invalid', naming the option and those that there are.
 */
export function checkOptions(
  call: string,
  options: ConnectionTuning,
  known: Readonly<Record<string, true>>,
): void {
  checkNames(call, options, known);
  checkNames('rate', options.rate ?? {}, rateNames);
  checkTuning(options);
}

/** Throws 'option-invalid' unless `value` is a whole number from `low` to `high`, or left out. */
export function checkWhole(
  name: string,
  value: number | undefined,
  low: number,
  high: number,
): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new TickwireError(
    'option-invalid',
    `${name} is ${value}; give a whole number from ${low} to ${high}`,
  );
}

/** Throws 'option-invalid' for the first of `options` that is not `known`. */
export function checkNames(
  call: string,
  options: object,
  known: Readonly<Record<string, true>>,
): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known).join(', ');
    throw new TickwireError('option-invalid', `${call} has no option '${name}'; it has ${names}`);
  }
}
