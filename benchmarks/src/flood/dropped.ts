// How many datagrams the system has dropped because a socket's receive buffer was full: Linux counts them.
//
//   /proc/net/udp, one line a socket:  sl  LOCAL_ADDRESS:PORT in hex  ...  DROPS

import { readFileSync } from 'node:fs';

const TABLE = '/proc/net/udp';

/** Of the IPv4 socket bound to `port`, since it was opened; undefined = nobody counts, or there is no such socket. */
export function droppedDatagrams(port: number): number | undefined {
  try {
    return droppedIn(readFileSync(TABLE, 'latin1'), port);
  } catch {
    return undefined;
  }
}

/** The same, in the text of that table. */
export function droppedIn(table: string, port: number): number | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const columns = table.split('\n').map((line) => line.trim().split(/\s+/));
  const line = columns.find(([, local]) => local?.endsWith(suffix));
  return line === undefined ? undefined : Number(line.at(-1));
}
