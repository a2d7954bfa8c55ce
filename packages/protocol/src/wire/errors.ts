// The one error class of the public API: misuse is thrown at once with a code that never changes.

/** Thrown for misuse of the API. `code` is stable across versions; `message` says what to do. */
export class TickwireError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TickwireError';
    this.code = code;
  }
}

/** For states that cannot be reached by any input: encoders assert, decoders verify. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new TickwireError('internal', `internal assertion failed: ${what}`);
}
