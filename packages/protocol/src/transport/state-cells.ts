// Where the numbers of a connection stand: times, averages and counts of all its parts lie side by side in one array, and
// those of its path in a second one, which begins anew with each path. An array of a few numbers costs two or three cache
// lines besides the numbers themselves, and a server of hundreds of connections pays for each line with each packet.
// They are in arrays at all because a fractional number in an object's field may be boxed anew at each change.

/** First cell of each part of a connection. */
export const Cells = {
  connection: 0,
  keepAlive: 11,
  ackTimer: 13,
  incomingKeys: 14,
  rtt: 15,
  sent: 18,
  received: 26,
  trafficOut: 32,
  trafficIn: 42,
  end: 52,
} as const;

/** First cell of each part of a path. The rate controller is the first: rate-cells.ts. */
export const PathCells = {
  rate: 0,
  gate: 17,
  mtu: 18,
  loss: 19,
  queue: 34,
  end: 168,
} as const;

/** The numbers of a connection, all 0. */
export function connectionCells(): Float64Array {
  return new Float64Array(Cells.end);
}

/** The numbers of a path, all 0. */
export function pathCells(): Float64Array {
  return new Float64Array(PathCells.end);
}
