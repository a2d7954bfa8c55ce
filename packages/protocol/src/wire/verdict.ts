// What a machine says of a datagram it was given. Small integers, so that counting is an array index.

/** Verdict on one received datagram; everything but `accepted` changed nothing but a counter. */
export const Verdict = {
  /** Authenticated, parsed whole and kept. */
  accepted: 0,
  /** Too short, too long or not in the form PROTOCOL.md gives. */
  malformed: 1,
  /** The tag does not fit the bytes. */
  forged: 2,
  /** A sequence that was received before. */
  duplicate: 3,
  /** A sequence too old to tell whether it is a duplicate. */
  stale: 4,
  /** Names a connection that does not exist here. */
  unknown: 5,
  /** Authentic, but a section could not be kept now (full, baseline missing); the sender will see it lost. */
  refused: 6,
  /** Came in a state where nothing of that kind is expected. */
  unexpected: 7,
  /** Asked for something that its limits do not allow now. */
  limited: 8,
} as const;

/** One of the numbers in {@link Verdict}. */
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** Names of the verdicts, by number; the keys of every `verdicts` statistic. */
export const verdictNames: readonly (keyof typeof Verdict)[] = [
  'accepted',
  'malformed',
  'forged',
  'duplicate',
  'stale',
  'unknown',
  'refused',
  'unexpected',
  'limited',
];
