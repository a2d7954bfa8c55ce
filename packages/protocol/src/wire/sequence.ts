// Sequence numbers: 16 bits on the wire, whole safe integers inside, so nothing else ever wraps.

/** How many sequences the wire tells apart. */
const WIRE_SEQUENCES = 0x10000;

/**
 * The full number whose low 16 bits are `wire` and which lies nearest to `nearest`.
 * May be negative when `nearest` is close to 0: the caller refuses those.
 */
export function expandSequence(wire: number, nearest: number): number {
  const delta = (wire - nearest) & 0xffff;
  return delta < 0x8000 ? nearest + delta : nearest + delta - WIRE_SEQUENCES;
}
