// Who waits for room in the queue of one channel: called once each, in the order in which they asked.

import { TickwireError } from '../wire/errors.ts';

/** A sender that asks again at each 'full' instead of once is found out here, before it fills the memory. */
export const WRITABLE_CALLBACKS_MAX = 64;

/** See the head of the file. */
export class WritableCallbacks {
  #callbacks: (() => void)[] = [];

  /** Nobody waits. */
  get none(): boolean {
    return this.#callbacks.length === 0;
  }

  /** Throws 'handlers-full' for one more than {@link WRITABLE_CALLBACKS_MAX}. */
  add(callback: () => void): void {
    if (this.#callbacks.length >= WRITABLE_CALLBACKS_MAX) {
      const why = `${WRITABLE_CALLBACKS_MAX} callbacks wait for the channel already`;
      throw new TickwireError(
        'handlers-full',
        `${why}; ask once for each 'full', not for each message`,
      );
    }
    this.#callbacks.push(callback);
  }

  /** Calls those who wait while there is room. Who asks again meanwhile waits behind the others, for the next time. */
  tell(room: () => boolean): void {
    for (let left = this.#callbacks.length; left > 0 && room(); left--) this.#callbacks.shift()?.();
  }

  /** Nobody is told anything any more. */
  clear(): void {
    this.#callbacks = [];
  }
}
