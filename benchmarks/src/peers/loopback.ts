// Where every peer of the tick bench listens, and how dgram is told not to look it up.

export const SERVER_HOST = '127.0.0.1';

/** Room for every client's datagram of several ticks; the default holds about 250 short ones. */
export const SERVER_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** A synchronous lookup for literal IPv4 addresses: dgram's default one costs every send a turn of the loop. */
export function literalLookup(
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, host, 4);
}
