// What a link counts. A datagram that goes in ends under exactly one of the reasons, or is delivered:
//
//   sent + duplicated = delivered + lost + queueDropped + mtuDropped + stallDropped + overflowed + under way
//
// but for copies that find the storage full: they are counted as overflowed, and were never made.

/** Counts of one link since it was made. Bytes are payload: add `HEADER_BYTES` a datagram for the wire. */
export interface LinkCounters {
  sent: number;
  sentBytes: number;
  /** Datagrams that came out, copies included. */
  delivered: number;
  deliveredBytes: number;
  /** Lost by chance, alone or in a burst. */
  lost: number;
  /** Copies made. */
  duplicated: number;
  /** Datagrams that came out after one sent later; copies do not count. */
  reordered: number;
  /** Datagrams in which bits were flipped, copies included. */
  corrupted: number;
  /** Turned away by a full queue for bandwidth, whatever its policy. */
  queueDropped: number;
  /** Larger than the path's MTU. */
  mtuDropped: number;
  /** Fell due in a stall that drops, copies included. */
  stallDropped: number;
  /** Found the simulation's own storage full, or were larger than a slot of it. */
  overflowed: number;
}

/** All counts at 0. */
export function zeroCounters(): LinkCounters {
  return {
    sent: 0,
    sentBytes: 0,
    delivered: 0,
    deliveredBytes: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    queueDropped: 0,
    mtuDropped: 0,
    stallDropped: 0,
    overflowed: 0,
  };
}
