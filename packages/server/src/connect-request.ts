// Asks user code whether somebody may come in, and passes the answer on to the host.

import type { ConnectionHost } from './host.ts';
import type { ConnectRequest } from './session-server-options.ts';

/** Asks `decide` about the slot; what it throws goes to `report`. A ticket that has expired does nothing. */
export function askFor(
  host: ConnectionHost,
  slot: number,
  ticket: number,
  decide: (request: ConnectRequest) => void,
  report: (error: Error, where: string) => void,
): void {
  const fail = (error: Error) => {
    host.refuse(slot, ticket, 'error', '');
    report(error, 'onRequest');
  };
  try {
    decide({
      from: host.address(slot),
      user: host.user(slot),
      accept: () => host.accept(slot, ticket),
      refuse: (text = '') => host.refuse(slot, ticket, 'refused', text),
      fail,
    });
  } catch (error) {
    fail(error as Error);
  }
}
