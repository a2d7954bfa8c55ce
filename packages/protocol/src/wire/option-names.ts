// Names of options: one that is misspelt would have no effect, silently, so each call knows all that it has.

import { TickwireError } from './errors.ts';

/** Every option that there is, by name: `satisfies OptionNames<Options>` keeps it so. */
export type OptionNames<T> = Readonly<Record<keyof T & string, true>>;

/** Throws 'option-invalid' for the first of `options` that is not `known`. `call` is whose options they are. */
export function checkNames(call: string, options: object, known: object): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known).join(', ');
    throw new TickwireError('option-invalid', `${call} has no option '${name}'; it has ${names}`);
  }
}
