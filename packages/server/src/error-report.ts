// Tells user code of an error, whatever that does in turn: who reports goes on, and often nobody above would catch.

import type { SessionServerOptions } from './session-server-options.ts';

type Listeners = Pick<SessionServerOptions, 'onError' | 'log'>;

/** To `onError`, or to `log` where there is none. If `onError` throws, both errors go to `log`. Never throws. */
export function reportTo({ onError, log }: Listeners, error: Error, where: string): void {
  if (onError === undefined) {
    write(log, error, where);
    return;
  }
  try {
    onError(error, where);
  } catch (thrown) {
    write(log, error, where);
    write(log, thrown, 'onError');
  }
}

function write(log: Listeners['log'], error: unknown, where: string): void {
  try {
    log?.('error', 'user-error', { where, error: `${error}` });
  } catch {
    // There is nobody left to tell.
  }
}
