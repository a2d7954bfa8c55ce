// What shells ask of their users' options before they open anything: that there are such options, and whole numbers
// where only those have a meaning.

import { type ConnectionTuning, checkTuning } from '../transport/connection-options.ts';
import type { RateOptions } from '../transport/rate-controller.ts';
import { TickwireError } from '../wire/errors.ts';
import { checkNames, type OptionNames } from '../wire/option-names.ts';

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
export function checkOptions(call: string, options: ConnectionTuning, known: object): void {
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
